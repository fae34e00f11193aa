"""The tiny protocol that every screen honours, and the pieces they are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import urwid

from ceo.tui.keys import means
from ceo_common.text import shown

if TYPE_CHECKING:
    from ceo.tui.app import App


class Screen:
    """One screen: a title for the breadcrumbs, a hint line, a body that keeps what was typed while other screens lie above it."""

    title = ""
    hint = "Esc back"

    def __init__(self, app: App) -> None:
        self.app = app
        self.body: urwid.Widget = urwid.SolidFill(" ")

    def on_top(self) -> None:
        """It came to the top, first or again."""

    def key(self, key: str) -> str | None:
        """A key that the body did not want; None when it was used."""
        if means(key, "back"):
            self.app.pop()
            return None
        return key


class Choice(urwid.WidgetWrap):  # type: ignore[misc]
    """A line of a menu, with the letter that jumps to it; greyed with its reason when it may not be taken."""

    def __init__(self, label: str, action: Callable[[], None]) -> None:
        self.label = label
        self.action = action
        text = urwid.SelectableIcon(f"  {label}", 2)
        super().__init__(urwid.AttrMap(text, "choice", "choice focus"))

    def keypress(self, size: tuple[int], key: str) -> str | None:
        """Enter or blank takes it."""
        if means(key, "accept") or key == " ":
            self.action()
            return None
        return key

    def mouse_event(self, size: tuple[int], event: str, button: int, col: int, row: int, focus: bool) -> bool:
        """A click takes it."""
        if event == "mouse press" and button == 1:
            self.action()
            return True
        return False


class Menu(urwid.WidgetWrap):  # type: ignore[misc]
    """Choices one below the other; a letter jumps to the next one that begins with it."""

    def __init__(self, choices: Sequence[Choice]) -> None:
        self.choices = choices
        self.walker = urwid.SimpleFocusListWalker(list(choices))
        super().__init__(urwid.ListBox(self.walker))

    def keypress(self, size: tuple[int, int], key: str) -> str | None:
        """First-letter jump."""
        if len(key) == 1 and key.isalpha():
            _, at = self.walker.get_focus()
            order = [*range(at + 1, len(self.choices)), *range(at + 1)]
            for i in order:
                if self.choices[i].label.lower().startswith(key.lower()):
                    self.walker.set_focus(i)
                    return None
        found: str | None = super().keypress(size, key)
        return found


class Field(urwid.WidgetWrap):  # type: ignore[misc]
    """A labelled line to type in, with the place for what is wrong with it."""

    LABEL = 18

    def __init__(self, label: str, text: str = "", mask: str | None = None) -> None:
        self.edit = urwid.Edit(edit_text=text, mask=mask, wrap=urwid.CLIP)
        self._suggested = bool(text)
        self._problem = urwid.Text("")
        line = urwid.Columns([(self.LABEL, urwid.Text(label)), urwid.AttrMap(self.edit, "field", "field focus")])
        under = urwid.Columns([(self.LABEL, urwid.Text("")), urwid.AttrMap(self._problem, "problem")])
        super().__init__(urwid.Pile([line, under]))

    def keypress(self, size: tuple[int], key: str) -> str | None:
        """A first letter typed takes the place of what was suggested; any other key accepts it."""
        if self._suggested and len(key) == 1:
            self.edit.set_edit_text("")
        self._suggested = False
        found: str | None = super().keypress(size, key)
        return found

    @property
    def text(self) -> str:
        """What is typed."""
        return str(self.edit.edit_text)

    def fill(self, text: str) -> None:
        """Put text in, safe to show, the cursor behind it."""
        self.edit.set_edit_text(shown(text))
        self.edit.set_edit_pos(len(self.edit.edit_text))

    def complain(self, problem: str) -> None:
        """Show what is wrong, or nothing."""
        self._problem.set_text(shown(problem))


class Form(urwid.WidgetWrap):  # type: ignore[misc]
    """Fields one below the other.  Tab and Enter go on; Enter on the last accepts; `leaving` hears of each field that is left."""

    def __init__(self, fields: dict[str, Field], accept: Callable[[], None], leaving: Callable[[str], None] | None = None,
                 head: Sequence[Any] = ()) -> None:
        self.fields = fields
        self.accept = accept
        self.leaving = leaving
        self._first = len(head)
        self.walker = urwid.SimpleFocusListWalker([*head, *fields.values()])
        self.walker.set_focus(self._first)
        super().__init__(urwid.ListBox(self.walker))

    def keypress(self, size: tuple[int, int], key: str) -> str | None:
        """Move between the fields."""
        _, at = self.walker.get_focus()
        last = len(self.walker) - 1
        if means(key, "next") or means(key, "accept"):
            if self.leaving and key == "tab":
                self.leaving(list(self.fields)[at - self._first])
            if at < last:
                self.walker.set_focus(at + 1)
            elif means(key, "accept"):
                self.accept()
            return None
        if means(key, "previous"):
            self.walker.set_focus(max(self._first, at - 1))
            return None
        found: str | None = super().keypress(size, key)
        return found

    def complain(self, problems: dict[str, str]) -> None:
        """Show each problem at its field and go to the first."""
        for name, field in self.fields.items():
            field.complain(problems.get(name, ""))
        for i, name in enumerate(self.fields):
            if name in problems:
                self.walker.set_focus(self._first + i)
                return


class Page(urwid.WidgetWrap):  # type: ignore[misc]
    """Text lines that scroll."""

    def __init__(self, lines: Sequence[Any] = ()) -> None:
        self.walker = urwid.SimpleFocusListWalker([])
        super().__init__(urwid.ListBox(self.walker))
        self.show(lines)

    def show(self, lines: Sequence[Any]) -> None:
        """Replace the lines; each is urwid markup whose texts are safe already."""
        self.walker[:] = [urwid.Text(line) for line in lines]
