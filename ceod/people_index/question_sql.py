"""A question to the index in SQL: matching.match() on the index's tables, and the order of a page.

No value is ever part of a statement: each has a name in it.
"""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

from ceo_common.terms import Term
from ceod.people_index import word_list
from ceod.people_index.folding import fold, words
from ceod.people_index.matching import (
    NEAR,
    Match,
    can_have_error,
    is_looked_for_inside,
    sound,
)
from ceod.services.search import BEST, Key, Question

#: What the pages of a list are sorted by, before the username.
COLUMNS = {"uid": "by_uid", "name": "by_name", "program": "by_program", "uid_number": "by_number"}
#: Begins what the best are sorted by here: the directory sorts them otherwise.
FROM_INDEX = "i"
_BEST_KEY = re.compile(f"{FROM_INDEX}([01])([01])([012])([0-9]{{3}})(.*)", re.DOTALL)
_TYPED = "typed"  # the name of the value of all that was typed
_WORDS = 8  # of a question; whatever somebody pastes, the longest ones say enough
_MANY = 1000  # people that are not sorted to find a page of them
_LAST = "\U0010ffff"  # behind every word with this beginning
_STANDING = """CASE WHEN kind = 2 THEN 2 WHEN expires * 86400 <= :now THEN 1
    WHEN kind = 1 OR until >= :term THEN 0 ELSE 1 END"""
_STATES = {
    "deleted": "kind = 2",
    "expired": "kind <> 2 AND expires * 86400 <= :now",
    "lapsed": "kind = 0 AND coalesce(until, 0) < :term",
    "club": "kind = 1",
}


@dataclass
class Texts:
    """What is looked through in memory: see word_list."""

    words: bytes
    uids: bytes


def _as_words(parts: list[str]) -> list[str]:
    """The words that say most, each once: SQLite joins a limited number of tables."""
    return sorted(dict.fromkeys(parts), key=len, reverse=True)[:_WORDS]


def may_have_errors(question: Question) -> bool:
    """Whether words are looked for that differ in one letter, where few people fit."""
    return any(map(can_have_error, words(f"{question.name or ''} {question.text or ''}")))


@dataclass
class QuestionSql:
    """One question: tables of who fits each word, and conditions on the rest."""

    texts: Texts
    errors: bool  # whether words with one error count
    values: dict[str, Any]
    _tables: list[str] = field(default_factory=list)
    _fits: list[str] = field(default_factory=list)  # the tables (person, fit) of each word
    _conditions: list[str] = field(default_factory=list)
    #: Tables that have to hold the person, each with a condition on its rows.
    _lists: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        question: Question,
        inside: set[str] | None,
        texts: Texts,
        *,
        errors: bool,
        now_s: float,
        term: Term,
    ) -> QuestionSql:
        """A question; `inside` are the members of its group."""
        whole = fold(question.text or question.name or "")
        values = {"now": now_s, "term": term.year * 3 + term.season, _TYPED: whole}
        sql = cls(texts, errors, values)
        sql._add_conditions(question, inside)
        if question.name is not None:
            typed = words(question.name)
            if not typed:
                sql._conditions.append("0")
            sql._fits += [sql._people_with_word(word) for word in _as_words(typed)]
        if question.text is not None:
            tokens = _as_words(question.text.split())
            if not tokens:
                sql._conditions.append("0")
            sql._fits += [sql._people_with_token(token) for token in tokens]
        return sql

    @property
    def is_plain(self) -> bool:
        """Whether people are found by conditions alone, and not by words."""
        return not self._fits

    def summary(self) -> str:
        """How many fit, and how well the best of them does: 0 is each word whole."""
        if len(self._fits) == 1 and not self._conditions and not self._lists:
            return self._with_tables(f"SELECT count(*), min(fit) FROM {self._fits[0]}")
        return self._select(f"count(*), min({self._cost})")

    def ids(self) -> str:
        """The statement for the numbers of all who fit, in no order."""
        return self._select("people.id")

    def page(self, sort: str, size: int, after: Key | None, *, found: int) -> str:
        """The rows (number, what they are sorted by, username) of a page, and one more behind it."""
        sorts = self._best if sort == BEST else [COLUMNS[sort], "uid"]
        # Many fit: a walk along the index finds the page sooner than sorting all of them.
        is_walk = self.is_plain and sort != BEST and found > max(_MANY, 20 * size)
        behind = ""
        if after is not None:
            last = (*best_in(after[0]), after[1]) if sort == BEST else after
            behind = f"({', '.join(sorts)}) > ({', '.join(map(self._value, last))})"
        return self._select(
            f"people.id, {', '.join(sorts)}",
            along=f"people_{COLUMNS[sort]}" if is_walk else "",
            behind=behind,
            end=f"ORDER BY {', '.join(str(2 + i) for i in range(len(sorts)))} LIMIT {size + 1}",
        )

    def members_like(self, uid: str, name: list[str]) -> str:
        """The members (id) with this username, or with any word that fits one of these."""
        tables = [self._people_with_word(word) for word in _as_words(name)]
        ids = [f"SELECT id FROM people WHERE uid = {self._value(uid)}"]
        ids += [f"SELECT person FROM {table}" for table in tables]
        members = f"SELECT id FROM people WHERE is_member AND id IN ({' UNION '.join(ids)})"
        return self._with_tables(members)

    def _people_with_word(self, word: str) -> str:
        """The name of a table (person, fit) of those with a word in their name that fits."""
        return self._table(
            f"SELECT person, min(fit) AS fit FROM ({self._word_fits(word)})"
            " JOIN word_people USING (word) GROUP BY person"
        )

    def _with_tables(self, select: str) -> str:
        """A statement that reads tables which were named."""
        return f"WITH {', '.join(self._tables)} {select}" if self._tables else select

    def _value(self, value: Any) -> str:
        """The name of one more value."""
        name = f"v{len(self.values)}"
        self.values[name] = value
        return f":{name}"

    def _table(self, select: str) -> str:
        name = f"t{len(self._tables)}"
        self._tables.append(f"{name} AS ({select})")
        return name

    def _select(self, columns: str, *, along: str = "", behind: str = "", end: str = "") -> str:
        """Of the few whose words fit, or of all people in the order of an index `along`."""
        source = f"people INDEXED BY {along}" if along else "people"
        if self._fits:
            first, *others = self._fits
            joins = "".join(f" JOIN {name} USING (person)" for name in others)
            source = f"{first}{joins} CROSS JOIN people ON people.id = person"
        conditions = [*self._conditions, *([behind] if behind else [])]
        for table, condition in self._lists:
            rows = f"SELECT person FROM {table} WHERE {condition}"
            in_list = f"EXISTS ({rows} AND person = people.id)" if along else ""
            conditions.append(in_list or f"people.id IN ({rows})")
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return self._with_tables(f"SELECT {columns} FROM {source}{where} {end}")

    @property
    def _cost(self) -> str:
        """How well the words fit together, 0 the best."""
        return " + ".join([*(f"{name}.fit" for name in self._fits), "0"])

    @property
    def _best(self) -> list[str]:
        """What sorts the best first.

        Exactly this username; what was typed before what is near; standing; how well; the name.
        """
        worst = f"max({', '.join([*(f'{name}.fit' for name in self._fits), '0', '0'])})"
        is_near = f"{worst} >= {NEAR:d}"
        return [f"uid <> :{_TYPED}", is_near, _STANDING, self._cost, "by_name", "uid"]

    def _add_conditions(self, question: Question, inside: set[str] | None) -> None:
        if inside is not None:
            names = self._value(json.dumps(sorted(inside)))
            self._conditions.append(f"uid IN (SELECT value FROM json_each({names}))")
        if question.uid is not None:
            part = question.uid.lower()
            numbers = word_list.containing(self.texts.uids, part)
            value = self._value(json.dumps(numbers))
            self._conditions.append(f"people.id IN (SELECT value FROM json_each({value}))")
        if question.term is not None:
            self._lists.append(("terms", f"term = {self._value(question.term)}"))
        if question.position is not None:
            position = self._value(question.position.casefold())
            self._lists.append(("positions", f"position = {position}"))
        if question.program is not None:
            part = self._value(fold(question.program))
            self._conditions.append(
                f"program IN (SELECT id FROM programs WHERE {part} <> '' AND instr(folded, {part}))"
            )

    def _people_with_token(self, token: str) -> str:
        """The name of a table (person, fit) of those of whom anything fits a word of a text."""
        rows = self._beside(fold(token))
        if typed := _as_words(words(token)):
            first, *others = (self._people_with_word(word) for word in typed)
            fit = f"max({', '.join([*(f'{name}.fit' for name in (first, *others)), '0'])})"
            joins = "".join(f" JOIN {name} USING (person)" for name in others)
            rows.append(f"SELECT person, {fit} AS fit FROM {first}{joins}")
        every_row = " UNION ALL ".join(rows)
        return self._table(f"SELECT person, min(fit) AS fit FROM ({every_row}) GROUP BY person")

    def _word_fits(self, word: str) -> str:
        """The words (word, fit) that fit what was typed."""
        typed, end = self._value(word), self._value(word + _LAST)
        rows = [
            f"SELECT id AS word, word <> {typed} AS fit FROM words"
            f" WHERE word >= {typed} AND word < {end}"
        ]
        if is_looked_for_inside(word):
            rows.append(self._listed(Match.INSIDE, word_list.inside(self.texts.words, word)))
        if code := sound(word):
            rows.append(f"SELECT id, {Match.SOUND:d} FROM words WHERE sound = {self._value(code)}")
        if self.errors and can_have_error(word):
            rows.append(self._listed(Match.ERROR, word_list.with_one_error(self.texts.words, word)))
        return " UNION ALL ".join(rows)

    def _listed(self, fit: Match, numbers: list[int]) -> str:
        return f"SELECT value, {fit:d} FROM json_each({self._value(json.dumps(numbers))})"

    def _beside(self, token: str) -> list[str]:
        """Who (person, fit) has it in something else than the name."""
        typed, end = self._value(token), self._value(token + _LAST)
        beside = f"SELECT id AS person, {Match.BESIDE:d} AS fit FROM people WHERE"
        rows = [
            f"SELECT id AS person, uid <> {typed} AS fit FROM people"
            f" WHERE uid >= {typed} AND uid < {end}"
        ]
        if is_looked_for_inside(token):
            rows.append(self._listed(Match.INSIDE, word_list.inside(self.texts.uids, token)))
            rows.append(
                f"{beside} program IN (SELECT id FROM programs"
                f" WHERE instr(' ' || folded, ' ' || {typed}))"
            )
        if token.isascii() and token.isdigit():
            rows.append(f"{beside} by_number = {self._value(token.zfill(10))}")
        with contextlib.suppress(ValueError):
            Term.parse(token)
            rows.append(f"SELECT person, {Match.BESIDE:d} FROM terms WHERE term = {typed}")
        if token in _STATES:
            rows.append(f"{beside} {_STATES[token]}")
        if self.errors and can_have_error(token):
            rows.append(self._listed(Match.ERROR, word_list.with_one_error(self.texts.uids, token)))
        return rows


_Best = tuple[int, int, int, int, str]


def best_key(best: _Best) -> str:
    """What the best are sorted by, as a page's `next` has it."""
    other, is_near, standing, cost, name = best
    return f"{FROM_INDEX}{other}{is_near}{standing}{cost:03}{name}"


def best_in(key: str) -> _Best:
    """The parts of best_key().  Raises ValueError."""
    if (parts := _BEST_KEY.fullmatch(key)) is None:
        raise ValueError("not a key of the index")
    other, is_near, standing, cost, name = parts.groups()
    return int(other), int(is_near), int(standing), int(cost), name
