"""The terminal: which keys are signals there, what is pasted, and a loop that one faulty screen does not end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import urwid


class Terminal(urwid.display.raw.Screen):  # type: ignore[misc]
    """Ctrl-C is a key like others; Ctrl-S would freeze the screen, Ctrl-\\ leave the terminal as it is.  Ctrl-Z suspends, unless it is shut."""

    def __init__(self) -> None:
        super().__init__(bracketed_paste_mode=True, focus_reporting=False)
        self._shut = False
        self._suspends: bytes | None = None

    def _start(self, *arguments: Any, **named: Any) -> None:
        """At the start, and again after each suspension, which restores what the terminal had."""
        super()._start(*arguments, **named)
        before = self.tty_signal_keys(intr="undefined", quit="undefined", start="undefined", stop="undefined")
        self._suspends = self._suspends or (before[4] if before else None)
        self.shut(self._shut)

    def shut(self, yes: bool) -> None:
        """Whether nothing leads to a shell."""
        self._shut = yes
        if self.started and self._suspends:
            self.tty_signal_keys(susp="undefined" if yes else self._suspends)

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.get_cols_rows()[0]) if self.started else 80


class Loop(urwid.MainLoop):  # type: ignore[misc]
    """What a key sets off may fail; that is told, and everything else stays as it was."""

    unforeseen: Callable[[Exception], None]

    def process_input(self, keys: Any) -> bool:
        """As urwid's."""
        try:
            return bool(super().process_input(keys))
        except urwid.ExitMainLoop:
            raise
        except Exception as error:
            self.unforeseen(error)
            return True


class Paste:
    """A line end or tab that is pasted (xterm: bracketed paste mode) presses no key; where no text is typed, nothing that is pasted does."""

    def __init__(self) -> None:
        self._on = False

    def filtered(self, typed: list[Any], *, into_text: bool) -> list[Any]:
        """What was typed without that."""
        kept: list[Any] = []
        for key in typed:
            if key in _EDGES:
                self._on = key == _EDGES[0]
            elif not self._on:
                kept.append(key)
            elif into_text:
                kept.append(" " if key in _SPACES else key)
        return kept


_EDGES = ("begin paste", "end paste")
_SPACES = ("enter", "tab")
