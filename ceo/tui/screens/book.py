"""A book's page: who has it; lending it, taking it back."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ceo.tui.app import App
from ceo.tui.screen import message_of
from ceo.tui.screens.borrower import Borrower
from ceo.tui.screens.copies import Copies
from ceo.tui.screens.loan import (
    WithLoans,
    all_out,
    first_due,
    has_until,
    loans_of,
    split_scan,
)
from ceo.tui.widgets.form import Field
from ceo.tui.widgets.menu import Choice
from ceo.tui.widgets.page import Record
from ceo.tui.widgets.safe import Markup
from ceo.tui.widgets.table import fit
from ceo_common.errors import CeoError

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]
_LEND = "Lend to"
_ABOUT_LENDING = "The borrower's username: Enter names them, then Enter lends.  Down: the rest."
_CRUMB = 24


class BookPage(WithLoans):
    """The cursor is in the borrower's field, whatever is on loan: typing and scanning there changes no loan of anybody else."""

    about = (
        "Type the borrower's username or a part of their name; Enter names them, and Enter lends."
        "  Down goes to the rest: returning, renewing, adding copies.  What is grey can't be done;"
        " mark it and the reason stands beneath."
    )
    home = _LEND

    def __init__(self, app: App, book: Json, borrower: str = "") -> None:
        super().__init__(app)
        self.book = book
        self.title = fit(book["title"], _CRUMB, keeps_end=True).rstrip()
        self.loans: list[Json] = []
        self.field = Field(f"  {_LEND}", borrower)  # as far in as the choices
        self.borrower = Borrower(self, self.field, self._lend)
        self.menu.show(self._rows(), _LEND)

    def on_top(self) -> None:
        """Whoever was found meanwhile may be the borrower; one who is known is named at once."""
        super().on_top()
        self.borrower.on_top(takes_found=True)
        if self.field.gives_way and not all_out(self.book, self.loans):
            self.borrower.ask(self.book["book"], self.field.text)

    def fetch(self, client: Client) -> tuple[Json, list[Json]]:
        """The book and who has it."""
        number = self.book["book"]
        return client.book(number), loans_of(client, number, self.app.standing.uid or self.app.operator)

    def show(self, told: tuple[Json, list[Json]]) -> None:
        """The mark stays where it is."""
        self.book, self.loans = told
        self.menu.show(self._rows())

    def _rows(self) -> list[Choice | Record | str]:
        book, loans, never = self.book, self.loans, self.app.standing.never
        published = ", ".join(str(part) for part in (book["year"], book["publisher"]) if part)
        known = [("Title", book["title"]), ("Authors", "; ".join(book["authors"])), ("ISBN", book["isbn"]),
                 ("Published", published), ("Edition", book["edition"]),
                 ("Copies", copies_in(book))]
        return [
            *(Record(label, value) for label, value in known if value), "",
            *on_loan(loans),
            Choice(_LEND, self._lend, all_out(book, loans) or _ABOUT_LENDING,
                   never("library.lend"), self.field, writes=True),
            *(self.take_back(loan, back_from(loan["uid"])) for loan in loans),
            *(self.renew(loan, f"Renew for {loan['uid']}") for loan in loans),
            Choice("Add copies", lambda: self.app.push(Copies(self.app, self.book, self._added)), "The library has got more of it.",
                   never("library.add")),
        ]

    def _lend(self) -> None:
        number = self.book["book"]
        uid, scanned = split_scan(self.field.text)
        if self.is_undo(uid):
            self.field.fill("")
            self.undo()
        elif scanned:
            self.field.fill(uid or self.field.suggestion, typed=bool(uid))
            self.field.under("problem", "That was a book's ISBN, not a username.  Nothing was lent.")
        elif problem := self._why_not(uid):
            self.field.under("problem", problem)
        elif not self.borrower.is_named(uid):
            self.borrower.ask(number, uid)
        else:
            name = self.borrower.name
            what = f"Lending \"{self.book['title']}\""
            lent = partial(self._lent, name)
            self.change(what, lambda client: client.lend(number, uid), lent, self._refused)

    def _why_not(self, uid: str) -> str:
        """What keeps this book from being lent to them, as far as the screen knows."""
        if not uid:
            return "Who borrows it?  Type their username."
        return all_out(self.book, self.loans)

    def _lent(self, name: str, loan: Json) -> str:
        self.field.fill("")
        return has_until(loan, name)

    def _refused(self, error: CeoError) -> None:
        self.field.under("problem", message_of(error))
        self.menu.moved()

    def _added(self, told: str) -> None:
        self.menu.go_home()  # where an Enter too many adds no other
        self.said = told


def back_from(uid: str) -> str:
    """The label of the choice that ends somebody's loan."""
    return f"Take back from {uid}"


def copies_in(book: Json) -> str:
    """How many copies are in; where none is, when the first is due."""
    counted = f"{book['copies_in']} of {book['copies']} in"
    return counted if book["copies_in"] else f"{counted}; {first_due(book['due_back'])}"


def on_loan(loans: list[Json]) -> list[Choice | Record | str]:
    """Who has a book and until when, and an empty line."""
    return ["On loan to", *(Record(f"  {loan['uid']}", _due(loan)) for loan in loans), ""] if loans else []


def _due(loan: Json) -> Markup:
    return ("problem", f"until {loan['due_on']}, overdue") if loan["overdue"] else f"until {loan['due_on']}"
