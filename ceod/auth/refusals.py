"""What somebody with a ticket was refused, for the audit log: a few of each person a minute, then how many more."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

log = logging.getLogger("ceod.request")

EACH = 10
PERIOD_S = 60.0
WRITE_S = 1.0
PENDING = 1000  # rows that wait for a journal which takes none


@dataclass
class _Minute:
    """The refusals of one person since `began`; `more` have no row of their own."""

    began: float
    rows: int = 0
    more: int = 0


class Refusals:
    """Kept in memory for up to WRITE_S and then written at once, so that no answer waits for a disk.

    `write` adds rows to the audit log.
    """

    def __init__(
        self, write: Callable[[list[Json]], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._write = write
        self._clock = clock
        self._lock = threading.Lock()
        self._of: dict[str, _Minute] = {}
        self._pending: list[Json] = []
        self._in_flight = 0
        self._is_held_up = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="refusals", daemon=True)

    def start(self) -> None:
        """Write from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Write what is left, and no more."""
        self._stopping.set()
        self._thread.join(5)
        with self._lock:
            for minute in self._of.values():
                minute.began -= PERIOD_S
        while self.flush() and self._of:
            pass

    def note(self, who: str, **fields: Any) -> None:
        """A refusal of this person."""
        with self._lock:
            self._end_minutes()
            minute = self._of.setdefault(who, _Minute(self._clock()))
            if minute.rows < EACH and not self._is_full():
                minute.rows += 1
                self._pending.append(_row(who, **fields))
            else:
                minute.more += 1

    def flush(self) -> bool:
        """Write what waits, and whether anything was written; what the journal does not take waits on."""
        with self._lock:
            self._end_minutes()
            rows, self._pending = self._pending, []
            self._in_flight = len(rows)
        if not rows:
            return False
        try:
            self._write(rows)
        except Exception as error:
            if not self._is_held_up:
                log.warning("refusals wait for the audit log: %s", error)
            self._is_held_up = True
        else:
            if self._is_held_up:
                log.info("refusals are written into the audit log again")
            self._is_held_up = False
        with self._lock:
            self._pending = (rows if self._is_held_up else []) + self._pending
            self._in_flight = 0
        return not self._is_held_up

    def _is_full(self) -> bool:
        return len(self._pending) + self._in_flight >= PENDING

    def _end_minutes(self) -> None:
        """A minute that has no room for its row stays open, and counts on."""
        ended = [
            who for who, minute in self._of.items() if minute.began <= self._clock() - PERIOD_S
        ]
        for who in ended:
            more = self._of[who].more
            if more and self._is_full():
                continue
            del self._of[who]
            if more:
                self._pending.append(_row(who, remote="", what="more", times=more))

    def _loop(self) -> None:
        while not self._stopping.wait(WRITE_S):
            self.flush()


def _row(who: str, **fields: Any) -> Json:
    return {"at": time.time(), "who": who, **fields, "outcome": "refused"}
