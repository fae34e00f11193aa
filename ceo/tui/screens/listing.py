"""A table of what a server told: asked in the background, opened row by row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import urwid

from ceo.tui import keys
from ceo.tui.app import App
from ceo.tui.screen import Screen
from ceo.tui.widgets.safe import text
from ceo.tui.widgets.table import Column, Table
from ceo_common.errors import CeoError

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]


class Listing(Screen):
    """Subclasses say what is asked, in which columns it stands, and what opening a row does."""

    columns: Sequence[Column] = ()
    empty = "There are none."
    opens = True  # whether Enter opens a row

    def __init__(self, app: App) -> None:
        super().__init__(app)
        self.table = Table(self.columns, self.open if self.opens else None, style=self.style)
        self.bindings = {keys.AGAIN: self.load}
        self._loaded = False
        self.body = urwid.Filler(text("One moment ..."), valign="top")

    def on_top(self) -> None:
        """Ask, the first time; afterwards anew, because what was done above may have changed it."""
        self.load()

    def load(self) -> None:
        """Ask."""
        self.ask(self.fetch, self._show, self._failed)

    def fetch(self, client: Client) -> list[Json]:
        """The rows; in a worker's thread."""
        raise NotImplementedError

    def open(self, row: Json) -> None:
        """Enter on a row."""

    def style(self, row: Json) -> str:
        """How a row looks while it is not marked."""
        return "choice"

    def filled(self) -> urwid.Widget:
        """What is shown where there are rows."""
        return self.table

    def told(self, rows: list[Json]) -> str:
        """What to say of them beneath."""
        return f"{len(rows)} {'row' if len(rows) == 1 else 'rows'}"

    def _show(self, rows: list[Json]) -> None:
        at = self.table.at if self._loaded and self.table.data else None
        self._loaded = True
        self.table.show(rows, at)
        self.body = self.filled() if rows else urwid.Filler(text(self.empty), valign="top")
        self.tell("hint", self.told(rows))

    def _failed(self, error: CeoError) -> None:
        if not self._loaded:
            self.body = urwid.Filler(text(("problem", error.message)), valign="top")
        self.tell("problem", f"{'' if not self._loaded else error.message + '  '}Ctrl-R asks again.")
