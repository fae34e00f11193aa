"""Lines of text that scroll."""

from __future__ import annotations

from collections.abc import Sequence

import urwid

from ceo.tui import keys
from ceo.tui.widgets.safe import Markup, labelled, text
from ceo.tui.widgets.scrolling import Box, barred


class Record(urwid.WidgetWrap):  # type: ignore[misc]
    """A label and its value, which wraps beside the label and not below it."""

    LABEL = 18

    def __init__(self, label: str, value: Markup, width: int = LABEL) -> None:
        super().__init__(urwid.Columns([(width, labelled(("label", label))), text(value)]))


class Grid(Record):
    """Short texts side by side, as many in a row as there is room for."""

    WIDTH = 28

    def __init__(self, cells: Sequence[Markup]) -> None:
        urwid.WidgetWrap.__init__(self, urwid.GridFlow([text(cell, urwid.ELLIPSIS) for cell in cells], self.WIDTH, 0, 0, "left"))


class Page(urwid.WidgetWrap):  # type: ignore[misc]
    """Lines; a pair of label and value is a Record."""

    def __init__(self, lines: Sequence[Markup | Record] = ()) -> None:
        self.walker = urwid.SimpleListWalker([])
        self.box = Box(self.walker)
        self.bindings: keys.Bindings = {keys.UP: lambda: self._press("up"), keys.DOWN: lambda: self._press("down"),
                                        keys.PAGE_UP: lambda: self._press("page up"), keys.PAGE_DOWN: lambda: self._press("page down"),
                                        keys.FIRST: lambda: self._edge(0), keys.LAST: lambda: self._edge(-1)}
        super().__init__(barred(self.box))
        self.show(lines)

    def show(self, lines: Sequence[Markup | Record]) -> None:
        """Other lines."""
        drawn = (line if isinstance(line, Record) else text(line) for line in lines)
        # A blank before the bar, which else is read as a letter.
        self.walker[:] = [urwid.Padding(line, right=1) for line in drawn]

    def selectable(self) -> bool:
        """It scrolls."""
        return True

    def keypress(self, size: tuple[int, int], key: str) -> str | None:
        """Scroll."""
        return None if keys.press(self.bindings, key) else key

    def _edge(self, end: int) -> None:
        if self.walker:
            self.box.set_focus(end % len(self.walker), coming_from="above" if end else "below")

    def _press(self, key: str) -> None:
        self.box.keypress(self.box.size, key)
