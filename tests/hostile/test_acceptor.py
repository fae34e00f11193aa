"""The helpers that read tickets, without ceod: who takes over, who waits, what is whose fault."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ceo_common.errors import BackendDown
from ceod.auth.acceptor import Acceptor, Refused, Suspect
from sandbox.club import REALM, host_place
from tests.club import ap_req
from tests.club.club import ADMIN, Club, until
from tests.club.hostile import two_tickets
from tests.club.tokens import fresh_token

_SERVICE = f"ceod/{ADMIN}.csclub.internal"
_HERE, _THERE = "192.0.2.1", "192.0.2.9"


@pytest.fixture
def acceptor(tmp_path: Path) -> Iterator[Acceptor]:
    """One with the real key, and a replay cache of its own."""
    keytab = host_place(ADMIN) / "krb5.keytab"
    made = Acceptor(str(keytab), f"{_SERVICE}@{REALM}", str(tmp_path))
    yield made
    made.close()


def _hostile(club: Club) -> bytes:
    from ceo_common.krb5 import tickets

    cache = club.ccache("regular1")
    return ap_req.token(cache, _SERVICE, two_tickets(tickets.forward(cache)))


def _asked(acceptor: Acceptor, token: bytes, address: str) -> str:
    """As the server asks: slowly when it is told to."""
    try:
        return acceptor.accept(token, None, address).name
    except Suspect:
        return acceptor.accept(token, None, address, slowly=True).name


def _accept(acceptor: Acceptor, club: Club, address: str) -> str:
    return _asked(acceptor, fresh_token(club, "office1"), address)


def _spare(acceptor: Acceptor) -> int:
    return until(lambda: acceptor.fast.spare_pid or 0, 20, "a spare that is ready")


def test_the_spare_takes_over_and_the_address_gets_the_slow_one(
    acceptor: Acceptor, club: Club
) -> None:
    assert _accept(acceptor, club, _HERE) == f"office1@{REALM}"
    spare, first = _spare(acceptor), acceptor.fast.pid
    assert spare != first
    with pytest.raises(BackendDown) as caught:
        _asked(acceptor, _hostile(club), _THERE)
    assert caught.value.backend == "acceptor"
    assert acceptor.fast.pid == spare
    assert acceptor.slow.pid is None
    assert _accept(acceptor, club, _HERE) == f"office1@{REALM}"
    assert acceptor.fast.pid == spare
    assert _spare(acceptor) not in (first, spare)

    # From now on the address ends the slow one only, and is served by it.
    for _ in range(2):
        with pytest.raises(BackendDown):
            _asked(acceptor, _hostile(club), _THERE)
        assert _accept(acceptor, club, _THERE) == f"office1@{REALM}"
    assert acceptor.slow.pid is not None
    assert acceptor.slow.spare_pid is None
    assert acceptor.fast.pid == spare


def test_a_forwarded_ticket_that_ends_the_helper_is_of_the_same_kind(
    acceptor: Acceptor, club: Club
) -> None:
    from ceo_common.krb5 import tickets

    _accept(acceptor, club, _HERE)
    spare = _spare(acceptor)
    with pytest.raises(BackendDown):
        acceptor.read_cred(two_tickets(tickets.forward(club.ccache("regular1"))), _THERE)
    assert acceptor.fast.pid == spare
    assert (
        acceptor.read_cred(tickets.forward(club.ccache("regular1")), _THERE)[0]
        == f"regular1@{REALM}"
    )
    assert acceptor.slow.pid is not None


def test_the_requests_that_wait_are_served(acceptor: Acceptor, club: Club) -> None:
    """The request in hand is lost, those behind it are not; its address gets the slow helper."""
    _accept(acceptor, club, _HERE)
    spare, first = _spare(acceptor), acceptor.fast.pid
    assert first is not None
    os.kill(first, signal.SIGSTOP)
    with ThreadPoolExecutor(6) as pool:
        lost = pool.submit(_asked, acceptor, _hostile(club), _THERE)
        until(acceptor.fast._turn.locked, 5, "the hostile token is in hand")
        waiting = [pool.submit(_accept, acceptor, club, _HERE) for _ in range(4)]
        own = pool.submit(_accept, acceptor, club, _THERE)
        os.kill(first, signal.SIGCONT)
        with pytest.raises(BackendDown):
            lost.result(30)
        assert {future.result(30) for future in waiting} == {f"office1@{REALM}"}
        assert own.result(30) == f"office1@{REALM}"
    assert acceptor.fast.pid == spare
    assert acceptor.slow.pid is not None


def test_whoever_has_to_ask_slowly_is_told_so_at_once(acceptor: Acceptor, club: Club) -> None:
    """While the slow helper hangs: no thread that serves others waits for it."""
    with pytest.raises(BackendDown):
        _asked(acceptor, _hostile(club), _THERE)
    _accept(acceptor, club, _THERE)
    slow = acceptor.slow.pid
    assert slow is not None
    os.kill(slow, signal.SIGSTOP)
    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(_accept, acceptor, club, _THERE)
        until(acceptor.slow._turn.locked, 5, "one waits for the slow helper")
        with pytest.raises(Suspect):
            acceptor.accept(fresh_token(club, "office1"), None, _THERE)
        assert _accept(acceptor, club, _HERE) == f"office1@{REALM}"
        os.kill(slow, signal.SIGCONT)
        assert waiting.result(30) == f"office1@{REALM}"


def test_a_spare_that_was_killed_is_not_promoted(acceptor: Acceptor, club: Club) -> None:
    _accept(acceptor, club, _HERE)
    spare = _spare(acceptor)
    os.kill(spare, signal.SIGKILL)
    until(lambda: acceptor.fast.spare_pid is None, 5, "the spare has ended")
    with pytest.raises(BackendDown):
        _asked(acceptor, _hostile(club), _THERE)
    assert _accept(acceptor, club, _HERE) == f"office1@{REALM}"
    assert acceptor.fast.pid != spare


def test_no_process_is_left_behind(acceptor: Acceptor, club: Club) -> None:
    _accept(acceptor, club, _HERE)
    pids = [acceptor.fast.pid, _spare(acceptor)]
    threads = threading.active_count()
    acceptor.close()
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    assert threading.active_count() == threads
    with pytest.raises(BackendDown):
        _accept(acceptor, club, _HERE)


def test_a_key_that_is_not_there_is_no_fault_of_the_ticket(tmp_path: Path, club: Club) -> None:
    made = Acceptor(str(tmp_path / "none"), f"{_SERVICE}@{REALM}", str(tmp_path))
    try:
        with pytest.raises(BackendDown, match="administrator") as caught:
            _accept(made, club, _HERE)
    finally:
        made.close()
    assert caught.value.backend == "keytab"


def test_a_token_twice_is_still_the_tokens_fault(acceptor: Acceptor, club: Club) -> None:
    token = fresh_token(club, "office1")
    acceptor.accept(token, None, _HERE)
    with pytest.raises(Refused, match="replay"):
        acceptor.accept(token, None, _HERE)
