"""The library's search among fifty thousand books beside a bare index scan, and the way that PostgreSQL takes."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest

from tests.bench.shelf import PAGE, SIZE
from tests.bench.table import by_turns, row, shown
from tests.club.club import CHECKOUT, PYTHON, Club
from tests.club.report import LINES

REPEATS = 15
TABLES = ("books", "authors", "book_authors")

# What is asked, and between how many it has to find.
QUESTIONS = [
    ("a part of a title", "barstov", 1, 2000),
    ("three words", "introduction volume corjun", 1, 2000),
    ("a word misspelt", "Grihulmar", 1, 3000),
    ("a word of one in seven", "lectures", 5000, 9000),
    ("an author and a part of a title", "hopper kelpol", 1, 2000),
]


@pytest.fixture(scope="module")
def shelf(club: Club) -> Club:
    """The club, with the books in its library."""
    _on_coffee(club, "fill")
    return club


def _on_coffee(club: Club, what: str, *told: Any) -> Any:
    done = club.run_as("root", "env", "-C", str(CHECKOUT), str(PYTHON), "-m", "tests.bench.shelf", what, text=json.dumps(told), host="coffee")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout or "null")


@pytest.mark.parametrize(("name", "question", "least", "most"), QUESTIONS, ids=[name.replace(" ", "_") for name, *_ in QUESTIONS])
def test_a_page_of_books(shelf: Club, name: str, question: str, least: int, most: int) -> None:
    client = shelf.client("regular1")
    assert client.books(size=1)["found"] > SIZE
    answer = client.books(q=question, size=PAGE)
    assert least <= answer["found"] <= most and len(answer["books"]) == min(PAGE, answer["found"])
    ours, nothing = by_turns(REPEATS, partial(client.books, q=question, size=PAGE), client.whoami)
    told = _on_coffee(shelf, "measure", question, REPEATS)
    row(f"books by {name}, {answer['found']} found", ours, told["floor"],
        f"less whoami {shown(ours - nothing)}; PostgreSQL's own time for it {shown(told['server'])}; bare, the ids by the same index")
    LINES.extend(f"      {line}" for line in told["plan"])
    assert any("books_by_words" in line for line in told["plan"])
    # Ranking costs what it costs; reading more than the index names would cost a multiple.
    assert told["server"] <= 5 * told["floor"] + 0.005, told
    assert not any(f"Seq Scan {table}:" in line for line in told["plan"] for table in TABLES), told["plan"]
