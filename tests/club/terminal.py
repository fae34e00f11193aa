"""A program in a real terminal of 80x24: type keys, read the text (a pty, and pyte as the terminal)."""

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

KEYS = {"Enter": "\r", "Tab": "\t", "Esc": "\x1b", "Up": "\x1b[A", "Down": "\x1b[B", "Backspace": "\x7f", "Ctrl-C": "\x03", "Ctrl-U": "\x15"}


class Terminal:
    """One program."""

    def __init__(self, argv: list[str], *, columns: int = 80, rows: int = 24) -> None:
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
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
        """Type texts and named keys."""
        for key in keys:
            os.write(self.master, KEYS.get(key, key).encode())
            self.read(0.05)

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
        end = time.monotonic() + seconds
        while not all(text in self.text or text in " ".join(self.text.split()) for text in texts):
            assert time.monotonic() < end, f"{texts} not on the screen:\n{self.text}"
            self.read(0.1)
        return self.text

    def ended(self, seconds: float = 10) -> int:
        """Wait for its end; the exit status."""
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < end, f"it still runs:\n{self.text}"
            self.read(0.05)
        return self.process.returncode

    def close(self) -> None:
        """End it."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)
        os.close(self.master)


Open = Callable[..., Terminal]


def password_in(text: str) -> str:
    """The temporary password on a screen."""
    found = re.search(r"[a-z2-9]{4}(-[a-z2-9]{4}){3}", text)
    assert found, text
    return found[0]
