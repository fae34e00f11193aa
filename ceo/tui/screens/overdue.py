"""Books that should be back, and the mails to those who have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ceo.tui import keys
from ceo.tui.app import App
from ceo.tui.screens.book import BookPage
from ceo.tui.screens.listing import Listing
from ceo.tui.screens.review import Review
from ceo.tui.widgets.page import Record
from ceo.tui.widgets.safe import Markup
from ceo.tui.widgets.table import Column

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]
_PAGE = 1000


class _OfLoans(Listing):
    """Enter opens the book, where it is taken back."""

    role = "library"
    columns = (Column("Due on", lambda row: row["due_on"], 10), Column("Username", lambda row: row["uid"], 16),
               Column("Title", lambda row: row["title"], keeps_end=True))

    def open(self, row: Json) -> None:
        """The book's page."""
        self.ask(lambda client: client.book(row["book"]), lambda book: self.go_to(BookPage(self.app, book)), about="a book")


class Overdue(_OfLoans):
    """The longest first; Enter opens the book, where it is taken back."""

    title = "Overdue books"
    about = "Who should have brought what, the longest first.  Enter opens the book, where it is taken back."
    empty = "Nothing is overdue."

    def __init__(self, app: App) -> None:
        super().__init__(app)
        self.said = ""  # of the mails that went

    def standing_told(self) -> None:
        """Offer the mails to those alone who may send them."""
        if self.app.standing.never("library.remind"):
            self.bindings.pop(keys.MAIL, None)
        else:
            self.bindings[keys.MAIL] = self._rehearse

    def on_top(self) -> None:
        """Ask, and offer what one may do."""
        self.standing_told()
        super().on_top()

    def fetch(self, client: Client) -> list[Json]:
        """What is overdue."""
        return client.overdue()

    def told(self, rows: list[Json]) -> str:
        """How many; or what came of the mails."""
        said, self.said = self.said, ""
        return said or f"{len(rows)} overdue."

    # Mails

    def _rehearse(self) -> None:
        self.tell("hint", "One moment ...")
        self.ask(lambda client: client.overdue_mails(), self._rehearsed, about="mails")

    def _rehearsed(self, plan: Json) -> None:
        mails = plan["mails"]
        if not mails:
            self.tell("hint", f"Nobody is to be mailed: about each book a mail goes once a week.{_not_mailed(plan)}")
        else:
            lines: list[Markup | Record] = [Record(mail["uid"], "; ".join(loan["title"] for loan in mail["loans"])) for mail in mails]
            gone = [_not_mailed(plan).strip(), ""] if plan["gone"] or plan["broken"] else []
            self.go_to(Mails(self, [*gone, *lines], f"Enter sends {_mails(mails)}."))


class AllLoans(_OfLoans):
    """Who has what; Enter opens the book."""

    title = "Books on loan"
    about = "Everything that is on loan, what is due first coming first.  Enter opens the book, where it is taken back."
    empty = "Nothing is on loan."

    def fetch(self, client: Client) -> list[Json]:
        """Page after page."""
        page = client.loans(size=_PAGE)
        rows: list[Json] = page["loans"]
        while page["next"]:
            page = client.loans(size=_PAGE, after=page["next"])
            rows += page["loans"]
        return rows

    def style(self, row: Json) -> str:
        """What is overdue is seen."""
        return "problem" if row["overdue"] else "choice"

    def told(self, rows: list[Json]) -> str:
        """How many."""
        return f"{len(rows)} on loan, {sum(bool(row['overdue']) for row in rows)} overdue."


class Mails(Review):
    """The last look before those with overdue books are mailed."""

    def __init__(self, overdue: Overdue, lines: list[Markup | Record], question: str) -> None:
        self.overdue = overdue
        super().__init__(overdue.app, lines, self._send, role="library", question=question)

    def _send(self) -> None:
        self.write("Mails about overdue books", lambda client: client.send_overdue_mails(), self._sent)

    def _sent(self, told: Json) -> None:
        self.overdue.said = f"{_mails(told['mails'])} went out.{_not_mailed(told)}"
        self.app.remove(self)


def _mails(mails: list[Json]) -> str:
    return f"{len(mails)} {'mail' if len(mails) == 1 else 'mails'}"


def _not_mailed(told: Json) -> str:
    """Whom no mail reaches, and why."""
    return "".join(f"  Not mailed, {why}: {', '.join(uids)}." for why, uids in (
        ("their account is gone", told["gone"]),
        ("their entry in the directory is broken", told["broken"]), ("the mail server refused them", told["refused"])) if uids)
