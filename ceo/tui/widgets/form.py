"""Fields to type in, one below the other, each with the place for what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import urwid

from ceo.members import by_field
from ceo.tui import keys
from ceo.tui.widgets.safe import Markup, text
from ceo.tui.widgets.scrolling import barred
from ceo_common.errors import CeoError
from ceo_common.text import shown

_LABEL = 18
_OPENS = (keys.PEOPLE.names[0], keys.HELP.names[0])


class Field(urwid.WidgetWrap):  # type: ignore[misc]
    """A labelled line.  A suggestion stands in it until something is typed; beneath it, if there is any, a problem or a hint."""

    def __init__(self, label: str, suggestion: str = "", *, mask: str | None = None) -> None:
        self.suggestion = suggestion
        self.is_secret = mask is not None  # kept in no draft, and taken as typed
        self.edit = urwid.Edit(edit_text=suggestion, mask=mask, wrap=urwid.CLIP)
        self._untouched = True
        self._under: Markup = ""
        self._line = urwid.Columns([(_LABEL, text(label, urwid.ELLIPSIS)), urwid.AttrMap(self.edit, "field", "field focus")])
        self._pile = urwid.Pile([self._line])
        super().__init__(self._pile)

    def keypress(self, size: tuple[int], key: str) -> str | None:
        """A first letter takes the place of what was suggested; in an empty field `/` and `?` mean what they mean everywhere."""
        if key in _OPENS and (not self.text or self._untouched) and not self.is_secret:
            return key
        if self._untouched and len(key) == 1:
            self.edit.set_edit_text("")
        found: str | None = super().keypress(size, key)
        self._untouched = self._untouched and found is not None
        return found

    @property
    def text(self) -> str:
        """What is typed, without blanks around it."""
        typed = str(self.edit.edit_text)
        return typed if self.is_secret else typed.strip()

    def fill(self, told: str, *, typed: bool = True) -> None:
        """Put text in, the cursor behind it; one that was not typed gives way to the first letter."""
        self.edit.set_edit_text(shown(told))
        self.edit.set_edit_pos(len(self.edit.edit_text))
        self._untouched = not typed

    def under(self, style: str, told: str) -> None:
        """Show a problem or a hint beneath, or nothing."""
        if (style, told) == self._under:
            return
        self._under = (style, told)
        line = urwid.Columns([(_LABEL, urwid.Text("")), text((style, told))])
        self._pile.contents[1:] = [(line, self._pile.options())] if told else []


class Form(urwid.WidgetWrap):  # type: ignore[misc]
    """Fields, and perhaps lines above them.  `draft` keeps what is typed for as long as the menu runs; `leaving` hears which field is left."""

    def __init__(self, fields: Mapping[str, Field], accept: Callable[[], None], *, draft: dict[str, str] | None = None,
                 leaving: Callable[[str], None] | None = None, changed: Callable[[], None] | None = None, head: Sequence[Markup] = ()) -> None:
        self.fields = dict(fields)
        self.accept = accept
        self.leaving = leaving
        self.changed = changed
        self.draft = {} if draft is None else draft
        for name, field in self.fields.items():
            if not field.is_secret and (before := self.draft.get(name)) is not None:
                field.fill(before)
            urwid.connect_signal(field.edit, "postchange", lambda *_, name=name: self._typed(name))
        top = [*(text(line) for line in head), *([urwid.Divider()] if head else [])]
        self._first = len(top)
        self.walker = urwid.SimpleFocusListWalker([*top, *self.fields.values()])
        self.walker.set_focus(self._first)
        self.bindings: keys.Bindings = {
            keys.NEXT if len(self.fields) > 1 else keys.ACCEPT: self._next, keys.DONE: self._done, keys.DOWN_FIELD: lambda: self._move(1),
            keys.UP_FIELD: lambda: self._move(-1), keys.ANEW: self.clear}
        super().__init__(barred(urwid.ListBox(self.walker)))

    @property
    def at(self) -> str:
        """The name of the field with the cursor."""
        return list(self.fields)[max(0, int(self.walker.focus) - self._first)]

    def text(self, name: str) -> str:
        """What a field holds."""
        field: Field = self.fields[name]
        return field.text

    def texts(self) -> dict[str, str]:
        """What they all hold."""
        return {name: field.text for name, field in self.fields.items()}

    def go_to(self, name: str) -> None:
        """Put the cursor into a field."""
        self.walker.set_focus(self._first + list(self.fields).index(name))

    def clear(self) -> None:
        """Empty, as it was at first."""
        for field in self.fields.values():
            field.fill(field.suggestion, typed=False)
            field.under("", "")
        self.draft.clear()
        self.walker.set_focus(self._first)

    def complain(self, problems: Mapping[str, str]) -> None:
        """Show each problem at its field, and go to the first."""
        for name, field in self.fields.items():
            field.under("problem", problems.get(name, ""))
        if first := next((name for name in self.fields if name in problems), None):
            self.go_to(first)

    def refuse(self, error: CeoError) -> None:
        """Show what the server refused, each problem at its field; what has none, at the first."""
        problems = {name: problem for name, problem in by_field(error).items() if name in self.fields}
        rest = "; ".join(problem for name, problem in by_field(error).items() if name not in self.fields)
        if rest or not problems:
            problems.setdefault(next(iter(self.fields)), rest or error.message)
        self.complain(problems)

    def keypress(self, size: tuple[int, int], key: str) -> str | None:
        """What a field does not take for itself moves between the fields."""
        found: str | None = self.walker[self.walker.focus].keypress((size[0],), key)
        if found is None or keys.press(self.bindings, found):
            return None
        rest: str | None = super().keypress(size, found)
        return rest

    def _typed(self, name: str) -> None:
        field = self.fields[name]
        if not field.is_secret:
            self.draft[name] = str(field.edit.edit_text)
        field.under("", "")
        if self.changed:
            self.changed()

    def _move(self, by: int) -> None:
        left = self.at
        to = self.walker.focus + by
        if self._first <= to < len(self.walker):
            self.walker.set_focus(to)
        if by > 0 and self.leaving:
            self.leaving(left)

    def _next(self) -> None:
        if self.walker.focus == len(self.walker) - 1:
            self._done()
        else:
            self._move(1)

    def _done(self) -> None:
        if self.leaving:
            self.leaving(self.at)
        self.accept()
