"""The steps of a transaction as lines."""

from __future__ import annotations

import pytest

from ceo.cli.steps import Steps
from ceo.progress import aborted_sentence
from ceo_common.events import heartbeat, is_last


def test_a_heartbeat_shows_nothing_and_ends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    event = heartbeat("T", 7)
    Steps()(event)
    assert capsys.readouterr() == ("", "")
    assert not is_last(event)


def test_a_home_that_was_kept_comes_with_what_to_do() -> None:
    sentence = aborted_sentence({
        "n": 9, "status": "aborted", "transaction": "T", "error": {"step": "add", "error": "no"},
        "undone": ["home"], "kept": ["/users/archive/x.undone-T"],
    })
    assert "it was kept: /users/archive/x.undone-T." in sentence
    assert "Move it away before the name can be used again." in sentence
    assert "can be tried again" not in sentence
