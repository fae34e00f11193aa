"""A field and, beneath it, the rows that fit what is typed into it."""

from __future__ import annotations

from collections.abc import Callable

import urwid

from ceo.tui import keys
from ceo.tui.widgets.form import LOST_LETTER, Field, is_lost_letter
from ceo.tui.widgets.table import Table


class Search(urwid.WidgetWrap):  # type: ignore[misc]
    """The cursor in the field, which stands above the table or below it; the arrows in the table.

    `enter` is what Enter does, where that is not the screen's own key.
    """

    def __init__(
        self,
        field: Field,
        table: Table,
        enter: Callable[[], None] | None = None,
        *,
        below: bool = False,
    ) -> None:
        self.field, self.table, self.enter = field, table, enter
        if below:
            super().__init__(urwid.Frame(table, footer=urwid.Pile([urwid.Divider(), field]), focus_part="footer"))
        else:
            super().__init__(urwid.Frame(_Lit(table), header=urwid.Pile([field, urwid.Divider()]), focus_part="header"))

    @property
    def bindings(self) -> keys.Bindings:
        """The table's keys without those of the field.  Enter is offered where a row is marked."""
        own = (keys.OPEN, keys.FIRST, keys.LAST)
        moves = {key: action for key, action in self.table.bindings.items() if key not in own}
        found = moves if self.table.data else {}
        if self.enter is None:
            return found
        return {keys.OPEN if self.table.data else keys.OPEN_FIRST: self.enter, **found}

    def selectable(self) -> bool:
        """The field is."""
        return True

    def keypress(self, size: tuple[int, int], key: str) -> str | None:
        """What moves the mark does that; the rest is typed.

        A lost letter is told at the field, because the line below tells of the search.
        """
        if keys.press(self.bindings, key):
            return None
        if is_lost_letter(key):
            self.field.under("problem", LOST_LETTER)
            return None
        left: str | None = self.field.keypress((size[0],), key)
        if not self.field.text:
            self.field.under("", "")
        return left


class _Lit(urwid.WidgetWrap):  # type: ignore[misc]
    """The table's mark is seen although the cursor is in the field: it says what Enter opens."""

    def render(self, size: tuple[int, int], focus: bool = False) -> urwid.Canvas:
        """As if the cursor were here."""
        return super().render(size, True)
