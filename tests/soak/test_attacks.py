"""Connections that a stranger holds open: how long an honest request takes meanwhile, and whether TERM and HUP end ceod."""

from __future__ import annotations

import statistics
import threading
import time

import pytest

from sandbox.club import ADDRESSES, DESK
from tests.club.adds import ended, held
from tests.club.attackers import ALL, FIFTY, under_attack
from tests.club.club import ADMIN, Club, until
from tests.club.report import LINES

_ASKING_S = 11.0  # longer than the server waits for a hello or a header
_PAUSE_S = 0.1
_WORST_S = 2.0
_EACH = {kind: {kind: count} for kind, count in ALL.items()} | {"all at once": ALL}
_GRACE_S = 600


def _honest(club: Club) -> list[float]:
    """How long each request takes for a while, each over a new connection: whether ceod is up, who I am, somebody."""
    client, times = club.client("regular1"), list[float]()
    ask = (lambda: client.ping("phosphoric-acid.csclub.internal"), client.whoami, lambda: client.member("office1"))
    end = time.monotonic() + _ASKING_S
    while time.monotonic() < end:
        began = time.monotonic()
        ask[len(times) % len(ask)]()
        times.append(time.monotonic() - began)
        time.sleep(_PAUSE_S)
    return times


def _told(what: str, times: list[float], more: str = "") -> str:
    return f"{what}: {len(times)} honest requests, median {statistics.median(times) * 1000:.0f} ms, worst {max(times) * 1000:.0f} ms{more}"


def test_the_quiet(club: Club) -> None:
    LINES.append(_told("no attack", _honest(club)))


@pytest.mark.parametrize("addresses", [[ADDRESSES[DESK]], FIFTY], ids=["from one address", "from fifty"])
@pytest.mark.parametrize("kinds", _EACH.values(), ids=_EACH)
def test_honest_requests_under_attack(
    club: Club, kinds: dict[str, int], addresses: list[str], request: pytest.FixtureRequest
) -> None:
    with under_attack(kinds, addresses) as attack:
        times = _honest(club)
        said = attack.said()
    LINES.append(_told(request.node.callspec.id, times, f"; open {said['open']}, opened {said['opened']}"))
    assert max(times) < _WORST_S


@pytest.mark.parametrize("how", ["TERM", "HUP"])
@pytest.mark.parametrize("kinds", _EACH.values(), ids=_EACH)
def test_ceod_ends_under_attack_and_loses_no_transaction(club: Club, kinds: dict[str, int], how: str) -> None:
    with under_attack(kinds):
        with held(club, 1) as (add,):
            old = club.workers()
            if how == "HUP":
                club.service(ADMIN, "signal", "ceod", signal="HUP")
                stopping = None
            else:
                stopping = threading.Thread(target=club.service, args=(ADMIN, "stop", "ceod"))
                stopping.start()
            began = time.monotonic()
        assert until(lambda: ended(club, add.uid), 30) == "completed"
        if stopping:
            stopping.join(_GRACE_S)
            took = time.monotonic() - began
            assert not club.workers()
            club.service(ADMIN, "start", "ceod")
        else:
            until(lambda: len(club.workers()) == 2 and not club.workers() & old, _GRACE_S, "new workers alone")
            took = time.monotonic() - began
        assert add.last["status"] == "completed"
        club.whole(add.uid)
    LINES.append(f"{how} under {', '.join(kinds)}: over after {took:.1f} s, the sign-up that ran was completed")
