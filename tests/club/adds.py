"""Adds in the background, and adds held in the middle of their steps."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ceo_common.errors import BackendDown, CeoError
from ceod.transaction.journal import Journal
from ceod.transaction.record import Record, Request
from sandbox.club import host_place
from tests.club.club import ADMIN, Club, until

HELD_AT = "Kerberos principal"


class Adding(threading.Thread):
    """An add in the background."""

    def __init__(self, club: Club, member: dict[str, Any] | None = None, who: str = "office1", key: str | None = None) -> None:
        super().__init__(daemon=True)
        self.member = member or club.member()
        self.uid = self.member["uid"]
        self.key = key
        self.events: list[dict[str, Any]] = []
        self.error: CeoError | None = None
        self._client = club.client(who)
        self._began = time.monotonic()
        self.took = 0.0
        self.start()

    def run(self) -> None:
        try:
            for event in self._client.add_member(self.member, self.key):
                self.events.append(dict(event))
        except CeoError as error:
            self.error = error
        self.took = time.monotonic() - self._began

    @property
    def last(self) -> dict[str, Any]:
        self.join(60)
        assert not self.is_alive(), "the add never ended"
        return self.events[-1] if self.events else {}


def pid_of(program: str) -> int:
    for path in Path("/proc").glob("[0-9]*/comm"):
        try:
            if path.read_text().strip() == program:
                return int(path.parent.name)
        except OSError:
            continue
    raise AssertionError(f"no {program} runs")


def is_held(club: Club, uid: str) -> bool:
    """Whether the sign-up of a name waits for kadmind."""
    query = ('SELECT 1 FROM steps s JOIN transactions t ON t.id = s."transaction" '
             "WHERE t.subject = ? AND t.state = 'running' AND s.name = ? AND s.state = 'intent'")
    return bool(club.journal(query, uid, HELD_AT))


@contextmanager
def held(club: Club, count: int = 1, *, apart: bool = False) -> Iterator[list[Adding]]:
    """`count` adds that wait for a frozen kadmind in the middle (with `apart`: in different workers); it is let go at the end."""
    kadmind = pid_of("kadmind")
    # Behind the checks, which ask kadmind too.
    begun = f"SELECT COUNT(*) FROM transactions WHERE state NOT IN ('checking', 'queued') AND subject IN ({','.join('?' * count)})"
    for _ in range(60):
        adds = [Adding(club) for _ in range(count)]
        try:
            until(lambda adds=adds: club.journal(begun, *(a.uid for a in adds))[0][0] == count or not any(a.is_alive() for a in adds), 20)  # type: ignore[misc]
            os.kill(kadmind, signal.SIGSTOP)
            # Each gets as far as kadmind, or was there before the freeze and goes on to its end.
            until(lambda adds=adds: all(is_held(club, add.uid) or not add.is_alive() for add in adds), 20)  # type: ignore[misc]
            time.sleep(0.2)  # what kadmind had answered before it was frozen is noted by then, and looked at below
            if all(is_held(club, add.uid) for add in adds) and (not apart or len(_workers_of(club, adds)) == count):
                yield adds
                return
        finally:
            os.kill(kadmind, signal.SIGCONT)
        for add in adds:
            assert add.last.get("status") in ("completed", "aborted") or isinstance(add.error, BackendDown), (add.error, add.events)
    pytest.fail("the adds could not be caught in the middle")


def _workers_of(club: Club, adds: list[Adding]) -> set[int]:
    """The processes that work on some adds."""
    return {club.pid_of_owner(club.transaction_of(add.uid)[2] or "") for add in adds}


@contextmanager
def stuck(club: Club, uid: str) -> Iterator[str]:
    """An account whose transaction could not be undone and waits for a person; the id.  It is abandoned at the end."""
    journal = Journal(host_place(ADMIN) / "ceod")
    record = Record(journal)
    identifier, _ = record.begin(
        Request("modify_member", 1, "ctdalek", "test", uid, (f"account:{uid}",), {}, "-"), "nobody"
    )
    record.undoing(identifier, {"error": "made to fail", "code": "internal", "problems": []})
    record.state(identifier, "undo_failed", owner=None)
    journal.close()
    try:
        yield identifier
    finally:
        club.client("ctdalek").abandon(f"{ADMIN}.csclub.internal", identifier, "a test's")


def ended(club: Club, uid: str) -> str:
    state = club.transaction_of(uid)[1]
    return state if state in ("completed", "aborted") else ""
