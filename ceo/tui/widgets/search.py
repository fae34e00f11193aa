"""A field and, beneath it, the rows that fit what is typed into it."""

from __future__ import annotations

import urwid

from ceo.tui import keys
from ceo.tui.widgets.form import Field
from ceo.tui.widgets.table import Table


class Search(urwid.WidgetWrap):  # type: ignore[misc]
    """The cursor in the field, which stands above the table or below it; the arrows in the table."""

    def __init__(self, field: Field, table: Table, *, below: bool = False) -> None:
        self.field, self.table = field, table
        self.bindings = {key: action for key, action in table.bindings.items() if key not in (keys.OPEN, keys.FIRST, keys.LAST)}
        if below:
            super().__init__(urwid.Frame(table, footer=urwid.Pile([urwid.Divider(), field]), focus_part="footer"))
        else:
            super().__init__(urwid.Frame(_Lit(table), header=urwid.Pile([field, urwid.Divider()]), focus_part="header"))

    def selectable(self) -> bool:
        """The field is."""
        return True

    def keypress(self, size: tuple[int, int], key: str) -> str | None:
        """What moves the mark does that; the rest is typed."""
        if self.table.data and keys.press(self.bindings, key):
            return None
        found: str | None = self.field.keypress((size[0],), key)
        return found


class _Lit(urwid.WidgetWrap):  # type: ignore[misc]
    """The table's mark is seen although the cursor is in the field: it says what Enter opens."""

    def render(self, size: tuple[int, int], focus: bool = False) -> urwid.Canvas:
        """As if the cursor were here."""
        return super().render(size, True)
