"""What is shown beside what can be done; one above the other where the screen is narrow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import urwid

from ceo.tui import keys

if TYPE_CHECKING:
    from ceo.tui.widgets.menu import Menu
    from ceo.tui.widgets.page import Page

_MENU = 28
_BROAD = 70


class Sides(urwid.WidgetWrap):  # type: ignore[misc]
    """The cursor is in the menu at first; Left and Right go to the text, which scrolls, and back.

    From the text a first letter goes to its choice in the menu.
    """

    def __init__(self, page: Page, menu: Menu) -> None:
        self.page, self.menu = page, menu
        self.bindings: keys.Bindings = {keys.SIDE: self._other}
        self._broad = True
        self._rows = 1  # of the menu where it stands beneath
        self.on_menu = True
        super().__init__(urwid.SolidFill(" "))
        self._arrange()

    def render(self, size: tuple[int, int], focus: bool = False) -> urwid.Canvas:
        """Arranged for this width."""
        arranged = size[0] >= _BROAD, max(1, min(len(self.menu.data), size[1] // 2))
        if arranged != (self._broad, self._rows):
            self._broad, self._rows = arranged
            self._arrange()
        return super().render(size, focus)

    def keypress(self, size: tuple[int, int], key: str) -> str | None:
        """What neither side wants may go to the other."""
        found: str | None = super().keypress(size, key) if key not in keys.SIDE.names else key
        if found is None or keys.press(self.bindings, found):
            return None
        if not self.on_menu and self.menu.jump(found, anew=True):
            self._other()
            return None
        return found

    def to_page(self) -> None:
        """The cursor goes to the text, where Enter does nothing."""
        self.on_menu = False
        self._arrange()

    def _arrange(self) -> None:
        at = int(self.on_menu)
        if self._broad:
            self._w = urwid.Columns([self.page, (_MENU, self.menu)], dividechars=2, focus_column=at)
        else:
            self._w = urwid.Pile([("weight", 1, self.page), ("pack", urwid.Divider()), (self._rows, self.menu)], focus_item=2 * at)

    def _other(self) -> None:
        self.on_menu = not self.on_menu
        self._arrange()
        if self.on_menu and self.menu.places:
            self.menu.moved()
        elif not self.on_menu:
            self.menu.note("hint", "Right, or a first letter: to what can be done.")
