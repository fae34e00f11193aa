"""Who owns a transaction: each process holds a lock on a file of its own; a file that can be locked is a dead process."""

from __future__ import annotations

import fcntl
import os
import uuid
from pathlib import Path


class Owner:
    """This process, as owner of what it runs.  The descriptor is close-on-exec, so no helper keeps the lock alive."""

    def __init__(self, state_dir: Path) -> None:
        self.folder = state_dir / "owners"
        self.folder.mkdir(exist_ok=True, mode=0o700)
        self.id = str(uuid.uuid4())
        # Locked before it has the name that others look for: a file between its making and its lock would look dead.
        new = self.folder / f"{self.id}.new"
        self._descriptor = _lock(new)
        new.rename(self.folder / f"{self.id}.lock")

    def is_dead(self, owner: str) -> bool:
        """Whether the process behind an owner's id has ended."""
        if owner == self.id:
            return False
        path = self.folder / f"{owner}.lock"
        if not path.exists():
            return True
        try:
            descriptor = _lock(path)
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
        """Be dead, in good order."""
        os.close(self._descriptor)


def _lock(path: Path) -> int:
    """Lock a file without waiting.  Raises BlockingIOError when somebody holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
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
