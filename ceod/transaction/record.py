"""What the engine writes about a transaction; each function is one database transaction, on disk when it returns."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from ceo_common.config import Range
from ceo_common.errors import Busy, InRecovery, JournalUntrusted, KeyReused
from ceo_common.events import Event
from ceod.transaction import audit
from ceod.transaction.journal import Journal
from ceod.transaction.step import Json
from ceod.transaction.tables import events, locks, steps, transactions

KEY_KEPT_S = 7 * 24 * 3600
UNFINISHED = ("checking", "queued", "running", "undoing", "committed")
_UNDOING = ("undoing", "undo_failed")
OPEN = (*UNFINISHED, "undo_failed")
ENDED = ("completed", "aborted", "abandoned")
# What is not at its end so long after its beginning is shown to people, who may abandon it.
STUCK_S = 600.0
STUCK = "stuck"  # no state of a row: a way to ask for what waits for a person

# Made once: to put a statement together takes SQLAlchemy longer than SQLite takes to run it, and one sign-up runs two hundred.
# An update without values() sets the columns that the execution's parameters name.
_THIS = transactions.c.id == sa.bindparam("of")
_GET = sa.select(transactions).where(_THIS)
_SET = transactions.update().where(_THIS)
_DELETE = transactions.delete().where(_THIS)
_UNLOCK = locks.delete().where(locks.c.transaction == sa.bindparam("of"))
_STEP = (steps.c.transaction == sa.bindparam("of"), steps.c.number == sa.bindparam("at"))
_SET_STEP = steps.update().where(*_STEP)
_STEPS = sa.select(steps).where(steps.c.transaction == sa.bindparam("of")).order_by(steps.c.number)
_LAST_EVENT = sa.select(sa.func.max(events.c.n)).where(events.c.transaction == sa.bindparam("of"))
_EVENTS = sa.select(events.c.event).where(events.c.transaction == sa.bindparam("of"), events.c.n > sa.bindparam("after")).order_by(events.c.n)
_UNFINISHED = sa.select(transactions).where(transactions.c.state.in_(UNFINISHED)).order_by(transactions.c.created)
_LARGEST_NUMBER = sa.text(
    "SELECT max(number.value)"
    " FROM steps, json_each(json_extract(steps.intent, '$.numbers')) AS number"
    " WHERE steps.name = :step AND number.value BETWEEN :first AND :last"
)
_WAITING = sa.select(
    steps, transactions.c.operation, transactions.c.version, transactions.c.arguments, transactions.c.committed
).join(transactions).where(
    steps.c.state.in_(("pending", "waiting")), transactions.c.state.in_(("committed", "completed")))
_DUE = (sa.select(steps).join(transactions)
        .where(steps.c.state == "waiting", steps.c.next_at <= sa.bindparam("now"), transactions.c.state == "completed")
        .order_by(steps.c.next_at, steps.c.number))


@dataclass(frozen=True)
class OptionalNames:
    """Names that an operation over many locks as far as they are free.

    `held` is filled when they are locked: those that other transactions hold, each with a sentence
    that says why.  They are not locked, and whoever prepares the operation leaves them out.
    """

    names: tuple[str, ...]
    held: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """Who asks for what.  `names` are locked until the commit or the end of the undoing, `optional` with them."""

    operation: str
    version: int
    caller: str
    remote: str
    subject: str
    names: tuple[str, ...]
    arguments: Json
    body_hash: str
    key: str | None = None
    optional: OptionalNames | None = None


class Record:
    """The journal as the engine sees it; it notifies this process's listeners of each event of a transaction."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self._subscribing = threading.Lock()
        self._listeners: dict[str, list[Callable[[], None]]] = {}

    # Beginning

    def begin(self, request: Request, owner: str, *, state: str = "queued") -> tuple[str, bool]:
        """The transaction's id, and whether it is new; else the key named one that was there.

        A new one is `checking` until prepared(), where there is something to check.

        Raises Busy, InRecovery (a name is held), KeyReused, JournalFull.
        """
        identifier = str(uuid.uuid4())

        def insert(connection: Connection) -> tuple[str, bool]:
            if request.key and (known := self._of_key(connection, request)):
                return known, False
            self._take_names(connection, request, identifier, owner, state)
            return identifier, True

        return self.journal.write(insert, counts=state == "queued")

    def prepared(self, identifier: str, arguments: Json) -> None:
        """The arguments, once all that can be refused was checked."""
        values = {"state": "queued", "arguments": arguments}
        self.journal.write(lambda c: c.execute(_SET, {"of": identifier, **values}), counts=True)

    def withdraw(self, identifier: str) -> None:
        """A transaction that was refused before it did anything: there is nothing to tell of it."""
        def delete(connection: Connection) -> None:
            connection.execute(_UNLOCK, {"of": identifier})
            connection.execute(_DELETE, {"of": identifier})

        self.journal.write(delete)
        self.notify(identifier)

    def result(self, identifier: str, result: Json) -> None:
        """A result that is known better now: a step that waited is done."""
        self._set(identifier, result=result)

    def knows(self, request: Request) -> bool:
        """Whether the request's key names a transaction that was begun, so that this one only attaches."""
        if request.key is None:
            return False
        with self.journal.reading() as connection:
            row = self._row_of_key(connection, request)
        return row is not None and row.created >= time.time() - KEY_KEPT_S

    def _row_of_key(self, connection: Connection, request: Request) -> Row[Any, Any, Any] | None:
        t = transactions.c
        mine = sa.and_(t.caller == request.caller, t.operation == request.operation, t.key == request.key)
        return connection.execute(sa.select(t.id, t.body_hash, t.created).where(mine)).first()

    def _of_key(self, connection: Connection, request: Request) -> str | None:
        row = self._row_of_key(connection, request)
        if row is None:
            return None
        if row.created < time.time() - KEY_KEPT_S:
            connection.execute(_SET, {"of": row.id, "key": None})
            return None
        if row.body_hash != request.body_hash:
            raise KeyReused("this Idempotency-Key was already used for another request; use a new one", transaction=row.id)
        return str(row.id)

    def _take_names(
        self, connection: Connection, request: Request, identifier: str, owner: str, state: str
    ) -> None:
        self._check_names(connection, request)
        connection.execute(transactions.insert(), {
            "id": identifier, "operation": request.operation, "version": request.version, "caller": request.caller, "remote": request.remote,
            "key": request.key, "body_hash": request.body_hash, "arguments": request.arguments, "subject": request.subject, "state": state,
            "owner": owner, "created": time.time(),
        })
        names = (*request.names, *self._free(connection, request.optional))
        connection.execute(
            locks.insert(), [{"name": name, "transaction": identifier} for name in names]
        )

    def check_names(self, request: Request) -> None:
        """Raises Busy, InRecovery (a name is held)."""
        with self.journal.reading() as connection:
            self._check_names(connection, request)
            self._free(connection, request.optional)

    def held(self) -> dict[str, str]:
        """Every name that a transaction holds, with a sentence that says why it can't be had now."""
        with self.journal.reading() as connection:
            return self._held(connection)

    def _held(self, connection: Connection) -> dict[str, str]:
        query = sa.select(locks.c.name, transactions.c.id, transactions.c.state).join(transactions)
        rows = list(connection.execute(query))
        what = {row.name: "being undone" if row.state in _UNDOING else "at work on it" for row in rows}
        return {row.name: f"transaction {row.id} is {what[row.name]}" for row in rows}

    def _free(self, connection: Connection, optional: OptionalNames | None) -> list[str]:
        """The optional names that nobody holds; the others are noted in `optional`."""
        if optional is None:
            return []
        held = self._held(connection)
        optional.held.clear()  # the journal may run this twice
        optional.held.update({name: held[name] for name in optional.names if name in held})
        return [name for name in optional.names if name not in held]

    def _check_names(self, connection: Connection, request: Request) -> None:
        held = sa.select(locks.c.name, transactions.c.id, transactions.c.state).join(transactions)
        row = connection.execute(held.where(locks.c.name.in_(request.names))).first()
        if row is not None:
            if row.state in _UNDOING:
                raise InRecovery(
                    f"{row.name} is still in use by transaction {row.id}; look with: ceo transactions show {row.id}",
                    transaction=row.id, retry_after=10,
                )
            raise Busy(f"somebody else is changing {row.name} just now; try again in a few seconds", transaction=row.id, retry_after=3)

    # Steps

    def intend(self, identifier: str, number: int, name: str, intent: Json, event: Json) -> None:
        """A step's intent, before it acts."""
        def insert(connection: Connection) -> None:
            connection.execute(steps.insert(), {
                "transaction": identifier, "number": number, "name": name, "state": "intent", "intent": intent, "attempts": 1, "began": time.time()})
            connection.execute(_SET, {"of": identifier, "state": "running"})
            self._event(connection, identifier, event)

        self.journal.write(insert, counts=True)
        self.notify(identifier)

    def note(self, identifier: str, number: int, facts: Json, event: Json | None) -> None:
        """More facts of a step, for its undo or its next try, with the event that tells how far it is."""
        def update(connection: Connection) -> None:
            if facts:
                this = {"of": identifier, "at": number}
                intent = connection.execute(sa.select(steps.c.intent).where(*_STEP), this).scalar_one()
                connection.execute(_SET_STEP, this | {"intent": intent | facts})
            if event:
                self._event(connection, identifier, event)

        if facts or event:
            self.journal.write(update, counts=bool(facts))
        if event:
            self.notify(identifier)

    def step(self, identifier: str, number: int, event: Json | None, **values: Any) -> None:
        """A step's new state, with the event that tells it."""
        def update(connection: Connection) -> None:
            if values:
                connection.execute(_SET_STEP, {"of": identifier, "at": number, **values})
            if event:
                self._event(connection, identifier, event)

        self.journal.write(update)
        if event:
            self.notify(identifier)

    def commit(self, identifier: str, later: list[tuple[int, str]], *, keep_names: bool = False) -> None:
        """The commit point: from here on there is no way but forward.  The names are free, unless they are kept to the end."""
        def update(connection: Connection) -> None:
            now = time.time()
            connection.execute(_SET, {"of": identifier, "state": "committed", "committed": now})
            if not keep_names:
                connection.execute(_UNLOCK, {"of": identifier})
            if later:
                connection.execute(steps.insert(), [
                    {"transaction": identifier, "number": number, "name": name, "state": "pending", "intent": {}, "attempts": 0, "began": now}
                    for number, name in later])

        self.journal.write(update, counts=True)

    def undoing(self, identifier: str, error: Json) -> None:
        """The transaction failed and is being undone; one that was committed never is."""
        before = _SET.where(transactions.c.state.in_(("queued", "running")))
        self.journal.write(lambda c: c.execute(before, {"of": identifier, "state": "undoing", "error": error}))

    def hand_over(self, identifier: str) -> None:
        """Leave what is still to be done to recovery."""
        self._set(identifier, owner=None)
        self.notify(identifier)

    def state(self, identifier: str, state: str, **values: Any) -> None:
        """Set the transaction's state."""
        self._set(identifier, state=state, **values)
        self.notify(identifier)

    def _set(self, identifier: str, **values: Any) -> None:
        self.journal.write(lambda c: c.execute(_SET, {"of": identifier, **values}))

    def end(self, identifier: str, state: str, event: Json, **values: Any) -> None:
        """The last line, the audit row, and no lock any more; all in one.  What has ended stays as it is."""
        self.journal.write(lambda c: self.end_in(c, identifier, state, event, **values), counts=True)
        self.notify(identifier)

    def end_in(self, connection: Connection, identifier: str, state: str, event: Json, **values: Any) -> None:
        """The same, in the caller's database transaction."""
        if connection.execute(_GET, {"of": identifier}).one().state in ENDED:
            return  # a person abandoned it meanwhile
        connection.execute(_SET, {"of": identifier, "state": state, "owner": None, "ended": time.time(), **values})
        connection.execute(_UNLOCK, {"of": identifier})
        self._event(connection, identifier, event)
        row = connection.execute(_GET, {"of": identifier}).one()
        audit.add(connection, who=row.caller, remote=row.remote, what=row.operation, subject=row.subject,
                  transaction=identifier, outcome=state, error=(row.error or {}).get("code"),
                  **({"kept": event["kept"]} if "kept" in event else {}))

    def audit(self, identifier: str, who: str, remote: str, what: str, outcome: str, **more: Any) -> None:
        """An audit row about a transaction, and about the transaction's subject."""
        def add(connection: Connection) -> None:
            row = connection.execute(_GET, {"of": identifier}).first()
            subject = {"subject": row.subject} if row else {}
            audit.add(connection, who=who, remote=remote, what=what, transaction=identifier,
                      outcome=outcome, **{**subject, **more})

        self.journal.write(add)

    def audit_many(self, rows: list[Json]) -> None:
        """Audit rows that are about no transaction."""
        def add(connection: Connection) -> None:
            for row in rows:
                audit.add(connection, **row)

        self.journal.write(add)

    # Reading

    def transaction(self, identifier: str) -> Row[Any] | None:
        """The row."""
        with self.journal.reading() as connection:
            return connection.execute(_GET, {"of": identifier}).first()

    def steps_of(self, identifier: str) -> list[Row[Any]]:
        """The step rows in order."""
        with self.journal.reading() as connection:
            return list(connection.execute(_STEPS, {"of": identifier}))

    def facts(self, identifier: str) -> Json:
        """Everything that the steps noted."""
        facts: Json = {}
        for row in self.steps_of(identifier):
            facts |= row.intent
        return facts

    def events_after(self, identifier: str, after: int) -> list[Event]:
        """The events behind number `after`."""
        with self.journal.reading() as connection:
            return [row.event for row in connection.execute(_EVENTS, {"of": identifier, "after": after})]

    def last_event(self, identifier: str) -> list[Event]:
        """The newest event, in a list; nothing where there is none."""
        return self.events_after(identifier, 0)[-1:]

    def listed(self, *, caller: str | None, state: str | None, limit: int) -> list[Row[Any]]:
        """The newest transactions, of one caller or of all, in any state or in one.

        STUCK are those that wait for a person: whose undo failed, which have a step that was given
        up, or which did not come to their end within STUCK_S.
        """
        t = transactions.c
        query = sa.select(transactions).order_by(t.created.desc()).limit(limit)
        if caller:
            query = query.where(t.caller == caller)
        if state == STUCK:
            late = sa.and_(t.state.in_(UNFINISHED), t.created < time.time() - STUCK_S)
            given_up = sa.select(steps.c.transaction).where(steps.c.state == "given_up")
            query = query.where(sa.or_(t.state == "undo_failed", late, t.id.in_(given_up)))
        elif state:
            query = query.where(t.state == state)
        with self.journal.reading() as connection:
            return list(connection.execute(query))

    def committed_since(self, operations: tuple[str, ...], caller: str, since: float) -> list[Json]:
        """The arguments of what this caller committed after a moment."""
        t = transactions.c
        query = sa.select(t.arguments).where(t.operation.in_(operations), t.caller == caller, t.committed >= since)
        with self.journal.reading() as connection:
            return [row.arguments for row in connection.execute(query)]

    def arguments_since(self, operation: str, since: float) -> list[tuple[float, Json]]:
        """When an operation was committed to that was asked for after a moment, and with what."""
        t = transactions.c
        query = sa.select(t.created, t.arguments).where(t.operation == operation, t.created >= since, t.committed.is_not(None))
        with self.journal.reading() as connection:
            return [(row.created, row.arguments) for row in connection.execute(query)]

    def newest_of(self, operations: tuple[str, ...], subject: str) -> Row[Any] | None:
        """The newest transaction of these operations on a subject that was committed."""
        t = transactions.c
        query = sa.select(transactions).where(t.operation.in_(operations), t.subject == subject, t.committed.is_not(None))
        with self.journal.reading() as connection:
            return connection.execute(query.order_by(t.committed.desc()).limit(1)).first()

    def largest_number(self, step: str, numbers: Range) -> int | None:
        """The largest user number of a range that a step of this name noted, undone or not."""
        values = {"step": step, "first": numbers.first, "last": numbers.last}
        with self.journal.reading() as connection:
            largest = connection.execute(_LARGEST_NUMBER, values).scalar()
        return None if largest is None else int(largest)

    def unclear(self, subject: str) -> list[Row[Any]]:
        """Transactions on a subject that were given up with an older journal (accept.py), unless a later one was committed."""
        t, later = transactions.c, transactions.alias()
        committed = sa.exists().where(later.c.subject == t.subject, later.c.created > t.created, later.c.committed.is_not(None))
        unknown = t.error["code"].as_string() == JournalUntrusted.code
        with self.journal.reading() as connection:
            query = sa.select(transactions).where(t.subject == subject, t.state == "abandoned", unknown, ~committed)
            return list(connection.execute(query))

    def unfinished(self) -> list[Row[Any]]:
        """Transactions that somebody has to bring to an end."""
        with self.journal.reading() as connection:
            return list(connection.execute(_UNFINISHED))

    def waiting(self) -> list[Row[Any]]:
        """Steps after a commit that are still to be done.

        Each row has its transaction's `operation`, `version`, `arguments` and `committed`.
        """
        with self.journal.reading() as connection:
            return list(connection.execute(_WAITING))

    def due(self, now: float) -> list[Row[Any]]:
        """Waiting steps of completed transactions whose time has come."""
        with self.journal.reading() as connection:
            return list(connection.execute(_DUE, {"now": now}))

    def _event(self, connection: Connection, identifier: str, event: Json) -> None:
        last = connection.execute(_LAST_EVENT, {"of": identifier}).scalar() or 0
        full = {"n": last + 1, "status": "in progress", "transaction": identifier, **event}
        connection.execute(events.insert(), {"transaction": identifier, "n": last + 1, "event": full})

    def emit(self, identifier: str, event: Json) -> None:
        """An event alone."""
        self.journal.write(lambda c: self._event(c, identifier, event))
        self.notify(identifier)

    def subscribe(self, identifier: str, notify: Callable[[], None]) -> None:
        """Call `notify` at each event that this process writes about the transaction."""
        with self._subscribing:
            self._listeners.setdefault(identifier, []).append(notify)

    def unsubscribe(self, identifier: str, notify: Callable[[], None]) -> None:
        """Call it no more."""
        with self._subscribing:
            listeners = self._listeners.get(identifier, [])
            if notify in listeners:
                listeners.remove(notify)
            if not listeners:
                self._listeners.pop(identifier, None)

    def notify(self, identifier: str) -> None:
        """Have those who follow it in this process look again."""
        with self._subscribing:
            listeners = list(self._listeners.get(identifier, []))
        for notify in listeners:
            notify()
