"""Choices that depend on what a server told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

import urwid

from ceo.tui import keys
from ceo.tui.app import App
from ceo.tui.screen import Screen
from ceo.tui.widgets.menu import Choice, Menu
from ceo.tui.widgets.safe import text
from ceo_common.errors import BackendDown, CeoError, Unreachable

if TYPE_CHECKING:
    from ceo_common.client import Client

T = TypeVar("T")
_RESTS = "Down, or a first letter: to what can be done."


class Offering(Screen, Generic[T]):
    """Subclasses say what is asked, and which choices come of it.  Asked anew whenever it comes to the top.

    `outcome` is what was done on a screen above: told once, until the mark moves.
    """

    def __init__(self, app: App) -> None:
        super().__init__(app)
        self.menu = Menu([], self.tell)
        self.body = urwid.Filler(text("One moment ..."), valign="top")
        self.bindings = {keys.AGAIN: self.load}
        self.outcome: tuple[str, str] | None = None
        self._told: list[T] = []  # the last answer, once there is one

    def on_top(self) -> None:
        """Ask."""
        self.load()

    def after_write(self) -> None:
        """No choice is marked, because the next Enters would begin another change."""
        if self._told:
            self.menu.rest()
            self.tell("hint", _RESTS)

    def standing_told(self) -> None:
        """Grey what one may not do."""
        if self._told:
            self._show(self._told[0])

    def load(self) -> None:
        """Ask."""
        self.ask(self.fetch, self._show, self._failed)

    def fetch(self, client: Client) -> T:
        """What the choices depend on; in a worker's thread."""
        raise NotImplementedError

    def rows(self, told: T) -> list[Choice | str]:
        """The choices, one at least."""
        raise NotImplementedError

    def arranged(self, told: T) -> urwid.Widget:
        """What is shown: the menu, and whatever stands beside it."""
        return self.menu

    def _show(self, told: T) -> None:
        self._told = [told]
        self.menu.show(self.rows(told))
        self.body = self.arranged(told)
        if self.outcome:
            style, sentence = self.outcome
            self.tell(style, f"{sentence}  {_RESTS}" if self.menu.rests else sentence)
        elif self.menu.rests:
            self.tell("hint", _RESTS)
        else:
            self.menu.moved()
        self.outcome = None

    def _failed(self, error: CeoError) -> None:
        """Choices that stand there already stay: ceod says what is no longer so."""
        again = "  Ctrl-R asks again." if isinstance(error, Unreachable | BackendDown) else ""
        if not self._told:
            self.body = urwid.Filler(text(("problem", error.message)), valign="top")
        self.tell("problem", f"{error.message}{again}" if self._told else again.strip())
