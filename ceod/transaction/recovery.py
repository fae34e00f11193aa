"""The loop that brings to an end what a dead process, a failed undo or a waiting step left; one process a host runs it."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy.engine import Row

from ceo_common.errors import Internal, JournalFull, JournalUntrusted
from ceod.transaction.engine import Engine
from ceod.transaction.owners import try_lock
from ceod.transaction.record import UNFINISHED
from ceod.transaction.step import Tools

log = logging.getLogger("ceod.transaction")

PERIOD_S = 1.0
STUMBLED_S = 60.0
BACK_OFF_S = 5.0  # between looks at a transaction whose server is still away


class Recovery:
    """Runs in a thread of every worker; acts in the one that holds recovery.lock."""

    def __init__(self, engine: Engine[Tools]) -> None:
        self.engine = engine
        self._stop = threading.Event()
        self._lock: int | None = None
        self._not_before: dict[str, float] = {}
        self._thread = threading.Thread(target=self._loop, name="recovery", daemon=True)

    def start(self) -> None:
        """Start the loop."""
        self.engine.guard.will_consult()
        self._thread.start()

    def stop(self) -> None:
        """End the loop and let another process have it."""
        self._stop.set()
        self._thread.join(30)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _loop(self) -> None:
        wait_s = 0.0
        while not self._stop.wait(wait_s):
            wait_s = PERIOD_S
            try:
                self.engine.guard.tend()
                self.once()
            except JournalUntrusted:
                continue  # the guard has logged it
            except JournalFull as error:
                log.error("recovery cannot write to the journal: %s", error.message)
            except Exception:
                log.exception("recovery of a transaction failed; ceod continues with the others")

    def once(self) -> bool:
        """One round; False when another process does it.  Raises JournalFull, JournalUntrusted."""
        self.engine.guard.check_place()
        if self._lock is None:
            self._lock = try_lock(self.engine.journal.state_dir / "recovery.lock")
            if self._lock is None:
                return False
        # Before the check: after damage, a whole copy that was put back has to be examined to be trusted.
        self.engine.guard.examine_when_due()
        self.engine.guard.check()
        # Where a whole host was put back, what is unfinished here may have ended well: only the witness knows.
        if not self.engine.guard.is_witnessed:
            return True
        record, owner = self.engine.record, self.engine.owner
        dead = owner.dead()
        for row in record.unfinished():
            if self._stop.is_set():
                return True
            if self._not_before.get(row.id, 0) <= time.monotonic():
                self._guarded(row.id, self._take_up)
        for step in record.due(time.time()):
            if self._stop.is_set():
                return True
            self._guarded(step.transaction, partial(self._try_again, step))
        for identifier in dead:
            if not any(row.owner == identifier for row in record.unfinished()):
                owner.forget(identifier)
        return True

    def _guarded(self, identifier: str, act: Callable[[str], None]) -> None:
        """One transaction that recovery stumbles over must not keep it from the others."""
        try:
            act(identifier)
        except (JournalFull, JournalUntrusted):
            raise
        except Exception:
            log.exception("recovery stumbled; it tries again in a minute", extra={"transaction": identifier})
            self._not_before[identifier] = time.monotonic() + STUMBLED_S

    def _try_again(self, step: Row[Any], identifier: str) -> None:
        row = self.engine.record.transaction(identifier)
        operation = self.engine.operations.get((row.operation, row.version)) if row else None
        later = next((item for item in operation.after if item.name == step.name), None) if operation else None
        if operation and later:
            self.engine.try_later(identifier, operation, later, step)

    def _take_up(self, identifier: str) -> None:
        # Whose it is first, then its state: its owner may have ended it while recovery was at another one.
        row = self.engine.record.transaction(identifier)
        if row is None or not self.engine.is_left(row.owner):
            return
        self.engine.guard.check()  # where state_dir was moved away, every owner looks dead
        row = self.engine.record.transaction(identifier)
        if row is None:  # withdrawn meanwhile
            return
        state, operation = row.state, self.engine.operations.get((row.operation, row.version))
        if state not in UNFINISHED:
            return
        if state == "committed":
            if operation is None:
                log.error("unknown operation after its commit", extra={"transaction": identifier})
                self._not_before[identifier] = time.monotonic() + 60
                return
            self.engine.finish(identifier, operation)
            return
        if state == "checking":  # nothing was begun: its key and names are free again
            self.engine.record.withdraw(identifier)
            return
        if state in ("queued", "running"):
            error = Internal("ceod ended in the middle of this; what was done is undone")
            self.engine.record.undoing(identifier, error.as_json())
        if self.engine.undo_all(identifier, operation):
            self._not_before.pop(identifier, None)
        elif self.engine.settle_s:
            waits_for_server = any(step.error for step in self.engine.record.steps_of(identifier))
            self._not_before[identifier] = time.monotonic() + (BACK_OFF_S if waits_for_server else 1.0)
