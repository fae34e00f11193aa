"""ceod's state is its own: a folder of mode 0700, its files 0600, and nobody else could have written them."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

JOURNAL = "journal.db"
# What SQLite keeps beside a database: the write-ahead log and the index of it.
JOURNAL_FILES = (JOURNAL, f"{JOURNAL}-wal", f"{JOURNAL}-shm")
_OTHERS_WRITE = 0o022


class UnsafeState(Exception):
    """The folder or a file in it can't be trusted; the text says why, and what to do."""


def secure(state_dir: Path) -> None:
    """Make the folder where there is none, and close what is ours to everybody else.

    What others could read is closed.  What others could have written is refused: somebody has to
    look at it first.  Raises UnsafeState.
    """
    with contextlib.suppress(FileExistsError):  # of whatever kind
        state_dir.mkdir(parents=True, mode=0o700)
    _close(state_dir, 0o700, is_directory=True)
    for name in JOURNAL_FILES:
        if os.path.lexists(state_dir / name):
            _close(state_dir / name, 0o600, is_directory=False)


def _close(path: Path, mode: int, *, is_directory: bool) -> None:
    # Held by a descriptor, so that it is the thing which was looked at that is changed.  O_PATH does
    # not open the file: closing another descriptor of a database would drop SQLite's locks on it.
    descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW)
    try:
        info = os.fstat(descriptor)
        check_ours(path, info, is_directory=is_directory)
        if stat.S_IMODE(info.st_mode) != mode:
            os.chmod(f"/proc/self/fd/{descriptor}", mode)
    finally:
        os.close(descriptor)


def check_ours(path: Path, info: os.stat_result, *, is_directory: bool = False) -> None:
    """Raises UnsafeState: it is a link or of another kind, another's, or others may write it."""
    if stat.S_ISLNK(info.st_mode):
        raise UnsafeState(f"{path} is a symbolic link: put a directory or file of its own there")
    if not (stat.S_ISDIR if is_directory else stat.S_ISREG)(info.st_mode):
        raise UnsafeState(f"{path} is no {'directory' if is_directory else 'file'}: move it away")
    if info.st_uid != os.geteuid():
        raise UnsafeState(
            f"{path} belongs to the user with the number {info.st_uid}, and ceod runs as {os.geteuid()}:"
            f" see who wrote it, then chown it"
        )
    if info.st_mode & _OTHERS_WRITE:
        raise UnsafeState(
            f"{path} may be written by others (mode {stat.S_IMODE(info.st_mode):o}):"
            f" see that nobody changed it, then chmod go-w {path}"
        )
