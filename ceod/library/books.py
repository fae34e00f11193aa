"""Books and their copies: adding them, and how they are shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from ceo_common.errors import Exists, Invalid, NotFound
from ceo_common.model.library import COPIES_LIMIT, Book, NewBook
from ceod.library.tables import authors, book_authors, books, copies, is_out, loans

_ADDING = 1  # PostgreSQL's advisory lock of this database for adding many books


def show(connection: Connection, numbers: Iterable[int]) -> list[Book]:
    """Those books, in the order of their numbers as given; one that is not there is left out."""
    wanted = list(numbers)
    names = (sa.select(sa.func.array_agg(sa.dialects.postgresql.aggregate_order_by(authors.c.name, book_authors.c.place)))
             .select_from(book_authors.join(authors)).where(book_authors.c.book == books.c.id).scalar_subquery())
    there = sa.select(sa.func.count()).select_from(copies).where(copies.c.book == books.c.id).scalar_subquery()
    out = sa.select(sa.func.count()).select_from(loans).where(loans.c.book == books.c.id, is_out).scalar_subquery()
    due = sa.select(sa.func.min(loans.c.due_on)).where(loans.c.book == books.c.id, is_out).scalar_subquery()
    rows = connection.execute(sa.select(books, names.label("names"), there.label("there"), out.label("out"), due.label("due"))
                              .where(books.c.id.in_(wanted)))
    found = {row.id: Book(
        book=row.id, title=row.title, authors=row.names or [], isbn=row.isbn13, year=row.year, edition=row.edition, publisher=row.publisher,
        copies=row.there, copies_in=row.there - row.out, due_back=row.due.isoformat() if row.there == row.out else None) for row in rows}
    return [found[number] for number in wanted if number in found]


def get(connection: Connection, number: int) -> Book:
    """One book.  Raises NotFound."""
    found = show(connection, [number])
    if not found:
        raise NotFound(f"there is no book {number}")
    return found[0]


def lock(connection: Connection, number: int) -> Book:
    """The book, which nobody else lends, takes back or counts until the end of the database transaction.  Raises NotFound."""
    connection.execute(sa.select(books.c.id).where(books.c.id == number).with_for_update(key_share=True))
    # Read after the lock, so that it tells what the one before us did.
    return get(connection, number)


def add(connection: Connection, new: NewBook, by: str) -> Book:
    """The new book.  Raises Exists."""
    if new.isbn13 is None:
        connection.execute(_wait_for_others())
        for _, number in _same_title(connection, [new]):
            raise Exists(
                f"the library has a book of this title by these authors already, as book {number}: add a"
                " copy of it instead; another edition is added with ceo library import --doubles add",
                book=number,
            )
    if new.isbn13 and (held := _held(connection, [new.isbn13])):
        number, title = held[new.isbn13]
        raise Exists(f"the library has this ISBN already, as book {number}, \"{title}\": add a copy of it instead", book=number)
    return get(connection, _insert(connection, [new], by)[0])


def add_all(
    connection: Connection, new: Sequence[NewBook], by: str, *, again: bool = False
) -> list[int]:
    """The numbers of the new books.  Raises Invalid with a problem for each row that can't be added; then none is."""
    connection.execute(_wait_for_others())
    if problems := row_problems(connection, new, again=again):
        raise Invalid(f"{len(problems)} of {len(new)} books can't be added, and so none was", problems=problems)
    return _insert(connection, new, by)


def _wait_for_others() -> sa.Select[Any]:
    """One after the other: a run of an import that was killed may be at work.

    No index keeps a book without an ISBN from being added twice.
    """
    return sa.select(sa.func.pg_advisory_xact_lock(_ADDING))


def row_problems(
    connection: Connection, new: Sequence[NewBook], *, again: bool = False
) -> list[dict[str, str]]:
    """What keeps which rows from being added.

    `book` is the number of the same book in the library, `row` the first row of the same book.
    With `again` a book without an ISBN may have the title and the authors of another.
    """
    held = _held(connection, [book.isbn13 for book in new if book.isbn13])
    problems = [
        _double(i, "isbn", held[book.isbn13][0]) for i, book in enumerate(new) if book.isbn13 in held
    ]
    if again:
        return problems
    in_library = dict(_same_title(connection, new))
    problems += [_double(i, "title", number) for i, number in in_library.items()]
    return problems + [
        {
            "field": f"books.{i}.title",
            "message": f"row {first} has this title by these authors too",
            "row": str(first),
        }
        for i, first in _same_title_among(connection, new)
        if i not in in_library
    ]


def _double(i: int, field: str, number: int) -> dict[str, str]:
    known = "it" if field == "isbn" else "a book of this title by these authors"
    message = f"the library has {known} already, as book {number}: add a copy of it instead"
    return {"field": f"books.{i}.{field}", "message": message, "book": str(number)}


_SAME_TITLE = sa.text("""
    SELECT asked.i, min(books.id) AS book
    FROM unnest(CAST(:rows AS integer[]), CAST(:titles AS text[]), CAST(:bylines AS text[]))
        AS asked (i, title, byline)
    JOIN books ON books.plain_title = left(plain(asked.title), 200)
        AND plain(books.title) = plain(asked.title) AND plain(books.byline) = plain(asked.byline)
    GROUP BY asked.i ORDER BY asked.i
""")


_SAME_TITLE_AMONG = sa.text("""
    SELECT i, first FROM (
        SELECT i, min(i) OVER (PARTITION BY plain(title), plain(byline)) AS first
        FROM unnest(CAST(:rows AS integer[]), CAST(:titles AS text[]), CAST(:bylines AS text[]))
            AS asked (i, title, byline)
    ) AS firsts
    WHERE i <> first ORDER BY i
""")


def _same_title(connection: Connection, new: Sequence[NewBook]) -> list[tuple[int, int]]:
    """Rows without an ISBN whose title and authors the library has, each with that book's number."""
    return [(row.i, row.book) for row in connection.execute(_SAME_TITLE, _without_isbn(new))]


def _same_title_among(connection: Connection, new: Sequence[NewBook]) -> list[tuple[int, int]]:
    """Rows without an ISBN whose title and authors a row before has, each with the first such row."""
    return [(row.i, row.first) for row in connection.execute(_SAME_TITLE_AMONG, _without_isbn(new))]


def _without_isbn(new: Sequence[NewBook]) -> dict[str, list[Any]]:
    rows = [i for i, book in enumerate(new) if book.isbn13 is None]
    return {
        "rows": rows,
        "titles": [new[i].title for i in rows],
        "bylines": ["; ".join(new[i].authors) for i in rows],
    }


def add_copies(connection: Connection, number: int, count: int) -> Book:
    """The book with more copies.  Raises NotFound, Invalid."""
    lock(connection, number)
    last = connection.execute(sa.select(sa.func.max(copies.c.number)).where(copies.c.book == number)).scalar_one() or 0
    if last + count > COPIES_LIMIT:
        raise Invalid(f"a book has {COPIES_LIMIT} copies at most, and of this one there are {last}",
                      problems=[{"field": "copies", "message": f"at most {COPIES_LIMIT - last} more"}])
    connection.execute(copies.insert(), [{"book": number, "number": last + i} for i in range(1, count + 1)])
    return get(connection, number)


def _held(connection: Connection, isbns: list[str]) -> dict[str, tuple[int, str]]:
    rows = connection.execute(sa.select(books.c.isbn13, books.c.id, books.c.title).where(books.c.isbn13.in_(isbns)))
    return {row.isbn13: (row.id, row.title) for row in rows}


def _insert(connection: Connection, new: Sequence[NewBook], by: str) -> list[int]:
    """The new numbers, in the order of `new`."""
    ids = _author_ids(connection, {name for book in new for name in book.authors})
    rows = [{"title": book.title, "isbn13": book.isbn13, "year": book.year, "edition": book.edition, "publisher": book.publisher, "added_by": by,
             "byline": "; ".join(book.authors)} for book in new]
    numbers = list(connection.execute(books.insert().returning(books.c.id, sort_by_parameter_order=True), rows).scalars())
    both = list(zip(numbers, new, strict=True))
    connection.execute(book_authors.insert(), [
        {"book": number, "place": place, "author": ids[name]} for number, book in both for place, name in enumerate(book.authors, 1)])
    connection.execute(copies.insert(), [{"book": number, "number": i} for number, book in both for i in range(1, book.copies + 1)])
    return numbers


def _author_ids(connection: Connection, names: set[str]) -> dict[str, int]:
    """Their numbers; those who are new are stored."""
    # In one order, so that two who add the same authors at once wait for each other in one direction.
    connection.execute(insert(authors).on_conflict_do_nothing(), [{"name": name} for name in sorted(names)])
    rows = connection.execute(sa.select(authors.c.name, authors.c.id).where(authors.c.name.in_(names)))
    return {row.name: row.id for row in rows}
