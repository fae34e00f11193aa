"""What the menu began and has not seen the end of: a small file each, so that the next start can tell how it ended.

A file is locked for as long as the menu that wrote it runs, so whoever can lock one knows that its menu is gone.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO

from ceo.state_folder import state_folder


@dataclass(frozen=True)
class Begun:
    """One transaction; its number is empty as long as ceod has not told it."""

    title: str
    host: str
    operator: str
    began: float
    transaction: str = ""


class Trail:
    """The file of one transaction.  A disk that is full costs the note, not the transaction."""

    def __init__(self, title: str, host: str, operator: str) -> None:
        self._begun = Begun(title, host, operator, time.time())
        self._file: IO[bytes] | None = None
        with contextlib.suppress(OSError):
            self._path = folder() / f"{uuid.uuid4()}.json"
            folder().mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = self._path.open("xb", buffering=0)
            fcntl.flock(self._file, fcntl.LOCK_EX)
        self._write()

    def known(self, transaction: str) -> None:
        """Note its number."""
        if transaction != self._begun.transaction:
            self._begun = replace(self._begun, transaction=transaction)
            self._write()

    def ended(self) -> None:
        """Somebody saw how it ended."""
        if self._file:
            forget(self._path)
            self._file.close()

    def _write(self) -> None:
        if self._file:
            with contextlib.suppress(OSError):
                self._file.seek(0)
                self._file.truncate()
                self._file.write(json.dumps(asdict(self._begun)).encode())


def folder() -> Path:
    """Where the files are.  Raises FileNotFoundError, as state_folder()."""
    return state_folder() / "under-way"


def left_behind(operator: str) -> Iterator[tuple[Begun, Path]]:
    """What somebody's menus that are gone have left, oldest first."""
    found: list[tuple[Begun, Path]] = []
    try:
        paths = folder().glob("*.json")
    except FileNotFoundError:  # whoever has no home has left nothing
        return iter(())
    for path in paths:
        # Open for writing too: NFS locks no other file (flock(2)).
        with contextlib.suppress(OSError, ValueError, TypeError), path.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            begun = Begun(**json.load(file))
            if begun.operator == operator:
                found.append((begun, path))
    return iter(sorted(found, key=lambda item: float(item[0].began)))


def forget(path: Path) -> None:
    """Remove a file, as far as that can be done."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
