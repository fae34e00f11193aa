"""Runs operations: intent on disk, act, outcome on disk; before the commit a failure undoes all, after it there is only forward."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import threading
import time
import traceback
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypeVar

from sqlalchemy.engine import Row

from ceo_common.errors import BackendDown, CeoError, Internal, JournalFull, NotFound, WrongState
from ceo_common.events import Event
from ceod.transaction.follower import KEPT, Follower, what_was_undone
from ceod.transaction.guard import Guard, Witness
from ceod.transaction.journal import Journal
from ceod.transaction.owners import Owner, new_owner
from ceod.transaction.record import ENDED, STUCK_S, UNFINISHED, Record, Request
from ceod.transaction.step import Json, Kept, Later, Operation, Pen, Run, Skip, Step, Tools, Turn, Undone

log = logging.getLogger("ceod.transaction")

AT_ONCE = 4
RETRY_S = (5.0, 30.0, 120.0, 600.0)  # then hourly
RETRY_HOURLY_S = 3600.0
GIVE_UP_S = 7 * 24 * 3600.0
# What a server was told before it stopped or we did, it does within this time or not at all.
SETTLE_S = 3.0
# A backend that kept a step after the commit waiting for longer than WAITED_S is taken for away for
# AWAY_S: the steps that need it are put off, else each would wait for the same time-out again.
WAITED_S = 1.0
AWAY_S = 30.0

# Before the intent, after each fact that is noted on the way, after the effect, after the record.
COULD_NOT_GO_ON = Internal("ceod could not go on; what was done is undone")

Point = Literal["intent", "note", "effect", "record"]
Phase = Literal["do", "commit", "undo", "later"]


# The states of the steps that are left when a transaction in this state is abandoned.
_NOT_UNDONE = ("intent", "done", "undo_failed")
_LEFT_STATES = {
    "running": _NOT_UNDONE,
    "undoing": _NOT_UNDONE,
    "undo_failed": _NOT_UNDONE,
    "committed": ("pending", "waiting"),
}


class Observer(Protocol):
    """Is called at each boundary of each step; crash tests end the process here."""

    def __call__(self, point: Point, phase: Phase, step: str) -> None:
        """See Point."""


class Closeable(Protocol):
    """What an operation keeps in memory; closed when the steps that may use it are over."""

    def close(self) -> None:
        """Let go of it."""


P = TypeVar("P", bound=Closeable)


class Engine(Generic[Tools]):
    """One a process."""

    def __init__(
        self, state_dir: Path, operations: Mapping[tuple[str, int], Operation[Tools, Any]], tools: Tools, *,
        observer: Observer | None = None, settle_s: float = SETTLE_S, on_given_up: Callable[[str, str], None] | None = None,
        clock: Callable[[], float] = time.monotonic, fingerprint: Path | None = None, witness: Witness | None = None,
    ) -> None:
        """`fingerprint` and `witness` remember what the journal was like, outside state_dir.  Raises UnsafeState."""
        self.journal = Journal(state_dir, fingerprint)
        self.guard = Guard(self.journal, witness)
        self.state_dir = state_dir
        self.owner = Owner(state_dir)
        self.record = Record(self.journal)
        self.operations = operations
        self.tools = tools
        self.settle_s = settle_s
        self.on_given_up = on_given_up or (lambda _transaction, _step: None)
        self._observer = observer
        self._clock = clock
        # Each backend that is taken for away, and until when by the clock.
        self._away: dict[str, float] = {}
        self._owners: set[str] = set()  # of the transactions that this process works on
        self._places = threading.BoundedSemaphore(AT_ONCE)
        self._secrets: dict[str, Json] = {}  # result parts for the one connection that asked, until it took them
        self._asked_for: set[str] = set()

    def close(self) -> None:
        """End in good order: no transaction may be running."""
        self.owner.close()
        self.journal.close()

    # Beginning and following

    def begin(
        self, operation: Operation[Tools, P], request: Request, private: P, prepare: Callable[[], Json] | None = None,
    ) -> tuple[str, bool]:
        """Start a transaction in a thread of its own, or find the one that the request's key names.

        `prepare` checks all that can be refused and returns the arguments.  It runs while the names are held, so that nobody changes
        what it looked at; when it raises, nothing was begun.  Returns the id and whether it is new.
        Raises Busy, InRecovery, KeyReused, JournalFull, JournalUntrusted, and what prepare() does.
        """
        with contextlib.ExitStack() as unless_it_runs:
            unless_it_runs.callback(private.close)
            self.guard.wait_and_check()
            self.journal.ready_for_new_work()
            owner = self._new_owner()
            unless_it_runs.callback(self._let_go, owner)
            state = "checking" if prepare else "queued"
            identifier, new = self.record.begin(request, owner.id, state=state)
            if not new:
                return identifier, False
            try:
                if prepare:
                    request = dataclasses.replace(request, arguments=prepare())
                    self.record.prepared(identifier, request.arguments)
                self._start(identifier, owner, operation, request.arguments, private)
            except BaseException:
                self._withdraw(identifier)
                raise
            unless_it_runs.pop_all()
        return identifier, True

    def _start(
        self,
        identifier: str,
        owner: Owner,
        operation: Operation[Tools, P],
        arguments: Json,
        private: P,
    ) -> None:
        """Raises RuntimeError when there are no more threads."""
        self._asked_for.add(identifier)
        work = (identifier, owner, operation, arguments, private)
        try:
            threading.Thread(target=self._thread, args=work, name=f"tx-{identifier}").start()
        except BaseException:
            self._asked_for.discard(identifier)
            raise

    def _withdraw(self, identifier: str) -> None:
        try:
            self.record.withdraw(identifier)
        except Exception:
            # Its owner is let go of, so recovery withdraws it as soon as the journal takes records.
            log.exception("a request was refused, and its names are held until recovery frees them",
                          extra={"transaction": identifier})

    def _new_owner(self) -> Owner:
        """Who works on one transaction.  Raises JournalFull."""
        owner = new_owner(self.state_dir)
        self._owners.add(owner.id)
        return owner

    def _let_go(self, owner: Owner) -> None:
        """From now on nobody works on it: what is not at its end is recovery's."""
        self._owners.discard(owner.id)
        owner.close()

    def works_on(self, owner: str | None) -> bool:
        """Whether a thread of this process is behind an owner's id."""
        return owner in self._owners

    def is_left(self, owner: str | None) -> bool:
        """Whether nobody is behind an owner's id, in any process."""
        return owner is None or (owner not in self._owners and self.owner.is_dead(owner))

    def awaits_witness(self) -> bool:
        """Whether recovery acts upon nothing yet."""
        return not self.guard.is_witnessed

    def rehearse(self, request: Request, prepare: Callable[[], Json]) -> Json:
        """The arguments that begin() would start with; nothing is taken or written.

        Raises Busy, InRecovery, JournalFull, JournalUntrusted, and what prepare() does, which runs without the names.
        """
        self.guard.check()
        self.journal.ready_for_new_work()
        self.record.check_names(request)
        return prepare()

    def follower(self, identifier: str, *, after: int = 0, asked: bool = False) -> Follower:
        """A listener to the events behind `after`; close() it."""
        return Follower(self.record, self, identifier, after=after, asked=asked)

    def follow(self, identifier: str, *, after: int = 0, asked: bool = False) -> Generator[Event, None, None]:
        """The events behind `after`, as they come, up to the last."""
        follower = self.follower(identifier, after=after, asked=asked)
        try:
            yield from follower
        finally:
            follower.close()

    def take(self, identifier: str) -> Json | None:
        """The secret part of a result, once."""
        return self._secrets.pop(identifier, None)

    def forget(self, identifier: str) -> None:
        """Wipe the secret part of a result: the connection that asked for it is gone."""
        self._asked_for.discard(identifier)
        self._secrets.pop(identifier, None)

    # Running

    def _see(self, point: Point, phase: Phase, step: str) -> None:
        if self._observer:
            self._observer(point, phase, step)

    def _thread(
        self,
        identifier: str,
        owner: Owner,
        operation: Operation[Tools, Any],
        arguments: Json,
        private: Any,
    ) -> None:
        try:
            self._run(identifier, operation, arguments, private)
        except Exception:
            # Above all a journal that takes no records: nothing more is done until it does, and
            # then by recovery, which takes up what has lost its owner.
            log.exception("a transaction could not go on", extra={"transaction": identifier})
            # Whatever keeps this from being written: recovery writes it once it finds no owner.
            with contextlib.suppress(Exception):
                self.record.undoing(identifier, COULD_NOT_GO_ON.as_json())
        finally:
            self._let_go(owner)
            self.record.notify(identifier)
            private.close()

    def _run(self, identifier: str, operation: Operation[Tools, Any], arguments: Json, private: Any) -> None:
        if not self._places.acquire(blocking=False):
            self.record.emit(identifier, {"operation": "waiting for a place", "state": "queued"})
            self._places.acquire()
        try:
            began = time.monotonic()
            if self._before(identifier, operation, arguments, private):
                log.info("committed", extra={"transaction": identifier, "elapsed_ms": _ms(began)})
                # Kept for the connection that asked only while it is still there.
                if identifier in self._asked_for:
                    self._secrets[identifier] = operation.secrets(private)
                    if identifier not in self._asked_for:  # it left just now
                        self.forget(identifier)
                if not operation.bulk:
                    private.close()
                self.finish(identifier, operation, private if operation.bulk else None)
        finally:
            self._places.release()

    def _before(self, identifier: str, operation: Operation[Tools, Any], arguments: Json, private: Any) -> bool:
        """The steps up to the commit; True when it was reached."""
        before, after = operation.steps(arguments)
        number, of = 0, len(before) + len(after)
        run: Run[Tools, Any] = Run(identifier, arguments, self.tools, private, self._pen(identifier, "do", 0, {}))
        for number, step in enumerate(before, 1):
            began, about = time.monotonic(), {"operation": step.name, "step": number, "of": of}
            run.use(self._pen(identifier, "do", number, about))
            intended = False
            try:
                intent = step.intent(run)
                self._see("intent", "do", step.name)
                self.record.intend(identifier, number, step.name, intent, {**about, "state": "started"})
                intended = True
                run.facts |= intent
                step.do(run)
                self._see("effect", "do", step.name)
                self.record.step(identifier, number, {**about, "state": "done", "elapsed_ms": _ms(began)}, state="done", ended=time.time())
                self._see("record", "do", step.name)
            except JournalFull:
                raise
            except Exception as error:
                told = _told(error, identifier)
                # A server that did not answer may still do what it was asked: only its own word that it refused is certain.
                uncertain = intended and (isinstance(error, BackendDown) or not isinstance(error, CeoError))
                self.record.undoing(identifier, told | {"step": step.name})
                self.undo_all(identifier, operation, certain=None if uncertain else number)
                return False
        self._see("intent", "commit", "commit")
        self.record.commit(identifier, [(number + i, later.name) for i, later in enumerate(after, 1)], keep_names=operation.bulk)
        self._see("record", "commit", "commit")
        return True

    def _pen(self, identifier: str, phase: Phase, number: int, about: Json, *, quiet: bool = False) -> Pen:
        """Writes for a step what it notes and how far it is."""
        def write(facts: Json, progress: tuple[int, int] | None) -> None:
            event = {**about, "state": "progress", "done": progress[0], "items": progress[1]} if progress and not quiet else None
            self.record.note(identifier, number, facts, event)
            if facts:
                self._see("note", phase, str(about["operation"]))

        return write

    # Undoing

    def undo_all(self, identifier: str, operation: Operation[Tools, Any] | None, *, certain: int | None = None) -> bool:
        """Undo what has an intent, last first; False when some of it has to wait and recovery goes on.

        `certain` is a step that was refused for sure.  A step whose outcome is unknown and that left nothing to see is looked at
        again after settle_s: a server that was stopped does late what it was told.
        """
        by_name = {step.name: step for step in operation.before} if operation else {}
        rows = self.record.steps_of(identifier)
        of = len(rows)
        for row in reversed(rows):
            if row.state in ("undone", "not_ours"):
                continue
            if self._has_ended(identifier):  # a person abandoned it meanwhile
                return True
            about = {"operation": row.name, "step": row.number, "of": of}
            step = by_name.get(row.name)
            try:
                if step is None:
                    raise Internal(f"this version of ceod knows no step {row.name!r} and does not guess how to undo it")
                state = self._undo(identifier, step, row, refused=row.number == certain)
            except BackendDown as error:
                log.warning("undo waits", extra={"transaction": identifier, "step": row.name, "backend": error.backend})
                self.record.step(identifier, row.number, None, error=error.as_json())
                self.record.hand_over(identifier)
                return False
            except JournalFull:
                raise
            except Exception as error:
                told = _told(error, identifier)
                self.record.step(identifier, row.number, {**about, "state": "undo_failed", "error": told}, state="undo_failed", error=told)
                self.record.state(identifier, "undo_failed", owner=None)
                self.record.audit(identifier, "ceod", "", "undo", "undo_failed", step=row.name)
                return False
            if state is None:
                self.record.hand_over(identifier)
                return False
            self.record.step(identifier, row.number, {**about, "state": state}, state=state, ended=time.time())
            self._see("record", "undo", row.name)
        row = self.record.transaction(identifier)
        assert row is not None
        self.record.end(identifier, "aborted", {"status": "aborted", "error": row.error, **what_was_undone(self.record.steps_of(identifier))})
        log.info("aborted", extra={"transaction": identifier, "code": (row.error or {}).get("code")})
        return True

    def _has_ended(self, identifier: str) -> bool:
        row = self.record.transaction(identifier)
        return row is None or row.state in ENDED

    def _undo(self, identifier: str, step: Step[Tools, Any], row: Row[Any], *, refused: bool) -> str | None:
        """Undo one; its new state, or None when it has to be looked at again.  A step that was refused did nothing for sure."""
        self._see("intent", "undo", step.name)
        found = step.undo(identifier, row.intent, self.tools)
        if isinstance(found, Kept):
            self.record.note(identifier, row.number, {KEPT: found.paths}, None)
            found = found.outcome
        self._see("effect", "undo", step.name)
        uncertain = row.state != "done" and not refused
        if found is not Undone.REMOVED and uncertain and self.settle_s:
            if row.looked_at is None:
                self.record.step(identifier, row.number, None, looked_at=time.time())
                return None
            if time.time() - row.looked_at < self.settle_s:
                return None
        return "not_ours" if found is Undone.NOT_OURS and not refused else "undone"

    # After the commit

    def finish(self, identifier: str, operation: Operation[Tools, Any], private: Any = None) -> None:
        """Try each step after the commit once, and end the transaction; what could not be done waits."""
        rows = {row.name: row for row in self.record.steps_of(identifier)}
        for later in operation.after:
            row = rows.get(later.name)
            if row is not None and row.state == "pending":
                self.try_later(identifier, operation, later, row, private)
        row_of = self.record.transaction(identifier)
        assert row_of is not None
        waiting = [row.name for row in self.record.steps_of(identifier) if row.state == "waiting"]
        result = operation.result(row_of.arguments | self.record.facts(identifier))
        self.record.end(identifier, "completed", {"status": "completed", "result": result, "waiting": waiting}, result=result)
        log.info("completed", extra={"transaction": identifier, "waiting": waiting})

    def try_later(
        self, identifier: str, operation: Operation[Tools, Any], later: Later[Tools], row: Row[Any], private: Any = None,
    ) -> bool:
        """One try of a step after the commit; True when it needs no other.

        A step whose backend is taken for away waits without a try, unless a person resumed it (its
        next_at is 0).
        """
        began, transaction = time.monotonic(), self.record.transaction(identifier)
        assert transaction is not None
        before, after = operation.steps(transaction.arguments)
        about = {"operation": later.name, "step": row.number, "of": len(before) + len(after)}
        facts = transaction.arguments | self.record.facts(identifier)
        quiet = transaction.state in ENDED  # the stream had its last line
        assert transaction.committed
        pen = self._pen(identifier, "later", row.number, about, quiet=quiet)
        turn = Turn(identifier, transaction.committed, facts, self.tools, private, pen, self.record.facts)
        if operation.bulk and (earlier := self._waits_before(identifier, row.number)):
            # It builds on what that one does.
            told = BackendDown(f"{earlier.name} has to be done first", backend=(earlier.error or {}).get("backend", "unknown")).as_json()
            self.record.step(identifier, row.number, None, state="waiting", next_at=(earlier.next_at or 0) + 1, error=told)
            return False
        if row.next_at != 0 and (away_s := self._away_for(later)):
            told = BackendDown(
                f"{later.backend} did not answer just before", backend=later.backend
            ).as_json()
            event = None if quiet else {**about, "state": "waiting", "error": told}
            self.record.step(
                identifier,
                row.number,
                event,
                state="waiting",
                next_at=time.time() + away_s,
                error=told,
            )
            return False
        self._see("intent", "later", later.name)
        if not quiet:
            self.record.step(identifier, row.number, {**about, "state": "started"}, attempts=row.attempts + 1)
        tried = self._clock()
        try:
            if not later.wanted(turn):
                self.record.step(identifier, row.number, None, state="skipped", ended=time.time())
                return True
            later.do(turn)
        except JournalFull:
            raise
        except Skip:
            self.record.step(identifier, row.number, None, state="skipped", ended=time.time(), error=None)
            if quiet:
                self._know_better(identifier, operation)
            return True
        except Exception as error:
            if isinstance(error, BackendDown) and self._clock() - tried > WAITED_S:
                self._away[error.backend] = self._clock() + AWAY_S
            told = _told(error, identifier)
            state, next_at = self._when_again(row, time.time())
            event = None if quiet else {**about, "state": "waiting", "error": told}
            self.record.step(identifier, row.number, event, state=state, next_at=next_at, error=told, attempts=row.attempts + 1)
            if state == "given_up":
                self.record.audit(identifier, "ceod", "", later.name, "given_up", error=told.get("code"))
                self.on_given_up(identifier, later.name)
            return False
        if later.backend:
            self._away.pop(later.backend, None)
        self._see("effect", "later", later.name)
        event = None if quiet else {**about, "state": "done", "elapsed_ms": _ms(began)}
        self.record.step(identifier, row.number, event, state="done", ended=time.time(), error=None)
        if quiet:
            self.record.audit(identifier, "ceod", "", later.name, "done")
            self._know_better(identifier, operation)
        self._see("record", "later", later.name)
        return True

    def _know_better(self, identifier: str, operation: Operation[Tools, Any]) -> None:
        """Tell the result of a transaction that is over anew: a step that waited is done."""
        row = self.record.transaction(identifier)
        assert row is not None
        self.record.result(identifier, operation.result(row.arguments | self.record.facts(identifier)))

    def _away_for(self, later: Later[Tools]) -> float:
        """For how many seconds more the step's backend is taken for away; 0 when it is not."""
        return max(0.0, self._away.get(later.backend or "", 0.0) - self._clock())

    def _waits_before(self, identifier: str, number: int) -> Row[Any] | None:
        """A step before this one, behind the commit, that is not done."""
        earlier = [row for row in self.record.steps_of(identifier) if row.number < number]
        return next((row for row in earlier if row.state in ("pending", "waiting", "given_up")), None)

    def _when_again(self, row: Row[Any], now: float) -> tuple[str, float]:
        if now - row.began >= GIVE_UP_S:
            return "given_up", now
        wait = RETRY_S[row.attempts] if row.attempts < len(RETRY_S) else RETRY_HOURLY_S
        return "waiting", now + wait

    # What people ask of a transaction

    def resume(self, identifier: str, *, rehearse: bool = False) -> list[str]:
        """Try waiting and failed-undo steps now, or only tell which.  Raises NotFound, WrongState, JournalUntrusted."""
        self.guard.check()
        row = self.record.transaction(identifier)
        if row is None:
            raise NotFound(f"there is no transaction {identifier} on this host")
        again = [step for step in self.record.steps_of(identifier) if step.state in ("waiting", "given_up", "undo_failed")]
        if not again:
            raise WrongState(f"transaction {identifier} is {row.state} and has nothing that waits or failed")
        names = [step.name for step in again]
        if rehearse:
            return names
        for step in again:
            if step.state == "undo_failed":
                self.record.step(identifier, step.number, None, state="done")
            else:
                self.record.step(identifier, step.number, None, state="waiting", next_at=0.0)
        if row.state == "undo_failed":
            self.record.state(identifier, "undoing", owner=None)
        return names

    def abandon(self, identifier: str, who: str, remote: str, reason: str, *, rehearse: bool = False) -> Json:
        """Give up what could not be undone or done, or only tell of it; returns what is left and where.

        So may be given up what nobody works on and what is not at its end STUCK_S after it began.
        Raises NotFound, WrongState, JournalUntrusted.
        """
        self.guard.check()
        row = self.record.transaction(identifier)
        if row is None:
            raise NotFound(f"there is no transaction {identifier} on this host")
        rows = self.record.steps_of(identifier)
        is_open = row.state == "undo_failed" or self._is_stuck(row)
        left_states = _LEFT_STATES.get(row.state, ()) if is_open else ()
        left_steps = [step for step in rows if step.state in ("given_up", *left_states)]
        if not is_open and not left_steps:
            raise WrongState(
                f"transaction {identifier} is {row.state}; only what could not be undone, was given up, or is not at its end"
                f" {STUCK_S / 60:.0f} minutes after it began is abandoned"
            )
        left = [{"step": step.name, "facts": step.intent} for step in left_steps]
        if rehearse:
            return {"transaction": identifier, "left": left}
        if is_open:
            self.record.end(identifier, "abandoned", self._abandoned(row, left), reason=reason)
        for step in left_steps:
            if row.state in ("committed", *ENDED):
                self.record.step(identifier, step.number, None, state="skipped")
        self.record.audit(identifier, who, remote, "abandon", "abandoned", reason=reason, left=left)
        return {"transaction": identifier, "left": left}

    def _is_stuck(self, row: Row[Any]) -> bool:
        late = row.state in UNFINISHED and row.created < time.time() - STUCK_S
        return late and self.is_left(row.owner)

    def _abandoned(self, row: Row[Any], left: list[Json]) -> Json:
        """The last line of what a person gave up: what was committed stands."""
        names = [item["step"] for item in left]
        if row.state != "committed":
            return {"status": "aborted", "error": row.error or COULD_NOT_GO_ON.as_json(), "undoing": names}
        operation = self.operations.get((row.operation, row.version))
        facts = row.arguments | self.record.facts(row.id)
        return {"status": "completed", "result": operation.result(facts) if operation else {}, "waiting": names}


def _ms(began: float) -> int:
    return int((time.monotonic() - began) * 1000)


def _told(error: Exception, identifier: str) -> Json:
    """The error's form on the wire; what is unforeseen is logged in full and told as one static sentence."""
    if isinstance(error, CeoError):
        return error.as_json()
    log.error("unforeseen in a step: %s", "".join(traceback.format_exception(error)), extra={"transaction": identifier})
    return Internal(f"an unexpected error happened in ceod; its log has the details under transaction {identifier}").as_json()
