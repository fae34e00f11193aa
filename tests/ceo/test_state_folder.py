"""Where ceo keeps its state: an absolute XDG_STATE_HOME, else below the home directory."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from ceo import under_way
from ceo.state_folder import state_folder


@pytest.mark.parametrize(
    ("state", "home", "folder"),
    [
        ("/var/state", "/home/x", "/var/state/ceo"),
        ("relative", "/home/x", "/home/x/.local/state/ceo"),
        ("./relative", "/home/x", "/home/x/.local/state/ceo"),
        ("", "/home/x", "/home/x/.local/state/ceo"),
        (None, "/home/x", "/home/x/.local/state/ceo"),
        (None, "", f"{pwd.getpwuid(os.getuid()).pw_dir}/.local/state/ceo"),
        (None, "relative", f"{pwd.getpwuid(os.getuid()).pw_dir}/.local/state/ceo"),
    ],
)
def test_the_folder(monkeypatch: pytest.MonkeyPatch, state: str | None, home: str, folder: str) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    if state is not None:
        monkeypatch.setenv("XDG_STATE_HOME", state)
    monkeypatch.setenv("HOME", home)
    assert state_folder() == Path(folder)


def test_whoever_has_no_home_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 54321)
    with pytest.raises(FileNotFoundError, match="set XDG_STATE_HOME"):
        state_folder()
    under_way.Trail("title", "host", "somebody").ended()
    assert list(under_way.left_behind("somebody")) == []
