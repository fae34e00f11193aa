"""The journal's database: one a host, SQLite; every write is on disk when the call returns."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from ceo_common.errors import JournalFull
from ceod.transaction.tables import metadata

T = TypeVar("T")

BALLAST_BYTES = 8 << 20
MARGIN_BYTES = 1 << 20


class Journal:
    """Open it once a process, in state_dir."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.ballast = state_dir / "ballast"
        # SQLite's writers wait by asking again and again, and the unlucky wait longest: in one process they queue here.
        self._writing = threading.Lock()
        self._filling = threading.Lock()
        self.engine = _sqlite(state_dir / "journal.db")
        self._reader = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        try:
            metadata.create_all(self.engine)
        except sa.exc.OperationalError as error:
            # Two workers that start at once both see no tables; the second finds them made.
            if "already exists" not in str(error):
                raise
        with contextlib.suppress(OSError):
            self._fill_ballast()

    def close(self) -> None:
        """Let go of the file."""
        self.engine.dispose()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for reading; takes no lock."""
        with self._reader.connect() as connection:
            yield connection

    def write(self, action: Callable[[Connection], T]) -> T:
        """Run `action` in one database transaction.  On a full disk the ballast makes room, once.

        Raises JournalFull when it could not be written all the same.
        """
        for last in (False, True):
            try:
                with self._writing, self.engine.begin() as connection:
                    return action(connection)
            except sa.exc.OperationalError as error:
                if last or not self._make_room(error):
                    raise JournalFull("ceod's own disk does not take new records; nothing was done") from error
        raise AssertionError

    def ready_for_new_work(self) -> None:
        """Raise JournalFull while there is no room to finish what would be begun."""
        try:
            self._fill_ballast()
        except OSError as error:
            raise JournalFull("ceod's own disk is full; nothing new is begun until there is room on it") from error

    def _make_room(self, error: Exception) -> bool:
        if "full" not in str(error) and "disk I/O" not in str(error):
            return False
        try:
            self.ballast.unlink()
        except OSError:
            return False
        return True

    def _fill_ballast(self) -> None:
        with self._filling:
            if self.ballast.exists() and self.ballast.stat().st_size == BALLAST_BYTES:
                return
            disk = os.statvfs(self.state_dir)
            if disk.f_bavail * disk.f_frsize < BALLAST_BYTES + MARGIN_BYTES:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # what is left is for those who run
            self._make_ballast()

    def _make_ballast(self) -> None:
        part = self.ballast.with_suffix(f".{os.getpid()}")
        try:
            with part.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, BALLAST_BYTES)
            part.rename(self.ballast)
        finally:
            part.unlink(missing_ok=True)


def _sqlite(path: Path) -> Engine:
    engine = sa.create_engine(
        f"sqlite:///{path}", connect_args={"timeout": 30, "check_same_thread": False}, pool_size=8, max_overflow=64,
    )

    @event.listens_for(engine, "connect")
    def _configure(dbapi: Any, _record: Any) -> None:
        dbapi.isolation_level = None  # transactions are begun below, not by the driver's guess
        cursor = dbapi.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
