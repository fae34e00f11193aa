"""The journal's database: one a host, SQLite; every write is on disk when the call returns."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import logging
import os
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from ceo_common.errors import JournalFull, JournalUntrusted
from ceod.transaction import audit, untrusted
from ceod.transaction.fingerprint import DamagedFile, Fingerprint, FingerprintFile
from ceod.transaction.state_dir import JOURNAL, JOURNAL_FILES, UnsafeState, secure
from ceod.transaction.tables import audit as audit_table
from ceod.transaction.tables import events, journals, metadata, steps, transactions

log = logging.getLogger("ceod.transaction")

T = TypeVar("T")

BALLAST_BYTES = 8 << 20
MARGIN_BYTES = 1 << 20
BUSY_S = 30.0

# SQLite's words for a file that is not what it wrote (sqlite.org/rescode.html).
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
_NO_DISK = "ceod's own disk does not take new records"
_HELD = "another program holds ceod's journal, and did not let go of it"
_REFUSALS = {
    sqlite3.SQLITE_FULL: _NO_DISK,
    sqlite3.SQLITE_IOERR: _NO_DISK,
    sqlite3.SQLITE_READONLY: _NO_DISK,
    sqlite3.SQLITE_CANTOPEN: _NO_DISK,
    sqlite3.SQLITE_BUSY: _HELD,
    sqlite3.SQLITE_LOCKED: _HELD,
}
# A damaged text has no code of its own: these are the words of Python's sqlite3 and of SQLite's json functions.
_DAMAGED_TEXT = ("Could not decode to UTF-8", "malformed JSON")
_OWN = journals.c.accepted.is_(None)
_COUNT_UP = journals.update().where(_OWN).values(counted=journals.c.counted + 1)
_JOURNALS = sa.select(journals)
_COUNTED = sa.select(journals.c.id, journals.c.counted).where(_OWN)
_HASH = sa.select(audit_table.c.hash).where(audit_table.c.n == sa.bindparam("number"))

_TEXTS = [
    column for table in (transactions, steps, events) for column in table.c if isinstance(column.type, sa.JSON)
]

Place = tuple[int, int]  # device and inode


class DamagedText(Exception):
    """What is stored as JSON is none."""


class Journal:
    """Open it once a process, in state_dir."""

    def __init__(self, state_dir: Path, fingerprint: Path | None = None) -> None:
        """`fingerprint` is the file that holds its fingerprint, by default beside state_dir.  Raises UnsafeState."""
        secure(state_dir)
        self.state_dir = state_dir
        self.path = state_dir / JOURNAL
        self.file = FingerprintFile(fingerprint or state_dir.with_name(f"{state_dir.name}-fingerprint") / "journal")
        self.ballast = state_dir / "ballast"
        self._marker = state_dir / "damaged"
        self._damage = ""
        self.is_readable = True  # for SQLite, as far as is known
        self._not_outside: Fingerprint | None = None  # what the file outside could not be given yet
        self._telling = threading.Lock()
        # SQLite's writers wait by asking again and again, and the unlucky wait longest: in one process they queue here.
        self._writing = threading.Lock()
        self._filling = threading.Lock()
        self._places: dict[Path, Place] = {}
        self.engine = _sqlite(self._connect)
        self._reader = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._keeper: Connection | None = None
        if not self.path.exists():
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        self._note_places(JOURNAL)
        # One process after the other: SQLite does not wait for another one that makes the tables or begins the WAL.
        with _locked(state_dir / "opening.lock"), contextlib.suppress(JournalUntrusted), self._damage_noted():
            self._prepare()
            # Never given back: while it is open, SQLite keeps the WAL, and the files stay what they are.
            self._keeper = self._reader.connect()
            self._keeper.execute(_JOURNALS).all()
        self._note_places(*JOURNAL_FILES)
        with contextlib.suppress(OSError):
            self._fill_ballast()

    def _note_places(self, *names: str) -> None:
        """Which files this process works with; SQLite makes those beside the database when it is opened."""
        for path in (self.state_dir / name for name in names):
            if place := _place(path):
                self._places.setdefault(path, place)

    def _prepare(self) -> None:
        """Make the tables where there are none, and give a new journal its id."""
        metadata.create_all(self.engine)
        with self.engine.begin() as connection:
            if connection.execute(_COUNTED).first() is None:
                connection.execute(journals.insert(), {"id": str(uuid.uuid4()), "counted": 0, "began": time.time()})

    def close(self) -> None:
        """Let go of the file."""
        if self._keeper is not None:
            self._keeper.close()
        self.engine.dispose()

    def _connect(self) -> sqlite3.Connection:
        """A connection to the file that this process began with.  Raises JournalUntrusted: another is there now."""
        self.check_place()
        # mode=rw: SQLite must not make an empty one where it is gone.
        try:
            connection = sqlite3.connect(f"file:{quote(str(self.path))}?mode=rw", uri=True, timeout=BUSY_S, check_same_thread=False)
        except sqlite3.OperationalError:
            self.check_place()
            raise
        try:
            self.check_place()
        except JournalUntrusted:
            connection.close()
            raise
        return connection

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for reading; takes no lock.  Raises JournalUntrusted: it is damaged or gone."""
        with self._damage_noted(), self._reader.connect() as connection:
            yield connection

    def write(self, action: Callable[[Connection], T], *, counts: bool = False) -> T:
        """Run `action` in one database transaction.  On a full disk the ballast makes room, once.

        `counts` is for everything that recovery needs to know: the beginning of a transaction and of its steps, what
        they note, the commit and the end.  The fingerprint goes up with it, so that a journal without it is noticed.
        Raises JournalFull when it could not be written all the same, or another program held it for BUSY_S;
        JournalUntrusted when it is damaged or gone.
        """
        for last in (False, True):
            try:
                with self._damage_noted(), self._writing, self.engine.begin() as connection:
                    result = action(connection)
                    fingerprint = _counted(connection) if counts else None
            except sa.exc.OperationalError as error:
                if not last and self._make_room(error):
                    continue
                if (sentence := _REFUSALS.get(_code(error.orig))) is None:
                    raise
                raise JournalFull(f"{sentence}; nothing was done") from error
            else:
                if fingerprint:
                    self._tell_outside(fingerprint)
                return result
        raise AssertionError

    # Whether it is what this host wrote last

    def check_place(self) -> None:
        """Raise JournalUntrusted where the files are not those that this process opened."""
        for path, place in self._places.items():
            if _place(path) != place:
                raise untrusted.replaced(path)

    def fingerprint(self) -> Fingerprint:
        """Its own, now."""
        with self.reading() as connection:
            own = connection.execute(_COUNTED).one()
            return Fingerprint(own.id, own.counted, *audit.head(connection))

    def compare(self, known: Fingerprint) -> untrusted.Reason | None:
        """Why a journal that was like this once can't be this one, or None.  `known` has to be read before the call."""
        with self.reading() as connection:
            rows = {row.id: row for row in connection.execute(_JOURNALS)}
            row = rows.get(known.journal)
            if row is None:
                is_new = all(row.counted == 0 for row in rows.values())
                return "lost" if is_new else "other"
            if known.count > row.counted:
                return "older"
            if row.accepted is None and known.audit_n:
                stored = connection.execute(_HASH, {"number": known.audit_n}).scalar()
                return None if stored == known.audit_hash else "altered"
        return None

    def known_outside(self) -> Fingerprint | None:
        """What the file outside holds, None where there is none.  Raises JournalUntrusted: it can't be read or written."""
        try:
            with self._telling:
                if self._not_outside:
                    self.file.raise_to(self._not_outside)
                    self._not_outside = None
            return self.file.read()
        except (DamagedFile, UnsafeState, OSError) as error:
            raise untrusted.no_fingerprint(error) from error

    def begin_outside(self, held: Fingerprint | None) -> None:
        """Have the file outside hold this journal's, where it holds none, or that of a journal which this one succeeded.

        An administrator accepted this one then, and the file could not be written.  Raises JournalUntrusted.
        """
        with self.reading() as connection:
            rows = list(connection.execute(_JOURNALS))
        before = {row.id for row in rows if row.accepted is not None}
        if held and held.journal not in before:
            return
        now = self.fingerprint()
        if now.count:
            log.warning("there was no fingerprint of this journal in %s: it is made anew", self.file.path)
        try:
            self.file.raise_to(now, instead_of=before)
        except (DamagedFile, UnsafeState, OSError) as error:
            raise untrusted.no_fingerprint(error) from error

    def _tell_outside(self, fingerprint: Fingerprint) -> None:
        try:
            self.file.raise_to(fingerprint)
        except (DamagedFile, UnsafeState, OSError) as error:
            # What was written stands.  Nothing new is begun until the file takes it.
            with self._telling:
                if self._not_outside is None or self._not_outside.count < fingerprint.count:
                    self._not_outside = fingerprint
            log.error("the journal's fingerprint could not be written: %s", error)

    # Damage

    def damage(self) -> str:
        """What is wrong with the file, as any process of ceod noticed it; empty where nothing is."""
        with contextlib.suppress(OSError):
            return self._marker.read_text(errors="replace") or "it is marked as damaged"
        return self._damage

    def examine(self) -> bool:
        """Read all of it, which may take seconds, and keep for damage() what is wrong; whether it could be read to its end."""
        try:
            with self.reading() as connection:
                if what := _unreadable(connection):
                    self._note_damage(what)
                elif (broken := _audit_breaks_at(connection)) is not None:
                    self._note_damage(f"its audit log was changed at row {broken}", is_readable=True)
                else:
                    self.forget_damage()
        except JournalUntrusted as error:  # what SQLite says of it is noted already
            return bool(error.more["reason"] == "damaged")
        except Exception as error:
            # Whatever it is: what can't be examined is not acted upon.
            log.exception("the journal could not be examined")
            with contextlib.suppress(JournalUntrusted):
                self._note_damage(f"it could not be examined: {error}")
            return False
        return True

    def forget_damage(self) -> None:
        """It was examined and is whole, or an administrator accepted it."""
        self._damage, self.is_readable = "", True
        self._marker.unlink(missing_ok=True)

    def _note_damage(self, what: str, *, is_readable: bool = False) -> None:
        """Raises JournalUntrusted: it is not even there."""
        self.check_place()
        self.is_readable = is_readable
        try:
            self._marker.write_text(what)
        except OSError:
            self._damage = what
        else:
            # The file alone counts: whoever accepts the journal, in another process, removes it.
            self._damage = ""

    @contextlib.contextmanager
    def _damage_noted(self) -> Iterator[None]:
        """Raises JournalUntrusted in place of the words that the file, or a text in it, is damaged."""
        try:
            yield
        except (sa.exc.DatabaseError, DamagedText) as error:
            if not _is_damage(error):
                raise
            what = str(error.orig) if isinstance(error, sa.exc.DatabaseError) else str(error)
            self._note_damage(f"SQLite says: {what}")
            raise untrusted.damaged(self.path, what) from error

    # Room

    def ready_for_new_work(self) -> None:
        """Raise JournalFull while there is no room to finish what would be begun."""
        try:
            self._fill_ballast()
        except OSError as error:
            raise JournalFull("ceod's own disk is full; nothing new is begun until there is room on it") from error

    def _make_room(self, error: sa.exc.OperationalError) -> bool:
        if _code(error.orig) not in _FULL:
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


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _code(error: BaseException | None) -> int:
    """SQLite's primary result code, 0 where there is none."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _is_damage(error: sa.exc.DatabaseError | DamagedText) -> bool:
    if isinstance(error, DamagedText) or _code(error.orig) in _DAMAGE:
        return True
    return any(words in str(error.orig) for words in _DAMAGED_TEXT)


def _unreadable(connection: Connection) -> str:
    """What SQLite can't read of it, empty where it reads all.  The audit log's texts are its chain's affair."""
    (verdict,) = connection.exec_driver_sql("PRAGMA quick_check(1)").one()
    if verdict != "ok":
        return f"SQLite says: {verdict}"
    for column in _TEXTS:
        is_broken = sa.and_(column.is_not(None), sa.func.json_valid(column) == 0)
        if connection.execute(sa.select(sa.literal(1)).where(is_broken).limit(1)).first():
            return f"the {column.name} of one of its {column.table.name} can't be read"
    return ""


def _audit_breaks_at(connection: Connection) -> int | None:
    return audit.breaks_at(connection, after=audit_accepted_to(connection))


def audit_accepted_to(connection: Connection) -> int:
    """The audit log's row up to which an administrator accepted a broken chain, 0 where none was."""
    return int(connection.execute(sa.select(journals.c.audit_from).where(_OWN)).scalar_one())


def _parsed(text: str) -> Any:
    """Raises DamagedText."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DamagedText(f"a row can't be read: {error}") from error


def _place(path: Path) -> Place | None:
    try:
        info = os.stat(path)
    except OSError:
        return None
    return info.st_dev, info.st_ino


def _counted(connection: Connection) -> Fingerprint:
    """The fingerprint after one more."""
    connection.execute(_COUNT_UP)
    own = connection.execute(_COUNTED).one()
    return Fingerprint(own.id, own.counted, *audit.head(connection))


def _sqlite(connect: Callable[[], sqlite3.Connection]) -> Engine:
    engine = sa.create_engine("sqlite://", creator=connect, poolclass=sa.QueuePool, pool_size=8, max_overflow=64,
                              json_deserializer=_parsed)

    @event.listens_for(engine, "connect")
    def _configure(dbapi: Any, _record: Any) -> None:
        dbapi.isolation_level = None  # transactions are begun below, not by the driver's guess
        cursor = dbapi.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA secure_delete=ON")  # what audit.erase() takes out is not left in the file
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
