"""Lines of which one is marked: what menus and tables have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import urwid

from ceo.tui import keys
from ceo.tui.widgets.scrolling import Box, barred


class Line(urwid.Text):  # type: ignore[misc]
    """A line that the mark can rest on."""

    _selectable = True

    def keypress(self, size: tuple[int], key: str) -> str:
        """None of its own."""
        return key


class Marked(urwid.WidgetWrap):  # type: ignore[misc]
    """Lines, some of which can be marked; `take` is what Enter and a click do, `moved` hears that the mark went elsewhere."""

    def __init__(self, key: keys.Key, take: Callable[[], None]) -> None:
        self.walker = urwid.SimpleFocusListWalker([])
        self.box = Box(self.walker)
        self.take = take
        self.names: list[str | None] = []
        self._letter = ""  # that was typed last
        self.bindings: keys.Bindings = {
            key: take, keys.UP: lambda: self._step(-1), keys.DOWN: lambda: self._step(1), keys.FIRST: lambda: self.edge(0),
            keys.LAST: lambda: self.edge(-1), keys.PAGE_UP: lambda: self._page("page up"), keys.PAGE_DOWN: lambda: self._page("page down")}
        super().__init__(barred(self.box))

    def fill(self, lines: Sequence[urwid.Widget], names: Sequence[str | None], at: int | None = None) -> None:
        """Other lines; None as a name says that a line can't be marked.  The mark goes to line `at`, or to the first that it can rest on."""
        self.walker[:] = lines
        self.names = list(names)
        places = self.places
        if places:
            self._show_top()
            self.mark(places[0] if at is None or at not in places else at)

    @property
    def places(self) -> list[int]:
        """The lines that can be marked."""
        return [i for i, name in enumerate(self.names) if name is not None]

    @property
    def at(self) -> int:
        """The line that is marked."""
        return int(self.walker.focus)

    def mark(self, at: int) -> None:
        """Mark a line."""
        self.box.set_focus(at)  # unlike the walker's, it moves the mark and not the list
        self.moved()

    def moved(self) -> None:
        """The mark went elsewhere."""

    def keypress(self, size: tuple[int, int], key: str) -> str | None:
        """The table's keys; a letter or a digit jumps to the next line that begins with it."""
        if not self.places:
            return key
        if self.jump(key):
            return None
        self._letter = ""
        return None if keys.press(self.bindings, key) else key

    def mouse_event(self, size: tuple[int, int], event: str, button: int, col: int, row: int, focus: bool) -> bool:
        """A click takes the line; the wheel moves the mark."""
        if not self.places or event != "mouse press":
            return False
        if button in (4, 5):
            self._step(-1 if button == 4 else 1, around=False)
            return True
        before = self.at
        self.box.mouse_event(size, event, button, col, row, focus)
        if self.names[self.at] is None:
            self.mark(before)
            return False
        at = self._line_at(size, row)
        if button == 1 and at is not None and at in self.places:
            self.mark(at)
            self.clicked(again=at == before)
            return True
        return False

    def clicked(self, *, again: bool) -> None:
        """A click on the line that is marked now; `again` where it was marked before, too."""
        self.take()

    def _line_at(self, size: tuple[int, int], row: int) -> int | None:
        """The line that is drawn in this row; some take several."""
        middle, (_, above), (_, below) = self.box.calculate_visible(size, True)
        start = middle[0] - sum(rows for _, _, rows in above)
        for _, at, rows in [*reversed(above), middle[1:4], *below]:
            if start <= row < start + rows:
                return int(at)
            start += rows
        return None

    def _step(self, by: int, *, around: bool = True) -> None:
        places = self.places
        to = places.index(self.at) + by
        if around or 0 <= to < len(places):
            self.mark(places[to % len(places)])

    def edge(self, end: int) -> None:
        """Mark the first line that can be marked (0) or the last (-1)."""
        if end == 0:
            self._show_top()
        self.mark(self.places[end])

    def _show_top(self) -> None:
        """Bring the first lines in sight, headings too."""
        self.walker.set_focus(0)
        self.box.shift_focus(self.box.size, 0)

    def _page(self, key: str) -> None:
        self.box.keypress(self.box.size, key)
        if self.names[self.at] is None:
            self.mark(min(self.places, key=lambda place: abs(place - self.at)))
        self.moved()

    def jump(self, letter: str, *, anew: bool = False) -> bool:
        """Mark a line that begins with a letter or digit: the one that is marked already, when it is typed again the next; whether there is any."""
        if len(letter) != 1 or not letter.isalnum() or not self.places:
            return False
        places = self.places
        here = 0 if anew else places.index(self.at) + (letter == self._letter)
        self._letter = letter
        for at in places[here:] + places[:here]:
            if (self.names[at] or "").lower().startswith(letter.lower()):
                self.mark(at)
                return True
        return False
