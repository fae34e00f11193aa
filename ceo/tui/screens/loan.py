"""What can be done with a loan, wherever one is shown: taking back, renewing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ceo.tui.app import App
from ceo.tui.screen import Screen
from ceo.tui.widgets.menu import Choice
from ceo_common.errors import CeoError

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]


class WithLoans(Screen):
    """A screen that shows loans and changes them, one at a time; afterwards it asks anew and says what was done."""

    role = "library"

    def __init__(self, app: App) -> None:
        super().__init__(app)
        self.said = ""  # of what was done last, to be told once the screen shows it

    def on_top(self) -> None:
        """Ask, because what was done above may have changed it."""
        self.load()

    def fetch(self, client: Client) -> Any:
        """What is shown; in a worker's thread."""
        raise NotImplementedError

    def show(self, told: Any) -> None:
        """Show it."""
        raise NotImplementedError

    def standing_told(self) -> None:
        """Grey what one may not do."""
        self.load()

    def load(self) -> None:
        """Ask."""
        def found(told: Any) -> None:
            self.show(told)
            # After the choices are drawn, because their mark tells something too.
            if self.said:
                self.tell("good", self.said)
                self.said = ""
            self.app.redraw()

        self.ask(self.fetch, found)

    def change(self, what: str, job: Callable[[Client], Json], told: Callable[[Json], str], refused: Callable[[CeoError], None] | None = None, *,
               draft: dict[str, str] | None = None) -> None:
        """Have it done, and say what `told` makes of the answer."""
        def done(result: Json) -> None:
            self.said = told(result)
            self.load()

        self.write(what, job, done, refused, draft=draft)

    def complain(self, error: CeoError) -> None:
        """Tell of an error, and first of what was done all the same."""
        done, self.said = self.said, ""
        self.tell("problem", f"{done}  {error.message}".strip())

    def take_back(self, loan: Json, label: str) -> Choice:
        """The choice that ends a loan."""
        def go() -> None:
            self.change(f"Taking back \"{loan['title']}\"", lambda client: client.give_back(loan["book"], loan["uid"]),
                        lambda told: f"\"{told['title']}\" is back from {told['uid']}.")

        return Choice(label, go, f"{loan['uid']} brings \"{loan['title']}\".", self.app.standing.never("library.return"))

    def renew(self, loan: Json, label: str) -> Choice:
        """The choice that lets somebody keep it longer."""
        def go() -> None:
            self.change(f"Renewing \"{loan['title']}\"", lambda client: client.renew_loan(loan["book"], loan["uid"]), has_until)

        never = self.app.standing.never
        used_up = "" if loan["renewals_left"] else f"It was renewed as often as it can be: it has to come back by the end of {loan['due_on']}."
        return Choice(label, go, f"{loan['uid']} keeps \"{loan['title']}\" longer.",
                      never("library.renew", loan["uid"]) or (loan["overdue"] and never("library.renew.overdue")) or used_up)


def has_until(loan: Json) -> str:
    """Who has what, and when it is due."""
    return f"{loan['uid']} has \"{loan['title']}\" until {loan['due_on']}."
