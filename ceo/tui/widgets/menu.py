"""Choices one below the other, those that may not be taken greyed with the reason."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import urwid

from ceo.tui import keys
from ceo.tui.widgets.form import Field
from ceo.tui.widgets.marked import Line, Marked
from ceo.tui.widgets.page import Record
from ceo.tui.widgets.safe import safe, text

_ENTERS = (keys.CHOOSE, keys.CONFIRM, keys.ACCEPT)
_DOUBLE_CLICK_S = 0.5


@dataclass(frozen=True)
class Choice:
    """`about` says what it does; `never` why it may not be taken, or nothing; `asks` is a field that stands for the label, to be typed in
    first; `writes` that taking it changes something, without a last look; `of` is the number of what
    it acts on, where several have the same label: the mark stays on that, and on no other.
    """

    label: str
    action: Callable[[], None]
    about: str = ""
    never: str = ""
    asks: Field | None = None
    writes: bool = False
    of: int | None = None


class Menu(Marked):
    """Choices under headings (plain texts) and records.

    `note` hears what the marked one does, or why it can't be done.  While it `rests` none is
    marked.
    """

    def __init__(self, rows: Sequence[Choice | Record | str], note: Callable[[str, str], None], at: str = "") -> None:
        super().__init__(keys.CHOOSE, self._take)
        self.note = note
        self.rests = False
        self._clicked_at = 0.0  # time.monotonic() of a click that only marked
        self.data: list[Choice | Record | str] = []
        self.show(rows, at)

    def show(self, rows: Sequence[Choice | Record | str], at: str = "") -> None:
        """Other choices; the mark goes to the one that is called `at`, or stays on the same as before; of several, on the nearest.

        Where the same is gone, the mark goes to the first.  A menu that rests goes on resting.
        """
        rests = self.rests and not at
        before = self.marked if self.places and not at else None
        wanted = (before.label, before.of) if before else (at, None)
        here = self.at if self.places else 0
        self.data = list(rows)
        if any(isinstance(row, Choice) and row.asks for row in rows):
            self.bindings = {**self.bindings, keys.DOWN_FIELD: lambda: self._step(1), keys.UP_FIELD: lambda: self._step(-1)}
        alike = [i for i, row in enumerate(rows) if isinstance(row, Choice) and (row.label, row.of) == wanted]
        same = min(alike, key=lambda i: abs(i - here), default=None)
        self.fill([_line(row) for row in rows], [row.label if isinstance(row, Choice) else None for row in rows], same)
        if rests:
            self.rest()
        elif not self.places:
            self._bind_enter(None)

    @property
    def marked(self) -> Choice:
        """The choice under the mark."""
        row = self.data[self.at]
        assert isinstance(row, Choice)
        return row

    def rest(self) -> None:
        """Mark nothing until a key or a click does: an Enter too many begins no other change."""
        self.rests, self._letter = True, ""
        self._bind_enter(None)
        self._invalidate()

    def render(self, size: tuple[int, int], focus: bool = False) -> urwid.Canvas:
        """Without a mark while it rests."""
        return super().render(size, focus and not self.rests)

    def moved(self) -> None:
        """Say what the marked one does."""
        choice = self.marked
        self.rests = False
        self._invalidate()
        enter = keys.CONFIRM if choice.writes else keys.ACCEPT if choice.asks else keys.CHOOSE
        self._bind_enter(None if choice.never else enter)
        self.note("problem" if choice.never else "hint", choice.never or choice.about)

    def _bind_enter(self, enter: keys.Key | None) -> None:
        """Enter is that key; None where it does nothing."""
        others = {key: action for key, action in self.bindings.items() if key not in _ENTERS}
        self.bindings = {**({enter: self._take} if enter else {}), **others}

    def _step(self, by: int, *, around: bool = True) -> None:
        if self.rests:
            self.edge(0 if by > 0 else -1)
        else:
            super()._step(by, around=around)

    def keypress(self, size: tuple[int, int], key: str) -> str | None:
        """A field among the choices takes what it can; the rest moves the mark."""
        field = self.marked.asks if self.places and not self.marked.never else None
        left = field.keypress((size[0],), key) if field else key
        return None if left is None else super().keypress(size, left)

    def jump(self, letter: str, *, anew: bool = False) -> bool:
        """As in a list, but from the top: the same letter marks the same choice from anywhere."""
        return super().jump(letter, anew=anew or letter != self._letter)

    def clicked(self, *, again: bool) -> None:
        """A click takes a choice; it marks one that writes, and puts the cursor into a field.

        A double click is one: whoever clicks so by habit has not read what the second would do.
        """
        choice = self.marked
        is_double = time.monotonic() - self._clicked_at < _DOUBLE_CLICK_S
        if choice.writes and not choice.never and (is_double or not again):
            self._clicked_at = time.monotonic()
            self.note("heading", f"{choice.about}  Enter or another click does it.")
        elif not choice.asks:
            self.take()

    def _take(self) -> None:
        if not self.marked.never:
            self.marked.action()


def _line(row: Choice | Record | str) -> urwid.Widget:
    if isinstance(row, Record | str):
        line = row if isinstance(row, Record) else text(("heading", row))
        return urwid.Padding(line, right=1)  # a blank before the bar
    if row.asks and not row.never:
        return row.asks
    style = "greyed" if row.never else "choice"
    mark = "–" if row.never else " "  # which reads without colour too
    return urwid.AttrMap(Line(safe(f"{mark} {row.label}"), wrap=urwid.ELLIPSIS), style, f"{style} focus")
