"""The steps of a transaction as lines."""

from __future__ import annotations

import pytest

from ceo.cli.steps import Steps
from ceo_common.events import heartbeat, is_last


def test_a_heartbeat_shows_nothing_and_ends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    event = heartbeat("T", 7)
    Steps()(event)
    assert capsys.readouterr() == ("", "")
    assert not is_last(event)
