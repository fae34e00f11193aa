"""Fifty thousand books past ceod, and what PostgreSQL says of a search: python -m tests.bench.shelf fill|measure, on the library's host.

measure reads [question, repeats] from its input and answers with JSON.
"""

from __future__ import annotations

import json
import random
import sys
from itertools import product
from statistics import median
from typing import Any

import psycopg2
import sqlalchemy as sa
from psycopg2.extras import execute_values

from ceo_common.config import load_daemon
from ceod.library import search
from sandbox import people
from tests.bench.table import seconds

SIZE = 50_000
PAGE = 50
_FORMS = ("Introduction to {}", "Advanced {}", "{} in Practice", "The Theory of {}", "Lectures on {}", "A History of {}", "{} for Engineers")
_SYLLABLES = ("ba", "cor", "del", "fan", "gri", "hol", "jun", "kel", "lom", "mar", "nes", "pol", "qua", "ris", "sto", "tev", "urb", "vin", "wex", "zan")

# The floor: a scan of the same index for the same words, and nothing but the ids.
_BARE = "SELECT id FROM books WHERE {}"


def books(draw: random.Random) -> list[tuple[str, str]]:
    """Titles of some words each, and an author: two thousand different words, as a shelf of one trade has."""
    words = ["".join(parts).capitalize() for parts in product(_SYLLABLES, repeat=3)]
    draw.shuffle(words)
    words = words[:2000]
    writers = [f"{given} {family}" for given in people.GIVEN for family in people.FAMILY]
    return [(draw.choice(_FORMS).format(f"{draw.choice(words)} {draw.choice(words)} {draw.choice(words)}") + f", Volume {i % 9 + 1}",
             draw.choice(writers)) for i in range(SIZE)]


def fill(connection: Any) -> None:
    """Put them in; the planner then knows how many there are."""
    shelf = books(random.Random(50000))
    with connection, connection.cursor() as cursor:
        execute_values(cursor, "INSERT INTO authors (name) VALUES %s ON CONFLICT DO NOTHING", sorted({(name,) for _, name in shelf}), page_size=5000)
        cursor.execute("SELECT name, id FROM authors")
        ids = dict(cursor.fetchall())
        numbers = execute_values(cursor, "INSERT INTO books (title, added_by, byline) VALUES %s RETURNING id", [(title, "ctdalek", name) for title, name in shelf],
                                 page_size=5000, fetch=True)
        rows = [(number, 1, ids[name]) for (number,), (_, name) in zip(numbers, shelf, strict=True)]
        execute_values(cursor, "INSERT INTO book_authors (book, place, author) VALUES %s", rows, page_size=5000)
        execute_values(cursor, "INSERT INTO copies (book, number) VALUES %s", [(number, 1) for (number,) in numbers], page_size=5000)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def measure(connection: Any, question: str, repeats: int) -> dict[str, Any]:
    """How long the floor takes, how long PostgreSQL itself says that it works on ceod's statement, and by which way."""
    words = search.words(question)
    bare = _BARE.format(" AND ".join(["words %%> plain(%s)"] * len(words) or ["true LIMIT 50"]))
    engine = sa.create_engine("postgresql+psycopg2://", creator=lambda: connection, poolclass=sa.pool.StaticPool)
    compiled = search.statement(question, size=PAGE, after=None).compile(engine, compile_kwargs={"literal_binds": True})
    with engine.connect() as ours, connection.cursor() as cursor:
        search.set_threshold(ours)

        def floor() -> None:
            cursor.execute(bare, words)
            cursor.fetchall()

        def told() -> Any:
            cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {str(compiled).replace('%%', '%')}")
            return cursor.fetchone()[0][0]

        plans = [told() for _ in range(repeats)]
        floors = [seconds(floor) for _ in range(repeats)]
    return {"floor": median(floors), "server": median(plan["Execution Time"] for plan in plans) / 1000, "plan": lines(plans[-1]["Plan"])}


def lines(node: dict[str, Any], depth: int = 0) -> list[str]:
    """The plan, a line a node."""
    where = node.get("Index Name") or node.get("Relation Name") or node.get("CTE Name") or ""
    own = f"{'  ' * depth}{node['Node Type']}{f' {where}' if where else ''}: {node.get('Actual Rows', 0)} rows"
    return [own, *(line for child in node.get("Plans", []) for line in lines(child, depth + 1))]


def main() -> None:
    settings = load_daemon().postgresql
    assert settings
    connection = psycopg2.connect(host=settings.host, user=settings.user, password=settings.password or None, dbname="library")
    if sys.argv[1] == "fill":
        fill(connection)
    else:
        print(json.dumps(measure(connection, *json.load(sys.stdin))))


if __name__ == "__main__":
    main()
