"""Who owns a transaction: its thread holds a lock on a file; where the file is gone or can be locked, nobody works on it."""

from __future__ import annotations

import fcntl
import os
import uuid
from pathlib import Path

from ceo_common.errors import JournalFull


class Owner:
    """Whoever works on a transaction: its thread, from before its row is written until it ends.

    Each process has one more for as long as it lives, which shows that it does.  The kernel lets go
    of the lock when the process dies.  The descriptor is close-on-exec, so no helper keeps it.
    Raises OSError where the disk takes no new file.
    """

    def __init__(self, state_dir: Path) -> None:
        self.folder = state_dir / "owners"
        self.folder.mkdir(exist_ok=True, mode=0o700)
        self.id = str(uuid.uuid4())
        # Locked before it has the name that others look for: a file between its making and its lock would look dead.
        new = self.folder / f"{self.id}.new"
        self._descriptor = _lock(new)
        self._path = self.folder / f"{self.id}.lock"
        new.rename(self._path)

    def is_dead(self, owner: str) -> bool:
        """Whether nobody is behind an owner's id any more."""
        if owner == self.id:
            return False
        try:
            descriptor = _lock(self.folder / f"{owner}.lock", os.O_RDWR)
        except FileNotFoundError:
            return True
        except BlockingIOError:
            return False
        os.close(descriptor)
        return True

    def forget(self, owner: str) -> None:
        """Remove a dead owner's file."""
        (self.folder / f"{owner}.lock").unlink(missing_ok=True)

    def dead(self) -> list[str]:
        """Every dead owner whose file is still there."""
        return [path.stem for path in self.folder.glob("*.lock") if self.is_dead(path.stem)]

    def close(self) -> None:
        """Be dead, in good order: needs no room on the disk, so it works on a full one."""
        try:
            self._path.unlink(missing_ok=True)
        finally:
            os.close(self._descriptor)


def new_owner(state_dir: Path) -> Owner:
    """Who works on one request.  Raises JournalFull."""
    try:
        return Owner(state_dir)
    except OSError as error:
        raise JournalFull(f"ceod's own disk does not take new files: {error.strerror}") from error


def _lock(path: Path, flags: int = os.O_RDWR | os.O_CREAT) -> int:
    """Lock a file without waiting.  Raises BlockingIOError when somebody holds it."""
    descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def try_lock(path: Path) -> int | None:
    """The descriptor of a lock that is ours now, or None."""
    try:
        return _lock(path)
    except BlockingIOError:
        return None
