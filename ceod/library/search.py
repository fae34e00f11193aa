"""Finding books: every word has to be in the title, in an author's name or in the ISBN, spelt about like that; the nearest first.

Title and names are one text, in which a trigram index finds each word; who has all the words is then ranked.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ceo_common.model import isbn
from ceo_common.model.library import Book
from ceod.library.books import show
from ceod.library.tables import books, plain

WORDS_LIMIT = 12
# How near a word has to come to a part of a text, from 0 to 1: "patern" and "patterns" are 0.56.
_NEAR = "0.45"
_PART = 3  # characters from which on a part of a word will do; fewer have no trigram
_ISBN_PART = 5
_WHOLE_WORD = 2.0  # as much as all that trigrams say
_PUNCTUATION = ",;:!?()[]{}/\"'"
_RANKS = 10000  # ranks are whole numbers, which come back from a client as they were

_TITLE = books.c.plain_title.label("title")

Key = tuple[int, str, int]  # the rank, the plain title, the number


@dataclass(frozen=True)
class Page:
    """`last` is the key of the last one, None when none comes after."""

    books: list[Book]
    found: int
    last: Key | None


def page(connection: Connection, question: str, *, size: int, after: Key | None) -> Page:
    """The books behind `after`, the nearest first; every book, by title, where nothing is asked."""
    set_threshold(connection)
    rows = connection.execute(statement(question, size=size, after=after)).all()
    some = rows[:size]
    last = (some[-1].rank, some[-1].title, some[-1].id) if len(rows) > size else None
    return Page(show(connection, [row.id for row in some]), rows[0].found if rows else _count(connection, question), last)


def _count(connection: Connection, question: str) -> int:
    """How many there are, where none is left for a page behind the last."""
    hits = _hits(question)
    return connection.execute(sa.select(sa.func.count()).select_from(books if hits is None else hits.subquery())).scalar_one()


def set_threshold(connection: Connection) -> None:
    """How near is near, until the end of the database transaction."""
    connection.execute(sa.select(sa.func.set_config("pg_trgm.word_similarity_threshold", _NEAR, True)))


def statement(question: str, *, size: int, after: Key | None) -> sa.Select[tuple[int, str, int, int]]:
    """id, plain title, rank and how many there are of each on a page, and of one more where there is one."""
    hits = _hits(question)
    if hits is None:
        everything = sa.select(sa.func.count()).select_from(books).scalar_subquery()
        query = sa.select(books.c.id, _TITLE, sa.literal(0).label("rank"), everything.label("found")).order_by(books.c.plain_title, books.c.id)
        return (query.where(sa.tuple_(books.c.plain_title, books.c.id) > sa.tuple_(*after[1:])) if after else query).limit(size + 1)
    found = hits.cte("hits")
    how_many = sa.select(sa.func.count()).select_from(found).scalar_subquery()
    query = sa.select(found, how_many.label("found")).order_by(-found.c.rank, found.c.title, found.c.id)
    if after:
        key = sa.tuple_(-found.c.rank, found.c.title, found.c.id)
        query = query.where(key > sa.tuple_(sa.literal(-after[0]), sa.literal(after[1]), sa.literal(after[2])))
    return query.limit(size + 1)


def words(question: str) -> list[str]:
    """The question's words, each once; what has neither letter nor digit is none, unless there is nothing else."""
    found = dict.fromkeys(unicodedata.normalize("NFKC", question).split())
    return [word for word in found if _has_letters(word)][:WORDS_LIMIT] or list(found)[:1]


def _hits(question: str) -> sa.Select[tuple[int, str, int]] | None:
    """id, plain title and rank of each that matches; None where nothing is asked."""
    if isbn.problem(question) is None:
        return sa.select(books.c.id, _TITLE, sa.literal(_RANKS).label("rank")).where(books.c.isbn13 == isbn.normal(question))
    asked = words(question)
    if not asked:
        return None
    near = [sa.func.word_similarity(_plain(word), books.c.words) for word in asked]
    # The whole question against the whole title tells "Compilers" from "A book that mentions compilers".
    score = sum(near[1:], near[0]) / len(asked) + sa.func.similarity(_plain(question), books.c.plain_title)
    for word in filter(_has_no_trigrams_of_its_own, asked):
        score += sa.case((_is_a_word_of_the_title(word), _WHOLE_WORD), else_=0.0)
    rank = sa.func.round(score * _RANKS)
    return sa.select(books.c.id, _TITLE, sa.cast(rank, sa.Integer).label("rank")).where(*(_with(word) for word in asked))


def _with(word: str) -> sa.ColumnElement[bool]:
    """Whether a book has a word, spelt about like that."""
    ways: list[sa.ColumnElement[bool]] = [books.c.words.bool_op("%>")(_plain(word))]
    if len(word) >= _PART or not _has_letters(word):
        ways.append(books.c.words.like(_plain(sa.func.concat("%", _escaped(word), "%"))))
    digits = isbn.stripped(word)
    if len(digits) >= _ISBN_PART and digits.isascii() and digits.isdigit():
        ways.append(books.c.isbn13.contains(digits))
    return sa.or_(*ways)


def _has_no_trigrams_of_its_own(word: str) -> bool:
    """Whether trigrams can't tell a word from others: they know letters and digits alone, so that C, C++ and C# are one."""
    return len(word) < _PART or not word.isalnum()


def _is_a_word_of_the_title(word: str) -> sa.ColumnElement[bool]:
    """Whether a word stands between blanks or punctuation in the title, as it is."""
    title = sa.func.translate(books.c.plain_title, _PUNCTUATION, " " * len(_PUNCTUATION))
    title = sa.func.replace(sa.func.concat(" ", title, " "), ". ", " ")  # the end of a sentence, but .NET
    return sa.func.strpos(title, sa.func.concat(" ", _plain(word), " ")) > 0


def _has_letters(word: str) -> bool:
    return any(c.isalnum() for c in word)


def _plain(text: str | sa.ColumnElement[str]) -> sa.Function[str]:
    return plain(sa.literal(text) if isinstance(text, str) else text)


def _escaped(word: str) -> str:
    """Where % and _ are only characters."""
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
