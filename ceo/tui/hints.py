"""The lines beneath the body: which keys they offer, and what a click on them presses."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import urwid

from ceo.tui import keys
from ceo.tui.widgets.safe import Markup, plain

_GAP = 3
_LINK = re.compile("^(?:or|and) ")
# Between a note's clauses; a comma ends one where another key may follow it.
_GAPS = re.compile(r"(?<=[.;])\s+|(?<=[,:])\s+(?=(?:or |and )?[A-Z])")
_STAY = (*keys.CONFIRM.names, *keys.BACK.names)


@dataclass(frozen=True)
class Hint:
    """`name` is urwid's name of the key, `label` how people say it."""

    name: str
    label: str
    word: str

    @property
    def width(self) -> int:
        """Cells, with the gap behind it."""
        return len(self.label) + 1 + len(self.word) + _GAP


def hints_of(bindings: Sequence[keys.Bindings], width: int, is_text: Callable[[str], bool]) -> list[Hint]:
    """The keys that have a word, each once, as many as there is room for.

    Enter stands first, then the screen's own, then those of every screen.  Where there is no room
    for all, `/` goes first, then the screen's own from the last, then `?`; Enter and Esc stay.
    `is_text` says which keys are typed as text now.
    """
    hints: dict[str, Hint] = {}
    for binding in bindings:
        for key in binding:
            name = next((name for name in key.names if not is_text(name)), "")
            if key.word and name and key.label not in hints:
                label = key.label if name == key.names[0] else name.upper()
                hints[key.label] = Hint(name, label, key.word)
    kept = sorted(hints.values(), key=_order)
    everywhere = [hint for hint in kept if hint.name in (*keys.PEOPLE.names, *keys.HELP.names)]
    own = [hint for hint in kept if hint.name not in _STAY and hint not in everywhere]
    drop = [everywhere[0], *reversed(own)] if everywhere else list(reversed(own))
    for hint in [*drop, *everywhere[1:]]:
        if sum(hint.width for hint in kept) - _GAP <= width:
            break
        kept.remove(hint)
    return kept


def _order(hint: Hint) -> int:
    if hint.name in keys.CONFIRM.names:
        return 0
    last = (keys.BACK, keys.PEOPLE, keys.HELP)
    return next((2 + i for i, key in enumerate(last) if hint.name in key.names), 1)


def clauses(note: Markup, names: Mapping[str, str]) -> list[tuple[Markup, str]]:
    """The note in pieces, each with the key that it begins with, or an empty name.

    `names` are urwid's names of the keys that a click may press, by their labels.  A note of
    several styles is one piece without a key.
    """
    style, text = note if isinstance(note, tuple) else ("", note)
    if not isinstance(text, str):
        return [(note, "")]
    starts = [0, *(gap.end() for gap in _GAPS.finditer(text)), len(text)]
    pieces = [text[start:end] for start, end in pairwise(starts)]
    key_of = {piece: names.get(_LINK.sub("", piece).split(" ")[0], "") for piece in pieces}
    return [((style, piece) if style else piece, key_of[piece]) for piece in pieces]


class Hints(urwid.Text):  # type: ignore[misc]
    """Texts side by side; a click on one presses its key."""

    def __init__(self, press: Callable[[str], None], wrap: str = urwid.SPACE) -> None:
        self._press = press
        self._ends: list[tuple[int, str]] = []  # where each text ends, and its key
        super().__init__("", wrap=wrap)

    def show(self, texts: Sequence[tuple[Markup, str]], between: str = "") -> None:
        """Other texts, each with the key that a click on it presses, or an empty name."""
        markup: list[Markup] = []
        self._ends, end = [], 0
        for text, name in texts:
            markup += [between, text] if markup else [text]
            end += len(plain(text)) + (len(between) if len(markup) > 1 else 0)
            self._ends.append((end, name))
        self.set_text(markup)

    def mouse_event(self, size: tuple[int], event: str, button: int, col: int, row: int, focus: bool) -> bool:
        """A click presses a key."""
        if event != "mouse press" or button != 1:
            return False
        lines = self.get_line_translation(size[0])
        if row >= len(lines) or col >= urwid.text_layout.line_width(lines[row]):
            return False
        at = urwid.text_layout.calc_pos(self.text, lines, col, row)
        name = next((name for end, name in self._ends if at < end), "")
        if name:
            self._press(name)
        return bool(name)
