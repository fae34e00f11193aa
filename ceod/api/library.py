"""The library: books, copies, loans."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from typing import Any, TypeVar

import flask
from flask import request
from pydantic import BaseModel
from sqlalchemy.engine import Connection

from ceo_common.errors import BackendDown, Invalid, NotFound
from ceo_common.model import names as name_rules
from ceo_common.model.change import Change, added, changed, removed
from ceo_common.model.library import (
    COPIES_LIMIT,
    Book,
    BookPage,
    CheckedBooks,
    Loan,
    LoanChange,
    LoanChanges,
    LoanPage,
    Loans,
    NewBook,
    NewBooks,
    NewBooksAdded,
    NewCopies,
    OverdueMails,
    Reminded,
)
from ceo_common.model.transaction import Rehearsal
from ceod.api import json_body
from ceod.api.requests import allow, answer, audit, caller, ceod, is_rehearsal, number, parsed, rehearsed, route
from ceod.auth import states
from ceod.library import books, reminders, search, undo
from ceod.library.lending import Desk
from ceod.services.all import Library
from ceod.services.missing_names import no_account

blueprint = flask.Blueprint("library", __name__)

Result = TypeVar("Result", bound=BaseModel)

PAGE_LIMIT = 1000
_HIGHEST = (1 << 31) - 1  # of PostgreSQL's integer
_PAGES = {"size": f"how many a page, up to {PAGE_LIMIT}; 50 by default", "after": "the `next` of the page before"}


@route(blueprint, "GET", "/library/books", role="library", operation="library.read", gives=BookPage, query={
    "q": "words, or parts of words, of the title, the authors or the ISBN; small spelling mistakes are allowed", **_PAGES})
def find() -> flask.Response:
    """Find books, the best match first; without q every book, by its title."""
    question, size, after = request.args.get("q"), number("size", 50, PAGE_LIMIT, least=1), _after_book()
    if question is not None and (problem := name_rules.text_problem(question, "q")):
        raise _invalid("q", problem)
    page = _library().database.run(lambda connection: search.page(connection, question or "", size=size, after=after))
    return answer(BookPage(books=page.books, found=page.found, next=json.dumps(page.last, ensure_ascii=True) if page.last else None))


@route(blueprint, "POST", "/library/books", role="library", operation="library.add",
       states=states.NO_ACCOUNT, takes=NewBook, gives=Book, rehearsal=Rehearsal)
def add() -> flask.Response:
    """Add a book, by its ISBN or without one."""
    told = parsed(NewBook)
    return _write(
        "library.add", told.title, f"add {told.title!r}",
        lambda connection: books.add(connection, told, caller().name),
        lambda book: added("book", "the library", [_book_text(told)]),
    )


@route(blueprint, "POST", "/library/books/bulk", role="library", operation="library.add",
       states=states.NO_ACCOUNT, takes=NewBooks, gives=NewBooksAdded, rehearsal=CheckedBooks)
def add_many() -> flask.Response:
    """Add many books at once: all of them, or none."""
    body = parsed(NewBooks)
    new, by = body.books, caller().name
    if is_rehearsal():
        problems = _library().database.run(
            lambda connection: books.row_problems(connection, new, again=body.again)
        )
        refused = {int(problem["field"].split(".")[1]) for problem in problems}
        good = [_book_text(book) for i, book in enumerate(new) if i not in refused]
        changes = list(added("book", "the library", good))
        return answer(CheckedBooks(books=len(new), problems=problems, changes=changes))
    subject = f"{len(new)} books"

    def add_all(connection: Connection) -> NewBooksAdded:
        return NewBooksAdded(books=books.add_all(connection, new, by, again=body.again))

    return _write(
        "library.add", subject, f"add {subject}", add_all,
        lambda result: added("book", "the library", map(_book_text, new)),
    )


@route(blueprint, "GET", "/library/books/<book>", role="library", operation="library.read", gives=Book)
def get(book: str) -> flask.Response:
    """One book, and how many of its copies are in the library."""
    which = _book(book)
    return answer(_library().database.run(lambda connection: books.get(connection, which)))


@route(blueprint, "POST", "/library/books/<book>/copies", role="library", operation="library.add",
       states=states.NO_ACCOUNT, takes=NewCopies, gives=Book,
       rehearsal=Rehearsal)
def add_copies(book: str) -> flask.Response:
    """Add copies of a book."""
    which, told = _book(book), parsed(NewCopies)
    return _write("library.add", f"book {which}", f"add {told.copies} copies of book {which}",
                  lambda connection: books.add_copies(connection, which, told.copies),
                  lambda book: [changed("copies", book.title, str(book.copies - told.copies), str(book.copies))],
                  copies=told.copies)


@route(blueprint, "GET", "/library/books/<book>/loans", role="library", operation="library.loans", gives=Loans)
def of_book(book: str) -> flask.Response:
    """Who has a book."""
    which = _book(book)

    def look(connection: Connection) -> list[Loan]:
        books.get(connection, which)
        return _desk().of_book(connection, which)

    return answer(Loans(loans=_library().database.run(look)))


@route(blueprint, "POST", "/library/books/<book>/loans/<uid>", role="library", operation="library.lend",
       states=states.ACTIVE, gives=Loan, rehearsal=Rehearsal,
       query={"copy": "this copy, by its number; by default the first that is not lent"})
def lend(book: str, uid: str) -> flask.Response:
    """Lend a book to a member."""
    which, desk = _book(book), _desk()
    copy = number("copy", 1, COPIES_LIMIT, least=1) if "copy" in request.args else None
    _check_reader(desk, uid)
    return _write(
        "library.lend", uid, f"lend book {which} to {uid}",
        lambda connection: desk.lend(connection, which, uid, caller().name, copy),
        lambda loan: added("loan", uid, [_loan_text(loan)]), book=which,
    )


@route(blueprint, "DELETE", "/library/books/<book>/loans/<uid>", role="library", operation="library.return",
       states=states.EVERY, gives=Loan, rehearsal=Rehearsal)
def give_back(book: str, uid: str) -> flask.Response:
    """Record that a book was returned; the account may be gone already."""
    which = _book(book)
    _username(uid)
    return _write("library.return", uid, f"take book {which} back from {uid}",
                  lambda connection: _desk().give_back(connection, which, uid, caller().name),
                  lambda loan: removed("loan", uid, [_loan_text(loan)]), book=which)


@route(blueprint, "POST", "/library/books/<book>/loans/<uid>/renew", role="library", operation="library.renew",
       states=states.ACTIVE, subject="uid", gives=Loan,
       rehearsal=Rehearsal)
def renew(book: str, uid: str) -> flask.Response:
    """Renew a loan of a member of this term; to renew an overdue one is a right of its own."""
    which, desk = _book(book), _desk()
    _check_reader(desk, uid)

    def new_day(renewed: Loan) -> list[Change]:
        loans = _library().database.run(lambda connection: _desk().of_person(connection, uid))
        return [
            changed(f"due day of {loan.title}", uid, loan.due_on, renewed.due_on)
            for loan in loans
            if loan.loan == renewed.loan
        ]

    return _write("library.renew", uid, f"renew the loan of book {which} to {uid}",
                  lambda connection: desk.renew(connection, which, uid, caller().name, lambda: allow("library.renew.overdue")),
                  new_day, book=which)


@route(blueprint, "GET", "/library/changes", role="library", operation="library.undo", gives=LoanChanges)
def loan_changes() -> flask.Response:
    """What the caller did to loans within the last minute and can undo, the newest first."""
    who = caller().name
    return answer(LoanChanges(changes=_library().database.run(lambda connection: undo.undoable(connection, _desk(), who))))


@route(blueprint, "POST", "/library/changes/<change>/undo", role="library", operation="library.undo",
       states=states.EVERY, gives=LoanChange, rehearsal=Rehearsal)
def undo_change(change: str) -> flask.Response:
    """Undo a loan, a return or a renewal: by whoever did it, within a minute; asked again, the same answer."""
    identifier, desk, who = _change(change), _desk(), caller().name
    before = _library().database.run(lambda connection: undo.change(connection, desk, identifier, who))
    if before.undone and not is_rehearsal():
        return answer(before)

    def changes_of(undone: LoanChange) -> Iterable[Change]:
        if before.undone:
            return []
        uid, loan = undone.loan.uid, _loan_text(undone.loan)
        if undone.kind == "renew":
            return [changed(f"due day of {undone.loan.title}", uid, before.loan.due_on, undone.loan.due_on)]
        return (removed if undone.kind == "lend" else added)("loan", uid, [loan])

    return _write(
        "library.undo",
        before.loan.uid,
        f"undo the {undo.NOUNS[before.kind]} of book {before.loan.book} ({before.loan.uid})",
        lambda connection: undo.undo(connection, desk, identifier, who),
        changes_of,
    )


@route(blueprint, "GET", "/library/loans", role="library", operation="library.loans", gives=LoanPage, query=_PAGES)
def every_loan() -> flask.Response:
    """All loans, the earliest due date first."""
    size, after = number("size", 50, PAGE_LIMIT, least=1), _after_loan()
    some, found, more = _library().database.run(lambda connection: _desk().page(connection, size=size, after=after))
    return answer(LoanPage(loans=some, found=found, next=json.dumps([some[-1].due_on, some[-1].loan]) if more else None))


@route(blueprint, "GET", "/library/loans/<uid>", role="library", operation="library.loans.own", subject="uid", gives=Loans)
def of_person(uid: str) -> flask.Response:
    """The loans of one person."""
    _username(uid)
    loans = _library().database.run(lambda connection: _desk().of_person(connection, uid))
    # Whose account is gone may have a book still.
    if not loans and ceod().services.directory.person_unchecked(uid) is None:
        raise no_account(ceod().services.directory, uid)
    return answer(Loans(loans=loans))


@route(blueprint, "GET", "/library/overdue", role="library", operation="library.overdue", gives=Loans)
def overdue() -> flask.Response:
    """All overdue loans, the longest overdue first."""
    return answer(Loans(loans=_library().database.run(_desk().overdue)))


@route(blueprint, "POST", "/library/overdue/remind", role="library", operation="library.remind",
       states=states.NO_ACCOUNT, gives=OverdueMails, rehearsal=OverdueMails)
def remind() -> flask.Response:
    """Mail a reminder to everybody with overdue books, at most once a week about each loan."""
    running, library, desk = ceod(), _library(), _desk()
    if is_rehearsal():
        plan = reminders.plan(library.database, running.services.directory, desk)
        changes = [
            changed("mail", mail.uid, None, f"reminder of {loan.title}, due on {loan.due_on}")
            for mail in plan.mails
            for loan in mail.loans
        ]
        return answer(plan.model_copy(update={"changes": changes}))
    running.engine.journal.ready_for_new_work()

    def told(mail: Reminded) -> None:
        audit("library.remind", mail.uid, "done", books=[loan.book for loan in mail.loans])

    return answer(reminders.send(library.database, running.services.directory, desk, library.smtp, told))


def _write(
    what: str,
    subject: str,
    in_words: str,
    work: Callable[[Connection], Result],
    changes_of: Callable[[Result], Iterable[Change]],
    **facts: Any,
) -> flask.Response:
    """A change, with its row in the audit log; a dry run is the same change, taken back.

    `changes_of` says of the result which values changed.
    Raises what `work` does, BackendDown, JournalFull.
    """
    ceod().engine.journal.ready_for_new_work()
    if is_rehearsal():
        changes = changes_of(_library().database.rehearse(work))
        return rehearsed(what, subject, changes, in_words)
    try:
        result = _library().database.run(work)
    except BackendDown as error:
        if error.more.get("unknown"):
            audit(what, subject, "unknown", **facts)
        raise
    audit(what, subject, "done", **facts, **_facts_of(result))
    return answer(result)


def _book_text(book: NewBook) -> str:
    """As a dry run shows a new book."""
    isbn = f", ISBN {book.isbn13}" if book.isbn13 else ""
    return f"{book.title} by {', '.join(book.authors)}{isbn}, {_copies_text(book.copies)}"


def _copies_text(count: int) -> str:
    return "1 copy" if count == 1 else f"{count} copies"


def _loan_text(loan: Loan) -> str:
    """As a dry run shows a loan."""
    return f"{loan.title}, copy {loan.copy_number}, due on {loan.due_on}"


def _facts_of(result: object) -> dict[str, Any]:
    if isinstance(result, Loan):
        return {"title": result.title, "copy": result.copy_number, "due_on": result.due_on}
    if isinstance(result, LoanChange):
        return {"change": result.change, "kind": result.kind, "book": result.loan.book, **_facts_of(result.loan)}
    if isinstance(result, Book):
        return {"book": result.book, "title": result.title}
    return {"books": result.books} if isinstance(result, NewBooksAdded) else {}


def _library() -> Library:
    found = ceod().services.library
    assert found is not None
    return found


def _desk() -> Desk:
    config = ceod().config
    return Desk(config.library, config.time_zone, datetime.now(UTC))


def _check_reader(desk: Desk, uid: str) -> None:
    """Raises NotFound, WrongState, BackendDown."""
    person = ceod().services.directory.person(_username(uid))
    if person is None:
        raise no_account(ceod().services.directory, uid)
    desk.check_reader(person)


def _book(text: str) -> int:
    """Raises NotFound."""
    return _number_of(text, f"there is no book {text!r}: books have numbers")


def _change(text: str) -> int:
    """Raises NotFound."""
    return _number_of(text, f"there is no change {text!r} of a loan: changes have numbers")


def _number_of(text: str, problem: str) -> int:
    """Raises NotFound with the problem."""
    if text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= _HIGHEST:
        return int(text)
    raise NotFound(problem)


def _username(uid: str) -> str:
    """Raises NotFound."""
    if name_rules.username_problem(uid):
        raise no_account(ceod().services.directory, uid)
    return uid


def _after_book() -> search.Key | None:
    """Raises Invalid."""
    match _after():
        case None:
            return None
        case [int(rank), str(title), int(book)] if abs(rank) <= _HIGHEST and abs(book) <= _HIGHEST and _is_storable(title):
            return int(rank), title, int(book)
    raise _invalid("after", "not a `next`")


def _after_loan() -> tuple[date, int] | None:
    """Raises Invalid."""
    match _after():
        case None:
            return None
        case [str(day), int(loan)] if abs(loan) <= _HIGHEST:
            try:
                return date.fromisoformat(day), int(loan)
            except ValueError:
                pass
    raise _invalid("after", "not a `next`")


def _after() -> object:
    try:
        return json_body.read(request.args["after"]) if "after" in request.args else None
    except json_body.BadJson:
        raise _invalid("after", "not a `next`") from None


def _is_storable(text: str) -> bool:
    """Whether PostgreSQL knows all of its characters."""
    return "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text)


def _invalid(field: str, message: str) -> Invalid:
    return Invalid("the query has problems", problems=[{"field": field, "message": message}])
