"""A book's page: who has it; lending it, taking it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import urwid

from ceo.tui import keys
from ceo.tui.app import App
from ceo.tui.screens.copies import Copies
from ceo.tui.screens.loan import WithLoans, has_until
from ceo.tui.widgets.form import Field
from ceo.tui.widgets.menu import Choice, Menu
from ceo.tui.widgets.page import Record
from ceo.tui.widgets.safe import Markup
from ceo.tui.widgets.table import fit
from ceo_common.errors import CeoError, Forbidden
from ceo_common.model import names

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]
_LEND = "Lend to"
_CRUMB = 24


class BookPage(WithLoans):
    """The cursor is where the desk needs it: in the borrower's field while a copy is in, otherwise on taking back."""

    about = ("Type the borrower's username, Enter lends.  Down goes to the rest: taking back, renewing, adding copies.  What is grey can't be done; "
             "mark it and the reason stands beneath.")

    def __init__(self, app: App, book: Json, borrower: str = "", *, looking: bool = False) -> None:
        super().__init__(app)
        self.book = book
        self.looking = looking  # whether somebody came to look: then the mark begins where Enter changes nothing
        self.title = fit(book["title"], _CRUMB, keeps_end=True).rstrip()
        self.loans: list[Json] | None = None  # None until they are known
        self._touched = False  # whether somebody typed, or pressed Enter
        self.draft = app.drafts.setdefault(f"lend {book['book']}", {})
        self.field = Field(f"  {_LEND}", borrower)  # as far in as the choices
        if typed := self.draft.get("uid"):
            self.field.fill(typed, typed=False)
        urwid.connect_signal(self.field.edit, "postchange", lambda *_: self._typed())
        self.menu = Menu(self._rows(), self.tell)
        self.body = self.menu
        self.bindings = {keys.AGAIN: self.load}

    def fetch(self, client: Client) -> tuple[Json, list[Json]]:
        """The book and who has it; those who may not see that, what they have of it themselves."""
        number = self.book["book"]
        book = client.book(number)
        try:
            return book, client.loans_of_book(number)
        except Forbidden:
            return book, [loan for loan in client.loans_of(self.app.standing.uid or self.app.operator) if loan["book"] == number]

    def show(self, told: tuple[Json, list[Json]]) -> None:
        """The cursor goes, the first time, to what is likely wanted."""
        # Never under the fingers of whoever types a borrower already: their Enter would take a book back.
        first = self.loans is None and not self._touched and self.menu.marked.label == _LEND
        self.book, self.loans = told
        rows = self._rows()
        free = [row.label for row in rows if isinstance(row, Choice) and not row.never]
        self.menu.show(rows, free[0] if first and free and not self.looking else "")
        if self.said:
            self.field.under("", "")

    def _rows(self) -> list[Choice | Record | str]:
        book, loans, never = self.book, self.loans or [], self.app.standing.never
        known = [("Title", book["title"]), ("Authors", "; ".join(book["authors"])), ("ISBN", book["isbn"]),
                 ("Published", ", ".join(str(part) for part in (book["year"], book["edition"], book["publisher"]) if part)),
                 ("Copies", f"{book['copies_in']} of {book['copies']} in")]
        lent: list[Choice | Record | str] = ["On loan to", *(Record(f"  {loan['uid']}", _due(loan)) for loan in loans), ""] if loans else []
        out = "" if book["copies_in"] else f"No copy is in; the first is due back on {book['due_back']}."
        return [
            *(Record(label, value) for label, value in known if value), "",
            *lent,
            Choice(_LEND, self._lend, "The borrower's username; Enter lends.  Down goes to what else can be done.", never("library.lend") or out,
                   self.field),
            *(self.take_back(loan, _back_from(loan["uid"])) for loan in loans),
            *(self.renew(loan, f"Renew for {loan['uid']}") for loan in loans),
            Choice("Add copies", lambda: self.app.push(Copies(self.app, self.book, self._added)), "The library has got more of it.",
                   never("library.add")),
        ]

    def _typed(self) -> None:
        self._touched = True
        self.draft["uid"] = str(self.field.edit.edit_text)
        self.field.under("", "")

    def _lend(self) -> None:
        self._touched = True
        number, uid = self.book["book"], self.field.text
        if problem := names.username_problem(uid) if uid else "Who takes it?  Type their username.":
            self.field.under("problem", problem)
            return
        self.change(f"Lending \"{self.book['title']}\"", lambda client: client.lend(number, uid), self._lent, self._refused, draft=self.draft)

    def _lent(self, loan: Json) -> str:
        self.field.fill("")
        return has_until(loan)

    def _refused(self, error: CeoError) -> None:
        self.field.under("problem", error.message)
        self.menu.moved()

    def _added(self, told: str) -> None:
        self.said = told


def _back_from(uid: str) -> str:
    return f"Take back from {uid}"


def _due(loan: Json) -> Markup:
    return ("problem", f"until {loan['due_on']}, overdue") if loan["overdue"] else f"until {loan['due_on']}"
