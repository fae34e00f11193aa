"""Find a book: as it is typed, or by a scanned ISBN."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ceo.tui.app import App
from ceo.tui.screens.book import BookPage
from ceo.tui.screens.searching import Searching
from ceo.tui.widgets.table import Column

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]


class Library(Searching):
    """Enter opens the book, where it is lent and returned, or gives it to `picked`.

    `borrower` is whom the next one is for, if that is known; `text` is searched for at once.
    """

    title = "Book search"
    about = ("Type a part of the title, of an author's name or of the ISBN, or scan the ISBN.  Enter opens the book: there it is lent, returned "
             "and renewed.")
    role = "library"
    none = "No book fits."

    def __init__(self, app: App, borrower: str = "", text: str = "", picked: Callable[[Json], None] | None = None) -> None:
        super().__init__(app, "Which book?", [
            Column("Title", lambda row: row["title"], keeps_end=True), Column("Authors", lambda row: "; ".join(row["authors"]), 24, least=66),
            Column("Year", lambda row: row["year"] or "", 4, least=76), Column("In", lambda row: f"{row['copies_in']} of {row['copies']}", 8)])
        self.borrower, self.picked = borrower, picked
        self.tell("hint", f"Title, author or ISBN{f' of what {borrower} borrows' if borrower else ''}.")
        if text:
            self.field.fill(text)

    def search(self, client: Client, text: str, count: int) -> tuple[list[Json], bool]:
        """By title, author and ISBN."""
        page = client.books(q=text, size=count)
        return page["books"], page["found"] <= count

    def open(self, row: Json) -> None:
        """The book's page, or back to where a book was asked for."""
        if self.picked:
            self.app.remove(self)
            self.picked(row)
        else:
            self.app.push(BookPage(self.app, row, self.borrower))
