"""All words, or all usernames, of the index as one text in memory: to look inside of them.

SQLite finds beginnings by an index.  What is inside of words, or has an error, is looked for here:
a search through the 300 KB of fifty thousand people's words takes less than a millisecond.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator

from ceod.people_index.matching import has_one_error


class WordList:
    """The texts of a column that only grows: rows that are gone are in it, and found nowhere else."""

    def __init__(self, table: str, column: str) -> None:
        self._statement = f"SELECT id, {column} FROM {table} WHERE id > ? ORDER BY id"  # noqa: S608 - our own
        self._lock = threading.Lock()
        self._file = ""
        self._last = 0
        self._text = b"\n"

    def read(self, database: sqlite3.Connection, file: str) -> bytes:
        """The lines TEXT, tab, number; what the file has got meanwhile is read."""
        with self._lock:
            if file != self._file:
                self._file, self._last, self._text = file, 0, b"\n"
            rows = database.execute(self._statement, (self._last,)).fetchall()
            if rows:
                self._last = rows[-1][0]
                self._text += "".join(f"{text}\t{number}\n" for number, text in rows).encode()
            return self._text


def inside(text: bytes, typed: str) -> list[int]:
    """The numbers of the lines that have it, but not at their beginning alone."""
    return [number for number, word in _lines(text, typed.encode()) if typed in word[1:]]


def containing(text: bytes, part: str) -> list[int]:
    """The numbers of the lines that have it."""
    return [number for number, _ in _lines(text, part.encode())]


def with_one_error(text: bytes, typed: str) -> list[int]:
    """The numbers of the lines that differ in one error.

    An error touches one letter or two neighbours: so the first half is right, or the second is, or
    the error is the order of the two letters between them.
    """
    half = len(typed) // 2
    first, second = typed[:half], typed[half:]
    middle = typed[: half - 1] + typed[half] + typed[half - 1]
    found = dict[int, str]()
    for part in (f"\n{first}", f"\n{middle}"):
        found.update(_lines(text, part.encode()))
    place = slice(half - 1, half + 1 + len(second))
    found.update(line for line in _lines(text, second.encode()) if second in line[1][place])
    return [number for number, word in found.items() if has_one_error(typed, word)]


def _lines(text: bytes, part: bytes) -> Iterator[tuple[int, str]]:
    """The lines that a part is in, each once, as number and text."""
    if b"\t" in part or b"\n" in part[1:] or part == b"\n":
        return  # what lies between the lines is in none
    at = text.find(part)
    while at >= 0:
        # A part may begin with the line break before its line.
        begin = text.rfind(b"\n", 0, at + 1) + 1
        end = text.find(b"\n", max(begin, at + 1))
        word, _, number = text[begin:end].rpartition(b"\t")
        if part.strip() in word:  # and not in the number
            yield int(number), word.decode()
        at = text.find(part, end)
