"""The events of one transaction as one listener gets them: asked for without waiting, or waited for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol, cast

from ceo_common.errors import Busy, Internal
from ceo_common.events import Event, heartbeat, is_last
from ceod.transaction.record import ENDED, Record
from ceod.transaction.step import Json

# Events that another process writes notify nobody here: they are looked for this often.
FOREIGN_S = 0.2
# Of a transaction of this process each change is notified; this is for one that was missed.
OWN_S = 5.0
# No event for so long, and whoever waits in a thread waits no longer.
IDLE_S = 300.0
# Of a step's facts: the paths where its undo put what it did not remove.
KEPT = "kept"
# Recovery looks each second.
LEFT_S = 10.0

_REFUSED = Busy("the request that came first under this Idempotency-Key was refused; send it again")
_LEFT = Internal("ceod could not go on, because its journal takes no records; what was done is undone when it does")
_AWAITS_WITNESS = Internal(
    "ceod ended in the middle of this. It undoes what was done as soon as the directory answers, which it has not done"
    " since ceod started: only the directory knows whether this host was put back from a backup"
)


class Worker(Protocol):
    """Who runs the transactions of this process, and keeps the part of a result that only the connection that asked may have."""

    def works_on(self, owner: str | None) -> bool:
        """Whether a thread of this process is behind an owner's id."""

    def is_left(self, owner: str | None) -> bool:
        """Whether nobody is behind an owner's id, in any process."""

    def awaits_witness(self) -> bool:
        """Whether recovery acts upon nothing yet."""

    def take(self, identifier: str) -> Json | None:
        """The secret part, once."""

    def forget(self, identifier: str) -> None:
        """Wipe it."""


class Follower:
    """One listener.  `asked` is for the one connection whose request began the transaction: its last
    line carries the secret part of the result; everybody else learns that it is lost to them.
    """

    def __init__(
        self, record: Record, worker: Worker, identifier: str, *, after: int = 0, asked: bool = False
    ) -> None:
        self.identifier = identifier
        self.is_over = False
        self.is_foreign = False  # another process works on it, or nobody does
        self._record, self._worker = record, worker
        self._left_since: float | None = None
        self._after, self._asked = after, asked
        self._changed = threading.Event()
        self._notify: Callable[[], None] = self._changed.set
        record.subscribe(identifier, self._notify)

    def on_change(self, notify: Callable[[], None]) -> None:
        """Call this whenever there may be something new, instead of waking wait()."""
        self._record.unsubscribe(self.identifier, self._notify)
        self._notify = notify
        self._record.subscribe(self.identifier, notify)

    def poll(self) -> list[Event]:
        """The events that came since the last call; `is_over` tells that the last one is among them."""
        self._changed.clear()
        found = self._record.events_after(self.identifier, self._after) or self._without_events()
        for event in found:
            self._after = event["n"]
            self.is_over = self.is_over or is_last(event)
        if found and self.is_over:
            found[-1] = self._with_secret(found[-1])
        return found

    def __iter__(self) -> Iterator[Event]:
        """The events as they come, up to the last, for whoever can wait in a thread."""
        until = time.monotonic() + IDLE_S
        while not self.is_over and time.monotonic() < until:
            if found := self.poll():
                until = time.monotonic() + IDLE_S
                yield from found
            else:
                self.wait()

    @property
    def patience_s(self) -> float:
        """How long to wait for a notice before the next poll."""
        return FOREIGN_S if self.is_foreign else OWN_S

    def wait(self) -> None:
        """Wait until there may be something new."""
        self._changed.wait(self.patience_s)

    def heartbeat(self) -> Event:
        """What a listener hears while nothing happens: it has no number of its own."""
        return heartbeat(self.identifier, self._after)

    def close(self) -> None:
        """The listener has left."""
        self._record.unsubscribe(self.identifier, self._notify)
        if self._asked:
            self._worker.forget(self.identifier)

    def _with_secret(self, event: Event) -> Event:
        if not self._asked or event["status"] != "completed":
            return event
        secret = self._worker.take(self.identifier)
        return {**event, "result": event.get("result", {}) | secret} if secret else event

    def _without_events(self) -> list[Event]:
        """What ends a stream although nothing new was written behind the number it asked for."""
        row = self._record.transaction(self.identifier)
        if row is None:  # the request whose key we share was refused meanwhile
            return [self._aborted(_REFUSED.as_json(), undone=[])]
        self.is_foreign = not self._worker.works_on(row.owner)
        if row.state in ENDED:
            # It may have ended since we looked; else the number lies behind the end, and the end is the answer.
            return self._record.events_after(self.identifier, self._after) or self._record.last_event(self.identifier)
        # While recovery goes on undoing, a frozen server must not hold the answer to the one who asked;
        # where only a person can go on, nobody waits.
        if row.state == "undo_failed" or self._is_left(row):
            now = self._record.transaction(self.identifier)
            if now is None or (now.state, now.owner) != (row.state, row.owner):
                return self._without_events()  # whoever worked on it ended it since the first look
            return [self._handed_over(row)]
        return []

    def _is_left(self, row: Any) -> bool:
        """Whether the listener hears now that nobody works on it.

        Whoever asked hears it at once, others when recovery did not take it up within LEFT_S: the
        journal takes no records then, or recovery waits for the witness.  What is committed or being
        undone comes to its end, and they wait for that, unless that waits for the witness.
        """
        if not self._worker.is_left(row.owner):
            self._left_since = None
            return False
        if row.state == "checking" or (self._asked and row.state != "committed"):
            return True
        now = time.monotonic()
        self._left_since = self._left_since or now
        waits_long = ("queued", "running", "undoing") if self._worker.awaits_witness() else ("queued", "running")
        return row.state in waits_long and now - self._left_since >= LEFT_S

    def _handed_over(self, row: Any) -> Event:
        if row.state == "checking":
            return self._aborted(_REFUSED.as_json(), undone=[])
        steps = self._record.steps_of(self.identifier)
        undoing = [step.name for step in steps if step.state not in ("undone", "not_ours")]
        why = _AWAITS_WITNESS if self._worker.awaits_witness() else _LEFT
        return self._aborted(row.error or why.as_json(), undoing=undoing, **what_was_undone(steps))

    def _aborted(self, error: Json | None, **more: Any) -> Event:
        last = {"n": self._after + 1, "status": "aborted", "transaction": self.identifier, "error": error, **more}
        return cast(Event, last)


def what_was_undone(steps: list[Any]) -> Json:
    """What undoing came to.

    `undone`: the steps that were undone; `left`: those that left something which is not ours to
    remove, or can't be taken back; `kept`: the paths where they put what somebody may want.
    """
    left = [step.name for step in steps if step.state == "not_ours"]
    kept = [path for step in steps for path in step.intent.get(KEPT, [])]
    undone = [step.name for step in steps if step.state == "undone"]
    return {
        "undone": undone,
        **({"left": left} if left else {}),
        **({"kept": kept} if kept else {}),
    }
