"""How long an answer of other hosts about taken names serves."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from ceo_common.client import Client
from ceo_common.errors import CeoError, Unreachable
from ceod.services.names_elsewhere import KEPT_S, NamesElsewhere
from ceod.services.slow_hosts import SlowHosts


class _Peers:
    """Counts what it is asked; the answers can be changed, and the clock moved."""

    hosts = SimpleNamespace(database="coffee", mail="mail")

    def __init__(self) -> None:
        self.now = 0.0
        self.asked = 0
        self.databases: dict[str, list[str]] = {"mysql": ["jdoe"], "postgresql": []}
        self.mail: dict[str, list[str]] = {"lists": ["events"], "aliases": ["staff"]}
        self.error: CeoError | None = None

    def all_databases(self) -> dict[str, list[str]]:
        self.asked += 1
        return self.databases

    def mail_names(self) -> dict[str, list[str]]:
        if self.error:
            raise self.error
        return self.mail


@pytest.fixture
def peers() -> _Peers:
    return _Peers()


@pytest.fixture
def elsewhere(peers: _Peers) -> NamesElsewhere:
    def clock() -> float:
        return peers.now

    return NamesElsewhere(cast(Client, cast(Any, peers)), SlowHosts(clock), clock)


def test_sign_ups_that_follow_each_other_ask_once(
    peers: _Peers, elsewhere: NamesElsewhere
) -> None:
    for _ in range(3):
        assert not elsewhere.ask(["free"]).has_any(["free"])
    assert peers.asked == 1
    peers.mail = {"lists": ["free"], "aliases": []}
    peers.now += KEPT_S
    assert elsewhere.ask(["free"]).has_any(["free"])


@pytest.mark.parametrize("name", ["jdoe", "events", "staff"])
def test_no_refusal_comes_from_an_old_answer(
    peers: _Peers, elsewhere: NamesElsewhere, name: str
) -> None:
    elsewhere.ask(["free"])
    peers.databases, peers.mail = {"mysql": []}, {"lists": [], "aliases": []}
    assert not elsewhere.ask(["free", name]).has_any([name])
    assert peers.asked == 2


def test_what_a_host_could_not_answer_is_not_kept(
    peers: _Peers, elsewhere: NamesElsewhere
) -> None:
    peers.error = Unreachable("no answer")
    assert "could not be asked: no answer" in elsewhere.ask(["free"]).warnings[0]
    peers.error = None
    assert elsewhere.ask(["events"]).has_any(["events"])
