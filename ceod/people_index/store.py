"""The index's file: who is in the directory, in SQLite, written by the feed alone.

A file is built under a name of its own and then made the current one, so that nobody sees half of
it.  It holds nothing that the directory has not: whoever doubts it throws it away.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import uuid
from collections.abc import Iterable
from pathlib import Path

from ceod.people_index.folding import fold, name_words
from ceod.people_index.matching import sound
from ceod.services.entry import Person
from ceod.services.ldap_connection import Entry
from ceod.services.search import sort_key

FOLDER = "people-index"
CURRENT = "current"
#: The object classes of accounts that are found.
LISTED = {"member", "club"}
#: What is kept of an account: what GET /api/members shows, and what tells whether it is broken.
ATTRIBUTES = (
    "uid",
    "cn",
    "sn",
    "givenName",
    "objectClass",
    "uidNumber",
    "gidNumber",
    "homeDirectory",
    "loginShell",
    "program",
    "term",
    "nonMemberTerm",
    "position",
    "shadowExpire",
)

# A file that another version of ceod wrote is never read: each start throws it away.
_TABLES = """
CREATE TABLE state (csns TEXT NOT NULL);
-- Whoever is whole.  until: the last term as a number; kind: ACCOUNT, CLUB or DELETED.  A number
-- of people or words is never given again: see word_list.
CREATE TABLE people (
    id INTEGER PRIMARY KEY AUTOINCREMENT, entry BLOB NOT NULL UNIQUE, uid TEXT NOT NULL,
    by_uid TEXT NOT NULL, by_name TEXT NOT NULL, by_program TEXT NOT NULL, by_number TEXT NOT NULL,
    program INTEGER NOT NULL, kind INTEGER NOT NULL, is_member INTEGER NOT NULL,
    until INTEGER, expires INTEGER
);
CREATE TABLE entries (id INTEGER PRIMARY KEY, dn TEXT NOT NULL, attributes TEXT NOT NULL);
CREATE TABLE broken (
    entry BLOB PRIMARY KEY, dn TEXT NOT NULL, uid TEXT NOT NULL, attributes TEXT NOT NULL
);
CREATE TABLE words (id INTEGER PRIMARY KEY AUTOINCREMENT, word TEXT NOT NULL UNIQUE, sound TEXT);
CREATE TABLE word_people (
    word INTEGER NOT NULL, person INTEGER NOT NULL, PRIMARY KEY (word, person)
) WITHOUT ROWID;
CREATE TABLE programs (id INTEGER PRIMARY KEY, program TEXT NOT NULL UNIQUE, folded TEXT NOT NULL);
CREATE TABLE terms (
    term TEXT NOT NULL, person INTEGER NOT NULL, PRIMARY KEY (term, person)
) WITHOUT ROWID;
CREATE TABLE positions (
    position TEXT NOT NULL, person INTEGER NOT NULL, PRIMARY KEY (position, person)
) WITHOUT ROWID;
"""
# Made when the people are in, which takes less time.
_INDEXES = """
CREATE INDEX people_uid ON people (uid);
CREATE INDEX people_by_uid ON people (by_uid, uid);
CREATE INDEX people_by_name ON people (by_name, uid);
CREATE INDEX people_by_program ON people (by_program, uid);
CREATE INDEX people_by_number ON people (by_number, uid);
CREATE INDEX people_program ON people (program);
CREATE INDEX words_sound ON words (sound) WHERE sound IS NOT NULL;
CREATE INDEX word_people_person ON word_people (person);
CREATE INDEX terms_person ON terms (person);
CREATE INDEX positions_person ON positions (person);
"""

#: people.kind
ACCOUNT, CLUB, DELETED = 0, 1, 2


def entry_of(attributes: str) -> Entry:
    """What is kept of an account.  Raises ValueError."""
    values = zip(ATTRIBUTES, json.loads(attributes), strict=True)
    return {name: of_name for name, of_name in values if of_name}


#: A contextCSN's server and its newest change.
Csns = dict[str, str]


def csns_in(values: Iterable[str]) -> Csns:
    """The newest change sequence number of each server: TIME#COUNT#SERVER#MOD."""
    newest: Csns = {}
    for value in values:
        parts = value.split("#")
        if len(parts) == 4:
            newest[parts[2]] = max(newest.get(parts[2], ""), value)
    return newest


def withdraw(folder: Path) -> None:
    """Let nobody read the current file any more.

    A directory that is changed while nobody follows it may still name the same newest change: when
    somebody took entries out with slapmodify, or took the overlay away.
    """
    with contextlib.suppress(OSError):
        (folder / CURRENT).unlink(missing_ok=True)


class Store:
    """A file that is being built or kept current.  Each method raises sqlite3.Error."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        self.folder = folder
        # What others left that were killed; the current one is read until this one is built.
        self._remove_all_but(os.readlink(folder / CURRENT) if (folder / CURRENT).exists() else "-")
        self.name = f"{uuid.uuid4()}.db"
        self._word_ids: dict[str, int] | None = {}
        self._program_ids: dict[str, int] = {}
        descriptor = os.open(folder / self.name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        os.close(descriptor)
        self._db = sqlite3.connect(folder / self.name, isolation_level=None)
        # After a power cut it is built anew, so nothing need reach the disk in any order.
        self._db.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -16000;"
        )
        self._db.executescript(_TABLES)
        self._db.execute("INSERT INTO state VALUES ('{}')")
        self._db.execute("BEGIN")

    def publish(self, csns: Csns) -> None:
        """The people are in: let everybody read it, and remove the files that were there before."""
        self._word_ids, self._program_ids = None, {}
        self._db.execute("UPDATE state SET csns = ?", (json.dumps(csns),))
        self._db.execute("COMMIT")
        self._db.executescript(_INDEXES)
        self._db.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA cache_size = -4000;"
            "PRAGMA journal_size_limit = 1000000; PRAGMA secure_delete = ON;"
        )
        link = self.folder / f"{self.name}.link"
        link.symlink_to(self.name)
        link.rename(self.folder / CURRENT)
        self._db.execute("BEGIN")
        self._remove_all_but(self.name)

    @property
    def is_current(self) -> bool:
        """Whether it is the file that is read."""
        with contextlib.suppress(OSError):
            has_file = (self.folder / self.name).exists()
            return has_file and os.readlink(self.folder / CURRENT) == self.name
        return False

    def _remove_all_but(self, name: str) -> None:
        for path in self.folder.iterdir():
            if path.name != CURRENT and not path.name.startswith(name):
                path.unlink(missing_ok=True)

    def commit(self, csns: Csns) -> None:
        """Let everybody see what was put and removed, up to these changes of the directory."""
        self._db.execute("UPDATE state SET csns = ?", (json.dumps(csns),))
        self._db.execute("COMMIT")
        self._db.execute("BEGIN")

    def close(self) -> None:
        """Give up what is not committed."""
        self._db.close()
        if not self.is_current:
            for path in self.folder.glob(f"{self.name}*"):
                path.unlink(missing_ok=True)

    def put(self, entry: str, person: Person) -> None:
        """An account as it is now; `entry` is its entryUUID."""
        key = uuid.UUID(entry).bytes
        self._remove(key)
        if not person.classes & LISTED:
            return
        kept = [person.attributes.get(name, []) for name in ATTRIBUTES]
        attributes = json.dumps(kept, ensure_ascii=False, separators=(",", ":"))
        if not person.uid or person.faults():
            row = (key, person.dn, person.uid, attributes)
            self._db.execute("INSERT OR REPLACE INTO broken VALUES (?, ?, ?, ?)", row)
            return
        number = self._put_person(key, person)
        self._db.execute("INSERT INTO entries VALUES (?, ?, ?)", (number, person.dn, attributes))
        self._put_lists(number, person)

    def _put_person(self, key: bytes, person: Person) -> int:
        last = person.last_term
        kind = DELETED if person.is_deleted else CLUB if person.is_club else ACCOUNT
        sorts = [sort_key(person, name) for name in ("uid", "cn", "program", "uidNumber")]
        cursor = self._db.execute(
            "INSERT INTO people VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                key,
                person.uid,
                *sorts,
                self._program_id(person.one("program")),
                kind,
                "member" in person.classes,
                None if last is None else last.year * 3 + last.season,
                person.expires,
            ),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def _put_lists(self, number: int, person: Person) -> None:
        attributes = person.attributes
        names = [name for field in ("cn", "sn", "givenName") for name in attributes.get(field, [])]
        found = {word for name in names for word in name_words(name)}
        terms = {
            term.lower() for name in ("term", "nonMemberTerm") for term in attributes.get(name, [])
        }
        positions = {position.casefold() for position in attributes.get("position", [])}
        for table, values in (
            ("word_people", {self._word_id(word) for word in found}),
            ("terms", terms),
            ("positions", positions),
        ):
            self._db.executemany(
                f"INSERT OR IGNORE INTO {table} VALUES (?, ?)",  # noqa: S608 - names from above
                [(value, number) for value in values],
            )

    def _program_id(self, program: str) -> int:
        if program not in self._program_ids:
            self._db.execute(
                "INSERT OR IGNORE INTO programs VALUES (NULL, ?, ?)", (program, fold(program))
            )
            (number,) = self._db.execute(
                "SELECT id FROM programs WHERE program = ?", (program,)
            ).fetchone()
            if self._word_ids is None:
                return int(number)
            self._program_ids[program] = number
        return self._program_ids[program]

    def _word_id(self, word: str) -> int:
        if self._word_ids is not None:
            if (known := self._word_ids.get(word)) is not None:
                return known
        elif row := self._db.execute("SELECT id FROM words WHERE word = ?", (word,)).fetchone():
            return int(row[0])
        cursor = self._db.execute(
            "INSERT INTO words VALUES (NULL, ?, ?)", (word, sound(word) or None)
        )
        assert cursor.lastrowid is not None
        if self._word_ids is not None:
            self._word_ids[word] = cursor.lastrowid
        return cursor.lastrowid

    def remove(self, entry: str) -> None:
        """No account any more."""
        self._remove(uuid.UUID(entry).bytes)

    def _remove(self, key: bytes) -> None:
        self._db.execute("DELETE FROM broken WHERE entry = ?", (key,))
        row = self._db.execute("SELECT id, program FROM people WHERE entry = ?", (key,)).fetchone()
        if row is None:
            return
        number, program = row
        words = self._db.execute(
            "SELECT word FROM word_people WHERE person = ?", (number,)
        ).fetchall()
        for table, column in (
            ("people", "id"),
            ("entries", "id"),
            ("word_people", "person"),
            ("terms", "person"),
            ("positions", "person"),
        ):
            self._db.execute(f"DELETE FROM {table} WHERE {column} = ?", (number,))  # noqa: S608 - ours
        if self._word_ids is not None:  # some of them are remembered, and go with the next file
            return
        # Words that nobody has any more: else names that changed would pile up.
        self._db.executemany(
            "DELETE FROM words WHERE id = ?1"
            " AND NOT EXISTS (SELECT 1 FROM word_people WHERE word = ?1)",
            words,
        )
        self._db.execute(
            "DELETE FROM programs WHERE id = ?1"
            " AND NOT EXISTS (SELECT 1 FROM people WHERE program = ?1)",
            (program,),
        )
