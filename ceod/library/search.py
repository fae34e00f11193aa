"""Finding books: every word has to be in the title, in an author's name or in the ISBN, spelt about like that; the nearest first.

Each word is two questions, of the titles and of the names, that a trigram index answers each; who matches all the words is then ranked.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ceo_common.model import isbn
from ceo_common.model.library import Book
from ceod.library.books import show
from ceod.library.tables import authors, book_authors, books, plain

WORDS_LIMIT = 12
# How near a word has to come to a part of a text, from 0 to 1: "patern" and "patterns" are 0.56.
_NEAR = "0.45"
_PART = 3  # characters from which on a part of a word will do; fewer have no trigram
_ISBN_PART = 5
_RANKS = 10000  # ranks are whole numbers, which come back from a client as they were

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
    found = rows[0].found if rows else connection.execute(sa.select(sa.func.count()).select_from(_hits(question).subquery())).scalar_one()
    return Page(show(connection, [row.id for row in some]), found, last)


def set_threshold(connection: Connection) -> None:
    """How near is near, until the end of the database transaction."""
    connection.execute(sa.select(sa.func.set_config("pg_trgm.word_similarity_threshold", _NEAR, True)))


def statement(question: str, *, size: int, after: Key | None) -> sa.Select[tuple[int, str, int, int]]:
    """id, plain title, rank and how many there are of each on a page, and of one more where there is one."""
    hits = _hits(question).cte("hits")
    query = sa.select(hits, sa.select(sa.func.count()).select_from(hits).scalar_subquery().label("found")).order_by(
        -hits.c.rank, hits.c.title, hits.c.id)
    if after:
        key = sa.tuple_(-hits.c.rank, hits.c.title, hits.c.id)
        query = query.where(key > sa.tuple_(sa.literal(-after[0]), sa.literal(after[1]), sa.literal(after[2])))
    return query.limit(size + 1)


def words(question: str) -> list[str]:
    """The question's words, each once; what has neither letter nor digit is none, unless there is nothing else."""
    found = dict.fromkeys(unicodedata.normalize("NFKC", question).split())
    return [word for word in found if _has_letters(word)][:WORDS_LIMIT] or list(found)[:1]


def _hits(question: str) -> sa.Select[tuple[int, str, int]]:
    """id, plain title and rank of each that matches."""
    title = plain(books.c.title).label("title")
    if isbn.problem(question) is None:
        return sa.select(books.c.id, title, sa.literal(_RANKS).label("rank")).where(books.c.isbn13 == isbn.normal(question))
    asked = words(question)
    if not asked:
        return sa.select(books.c.id, title, sa.literal(0).label("rank"))
    names = (sa.select(sa.func.string_agg(plain(authors.c.name), " ")).select_from(book_authors.join(authors))
             .where(book_authors.c.book == books.c.id).scalar_subquery())
    # Materialized, so that each text is put together once and not once a word.
    found = sa.select(books.c.id, title, sa.func.concat_ws(" ", plain(books.c.title), names).label("text")).where(
        *(books.c.id.in_(_with(word)) for word in asked)).cte("found").prefix_with("MATERIALIZED")
    near = [sa.func.word_similarity(_plain(word), found.c.text) for word in asked]
    # The whole question against the whole title tells "Compilers" from "A book that mentions compilers".
    rank = sa.func.round((sum(near[1:], near[0]) / len(asked) + sa.func.similarity(_plain(question), found.c.title)) * _RANKS)
    return sa.select(found.c.id, found.c.title, sa.cast(rank, sa.Integer).label("rank"))


def _with(word: str) -> sa.CompoundSelect[tuple[int]]:
    """The books that a word is in."""
    by_title = sa.select(books.c.id).where(_fits(plain(books.c.title), word))
    by_name = sa.select(book_authors.c.book).join(authors).where(_fits(plain(authors.c.name), word))
    digits = isbn.stripped(word)
    if len(digits) >= _ISBN_PART and digits.isascii() and digits.isdigit():
        return sa.union(by_title, by_name, sa.select(books.c.id).where(books.c.isbn13.contains(digits)))
    return sa.union(by_title, by_name)


def _fits(text: sa.Function[str], word: str) -> sa.ColumnElement[bool]:
    near = text.bool_op("%>")(_plain(word))
    if len(word) < _PART and _has_letters(word):
        return near
    return sa.or_(near, text.like(_plain(sa.func.concat("%", _escaped(word), "%"))))


def _has_letters(word: str) -> bool:
    return any(c.isalnum() for c in word)


def _plain(text: str | sa.ColumnElement[str]) -> sa.Function[str]:
    return plain(sa.literal(text) if isinstance(text, str) else text)


def _escaped(word: str) -> str:
    """Where % and _ are only characters."""
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
