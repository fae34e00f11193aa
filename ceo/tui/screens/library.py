"""The library's desk: a book is found as it is typed, or by a scanned ISBN."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ceo.tui.app import App
from ceo.tui.screens.book import BookPage
from ceo.tui.screens.searching import Searching
from ceo.tui.widgets.table import Column

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]


class Library(Searching):
    """Enter opens the book, where it is lent and taken back; `borrower` is whom the next one is for, if that is known."""

    title = "Library desk"
    about = ("Type a part of the title, of an author's name or of the ISBN, or scan the ISBN.  Enter opens the book: there it is lent, taken back "
             "and renewed.")
    role = "library"
    none = "No book fits."

    def __init__(self, app: App, borrower: str = "") -> None:
        super().__init__(app, "Which book?", [
            Column("Title", lambda row: row["title"], keeps_end=True), Column("Authors", lambda row: "; ".join(row["authors"]), 24, least=66),
            Column("Year", lambda row: row["year"] or "", 4, least=76), Column("In", lambda row: f"{row['copies_in']} of {row['copies']}", 8)])
        self.borrower = borrower
        self.tell("hint", f"Title, author or ISBN{f' of what {borrower} takes' if borrower else ''}.")

    def search(self, client: Client, text: str, count: int) -> tuple[list[Json], bool]:
        """By title, author and ISBN."""
        page = client.books(q=text, size=count)
        return page["books"], page["found"] <= count

    def open(self, row: Json) -> None:
        """The book's page."""
        self.app.push(BookPage(self.app, row, self.borrower))
