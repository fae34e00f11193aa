"""A program in a real terminal: type keys, read the text (a pty, and pyte as the terminal)."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable

import pyte

KEYS = {
    "Enter": "\r", "Tab": "\t", "Shift-Tab": "\x1b[Z", "Esc": "\x1b", "Backspace": "\x7f", "Up": "\x1b[A", "Down": "\x1b[B", "Right": "\x1b[C",
    "Left": "\x1b[D", "Home": "\x1b[H", "End": "\x1b[F", "Page-Up": "\x1b[5~", "Page-Down": "\x1b[6~", "F1": "\x1bOP", "F2": "\x1bOQ",
    "F5": "\x1b[15~", "F9": "\x1b[20~", **{f"Ctrl-{letter}": chr(ord(letter) - 64) for letter in "ABCDEFGHKLNOPRSTUWXYZ"},
}
_ESC_S = 0.15  # urwid waits that long for the rest of a sequence


class Terminal:
    """One program."""

    def __init__(self, argv: list[str], *, columns: int = 80, rows: int = 24) -> None:
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.pressed: list[str] = []
        self.master, slave = pty.openpty()
        self._size(slave, columns, rows)
        self.process = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))  # noqa: PLW1509
        os.close(slave)

    def _size(self, descriptor: int, columns: int, rows: int) -> None:
        fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, columns: int, rows: int) -> None:
        """As if somebody dragged the window."""
        self.screen.resize(rows, columns)
        self._size(self.master, columns, rows)

    def type(self, *keys: str) -> None:
        """Type texts and named keys, without waiting for what they do."""
        for key in keys:
            os.write(self.master, KEYS.get(key, key).encode())
            self.read(_ESC_S if key == "Esc" else 0.02)

    def press(self, *keys: str) -> None:
        """Type keys that are not text, and count them."""
        self.pressed += keys
        self.type(*keys)

    def click(self, text: str) -> None:
        """The left button, where a text stands or will stand (SGR mouse protocol, xterm's 1006)."""
        self.see(text)
        row = next(i for i, line in enumerate(self.screen.display) if text in line)
        place = f"{self.screen.display[row].index(text) + 1};{row + 1}"
        self.type(f"\x1b[<0;{place}M", f"\x1b[<0;{place}m")

    def read(self, seconds: float) -> None:
        """Take what the program draws."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            ready, _, _ = select.select([self.master], [], [], left)
            if not ready:
                return
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return
            if not data:
                return
            self.raw += data
            self.stream.feed(data)

    @property
    def text(self) -> str:
        """The screen."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def see(self, *texts: str, seconds: float = 15) -> str:
        """Wait until all of these stand on the screen, wherever lines were broken."""
        return self._until(lambda: all(self.shows(text) for text in texts), f"{texts} not on the screen", seconds)

    def miss(self, *texts: str, seconds: float = 15) -> str:
        """Wait until none of these stands on the screen any more."""
        return self._until(lambda: not any(self.shows(text) for text in texts), f"{texts} still on the screen", seconds)

    def shows(self, text: str) -> bool:
        """Whether a text stands on the screen now."""
        return text in self.text or text in " ".join(self.text.split())

    def _until(self, question: Callable[[], bool], problem: str, seconds: float) -> str:
        end = time.monotonic() + seconds
        while not question():
            assert time.monotonic() < end, f"{problem}:\n{self.text}"
            self.read(0.05)
        return self.text

    def ended(self, seconds: float = 10) -> int:
        """Wait for its end; the exit status."""
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < end, f"it still runs:\n{self.text}"
            self.read(0.05)
        return self.process.returncode

    def close(self) -> None:
        """End it, if it has not ended."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)
        if self.master >= 0:
            os.close(self.master)
            self.master = -1


Open = Callable[..., Terminal]


def password_in(text: str) -> str:
    """The temporary password on a screen."""
    found = re.search(r"[a-z2-9]{4}(-[a-z2-9]{4}){3}", text)
    assert found, text
    return found[0]
