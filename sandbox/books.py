"""The books that a new sandbox's library has, and who has which; always the same ones, the days counted from today."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import psycopg2
from psycopg2.extras import execute_values

from sandbox import people

BOOKS = 300
_LENT, _OVERDUE = 40, 12
_CLASSICS = """\
The C Programming Language|Brian W. Kernighan; Dennis M. Ritchie|9780131103627|1988|2nd|Prentice Hall
The Art of Computer Programming, Volume 1: Fundamental Algorithms|Donald E. Knuth|9780201896831|1997|3rd|Addison-Wesley
The Art of Computer Programming, Volume 2: Seminumerical Algorithms|Donald E. Knuth|9780201896848|1997|3rd|Addison-Wesley
The Art of Computer Programming, Volume 3: Sorting and Searching|Donald E. Knuth|9780201896855|1998|2nd|Addison-Wesley
Concrete Mathematics|Ronald L. Graham; Donald E. Knuth; Oren Patashnik|9780201558029|1994|2nd|Addison-Wesley
Structure and Interpretation of Computer Programs|Harold Abelson; Gerald Jay Sussman; Julie Sussman|9780262510875|1996|2nd|MIT Press
Introduction to Algorithms|Thomas H. Cormen; Charles E. Leiserson; Ronald L. Rivest; Clifford Stein|9780262033848|2009|3rd|MIT Press
Compilers: Principles, Techniques, and Tools|Alfred V. Aho; Monica S. Lam; Ravi Sethi; Jeffrey D. Ullman|9780321486813|2006|2nd|Addison-Wesley
Design Patterns|Erich Gamma; Richard Helm; Ralph Johnson; John Vlissides|9780201633610|1994||Addison-Wesley
The Mythical Man-Month|Frederick P. Brooks Jr.|9780201835953|1995|Anniversary|Addison-Wesley
Modern Operating Systems|Andrew S. Tanenbaum; Herbert Bos|9780133591620|2014|4th|Pearson
Computer Networks|Andrew S. Tanenbaum; David J. Wetherall|9780132126953|2010|5th|Pearson
TCP/IP Illustrated, Volume 1|Kevin R. Fall; W. Richard Stevens|9780321336316|2011|2nd|Addison-Wesley
Advanced Programming in the UNIX Environment|W. Richard Stevens; Stephen A. Rago|9780321637734|2013|3rd|Addison-Wesley
The C++ Programming Language|Bjarne Stroustrup|9780321563842|2013|4th|Addison-Wesley
Programming Pearls|Jon Bentley|9780201657883|1999|2nd|Addison-Wesley
Code Complete|Steve McConnell|9780735619678|2004|2nd|Microsoft Press
The Pragmatic Programmer|Andrew Hunt; David Thomas|9780201616224|1999||Addison-Wesley
Gödel, Escher, Bach|Douglas R. Hofstadter|9780465026562|1999||Basic Books
Artificial Intelligence: A Modern Approach|Stuart Russell; Peter Norvig|9780136042594|2009|3rd|Prentice Hall
Hacker's Delight|Henry S. Warren Jr.|9780321842688|2012|2nd|Addison-Wesley
Types and Programming Languages|Benjamin C. Pierce|9780262162098|2002||MIT Press
Purely Functional Data Structures|Chris Okasaki|9780521663502|1999||Cambridge University Press
The Little Schemer|Daniel P. Friedman; Matthias Felleisen|9780262560993|1995|4th|MIT Press
The Unix Programming Environment|Brian W. Kernighan; Rob Pike|9780139376818|1984||Prentice Hall
The Practice of Programming|Brian W. Kernighan; Rob Pike|9780201615869|1999||Addison-Wesley
Expert C Programming|Peter van der Linden|9780131774292|1994||Prentice Hall"""
_KINDS = ("Introduction to {}", "Advanced {}", "{} in Practice", "The Theory of {}", "Lectures on {}", "{}: Problems and Solutions", "Éléments de {}")
_SUBJECTS = (
    "Automata", "Bayesian Networks", "Combinatorics", "Compiler Construction", "Computer Graphics", "Cryptography", "Databases",
    "Distributed Systems", "Formal Languages", "Functional Programming", "Game Theory", "Graph Algorithms", "Information Retrieval",
    "Linear Algebra", "Machine Learning", "Number Theory", "Numerical Analysis", "Operating Systems", "Optimization", "Parallel Computing",
    "Probability", "Queueing", "Real-Time Systems", "Robotics", "Signal Processing", "Software Testing", "Type Systems", "Virtual Machines",
)
_PUBLISHERS = ("Watercourse Press", "Éditions du Canal", "Grand River Books", "Verlag am Fluß")


@dataclass(frozen=True)
class Book:
    """One of the library's."""

    title: str
    authors: list[str]
    isbn13: str | None
    year: int
    edition: str | None
    publisher: str
    copies: int


def books() -> list[Book]:
    """All of them."""
    draw = random.Random(1967)
    found = []
    for line in _CLASSICS.splitlines():
        title, authors, number, printed, edition, publisher = line.split("|")
        found.append(Book(title, authors.split("; "), number, int(printed), edition or None, publisher, draw.choice((1, 2, 3))))
    writers = list(dict.fromkeys(f"{given} {family}" for _, _, given, family in people.generated_names()))
    titles = [kind.format(subject) for kind in _KINDS for subject in _SUBJECTS]
    for i in range(BOOKS - len(found)):
        volume = f", Volume {i // len(titles) + 1}" if i >= len(titles) else ""
        # Old books have no ISBN.
        year = draw.randint(1960, 2024)
        isbn13 = _isbn(f"978{draw.randrange(10**6):06d}{i:03d}") if year > 1970 else None
        found.append(Book(titles[i % len(titles)] + volume, draw.sample(writers, draw.choice((1, 1, 2, 3))), isbn13, year,
                          draw.choice((None, "2nd", "3rd")), draw.choice(_PUBLISHERS), draw.choice((1, 1, 1, 2))))
    return found


def _isbn(body: str) -> str:
    return body + str(-sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(body)) % 10)


def fill(host: str, user: str, database: str, today: date) -> None:
    """Put them into the library's tables, which are there and empty.  Raises psycopg2.Error."""
    connection = psycopg2.connect(host=host, user=user, dbname=database)
    with connection, connection.cursor() as cursor:
        _shelve(cursor, books())
        _lend(cursor, today)
    connection.close()


def _shelve(cursor: psycopg2.extensions.cursor, shelf: list[Book]) -> None:
    names = list(dict.fromkeys(name for book in shelf for name in book.authors))
    execute_values(cursor, "INSERT INTO authors (name) VALUES %s", [(name,) for name in names])
    execute_values(cursor, "INSERT INTO books (title, isbn13, year, edition, publisher, added_by, byline) VALUES %s",
                   [(book.title, book.isbn13, book.year, book.edition, book.publisher, "ctdalek", "; ".join(book.authors)) for book in shelf])
    cursor.execute("SELECT name, id FROM authors")
    ids = dict(cursor.fetchall())
    execute_values(cursor, "INSERT INTO book_authors (book, place, author) VALUES %s",
                   [(i, place, ids[name]) for i, book in enumerate(shelf, 1) for place, name in enumerate(book.authors, 1)])
    execute_values(cursor, "INSERT INTO copies (book, number) VALUES %s",
                   [(i, number) for i, book in enumerate(shelf, 1) for number in range(1, book.copies + 1)])


def _lend(cursor: psycopg2.extensions.cursor, today: date) -> None:
    """First copies, each to somebody else: `regular1` has a book that is not overdue."""
    draw = random.Random(1973)
    readers = ["regular1", *draw.sample([uid for uid, _, _, _ in people.generated_names()], _LENT - 1)]
    days = [*(draw.randint(8, 14) for _ in range(_LENT - _OVERDUE)), *(-draw.randint(1, 60) for _ in range(_OVERDUE))]
    rows = []
    for book, uid, left in zip(draw.sample(range(1, BOOKS + 1), _LENT), readers, days, strict=True):
        due = today + timedelta(days=left)
        lent = datetime(due.year, due.month, due.day, 18, tzinfo=UTC) - timedelta(days=14)
        rows.append((book, 1, uid, lent, "office1", due))
    execute_values(cursor, "INSERT INTO loans (book, copy, uid, lent_at, lent_by, due_on) VALUES %s", rows)
