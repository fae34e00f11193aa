"""Books and loans over the wire."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Literal

from pydantic import Field

from ceo_common.model import isbn, names
from ceo_common.model.change import Change
from ceo_common.model.wire import Problem, Text, Wire, checked, text

TITLE_LIMIT = 512
AUTHORS_LIMIT = 64
COPIES_LIMIT = 100
ROWS_LIMIT = 2000

_Title = Annotated[Text, text("the title", TITLE_LIMIT)]
_Author = Annotated[Text, text("the author's name")]
_Isbn = Annotated[Text, checked(isbn.problem)]
_Copies = Annotated[int, Field(ge=1, le=COPIES_LIMIT)]


class NewBook(Wire):
    """POST /api/library/books: by its ISBN, or without one."""

    title: _Title
    authors: list[_Author] = Field(min_length=1, max_length=AUTHORS_LIMIT)
    isbn: _Isbn | None = None
    year: int | None = Field(default=None, ge=1450, le=2199)
    edition: Annotated[Text, text("the edition")] | None = None
    publisher: Annotated[Text, text("the publisher")] | None = None
    copies: _Copies = 1

    @property
    def isbn13(self) -> str | None:
        """The ISBN in its one form."""
        return None if self.isbn is None else isbn.normal(self.isbn)

    @classmethod
    def across(cls, body: dict[str, Any]) -> list[Problem]:
        """No author twice."""
        authors = body.get("authors")
        listed = authors if isinstance(authors, list) else []
        stored = Counter(names.normal(name) for name in listed if isinstance(name, str))
        return [("authors", f"{name} is listed twice") for name, count in stored.items() if count > 1]


class NewBooks(Wire):
    """POST /api/library/books/bulk: all of them are added, or none.

    `again` adds books without an ISBN although the library has the same title by the same authors.
    """

    books: list[NewBook] = Field(min_length=1, max_length=ROWS_LIMIT)
    again: bool = False

    @classmethod
    def across(cls, body: dict[str, Any]) -> list[Problem]:
        """What is wrong across each row, and an ISBN that two rows have."""
        rows = body.get("books")
        found: list[Problem] = []
        seen: dict[str, int] = {}
        for i, row in enumerate(rows if isinstance(rows, list) else []):
            if not isinstance(row, dict):
                continue
            found += [(f"books.{i}.{field}", message) for field, message in NewBook.across(row)]
            told = row.get("isbn")
            if isinstance(told, str) and isbn.problem(told) is None and seen.setdefault(isbn.normal(told), i) != i:
                found.append((f"books.{i}.isbn", f"row {seen[isbn.normal(told)]} has this ISBN too"))
        return found


class NewCopies(Wire):
    """POST /api/library/books/BOOK/copies."""

    copies: _Copies = 1


class Book(Wire):
    """GET /api/library/books/BOOK."""

    book: int
    title: str
    authors: list[str]
    isbn: str | None  # thirteen digits
    year: int | None
    edition: str | None
    publisher: str | None
    copies: int
    copies_in: int
    due_back: str | None  # the day when the first copy is due, while none is in


class BookPage(Wire):
    """GET /api/library/books: `next` is the `after` of the page behind this one, null on the last."""

    books: list[Book]
    found: int
    next: str | None = None


class NewBooksAdded(Wire):
    """What POST /api/library/books/bulk made, in the order of the rows."""

    books: list[int]


class CheckedBooks(Wire):
    """POST /api/library/books/bulk?dry_run: the rows that can't be added and why, and what the others would change."""

    books: int
    problems: list[dict[str, str]]
    changes: list[Change] = Field(default_factory=list)


class Loan(Wire):
    """A loan, current or just ended."""

    loan: int
    book: int
    title: str
    copy_number: int
    uid: str
    lent_at: float  # seconds since the epoch
    lent_by: str
    due_on: str  # until the end of that day
    overdue: bool
    renewals_left: int
    change: int | None  # the number of what was done to it last, for an undo


class Loans(Wire):
    """GET /api/library/loans/UID, .../books/BOOK/loans, .../overdue."""

    loans: list[Loan]


class LoanPage(Wire):
    """GET /api/library/loans: `next` is the `after` of the page behind this one, null on the last."""

    loans: list[Loan]
    found: int
    next: str | None = None


ChangeKind = Literal["lend", "return", "renew"]


class LoanChange(Wire):
    """What was done to a loan, and the loan as it is now.

    `seconds_left` is how long whoever did it can still undo it, by the database's clock.
    """

    change: int
    kind: ChangeKind
    loan: Loan
    undone: bool
    seconds_left: int


class LoanChanges(Wire):
    """GET /api/library/changes: what the caller did within the last minute, the newest first."""

    changes: list[LoanChange]


class Reminded(Wire):
    """One mail: its recipient and the loans that it is about."""

    uid: str
    loans: list[Loan]


class OverdueMails(Wire):
    """POST /api/library/overdue/remind: the mails.

    `gone` are those whose account is, `broken` those whose entry in the directory nobody can work
    with, `refused` those whose address the mail server refuses.  With ?dry_run, `changes` are the
    mails that would be sent.
    """

    mails: list[Reminded]
    changes: list[Change] = Field(default_factory=list)
    gone: list[str]
    broken: list[str]
    refused: list[str]
