"""Take a journal for the right one although it is not the newest: nothing that it has under way is gone on with."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from ceo_common.errors import JournalUntrusted
from ceod.transaction import audit
from ceod.transaction.fingerprint import Fingerprint
from ceod.transaction.journal import Journal
from ceod.transaction.record import OPEN, Record
from ceod.transaction.step import Json, Operation
from ceod.transaction.tables import journals, steps, transactions

_OPEN = (
    sa.select(transactions).where(transactions.c.state.in_(OPEN)).order_by(transactions.c.created)
)
_STILL_TO_DO = ("pending", "waiting")
_ERROR = JournalUntrusted(
    "this copy of the journal does not say how this ended; check the account", reason="accepted"
)


def under_way(journal: Journal) -> tuple[list[Row[Any]], list[Row[Any]]]:
    """The transactions that are not at their end, and the steps of others that wait."""
    waiting = (
        sa.select(steps)
        .join(transactions)
        .where(steps.c.state.in_(_STILL_TO_DO), transactions.c.state == "completed")
    )
    with journal.reading() as connection:
        return list(connection.execute(_OPEN)), list(connection.execute(waiting))


def accept(
    journal: Journal,
    operations: Mapping[tuple[str, int], Operation[Any, Any]],
    remembered: Iterable[Fingerprint],
    reason: str,
    who: str,
    *,
    audit_as_it_is: bool,
) -> Fingerprint:
    """Give the journal a new id, above all that is `remembered`; its fingerprint from now on.

    What was not committed is abandoned, with the reason: neither undone nor gone on with, and its
    names are free.  What was committed is completed; its steps that wait are given up, so that a
    person decides whether to resume them.  `audit_as_it_is`: the chain counts from its newest row.
    All or nothing.  Raises JournalFull, JournalUntrusted.
    """
    record = Record(journal)

    def update(connection: Connection) -> None:
        newest_row, _ = audit.head(connection)
        ended = [row.id for row in connection.execute(_OPEN)]
        for identifier in ended:
            _end(connection, record, operations, identifier, reason)
        connection.execute(
            steps.update().where(steps.c.state.in_(_STILL_TO_DO)),
            {"state": "given_up", "error": _ERROR.as_json()},
        )
        audit.add(
            connection,
            who=who,
            remote="",
            what="journal.accept",
            outcome="accepted",
            reason=reason,
            abandoned=ended,
        )
        _succeed(connection, remembered, newest_row if audit_as_it_is else None)

    journal.write(update)
    return journal.fingerprint()


def _end(
    connection: Connection,
    record: Record,
    operations: Mapping[tuple[str, int], Operation[Any, Any]],
    identifier: str,
    reason: str,
) -> None:
    row = connection.execute(sa.select(transactions).where(transactions.c.id == identifier)).one()
    rows = list(
        connection.execute(
            sa.select(steps).where(steps.c.transaction == identifier).order_by(steps.c.number)
        )
    )
    if row.state != "committed":
        left = [step.name for step in rows if step.state not in ("undone", "not_ours")]
        event = {"status": "aborted", "error": _ERROR.as_json(), "undone": [], "left": left}
        record.end_in(
            connection, identifier, "abandoned", event, error=_ERROR.as_json(), reason=reason
        )
        return
    facts: Json = dict(row.arguments)
    for step in rows:
        facts |= step.intent
    operation = operations.get((row.operation, row.version))
    result = operation.result(facts) if operation else {}
    waiting = [step.name for step in rows if step.state in _STILL_TO_DO]
    event = {"status": "completed", "result": result, "waiting": waiting}
    record.end_in(connection, identifier, "completed", event, result=result)


def _succeed(
    connection: Connection, remembered: Iterable[Fingerprint], audit_from: int | None
) -> None:
    """Put a new journal in the place of this one and of those that are remembered."""
    now = time.time()
    rows = {row.id: row for row in connection.execute(sa.select(journals))}
    own = next(row for row in rows.values() if row.accepted is None)
    highest = {identifier: row.counted for identifier, row in rows.items()}
    for known in remembered:
        highest[known.journal] = max(highest.get(known.journal, 0), known.count)
    connection.execute(journals.delete())
    for identifier, counted in highest.items():
        row = rows.get(identifier)
        connection.execute(
            journals.insert(),
            {
                "id": identifier,
                "counted": counted,
                "began": row.began if row else now,
                "accepted": (row.accepted if row else None) or now,
                "audit_from": 0,
            },
        )
    connection.execute(
        journals.insert(),
        {
            "id": str(uuid.uuid4()),
            "counted": max(highest.values()) + 1,
            "began": now,
            "audit_from": own.audit_from if audit_from is None else audit_from,
        },
    )
