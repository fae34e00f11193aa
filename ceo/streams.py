"""The standard streams of a program: what happens when one of them is closed, full or gone."""

from __future__ import annotations

import errno
import fcntl
import io
import os
import select
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_STDIN, _STDOUT, _STDERR = 0, 1, 2


class OutputLost(OSError):
    """Standard output did not take the result."""

    @property
    def reader_left(self) -> bool:
        """Whether it is a pipe that nobody reads any more."""
        return self.errno == errno.EPIPE


class _Stream(io.FileIO):
    """A descriptor that may be non-blocking, as some terminals and parents leave it."""

    def write(self, data: ReadableBuffer, /) -> int:
        """Write, and wait for room."""
        while (written := super().write(data)) is None:
            select.select([], [self], [])
        return written


class _Output(_Stream):
    """Standard output.  The first write that fails raises OutputLost; what follows is dropped.

    The interpreter flushes at its end what a buffer still holds.  It would fail again there, and
    exit with 120.
    """

    lost = False

    def write(self, data: ReadableBuffer, /) -> int:
        """Write.  Raises OutputLost."""
        if self.lost:
            return memoryview(data).nbytes
        try:
            return super().write(data)
        except OSError as error:
            self.lost = True
            raise OutputLost(error.errno, error.strerror, "standard output") from None


class _Errors(_Stream):
    """Standard error.  What it does not take is dropped: the result matters more."""

    def write(self, data: ReadableBuffer, /) -> int:
        """Write, if that is possible."""
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def claim() -> None:
    """Take over the three streams, to be called before anything is opened or printed."""
    _occupy(_STDIN, os.O_RDONLY)
    # Gnulib's stdopen: a descriptor that was closed is opened the wrong way round.  Nothing else
    # gets its number, and a write fails as it would have failed.
    _occupy(_STDOUT, os.O_RDONLY)
    _occupy(_STDERR, os.O_WRONLY)
    if sys.stdin is None:
        sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(_STDIN, closefd=False)))
    sys.stdout = _text(_Output(_STDOUT, "w", closefd=False), sys.stdout)
    sys.stderr = _text(_Errors(_STDERR, "w", closefd=False), sys.stderr)


def is_output_open() -> bool:
    """Whether standard output was opened for writing."""
    return fcntl.fcntl(_STDOUT, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY


def _occupy(number: int, flags: int) -> None:
    try:
        os.fstat(number)
    except OSError:
        opened = os.open(os.devnull, flags)
        if opened != number:
            os.dup2(opened, number)
            os.close(opened)


def _text(raw: _Stream, before: TextIO | None) -> TextIO:
    # A name that the terminal cannot show is written out, and ends nothing.
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=before.encoding if before else "utf-8",
        errors="backslashreplace",
        line_buffering=raw.isatty(),
    )
