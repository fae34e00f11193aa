"""The people index among fifty thousand people of many scripts: a key of a search, any page, its size and its time, beside an indexed look-up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from ceod.people_index import store
from sandbox import people
from sandbox.club import host_place
from tests.bench.table import by_turns, row, shown
from tests.club.club import ADMIN, Club, until
from tests.club.generated import crowd
from tests.club.report import LINES

SIZE, REPEATS = 50_000, 15
FOLDER = host_place(ADMIN) / "ceod" / store.FOLDER
TYPED = ("chloe dub", "jurgen mul", "soren wi", "dubios", "李明", "nguyen")
PAGES: list[tuple[str, dict[str, str]]] = [
    ("nobody in particular", {}),
    ("a term", {"term": "f2026"}),
    ("a term, by name", {"term": "f2026", "sort": "name"}),
    ("a program", {"program": "math"}),
    ("part of a username", {"uid": "hop"}),
    ("a name and a term", {"name": "hopper", "term": "f2026"}),
    ("a program, as text", {"text": "math"}),
    ("a term, as text", {"text": "f2026"}),
    ("one letter", {"text": "a"}),
]


@pytest.fixture(scope="module")
def many(club: Club) -> Iterator[Club]:
    """The club with fifty thousand people more."""
    ldif = "".join(
        people.account(
            f"p{one.uid}",  # the crowd of the other benches has names of the same kind
            200_000 + number,
            one.one("cn"),
            sn=one.one("cn"),
            given=one.one("cn"),
            program=one.one("program"),
            term=one.attributes["term"],
        )
        for number, one in enumerate(crowd(SIZE))
    )
    club.service(ADMIN, "stop", "ceod")
    club.service(ADMIN, "stop", "slapd")
    done = club.run_as("root", "slapadd", "-q", "-f", "/etc/ldap/slapd.conf", text=ldif, host=ADMIN)
    assert done.returncode == 0, done.stderr[-1000:]
    club.service(ADMIN, "start", "slapd")
    club.service(ADMIN, "start", "ceod")
    until(lambda: club.curl("regular1", "/whoami")[0] == 200, 120, "ceod is up")
    until(lambda: _answers(club), 300, "an index")
    yield club


def _answers(club: Club) -> bool:
    return club.client("regular1").members(uid="regular1")["index"] is None


def _file() -> Path:
    return (FOLDER / store.CURRENT).resolve()


def test_building_it_from_nothing(many: Club) -> None:
    for path in FOLDER.iterdir():
        path.unlink()
    began = time.perf_counter()
    assert many.client("regular1").members(uid="regular1")["index"] == "away"
    until(lambda: _answers(many), 300, "another index")
    took = time.perf_counter() - began
    (feed,) = [
        path.parent
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if b"people_index.feed" in path.read_bytes()
    ]
    memory = [
        line.split()[1]
        for line in (feed / "status").read_text().splitlines()
        if line.startswith("VmRSS")
    ]
    LINES.append(
        f"people index: built in {shown(took)}, {_file().stat().st_size / 1e6:.0f} MB, its process {int(memory[0]) / 1024:.0f} MiB"
    )


@pytest.mark.parametrize("typed", TYPED)
def test_each_key_of_a_search(many: Club, typed: str) -> None:
    client = many.client("regular1")
    keys = [typed[: end + 1] for end in range(1, len(typed))]
    acts = [partial(client.members, text=key, size=50) for key in keys]
    *ours, floor, nothing = by_turns(
        REPEATS // 3, *acts, partial(client.member, "regular1"), client.whoami
    )
    slowest = max(ours)
    row(
        f"keys of {typed!r}, the slowest",
        slowest,
        floor,
        f"{keys[ours.index(slowest)]!r}; whoami {shown(nothing)}; floor, one account",
    )
    _once_more(many, slowest, floor)


@pytest.mark.parametrize(
    ("name", "query"), PAGES, ids=[name.replace(" ", "_") for name, _ in PAGES]
)
def test_a_page_of_a_search(many: Club, name: str, query: dict[str, Any]) -> None:
    client = many.client("regular1")
    first = client.members(size=50, **query)
    after = {"after": first["next"]} if first["next"] else {}
    ours, later, floor = by_turns(
        REPEATS // 3,
        partial(client.members, size=50, **query),
        partial(client.members, size=50, **query, **after),
        partial(client.member, "regular1"),
    )
    row(
        f"page by {name}, {first['found']} found",
        max(ours, later),
        floor,
        "the first and the second page, the slower; floor, one account",
    )
    _once_more(many, max(ours, later), floor)


def _once_more(club: Club, ours: float, floor: float) -> None:
    """The index answered all the time."""
    assert _answers(club)
    assert ours and floor


def test_everybody_as_a_list(many: Club) -> None:
    client = many.client("regular1")
    began = time.perf_counter()
    count = sum(1 for _ in chain(client.all_members()))
    LINES.append(f"people index: a list of {count} in {shown(time.perf_counter() - began)}")
