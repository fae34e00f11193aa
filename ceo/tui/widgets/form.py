"""Fields to type in, one below the other, each with the place for what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import urwid
from urwid.command_map import Command

from ceo.members import by_field
from ceo.tui import keys
from ceo.tui.widgets.safe import Markup, labelled, text
from ceo.tui.widgets.scrolling import barred
from ceo_common.errors import CeoError
from ceo_common.text import shown

LOST_LETTER = (
    "This letter did not arrive as UTF-8, so it was left out.  Set the terminal to UTF-8."
)
_NO_TEXT = re.compile(r"<[0-9]+>")  # urwid's name for a byte that is no text
_KEPT = "What you typed before is still here; Ctrl-N empties the form."
_LABEL = 18
_OPENS = (keys.PEOPLE.names[0], keys.HELP.names[0])
_MOST = 1000  # characters in a field
_MOST_UNDONE = 100
_EDITING = {
    keys.WORD_LEFT: Command.WORD_LEFT,
    keys.WORD_RIGHT: Command.WORD_RIGHT,
    keys.LINE_START: Command.MAX_LEFT,
    keys.LINE_END: Command.MAX_RIGHT,
    keys.CUT_LEFT: Command.DELETE_TO_LINE_START,
    keys.CUT_RIGHT: Command.DELETE_TO_LINE_END,
    keys.CUT_WORD: Command.DELETE_WORD_LEFT,
}
for _key, _command in _EDITING.items():
    urwid.command_map.update(dict.fromkeys(_key.names, _command))


class Field(urwid.WidgetWrap):  # type: ignore[misc]
    """A labelled line.  Beneath it stands a problem or a hint, if there is any.

    What was not typed just now (a suggestion, what the university knows, what was left by Esc)
    `gives_way`: a letter takes its place, as in a dialog of a desktop where it is selected.  Any
    key that moves the cursor keeps it.
    """

    def __init__(self, label: str, suggestion: str = "", *, mask: str | None = None) -> None:
        self.suggestion = suggestion
        self.is_secret = mask is not None  # kept in no draft, and taken as typed
        self.edit = urwid.Edit(edit_text=suggestion, mask=mask, wrap=urwid.CLIP)
        self._untouched = True
        self._before: list[str] = []  # what the field held, change by change
        self._typed_at = -1  # behind the letter that was typed last
        self._under: Markup = ""
        self._line = urwid.Columns([(_LABEL, labelled(label)), urwid.AttrMap(self.edit, "field", "field focus")])
        self._pile = urwid.Pile([self._line])
        self.bindings: keys.Bindings = {keys.UNDO: self._undo, **{key: partial(self._edit, key.names[0]) for key in _EDITING}}
        urwid.connect_signal(self.edit, "postchange", self._changed)
        super().__init__(self._pile)

    @property
    def gives_way(self) -> bool:
        """Whether a letter replaces what stands here."""
        return self._untouched and self.edit.edit_text != ""

    def takes(self, key: str) -> bool:
        """Whether a key is text here: each letter is, but `/` and `?` in an empty field."""
        if key in _OPENS:
            return self.is_secret or bool(self.text and not self._untouched)
        return len(key) == 1

    def keypress(self, size: tuple[int], key: str) -> str | None:
        """A first letter takes the place of what was suggested."""
        if key in _OPENS and not self.takes(key):
            return key
        if keys.press(self.bindings, key):
            return None
        if len(key) == 1:
            self._begin()
            if len(self.edit.edit_text) >= _MOST:
                self.under("problem", f"At most {_MOST:,} characters.")
                return None
        found: str | None = super().keypress(size, key)
        self._untouched = self._untouched and found is not None
        return found

    def paste(self, pasted: str, *, is_cut: bool = False) -> None:
        """Insert text, whatever it is, at the cursor; as much as there is room for."""
        if pasted:
            self._begin()
            self._untouched = False
        room = _MOST - len(self.edit.edit_text)
        self.edit.insert_text(pasted[:max(0, room)])
        if is_cut or len(pasted) > room:
            self.under("problem", f"At most {_MOST:,} characters: the rest of what was pasted is left out.")

    def _begin(self) -> None:
        if self._untouched:
            self.edit.set_edit_text("")

    def _edit(self, name: str) -> None:
        self._untouched = False
        self.edit.keypress((_MOST,), name)

    def _changed(self, _edit: urwid.Edit, before: str) -> None:
        """Remember what can be undone; letters that are typed in a row are one change."""
        at = int(self.edit.edit_pos)
        is_letter = len(self.edit.edit_text) == len(before) + 1
        if not (is_letter and at == self._typed_at + 1) and not self.is_secret:
            self._before = [*self._before[-_MOST_UNDONE:], before]
        self._typed_at = at if is_letter else -1

    def _undo(self) -> None:
        if self._before:
            before = self._before.pop()
            kept = list(self._before)
            self.edit.set_edit_text(before)
            self.edit.set_edit_pos(len(before))
            self._before, self._typed_at = kept, -1
            self._untouched = before == self.suggestion != ""

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
        line = urwid.Columns([(_LABEL, urwid.Text("")), urwid.Padding(text((style, told)), right=1)])
        self._pile.contents[1:] = [(line, self._pile.options())] if told else []


def is_lost_letter(key: str) -> bool:
    """Whether a key is a byte that is no text in this terminal's encoding."""
    return _NO_TEXT.fullmatch(key) is not None


class Form(urwid.WidgetWrap):  # type: ignore[misc]
    """Fields, and perhaps lines above them.

    `draft` keeps what is typed for as long as the menu runs; `leaving` hears which field is left;
    `writes` says that `accept` changes something, without a last look.
    """

    def __init__(self, fields: Mapping[str, Field], accept: Callable[[], None], *, draft: dict[str, str] | None = None,
                 leaving: Callable[[str], None] | None = None, changed: Callable[[], None] | None = None,
                 head: Sequence[Markup | urwid.Widget] = (), writes: bool = False) -> None:
        self.fields = dict(fields)
        self.accept = accept
        self._last_enter = keys.CONFIRM if writes else keys.ACCEPT
        self.leaving = leaving
        self.changed = changed
        self.draft = {} if draft is None else draft
        self._kept = urwid.Text("")  # says that the fields hold a draft
        for name, field in self.fields.items():
            if not field.is_secret and (before := self.draft.get(name)) is not None:
                field.fill(before, typed=False)
            urwid.connect_signal(field.edit, "postchange", lambda *_, name=name: self._typed(name))
        open_fields = {name: field for name, field in self.fields.items() if not field.is_secret}
        suggested = {name: ("", field.suggestion) for name, field in open_fields.items()}
        if any(self.draft.get(name, "") not in suggested[name] for name in open_fields):
            self._kept.set_text(("hint", _KEPT))
            head = [self._kept, *head]
        top = [*(line if isinstance(line, urwid.Widget) else text(line) for line in head), *([urwid.Divider()] if head else [])]
        self._first = len(top)
        self.walker = urwid.SimpleFocusListWalker([*top, *self.fields.values()])
        self.walker.set_focus(self._first)
        super().__init__(barred(urwid.ListBox(self.walker)))

    @property
    def bindings(self) -> keys.Bindings:
        """Its keys; Enter has another word in the last field."""
        is_last = self.walker.focus == len(self.walker) - 1
        return {
            self._last_enter if is_last else keys.NEXT: self._next,
            keys.DONE: self._done,
            keys.DOWN_FIELD: lambda: self._move(1),
            keys.UP_FIELD: lambda: self._move(-1),
            keys.ANEW: self.clear,
        }

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

    def suggest(self, name: str, text: str) -> None:
        """Put into a field what nobody typed.

        It is no part of the draft, because it may be wrong by the time somebody comes back.
        """
        self.fields[name].fill(text, typed=False)
        self.draft.pop(name, None)

    def clear(self) -> None:
        """Empty, as it was at first."""
        for field in self.fields.values():
            field.fill(field.suggestion, typed=False)
            field.under("", "")
        self.draft.clear()
        self._kept.set_text("")
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
        self._hold()
        return rest

    def _hold(self) -> None:
        """Keep the cursor in a field: in a small window Page-Up goes to the lines above."""
        if self.walker.focus < self._first:
            self.walker.set_focus(self._first)

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
