"""What can be done with a loan, wherever one is shown: returning, renewing, undoing either."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Any

from ceo.tui import keys
from ceo.tui.app import App
from ceo.tui.screen import Screen
from ceo.tui.undoable import UNDO_S, Undoable
from ceo.tui.widgets.loan_menu import LoanMenu
from ceo.tui.widgets.menu import Choice
from ceo_common.errors import CeoError, Forbidden, WrongState
from ceo_common.model import isbn

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]
_NOUNS = {"lend": "loan", "return": "return", "renew": "renewal"}
_SCAN = 13  # digits of the bar code on a book


class WithLoans(Screen):
    """A screen that shows loans and changes them, one at a time; afterwards it asks anew and says what was done.

    `home` is the label of the row where the mark begins, and where it is after each change.
    """

    role = "library"
    home = ""

    def __init__(self, app: App) -> None:
        super().__init__(app)
        self.said = ""  # of what was done last, to be told once the screen shows it
        self.menu = LoanMenu(["One moment ..."], self.tell, self.home, self.to_undo, self.undo)
        self.body = self.menu
        self.bindings = {keys.AGAIN: self.load}

    def on_top(self) -> None:
        """Ask, because what was done above may have changed it."""
        self.bind_undo()
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

        def heard(answer: Any) -> None:
            self.show(answer)
            # After the choices are drawn, because their mark tells something too.
            if self.said:
                self.tell("good", self.said)
                self.said = ""
            self.app.redraw()

        self.ask(self.fetch, heard)

    def change(
        self,
        what: str,
        job: Callable[[Client], Json],
        sentence: Callable[[Json], str],
        refused: Callable[[CeoError], None] | None = None,
    ) -> None:
        """Have it done, and say what `sentence` makes of the loan that comes back."""

        def done(loan: Json) -> None:
            self.app.undoable = Undoable.now(loan["change"], f'"{loan["title"]}" ({loan["uid"]})')
            self.app.loop.set_alarm_in(UNDO_S, lambda *_: self.bind_undo())
            self.changed(sentence(loan))

        self.write(what, job, done, refused)

    def changed(self, sentence: str) -> None:
        """Something was done: say so, and ask what is there now."""
        self.menu.go_home()  # first, because a field there says how to undo
        self.said = f"{sentence}{self._how_to_undo()}"
        self.bind_undo()
        self.load()

    def undone(self, sentence: str) -> None:
        """Something was undone."""
        self.changed(sentence)

    def complain(self, error: CeoError) -> None:
        """Tell of an error, and first of what was done all the same."""
        done, self.said = self.said, ""
        self.tell("problem", f"{done}  {error.message}".strip())

    # Undoing

    def can_undo(self) -> bool:
        """Whether Z undoes something now."""
        return self.app.undoable is not None and not self.app.undoable.is_over

    def to_undo(self) -> str:
        """The loan whose last change Z undoes; empty where there is none."""
        undoable = self.app.undoable
        return undoable.loan if undoable and self.can_undo() else ""

    def bind_undo(self) -> None:
        """Z is a key while there is something to undo."""
        if self.can_undo():
            self.bindings[keys.UNDO_LOAN] = lambda: None  # the menu takes it; bound for help
        else:
            self.bindings.pop(keys.UNDO_LOAN, None)
        if self.in_sight:
            self.app.redraw()

    def is_undo(self, typed: str) -> bool:
        """Whether a Z that stands alone in a field is meant as the key."""
        return typed in keys.UNDO_LOAN.names and self.can_undo()

    def undo(self) -> None:
        """Undo the last change; the same number again does no harm where the answer was lost."""
        undoable = self.app.undoable
        if undoable is None:
            return
        self._wrote = 0.0  # whoever undoes a change has seen its end

        def done(answer: Json) -> None:
            self.app.undoable = None
            loan = answer["loan"]
            self.undone(f'Undone: the {_NOUNS[answer["kind"]]} of "{loan["title"]}" ({loan["uid"]}).')

        def refused(error: CeoError) -> None:
            if isinstance(error, WrongState):
                self.app.undoable = None
                self.bind_undo()
            self.complain(error)

        self.write(
            "Undoing the last change of a loan",
            lambda client: client.undo_loan_change(undoable.change),
            done,
            refused,
        )

    def _how_to_undo(self) -> str:
        if not self.can_undo():
            return ""
        return "  To undo it within a minute: Z and Enter."

    # Choices

    def take_back(self, loan: Json, label: str) -> Choice:
        """The choice that ends a loan."""

        def go() -> None:
            self.change(
                f'Returning "{loan["title"]}"',
                lambda client: client.give_back(loan["book"], loan["uid"]),
                lambda returned: f'"{returned["title"]}" is back from {returned["uid"]}.',
            )

        return Choice(
            label,
            go,
            f'{loan["uid"]} returns "{loan["title"]}".',
            self.app.standing.never("library.return"),
            writes=True,
            of=loan["loan"],
        )

    def renew(self, loan: Json, label: str) -> Choice:
        """The choice that lets somebody keep it longer."""

        def go() -> None:
            self.change(
                f'Renewing "{loan["title"]}"',
                lambda client: client.renew_loan(loan["book"], loan["uid"]),
                has_until,
            )

        never = self.app.standing.never
        used_up = "" if loan["renewals_left"] else f"It was renewed as often as it can be: it has to be returned by the end of {loan['due_on']}."
        reason = never("library.renew", loan["uid"]) or (loan["overdue"] and never("library.renew.overdue")) or used_up
        return Choice(
            label,
            go,
            f'{loan["uid"]} keeps "{loan["title"]}" longer.',
            reason or "",
            writes=True,
            of=loan["loan"],
        )


def has_until(loan: Json, name: str = "") -> str:
    """Who has what, and when it is due; their name where it is known."""
    whose = f" ({name})" if name not in ("", loan["uid"]) else ""
    return f'{loan["uid"]} has "{loan["title"]}" until {loan["due_on"]}{whose}.'


def loans_of(client: Client, book: int, uid: str) -> list[Json]:
    """Who has a book; those who may not see that see their own loan of it.  Raises CeoError."""
    try:
        return client.loans_of_book(book)
    except Forbidden:
        return [loan for loan in client.loans_of(uid) if loan["book"] == book]


def all_out(book: Json, loans: list[Json]) -> str:
    """That no copy is in, who has them as far as one may see it, and when the first is due."""
    if book["copies_in"]:
        return ""
    holders = ", ".join(loan["uid"] for loan in loans)
    lent = "the only copy is on loan" if book["copies"] == 1 else f"all {book['copies']} copies are on loan"
    whom = f" to {holders}" if holders else ""
    return f"No copy is in: {lent}{whom}; {first_due(book['due_back'])}."


def first_due(day: str) -> str:
    """When the first copy is due back, a day such as 2026-10-01, which may be over."""
    verb = "was" if day < date.today().isoformat() else "is"
    return f"the first {verb} due back on {day}"


def split_scan(typed: str) -> tuple[str, str]:
    """What somebody typed before a scan went into the same field, and the ISBN; without one, all of it and nothing.

    A scanner types thirteen digits; a whole field may hold any form of an ISBN.
    """
    if isbn.problem(typed) is None:
        return "", isbn.normal(typed)
    if len(typed) > _SCAN and isbn.problem(typed[-_SCAN:]) is None and typed[-_SCAN:].isdigit():
        return typed[:-_SCAN].strip(), typed[-_SCAN:]
    return typed, ""
