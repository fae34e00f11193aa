"""Undoing a loan, a return or a renewal: by whoever did it, within a minute."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from ceo_common.errors import Forbidden, NotFound, WrongState
from ceo_common.model.library import ChangeKind, Loan, LoanChange
from ceod.library.books import lock
from ceod.library.lending import Desk
from ceod.library.tables import is_done, is_out, loan_changes, loans

UNDO_S = 60
NOUNS: dict[ChangeKind, str] = {"lend": "loan", "return": "return", "renew": "renewal"}

# How old a change is by the clock of the database, which also noted when it was made: the clocks
# of several hosts differ.
_AGE_S = sa.func.extract("epoch", sa.func.clock_timestamp() - loan_changes.c.changed_at)


def undoable(connection: Connection, desk: Desk, by: str) -> list[LoanChange]:
    """What this person did within the last minute and did not undo, the newest first."""
    return [_shown(connection, desk, row) for row in connection.execute(newest_of(by))]


def newest_of(by: str) -> sa.Select[Any]:
    """The question behind undoable()."""
    # statement_timestamp() is one moment for all rows, so that the index finds the few of the last
    # minute; clock_timestamp() is another for each, and every change of this person would be read.
    since = sa.func.statement_timestamp() - timedelta(seconds=UNDO_S)
    mine = (loan_changes.c.changed_by == by, is_done, loan_changes.c.changed_at >= since)
    return _changes().where(*mine).order_by(loan_changes.c.id.desc())


def change(connection: Connection, desk: Desk, identifier: int, by: str) -> LoanChange:
    """One change that this person made, undone or not.  Raises NotFound, Forbidden."""
    return _shown(connection, desk, _change(connection, identifier, by))


def undo(connection: Connection, desk: Desk, identifier: int, by: str) -> LoanChange:
    """The change, undone now or before.  Raises NotFound, Forbidden, WrongState."""
    before = desk.loan(connection, _change(connection, identifier, by).loan)
    lock(connection, before.book)
    # Read after the lock, so that it tells what somebody else did to the book meanwhile.
    row = _change(connection, identifier, by)
    loan = desk.loan(connection, row.loan)
    if row.undone_at is None:
        _check_age(row, loan)
        _check_last(connection, row, loan)
        _check_free(connection, row, loan)
        connection.execute(
            loans.update().where(loans.c.id == row.loan).values(_values_before(row, desk, by))
        )
        connection.execute(
            loan_changes.update()
            .where(loan_changes.c.id == identifier)
            .values(undone_at=sa.func.clock_timestamp())
        )
    return change(connection, desk, identifier, by)


def _values_before(row: Row[Any], desk: Desk, by: str) -> dict[str, Any]:
    """The loan's columns as they were before the change; a loan that is undone is over."""
    if row.kind == "lend":
        return {"returned_at": desk.now, "returned_by": by}
    if row.kind == "return":
        return {"returned_at": None, "returned_by": None}
    return {"due_on": row.due_before, "renewed": row.renewed_before}


def _check_age(row: Row[Any], loan: Loan) -> None:
    """Raises WrongState when the minute is over."""
    if row.age_s <= UNDO_S:
        return
    instead = {
        "lend": "take the book back instead",
        "return": "lend the book again instead",
        "renew": "the new day stays",
    }[row.kind]
    raise WrongState(
        f'the {NOUNS[row.kind]} of "{loan.title}" ({loan.uid}) is more than {UNDO_S} seconds old'
        f" and can't be undone any more: {instead}"
    )


def _check_last(connection: Connection, row: Row[Any], loan: Loan) -> None:
    """Raises WrongState when something else was done to the loan since."""
    newer = connection.execute(
        _changes()
        .where(loan_changes.c.loan == row.loan, loan_changes.c.id > row.id, is_done)
        .order_by(loan_changes.c.id.desc())
        .limit(1)
    ).one_or_none()
    if newer:
        raise WrongState(
            f'the {NOUNS[row.kind]} of "{loan.title}" ({loan.uid}) can\'t be undone:'
            f" {newer.changed_by} noted a {NOUNS[newer.kind]} of it since"
        )


def _check_free(connection: Connection, row: Row[Any], loan: Loan) -> None:
    """A return is undone only while nobody has the copy, and its borrower no other copy.

    Raises WrongState.
    """
    if row.kind != "return":
        return
    same_copy = loans.c.copy == loan.copy_number
    has_it = (loans.c.book == loan.book, is_out, sa.or_(same_copy, loans.c.uid == loan.uid))
    holders = connection.execute(sa.select(loans.c.uid).where(*has_it).limit(1)).scalars().all()
    if holders:
        raise WrongState(
            f'the return of "{loan.title}" ({loan.uid}) can\'t be undone:'
            f" {holders[0]} borrowed it meanwhile"
        )


def _changes() -> sa.Select[Any]:
    return sa.select(loan_changes, _AGE_S.label("age_s"))


def _change(connection: Connection, identifier: int, by: str) -> Row[Any]:
    """Raises NotFound, Forbidden."""
    row = connection.execute(_changes().where(loan_changes.c.id == identifier)).one_or_none()
    if row is None:
        raise NotFound(f"there is no change {identifier} of a loan")
    if row.changed_by != by:
        raise Forbidden(
            f"Only whoever lent, renewed or took back a book may undo it. You are {by}.",
            rule="library.undo",
        )
    return row


def _shown(connection: Connection, desk: Desk, row: Row[Any]) -> LoanChange:
    left = 0 if row.undone_at else max(0, min(UNDO_S, int(UNDO_S - row.age_s)))
    return LoanChange(
        change=row.id,
        kind=row.kind,
        loan=desk.loan(connection, row.loan),
        undone=row.undone_at is not None,
        seconds_left=left,
    )
