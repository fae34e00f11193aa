"""Questions to the index: who fits what somebody typed, in which order, a page at a time or all."""

from __future__ import annotations

import contextlib
import json
import logging
import sqlite3
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from ceo_common import terms
from ceo_common.errors import BackendDown, Changed
from ceod.people_index import store
from ceod.people_index.folding import fold, name_words, words
from ceod.people_index.matching import match
from ceod.people_index.question_sql import (
    QuestionSql,
    Texts,
    best_in,
    best_key,
    may_have_errors,
)
from ceod.people_index.word_list import WordList
from ceod.services.directory import Directory
from ceod.services.entry import People, Person
from ceod.services.search import BEST, Key, Page, Question

log = logging.getLogger("ceod.people_index")

FEW = 20  # words with an error are looked for where fewer people than that fit
_CHUNK = 500  # entries that are read at once of a long list
_PATIENCE_S = 0.2
_LOOK_AGAIN_S = 0.005
# An account that changes gets another number: several questions in a row need one state of the file.
_SNAPSHOT = "BEGIN"


class Unusable(Exception):
    """The index can't answer now: the directory has to.  `state` is "behind" or "away"."""

    def __init__(self, state: str) -> None:
        super().__init__(state)
        self.state = state


class PeopleIndex:
    """The current file as a worker reads it."""

    def __init__(self, folder: Path, time_zone: str) -> None:
        self.folder = folder
        self.time_zone = time_zone
        self._open = threading.local()
        self._words = WordList("words", "word")
        self._uids = WordList("people", "uid")

    def catch_up(self, directory: Directory) -> None:
        """Wait a moment until the index has each change that the directory has now.

        Raises Unusable, BackendDown.
        """
        until = time.monotonic() + _PATIENCE_S
        while True:
            ours = self.csns()
            theirs = store.csns_in(directory.context_csns())
            while ours != theirs and time.monotonic() < until:
                # Ours is newer where something changed since we asked, or the directory was put back.
                if any(ours.get(server, "") > csn for server, csn in theirs.items()):
                    break
                time.sleep(_LOOK_AGAIN_S)
                ours = self.csns()
            if ours == theirs and ours:
                return
            if time.monotonic() >= until:
                raise Unusable("behind")
            time.sleep(_LOOK_AGAIN_S)

    def csns(self) -> store.Csns:
        """The newest changes that are in it.  Raises Unusable."""
        with self._reading() as database:
            ((csns,),) = database.execute("SELECT csns FROM state")
            return dict(json.loads(csns))

    def page(
        self,
        question: Question,
        inside: set[str] | None,
        *,
        sort: str,
        size: int,
        after: Key | None,
        now: datetime,
    ) -> Page:
        """Whoever fits behind `after`; `inside` are those in the group.  Raises Unusable, Changed."""
        if sort == BEST and after is not None:
            _check_best(after[0])
        with self._reading() as database:
            sql, found = self._asked(database, question, inside, now)
            statement = sql.page(sort, size, after, found=found)
            rows = database.execute(statement, sql.values).fetchall()
            people = self._people(database, [row[0] for row in rows[:size]])
            last = None
            if len(rows) > size:
                _, *key, uid = rows[size - 1]
                last = (best_key(tuple(key)) if sort == BEST else key[0], uid)
            return Page(People(people, self._broken(database, question, inside)), found, last)

    def every(
        self, question: Question, inside: set[str] | None, *, now: datetime
    ) -> Iterator[People]:
        """All that fit, some at a time and in no order.

        Raises Unusable before the first ones, BackendDown after them.
        """
        with contextlib.ExitStack() as stack:
            with self._reading():
                # A list is read slowly, and perhaps by several threads, one after the other.
                database = _connect(self.folder / self._open.name)
                stack.enter_context(contextlib.closing(database))
                database.execute(_SNAPSHOT)  # whoever changes meanwhile is still listed
                sql, _ = self._asked(database, question, inside, now)
                ids = [number for (number,) in database.execute(sql.ids(), sql.values)]
                broken = self._broken(database, question, inside)
            yield People((), broken)
            for start in range(0, len(ids), _CHUNK):
                try:
                    people = self._people(database, ids[start : start + _CHUNK])
                except (sqlite3.Error, ValueError):
                    raise BackendDown(
                        "the people index was damaged in the middle of this list: ask again",
                        backend="people index",
                    ) from None
                yield People(people)

    def members_like(self, uid: str, cn: str) -> People:
        """The members with this username, or with a word that is near one of this name.

        Raises Unusable.
        """
        with self._reading() as database:
            sql = QuestionSql(self._texts(database), True, {})
            statement = sql.members_like(uid, words(cn))
            found = [number for (number,) in database.execute(statement, sql.values)]
            broken = [
                person
                for person in self._broken(database, Question(), None)
                if "member" in person.classes and (person.uid == uid or _name_fits(person, cn))
            ]
            return People(self._people(database, found), broken)

    def _asked(
        self,
        database: sqlite3.Connection,
        question: Question,
        inside: set[str] | None,
        now: datetime,
    ) -> tuple[QuestionSql, int]:
        """The question in SQL and how many fit.

        Words with an error count where few fit without, and nobody wholly.
        """
        texts, term = self._texts(database), terms.current(self.time_zone, now)
        for errors in (False, True):
            sql = QuestionSql.of(
                question, inside, texts, errors=errors, now_s=now.timestamp(), term=term
            )
            ((found, best),) = database.execute(sql.summary(), sql.values)
            if found >= FEW or best == 0 or not may_have_errors(question):
                break
        return sql, found

    def _texts(self, database: sqlite3.Connection) -> Texts:
        name = self._open.name
        return Texts(self._words.read(database, name), self._uids.read(database, name))

    def _people(self, database: sqlite3.Connection, ids: list[int]) -> list[Person]:
        """Accounts by their numbers here, in this order, as far as they are there."""
        rows = database.execute(
            "SELECT entries.id, dn, uid, attributes FROM json_each(?) AS wanted"
            " JOIN entries ON entries.id = wanted.value JOIN people ON people.id = entries.id",
            (json.dumps(ids),),
        )
        found = {
            number: Person(dn, uid, store.entry_of(attributes))
            for number, dn, uid, attributes in rows
        }
        return [found[number] for number in ids if number in found]

    def _broken(
        self, database: sqlite3.Connection, question: Question, inside: set[str] | None
    ) -> list[Person]:
        """The broken entries that fit, as far as one can tell."""
        rows = database.execute("SELECT dn, uid, attributes FROM broken")
        people = [Person(dn, uid, store.entry_of(attributes)) for dn, uid, attributes in rows]
        return [
            person
            for person in people
            if _broken_fits(person, question) and (inside is None or person.uid in inside)
        ]

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """This thread's connection to the current file, as it is at one moment.  Raises Unusable."""
        name = None
        try:
            name = (self.folder / store.CURRENT).readlink().name
            if getattr(self._open, "name", None) != name:
                self._open.name = None
                self._open.database = _connect(self.folder / name)
                self._open.name = name
            database: sqlite3.Connection = self._open.database
            database.execute(_SNAPSHOT)
            try:
                yield database
            finally:
                database.rollback()
        except (OSError, sqlite3.Error, ValueError) as error:
            self._open.name, self._open.database = None, None
            if not isinstance(error, OSError) and name is not None:
                self._look_at(name, error)
            raise Unusable("away") from None

    def _look_at(self, name: str, error: Exception) -> None:
        """Throw a damaged file away: without the link to it the feed builds another."""
        log.error("the people index can't be read", extra={"file": name, "error": str(error)})
        with contextlib.suppress(OSError):
            if is_whole(self.folder / name):
                return
            link = self.folder / store.CURRENT
            if link.readlink().name == name:
                link.unlink()


def is_whole(path: Path) -> bool:
    """Whether SQLite finds nothing wrong with a file."""
    try:
        with contextlib.closing(_connect(path)) as database:
            ((answer,),) = database.execute("PRAGMA quick_check(1)")
            database.execute("SELECT csns FROM state").fetchall()
            return bool(answer == "ok")
    except sqlite3.Error:
        return False


def _connect(path: Path) -> sqlite3.Connection:
    # Not mode=ro: the first to open it after a crash has to put its write-ahead log in order.
    database = sqlite3.connect(
        f"file:{path}?mode=rw", uri=True, isolation_level=None, check_same_thread=False
    )
    database.execute("PRAGMA query_only = ON")
    return database


def _check_best(key: str) -> None:
    """Raises Changed: the page before came from the directory, which sorts the best otherwise."""
    try:
        best_in(key)
    except ValueError:
        raise Changed("the people index came or went since the page before: search again") from None


def _broken_fits(person: Person, question: Question) -> bool:
    """Whether a broken entry is one that the question would find."""
    values = person.attributes
    uids = [uid.lower() for uid in values.get("uid", [])]
    held = [term for name in ("term", "nonMemberTerm") for term in values.get(name, [])]
    programs = [fold(program) for program in values.get("program", [])]
    positions = [position.casefold() for position in values.get("position", [])]
    uid, name, text, program = question.uid, question.name, question.text, question.program
    return (
        (uid is None or any(uid.lower() in value for value in uids))
        and (name is None or _name_fits(person, name))
        and (text is None or _name_fits(person, text) or text.lower() in uids)
        and (question.term is None or question.term in held)
        and (program is None or any(fold(program) in value for value in programs))
        and (question.position is None or question.position.casefold() in positions)
    )


def _name_fits(person: Person, name: str) -> bool:
    have = [word for cn in person.attributes.get("cn", []) for word in name_words(cn)]
    typed = words(name)
    return bool(typed) and all(any(match(one, word) is not None for word in have) for one in typed)
