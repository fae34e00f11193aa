"""The terminal: which keys are signals there, how its bytes become text, and a loop that one faulty screen does not end."""

from __future__ import annotations

import contextlib
import os
import re
import termios
from collections.abc import Callable, Iterator
from typing import Any

import urwid
from urwid import str_util

from ceo.tui.incoming import ASK_BACKGROUND, Incoming, Part, Pasted, Typed

_UNKNOWN_BYTE = re.compile(r"<([0-9]+)>")  # urwid's name for a byte that is no UTF-8


class Terminal(urwid.display.raw.Screen):  # type: ignore[misc]
    """Ctrl-C is a key like others; Ctrl-S would freeze the screen, Ctrl-\\ leave the terminal as it is.  Ctrl-Z suspends, unless it is shut.

    What is typed is UTF-8 wherever it is valid UTF-8, whatever the locale says: a terminal sends
    nothing else that looks like it.  From then on it is drawn in UTF-8, too.
    """

    def __init__(self, *, asks_background: bool = False) -> None:
        super().__init__(bracketed_paste_mode=True, focus_reporting=False)
        # Bold is bright on the Linux console alone: elsewhere dark gray may be black on black.
        is_console = os.environ.get("TERM", "").startswith("linux")
        self.set_terminal_properties(bright_is_bold=is_console)
        self._shut = False
        self._suspends: bytes | None = None
        self._asks_background = asks_background
        self._incoming = Incoming(urwid.util.get_encoding())
        self._event_loop: Any = None
        self._hear: Callable[[list[Any], list[int]], object] = lambda _keys, _raw: None
        self._alarm: Any = None

    def _start(self, *arguments: Any, **named: Any) -> None:
        """At the start, and again after each suspension, which restores what the terminal had."""
        super()._start(*arguments, **named)
        before = self.tty_signal_keys(intr="undefined", quit="undefined", start="undefined", stop="undefined")
        self._suspends = self._suspends or (before[4] if before else None)
        self.shut(self._shut)
        if self._asks_background:
            self._asks_background = False
            self.write(ASK_BACKGROUND)

    def _stop(self) -> None:
        """Give the terminal back; one that is gone takes nothing."""
        with contextlib.suppress(OSError, termios.error):
            super()._stop()

    def _sigtstp_handler(self, *arguments: Any) -> None:
        """A suspension leads to a shell."""
        if not self._shut:
            super()._sigtstp_handler(*arguments)

    def shut(self, yes: bool) -> None:
        """Whether nothing leads to a shell."""
        self._shut = yes
        if self.started and self._suspends:
            self.tty_signal_keys(susp="undefined" if yes else self._suspends)

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.get_cols_rows()[0]) if self.started else 80

    # What comes in

    def hook_event_loop(self, event_loop: Any, callback: Callable[[list[Any], list[int]], object]) -> None:
        """As urwid's; pastes and answers go to the same callback as keys do."""
        self._event_loop, self._hear = event_loop, callback
        super().hook_event_loop(event_loop, callback)

    def _read_raw_input(self, timeout: float) -> Any:
        """The bytes that came.  A terminal that is gone ends the menu."""
        try:
            return super()._read_raw_input(timeout)
        except (OSError, RuntimeError):  # RuntimeError: the end of the file
            raise urwid.ExitMainLoop from None

    def parse_input(self, event_loop: Any, callback: Any, codes: list[int], wait_for_more: bool = True) -> None:
        """As urwid's, for keys alone; it calls this again for an escape sequence that stayed incomplete."""
        if not wait_for_more:
            self._decode(bytes(codes), wait_for_more=False)
            return
        parts = self._incoming.feed(bytes(min(code, 255) for code in codes))
        self._pass_on(parts or [Typed(b"")])  # nothing typed: the window may have another size

    def _pass_on(self, parts: list[Part]) -> None:
        if self._alarm:
            self._event_loop.remove_alarm(self._alarm)
        seconds = self._incoming.waits_s
        self._alarm = self._event_loop.alarm(seconds, self._lost) if seconds else None
        for part in parts:
            if isinstance(part, Typed):
                self._decode(part.data, wait_for_more=part is parts[-1])
                continue
            has_letters = isinstance(part, Pasted) and not part.text.isascii()
            if has_letters and urwid.util.get_encoding() == "ascii":
                self._draw_in_utf8()
            self._hear([part], [])

    def _lost(self) -> None:
        self._alarm = None
        self._pass_on(self._incoming.lost())

    def _decode(self, data: bytes, *, wait_for_more: bool) -> None:
        with _utf8_typed():
            decoded, raw = super().parse_input(self._event_loop, None, list(data), wait_for_more)
        if any(isinstance(key, str) and len(key) == 1 and not key.isascii() for key in decoded):
            self._draw_in_utf8()
        self._hear([_in_locale(key) for key in decoded], raw)

    def _draw_in_utf8(self) -> None:
        """The terminal has sent UTF-8: draw what a locale without such letters shows as `?`."""
        if str_util.get_byte_encoding() == "narrow":
            urwid.set_encoding("utf-8")
            urwid.CanvasCache.clear()
            self.clear()


@contextlib.contextmanager
def _utf8_typed() -> Iterator[None]:
    """Have urwid read bytes as UTF-8; those of an East Asian locale stay as they are."""
    before = str_util.get_byte_encoding()
    if before == "narrow":
        str_util.set_byte_encoding("utf8")
    try:
        yield
    finally:
        str_util.set_byte_encoding(before)


def _in_locale(key: Any) -> Any:
    """A byte that is no UTF-8, in a locale of one byte a letter: that letter."""
    found = _UNKNOWN_BYTE.fullmatch(key) if isinstance(key, str) else None
    if not found or str_util.get_byte_encoding() != "narrow":
        return key
    letter = bytes([int(found[1])]).decode(urwid.util.get_encoding(), "ignore")
    return letter or key


class Loop(urwid.MainLoop):  # type: ignore[misc]
    """What a key sets off may fail; that is told, and everything else stays as it was.

    `ignores` is asked about each key, when those before it have done what they do.
    """

    unforeseen: Callable[[Exception], None]
    after_input: Callable[[], None]
    ignores: Callable[[object], bool]

    def process_input(self, keys: Any) -> bool:
        """As urwid's."""
        try:
            handled = False
            for key in keys:
                handled = self.ignores(key) or bool(super().process_input([key])) or handled
            self.after_input()
        except urwid.ExitMainLoop:
            raise
        except Exception as error:
            self.unforeseen(error)
            return True
        return handled
