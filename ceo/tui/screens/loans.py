"""What somebody has from the library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ceo.tui.app import App
from ceo.tui.screens.library import Library
from ceo.tui.screens.loan import WithLoans
from ceo.tui.widgets.menu import Choice
from ceo.tui.widgets.page import Record
from ceo_common.errors import CeoError

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]


_LEND = "Lend a book"


class Loans(WithLoans):
    """Lending another book to this person; and each that they have, with returning and renewing it."""

    title = "Books"
    about = ("What they have from the library, what is due first coming first.  Enter lends another book; Down goes to returning and renewing.")
    home = _LEND

    def __init__(self, app: App, uid: str) -> None:
        super().__init__(app)
        self.uid = uid

    def fetch(self, client: Client) -> list[Json]:
        """What they have."""
        return client.loans_of(self.uid)

    def show(self, loans: list[Json]) -> None:
        """Each with its choices."""
        rows: list[Choice | Record | str] = [
            f"{self.uid} has {len(loans) or 'no'} {'book' if len(loans) == 1 else 'books'} from the library", "",
            Choice(_LEND, lambda: self.app.push(Library(self.app, self.uid)), f"Find a book for {self.uid}.",
                   self.app.standing.never("library.lend")),
            ""]
        for loan in loans:
            late = [("problem", "   overdue")] if loan["overdue"] else []
            rows += [Record(f"until {loan['due_on']}", [loan["title"], *late]), self.take_back(loan, "Take back"), self.renew(loan, "Renew"), ""]
        self.menu.show(rows)

    def complain(self, error: CeoError) -> None:
        """Where nothing is known yet, say that too."""
        if not self.menu.places:
            self.menu.show(["Not known; Ctrl-R asks again."])
        super().complain(error)
