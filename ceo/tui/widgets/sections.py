"""A menu in two columns, or in one where the screen is narrow."""

from __future__ import annotations

from collections.abc import Callable

import urwid

from ceo.tui import keys
from ceo.tui.widgets.menu import Choice, Menu

Rows = list[Choice | str]
_BROAD = 70


class Sections(urwid.WidgetWrap):  # type: ignore[misc]
    """Left and right are the two halves; a first letter jumps over both."""

    def __init__(self, halves: tuple[Rows, Rows], note: Callable[[str, str], None], at: str = "") -> None:
        self.note = note
        self.halves = halves
        self._broad = True
        self.bindings: keys.Bindings = {
            keys.COLUMN: self._other,
            keys.FIRST: lambda: self._edge(0),
            keys.LAST: lambda: self._edge(-1),
        }
        self.menus: list[Menu] = []
        super().__init__(urwid.SolidFill(" "))
        self._arrange(at)

    @property
    def focused(self) -> Menu:
        """The menu with the mark."""
        return self.menus[self._w.focus_position] if self._broad else self.menus[0]

    def mark(self, label: str) -> None:
        """Mark the choice of this name."""
        menu = next(menu for menu in self.menus if label in menu.names)
        menu.mark(menu.names.index(label))
        self._to(menu)

    def show(self, halves: tuple[Rows, Rows]) -> None:
        """Other choices; the mark stays on the same one."""
        at = self.focused.marked.label
        self.halves = halves
        self._arrange(at)

    def render(self, size: tuple[int, int], focus: bool = False) -> urwid.Canvas:
        """Arranged for this width."""
        if (size[0] >= _BROAD) != self._broad:
            at = self.focused.marked.label
            self._broad = size[0] >= _BROAD
            self._arrange(at)
        return super().render(size, focus)

    def keypress(self, size: tuple[int, int], key: str) -> str | None:
        """A letter that begins nothing in this column may begin something in the other."""
        here = self.focused
        if (self._broad or key not in keys.COLUMN.names) and keys.press(self.bindings, key):
            return None
        found: str | None = super().keypress(size, key)
        for menu in self.menus:
            if found is not None and menu is not here and menu.jump(found, anew=True):
                self._to(menu)
                return None
        return found

    def _arrange(self, at: str) -> None:
        parts = self.halves if self._broad else (self.halves[0] + self.halves[1],)
        self.menus = [Menu(part, _silent, at=at) for part in parts]
        self._w = urwid.Columns(self.menus, dividechars=2) if self._broad else self.menus[0]
        for menu in self.menus:
            menu.note = self.note
        self._to(next((menu for menu in self.menus if menu.marked.label == at), self.menus[0]))

    def _to(self, menu: Menu) -> None:
        if self._broad:
            self._w.focus_position = self.menus.index(menu)
        menu.moved()

    def _edge(self, end: int) -> None:
        """To the first choice of the first column, or to the last of the last."""
        menu = self.menus[end]
        menu.edge(end)
        self._to(menu)

    def _other(self) -> None:
        if self._broad:
            self._to(self.menus[1 - self.menus.index(self.focused)])


def _silent(_style: str, _told: str) -> None:
    """The one that is marked speaks when both are there."""
