"""Finding something as it is typed: a field, and beneath it what fits."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import urwid

from ceo.tui import keys
from ceo.tui.app import App
from ceo.tui.screen import Screen
from ceo.tui.widgets.form import Field
from ceo.tui.widgets.search import Search
from ceo.tui.widgets.table import Column, Table
from ceo_common.errors import CeoError

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]
_PAUSE_S = 0.12
_LEAST = 2
_COUNT = 50


class Searching(Screen):
    """The cursor stays in the field, Up and Down move the mark.  Subclasses say what is asked, and what opening a row does.

    Whoever comes back finds the search as it was, with what has changed since; a first letter begins another.
    """

    none = "No match."

    def __init__(self, app: App, label: str, columns: Sequence[Column]) -> None:
        super().__init__(app)
        self.field = Field(label)
        self.table = Table(columns, self._open)
        self.asked = ""  # what the rows are the answer to
        self._asking = self._wanted = False
        self._alarm: object = None
        self._count = _COUNT
        urwid.connect_signal(self.field.edit, "postchange", lambda *_: self._typed())
        self.body = Search(self.field, self.table, self._enter)
        self.tell("hint", f"At least {_LEAST} letters.")

    def search(self, client: Client, text: str, count: int) -> tuple[list[Json], bool]:
        """What fits, at most about so many, the likeliest first; and whether that is all.  In a worker's thread."""
        raise NotImplementedError

    def open(self, row: Json) -> None:
        """Enter on a row."""
        raise NotImplementedError

    def on_top(self) -> None:
        """Ask anew for what is shown, because what was done above may have changed it."""
        if self.asked and self.asked == self.field.text:
            self.field.fill(self.asked, typed=False)
            if len(self.asked) >= _LEAST and not self._asking:
                self._send(self.asked)

    def _typed(self) -> None:
        self._wanted, self._count = False, _COUNT
        self.bindings.pop(keys.MORE, None)
        self.app.loop.remove_alarm(self._alarm)
        self._alarm = self.app.loop.set_alarm_in(_PAUSE_S, lambda *_: self._ask())

    def _ask(self) -> None:
        text = self.field.text
        if self._asking or text == self.asked:
            return  # the answer that comes asks for what was typed meanwhile
        if len(text) < _LEAST:
            self.asked = text
            self.table.show([])
            self.tell("hint", f"At least {_LEAST} letters.")
            return
        self.tell("hint", "Searching ...")
        self._send(text)

    def _more(self) -> None:
        self._count += _COUNT
        if self.asked and not self._asking:
            self._send(self.asked)

    def _send(self, text: str) -> None:
        self._asking, count = True, self._count
        self.ask(lambda client: self.search(client, text, count), partial(self._found, text), partial(self._failed, text))

    def _found(self, text: str, told: tuple[list[Json], bool]) -> None:
        rows, all_of_them = told
        at = self.table.at if text == self.asked and self.table.data else None
        self._asking, self.asked = False, text
        if text != self.field.text:
            self._ask()
            return
        self.table.show(rows, at)
        if all_of_them:
            self.bindings.pop(keys.MORE, None)
        else:
            self.bindings[keys.MORE] = self._more
        found = f"{len(rows)} found." if all_of_them else f"The first {len(rows)}; type more to find fewer, or Ctrl-F for more."
        self.tell("hint", found if rows else self.none)
        wanted, self._wanted = self._wanted, False
        if wanted and rows:
            self._open(rows[0])

    def _failed(self, text: str, error: CeoError) -> None:
        self._asking, self.asked, self._wanted = False, "", False  # the same may be asked again
        self.table.show([])
        self.complain(error)
        if text != self.field.text:
            self._ask()

    def _enter(self) -> None:
        """Open the marked one; where the answer to what was typed is still to come, its first."""
        if self.field.text == self.asked and self.table.data:
            self._open(self.table.marked)
        elif len(self.field.text) >= _LEAST:
            self._wanted = True
            self.app.loop.remove_alarm(self._alarm)
            self._ask()

    def _open(self, row: Json) -> None:
        if self.app.stack[-1] is self:
            self.open(row)
