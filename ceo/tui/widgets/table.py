"""Rows in columns, as many as the width has room for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import urwid

from ceo.tui import keys
from ceo.tui.widgets.marked import Line, Marked
from ceo.tui.widgets.safe import safe
from ceo.tui.widgets.scrolling import barred

Json = dict[str, Any]
_GAP = 2


@dataclass(frozen=True)
class Column:
    """`width` in cells, 0 for an equal share of what the others leave; in a table narrower than `least`, with the bar at its side, it is left out.

    Of a text that is too long the middle is cut out where the end tells things apart (`keeps_end`).
    """

    title: str
    of: Callable[[Json], object]
    width: int = 0
    least: int = 0
    keeps_end: bool = False


class Table(Marked):
    """Rows, one of them marked; `take` opens it, and without one they are only read.  `style` is each row's."""

    def __init__(self, columns: Sequence[Column], take: Callable[[Json], None] | None, rows: Sequence[Json] = (),
                 style: Callable[[Json], str] = lambda _: "choice") -> None:
        super().__init__(keys.OPEN, lambda: take(self.marked) if take else None)
        if take is None:
            self.bindings = {key: action for key, action in self.bindings.items() if key is not keys.OPEN}
        self.columns, self.style = columns, style
        self.data: list[Json] = []
        self._head = urwid.Padding(_Cells(columns, [column.title for column in columns]))
        self._w = urwid.Frame(barred(self.box), header=urwid.AttrMap(self._head, "heading"))
        self.show(rows)

    def show(self, rows: Sequence[Json], at: int | None = None) -> None:
        """Other rows; the mark goes to row `at`, or to the first."""
        self.data = list(rows)
        texts = [[str(column.of(row)) for column in self.columns] for row in self.data]
        lines = [urwid.AttrMap(_Cells(self.columns, cells), self.style(row), "choice focus") for row, cells in zip(self.data, texts, strict=True)]
        self.fill(lines, [cells[0] for cells in texts], at)

    def render(self, size: tuple[int, int], focus: bool = False) -> urwid.Canvas:
        """The head is as broad as the rows, which leave room for the bar where there is one."""
        has_bar = len(self.data) > size[1] - 1
        if self._head.right != has_bar:
            self._head.right = int(has_bar)
            self._head._invalidate()
        return super().render(size, focus)

    @property
    def marked(self) -> Json:
        """The row under the mark."""
        return self.data[self.at]

    def selectable(self) -> bool:
        """Where there is anything to mark."""
        return bool(self.data)

    def mouse_event(self, size: tuple[int, int], event: str, button: int, col: int, row: int, focus: bool) -> bool:
        """Below the head."""
        return row > 0 and super().mouse_event((size[0], size[1] - 1), event, button, col, row - 1, focus)


class _Cells(Line):
    """One row's cells, laid out anew for each width."""

    def __init__(self, columns: Sequence[Column], cells: Sequence[str]) -> None:
        self.columns = columns
        self.cells = [str(safe(cell)) for cell in cells]
        super().__init__("", wrap=urwid.CLIP)

    def render(self, size: tuple[int], focus: bool = False) -> urwid.Canvas:
        """For this width."""
        widths = layout(self.columns, size[0])
        laid = (" " * _GAP).join(fit(cell, width, keeps_end=column.keeps_end)
                                   for column, cell, width in zip(self.columns, self.cells, widths, strict=True) if width)
        return urwid.CompositeCanvas(urwid.Text(laid, wrap=urwid.CLIP).render(size))

    def rows(self, size: tuple[int], focus: bool = False) -> int:
        """Always one."""
        return 1


def layout(columns: Sequence[Column], width: int) -> list[int]:
    """Each column's cells on a screen of this width, with a blank before the bar; 0 where it is left out."""
    there = [column for column in columns if column.least <= width]
    flexible = sum(column.width == 0 for column in there)
    left = width - 1 - sum(column.width for column in there) - _GAP * (len(there) - 1)
    share = max(1, left // flexible) if flexible else 0
    return [0 if column.least > width else column.width or share for column in columns]


def fit(cell: str, width: int, *, keeps_end: bool = False) -> str:
    """A text cut or filled to so many cells; East Asian letters take two."""
    if urwid.calc_width(cell, 0, len(cell)) <= width:
        return cell + " " * (width - int(urwid.calc_width(cell, 0, len(cell))))
    more = "…" if urwid.supports_unicode() else "~"
    end = _last_cells(cell, (width - 1) // 2) if keeps_end else ""
    room = width - 1 - int(urwid.calc_width(end, 0, len(end)))
    at, taken = urwid.calc_text_pos(cell, 0, len(cell), room)
    return f"{cell[:at]}{more}{' ' * (room - taken)}{end}"


def _last_cells(text: str, width: int) -> str:
    """The end of a text, at most so many cells of it, from the beginning of a word where there is one."""
    at = len(text)
    while at and urwid.calc_width(text, at - 1, len(text)) <= width:
        at -= 1
    end = text[at:]
    return end[end.find(" ") + 1 :] if " " in end else end
