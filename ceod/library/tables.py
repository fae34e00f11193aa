"""The library's tables, as the newest of the migrations leaves them."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Column, Date, DateTime, ForeignKey, ForeignKeyConstraint, Identity, Index, Integer, MetaData, String, Table, Text

# The number of the newest migration: what this ceod can work with, nothing older and nothing newer.
REVISION = "0002"
VERSION_TABLE = "alembic_version"

metadata = MetaData()

books = Table(
    "books", metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("title", Text, nullable=False),
    Column("isbn13", String(13), sa.CheckConstraint("isbn13 ~ '^97[89][0-9]{10}$'", name="an_isbn"), unique=True),
    Column("year", Integer),
    Column("edition", Text),
    Column("publisher", Text),
    Column("added_at", DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    Column("added_by", Text, nullable=False),
    # The authors once more, so that a search looks in one text with one index.
    Column("byline", Text, nullable=False),
    Column("plain_title", Text, sa.Computed("left(plain(title), 200)", persisted=True)),
    Column("words", Text, sa.Computed("plain(title || ' ' || byline)", persisted=True)),
)

authors = Table(
    "authors", metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
)

book_authors = Table(
    "book_authors", metadata,
    Column("book", Integer, ForeignKey("books.id"), primary_key=True),
    Column("place", Integer, primary_key=True),  # the order on the title page, from 1
    Column("author", Integer, ForeignKey("authors.id"), nullable=False, index=True),
    sa.UniqueConstraint("book", "author"),
)

copies = Table(
    "copies", metadata,
    Column("book", Integer, ForeignKey("books.id"), primary_key=True),
    Column("number", Integer, sa.CheckConstraint("number >= 1", name="from_one"), primary_key=True),
)

loans = Table(
    "loans", metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("book", Integer, nullable=False),
    Column("copy", Integer, nullable=False),
    Column("uid", Text, nullable=False),
    Column("lent_at", DateTime(timezone=True), nullable=False),
    Column("lent_by", Text, nullable=False),
    Column("due_on", Date, nullable=False),
    Column("renewed", Integer, nullable=False, server_default="0"),
    Column("reminded_at", DateTime(timezone=True)),
    Column("returned_at", DateTime(timezone=True)),
    Column("returned_by", Text),
    ForeignKeyConstraint(["book", "copy"], ["copies.book", "copies.number"]),
    sa.CheckConstraint("(returned_at IS NULL) = (returned_by IS NULL)", name="returned_to_somebody"),
)

# One row for each loan, renewal and return, with what the loan was before it.
loan_changes = Table(
    "loan_changes", metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("loan", Integer, ForeignKey("loans.id"), nullable=False),
    Column("kind", Text, sa.CheckConstraint("kind IN ('lend', 'return', 'renew')", name="kind_of_change"), nullable=False),
    Column("changed_at", DateTime(timezone=True), nullable=False, server_default=sa.func.clock_timestamp()),
    Column("changed_by", Text, nullable=False),
    Column("due_before", Date),  # of a renewal
    Column("renewed_before", Integer),
    Column("undone_at", DateTime(timezone=True)),
)

is_out = loans.c.returned_at.is_(None)
is_done = loan_changes.c.undone_at.is_(None)

# Whatever ceod does: a copy is with one person at most, and nobody has two copies of a book.
Index("one_loan_a_copy", loans.c.book, loans.c.copy, unique=True, postgresql_where=is_out)
Index("one_copy_a_person", loans.c.uid, loans.c.book, unique=True, postgresql_where=is_out)
Index("changes_of_loan", loan_changes.c.loan, loan_changes.c.id, postgresql_where=is_done)
Index("changes_by_person", loan_changes.c.changed_by, loan_changes.c.changed_at)
Index("loans_by_day", loans.c.due_on, postgresql_where=is_out)


def plain(text: sa.ColumnElement[str]) -> sa.Function[str]:
    """Without accents and capitals: a function of the database's, which the columns that are searched are made by."""
    return sa.func.plain(text)


Index("books_in_order", books.c.plain_title, books.c.id)
# Without fastupdate: books are added rarely and looked for often, and a search would read what waits to be sorted in.
for name, column in (("books_by_words", books.c.words), ("books_by_isbn", books.c.isbn13)):
    Index(name, column, postgresql_using="gin", postgresql_ops={column.name: "gin_trgm_ops"}, postgresql_with={"fastupdate": "off"})
