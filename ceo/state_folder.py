"""Where ceo keeps what it needs after its end (XDG Base Directory Specification)."""

from __future__ import annotations

import os
import pwd
from pathlib import Path


def state_folder() -> Path:
    """The folder `ceo` in $XDG_STATE_HOME, by default in ~/.local/state.

    The specification wants relative paths to be ignored.  Raises FileNotFoundError where nobody
    says which home directory is meant.
    """
    state = Path(os.environ.get("XDG_STATE_HOME", ""))
    if not state.is_absolute():
        state = _home() / ".local/state"
    return state / "ceo"


def _home() -> Path:
    home = Path(os.environ.get("HOME", ""))
    if not home.is_absolute():
        try:
            home = Path(pwd.getpwuid(os.getuid()).pw_dir)
        except KeyError:
            raise FileNotFoundError("there is no home directory for the state of ceo: set XDG_STATE_HOME") from None
    return home
