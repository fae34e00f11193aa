"""Lending: the rules, each refusal a sentence for the desk, and who has what."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from ceo_common.config import Library
from ceo_common.errors import NotFound, WrongState
from ceo_common.model.library import ChangeKind, Loan
from ceo_common.terms import current
from ceod.library.books import lock
from ceod.library.tables import books, copies, is_done, is_out, loan_changes, loans
from ceod.services.entry import Person

_NAMED_AT_ONCE = 3
REMINDED_FOR = timedelta(days=7)


class Desk:
    """The rules as of a moment."""

    def __init__(self, rules: Library, zone: str, now: datetime) -> None:
        self.rules = rules
        self.zone = zone
        self.now = now
        self.today: date = now.astimezone(ZoneInfo(zone)).date()

    def check_reader(self, person: Person) -> None:
        """Whoever borrows or renews is a member this term.  Raises WrongState."""
        uid, term = person.uid, str(current(self.zone, self.now))
        if term not in person.attributes.get("term", []):
            kind = "only a club representative" if term in person.attributes.get("nonMemberTerm", []) else "no member"
            raise WrongState(f"{uid} is {kind} this term ({term}): books are lent to those who are members this term")

    def lend(self, connection: Connection, number: int, uid: str, by: str, copy: int | None = None) -> Loan:
        """The loan.  Raises NotFound, WrongState."""
        book = lock(connection, number)
        mine = self._loans(connection, loans.c.uid == uid)
        if any(loan.book == number for loan in mine):
            raise WrongState(f"{uid} has \"{book.title}\" already: it can be renewed instead")
        if late := [loan for loan in mine if loan.overdue]:
            named = ", ".join(f"\"{loan.title}\" (due on {loan.due_on})" for loan in late[:_NAMED_AT_ONCE])
            more = f" and {len(late) - _NAMED_AT_ONCE} more" if len(late) > _NAMED_AT_ONCE else ""
            raise WrongState(f"{uid} has an overdue book, which has to be returned first: {named}{more}")
        if not book.copies_in:
            verb = "was" if book.due_back and book.due_back < str(self.today) else "is"
            raise WrongState(
                f'no copy of "{book.title}" is in the library: '
                f"the first {verb} due back on {book.due_back}",
                due_back=book.due_back,
            )
        values = {"book": number, "copy": self._copy_in(connection, number, copy), "uid": uid, "lent_at": self.now, "lent_by": by,
                  "due_on": self._due()}
        identifier = connection.execute(loans.insert().values(values).returning(loans.c.id)).scalar_one()
        _note(connection, identifier, "lend", by)
        return self.loan(connection, identifier)

    def give_back(self, connection: Connection, number: int, uid: str, by: str) -> Loan:
        """The loan that is over.  Raises NotFound."""
        loan = self._loan_of(connection, number, uid)
        connection.execute(loans.update().where(loans.c.id == loan.loan).values(returned_at=self.now, returned_by=by))
        _note(connection, loan.loan, "return", by)
        return self.loan(connection, loan.loan)

    def renew(self, connection: Connection, number: int, uid: str, by: str, if_overdue: Callable[[], object]) -> Loan:
        """The loan with its new day; `if_overdue` says whether the caller may even then.  Raises NotFound, WrongState."""
        loan = self._loan_of(connection, number, uid)
        if loan.overdue:
            if_overdue()
        if loan.renewals_left < 1:
            raise WrongState(f"\"{loan.title}\" was renewed {_times(self.rules.renewals)} already: it has to be returned by the end of {loan.due_on}")
        before = connection.execute(sa.select(loans.c.due_on, loans.c.renewed).where(loans.c.id == loan.loan)).one()
        connection.execute(loans.update().where(loans.c.id == loan.loan).values(due_on=self._due(), renewed=loans.c.renewed + 1))
        _note(connection, loan.loan, "renew", by, due_before=before.due_on, renewed_before=before.renewed)
        return self.loan(connection, loan.loan)

    def loan(self, connection: Connection, identifier: int) -> Loan:
        """A loan by its number; it may be over."""
        return self._shown(connection.execute(_shown_columns().where(loans.c.id == identifier)).one())

    # Who has what

    def of_person(self, connection: Connection, uid: str) -> list[Loan]:
        """What somebody has, what is due first coming first."""
        return self._loans(connection, loans.c.uid == uid)

    def of_book(self, connection: Connection, number: int) -> list[Loan]:
        """Who has a book."""
        return self._loans(connection, loans.c.book == number)

    def overdue(self, connection: Connection) -> list[Loan]:
        """All overdue loans, the longest overdue first."""
        return self._loans(connection, loans.c.due_on < self.today)

    def page(self, connection: Connection, *, size: int, after: tuple[date, int] | None) -> tuple[list[Loan], int, bool]:
        """The loans behind `after`, how many there are in all, and whether more come."""
        found = connection.execute(sa.select(sa.func.count()).select_from(loans).where(is_out)).scalar_one()
        behind = [sa.tuple_(loans.c.due_on, loans.c.id) > sa.tuple_(sa.literal(after[0]), sa.literal(after[1]))] if after else []
        some = self._loans(connection, *behind, limit=size + 1)
        return some[:size], found, len(some) > size

    def to_remind(self, connection: Connection) -> list[Loan]:
        """What is overdue and was not mailed about for a week."""
        return self._loans(connection, self._is_to_remind())

    def claim(self, connection: Connection, uids: list[str]) -> dict[int, tuple[datetime | None, Loan]]:
        """Those of these people's that are to be mailed about, noted as mailed about now; and when they were before.

        Who asks at the same time waits for this database transaction, and then finds none of them.
        """
        mine = sa.and_(is_out, self._is_to_remind(), loans.c.uid.in_(uids))
        rows = connection.execute(sa.select(loans.c.id, loans.c.reminded_at).where(mine).order_by(loans.c.id).with_for_update()).all()
        before = {row.id: row.reminded_at for row in rows}
        connection.execute(loans.update().where(loans.c.id.in_(before)).values(reminded_at=self.now))
        return {loan.loan: (before[loan.loan], loan) for loan in self._loans(connection, loans.c.id.in_(before))}

    def unclaim(self, connection: Connection, before: dict[int, datetime | None]) -> None:
        """No mail went: as it was."""
        for identifier, moment in before.items():
            connection.execute(loans.update().where(loans.c.id == identifier, loans.c.reminded_at == self.now).values(reminded_at=moment))

    def _is_to_remind(self) -> sa.ColumnElement[bool]:
        return sa.and_(loans.c.due_on < self.today, sa.or_(loans.c.reminded_at.is_(None), loans.c.reminded_at <= self.now - REMINDED_FOR))

    def _due(self) -> date:
        return self.today + timedelta(days=self.rules.loan_days)

    def _copy_in(self, connection: Connection, number: int, wanted: int | None) -> int:
        """The first copy that is in, or the one that is wanted.  Raises NotFound, WrongState."""
        out = sa.select(loans.c.copy).where(loans.c.book == number, is_out)
        is_in = copies.c.number.not_in(out).label("is_in")
        rows: dict[int, bool] = {row.number: row.is_in for row in connection.execute(
            sa.select(copies.c.number, is_in).where(copies.c.book == number).order_by(copies.c.number))}
        if wanted is None:
            return next(copy for copy, there in rows.items() if there)
        if wanted not in rows:
            raise NotFound(f"there is no copy {wanted} of this book: they are numbered from 1 to {max(rows)}")
        if not rows[wanted]:
            raise WrongState(f"copy {wanted} is lent: take it back first, or lend another")
        return wanted

    def _loan_of(self, connection: Connection, number: int, uid: str) -> Loan:
        """What the person has of the book.  Raises NotFound."""
        book = lock(connection, number)
        found = self._loans(connection, loans.c.book == number, loans.c.uid == uid)
        if not found:
            raise NotFound(f"{uid} does not have \"{book.title}\"")
        return found[0]

    def _loans(self, connection: Connection, *which: sa.ColumnElement[bool], limit: int | None = None) -> list[Loan]:
        query = _shown_columns().where(is_out, *which)
        return [self._shown(row) for row in connection.execute(query.order_by(loans.c.due_on, loans.c.id).limit(limit))]

    def _shown(self, row: Row[Any]) -> Loan:
        return Loan(loan=row.id, book=row.book, title=row.title, copy_number=row.copy, uid=row.uid, lent_at=row.lent_at.timestamp(),
                    lent_by=row.lent_by, due_on=row.due_on.isoformat(), overdue=row.due_on < self.today,
                    renewals_left=max(0, self.rules.renewals - row.renewed), change=row.change)


def _shown_columns() -> sa.Select[Any]:
    """Loans, each with its book's title and the number of its last change that was not undone."""
    last = sa.select(sa.func.max(loan_changes.c.id)).where(loan_changes.c.loan == loans.c.id, is_done).scalar_subquery()
    return sa.select(loans, books.c.title, last.label("change")).join(books, books.c.id == loans.c.book)


def _note(connection: Connection, loan: int, kind: ChangeKind, by: str, **before: Any) -> None:
    connection.execute(loan_changes.insert().values(loan=loan, kind=kind, changed_by=by, **before))


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
