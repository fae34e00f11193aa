"""The audit log's chain: whatever is changed shows, and what is erased does not."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ceod.transaction import audit, tables
from ceod.transaction.journal import Journal

T = tables.audit
Json = dict[str, Any]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """A journal whose audit log has four rows."""
    made = Journal(tmp_path / "state")
    for name in ("one", "two", "three", "four"):
        made.write(partial(audit.add, who="me", remote="192.0.2.1", what=name, subject="you"))
    yield made
    made.close()


def _breaks_at(journal: Journal) -> int | None:
    with journal.reading() as connection:
        return audit.breaks_at(connection)


def _stored(journal: Journal, number: int) -> Json:
    with journal.reading() as connection:
        query = T.select().where(T.c.n == number)
        row: Json = connection.execute(query).one().row
        return row


def _store(journal: Journal, number: int, row: Any) -> None:
    journal.write(lambda c: c.execute(T.update().where(T.c.n == number).values(row=row)))


def test_the_chain_shows_a_changed_and_a_missing_row(journal: Journal) -> None:
    assert _breaks_at(journal) is None
    with journal.reading() as connection:
        number, head = audit.head(connection)
    assert number == 4
    assert len(head) == 64
    row = _stored(journal, 2)
    _store(journal, 2, row | {"who": "nobody"})
    assert _breaks_at(journal) == 2
    _store(journal, 2, row)
    assert _breaks_at(journal) is None
    journal.write(lambda c: c.execute(T.delete().where(T.c.n == 3)))
    assert _breaks_at(journal) == 4


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths to everything inside a JSON value."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield (*path, name)
            yield from _places(inner, (*path, name))


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.just({}), st.just([])
)


def _is_erasing(before: Json, after: Json) -> bool:
    """Whether all that differs are fields that went with their salts."""
    erased = {name for name, seal in after.get("seals", {}).items() if "salt" not in seal}
    wanted = copy.deepcopy(before)
    for name in erased:
        wanted["seals"][name].pop("salt")
        wanted.pop(name)
    return bool(wanted == after)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_every_change_of_every_field_of_every_row_shows(
    journal: Journal, data: st.DataObject
) -> None:
    number = data.draw(st.integers(1, 4))
    original = _stored(journal, number)
    row = copy.deepcopy(original)
    *parents, last = data.draw(st.sampled_from(list(_places(row))))
    place = row
    for name in parents:
        place = place[name]
    how = data.draw(st.sampled_from(["change", "remove", "add", "swap"]))
    if how == "remove":
        del place[last]
    elif how == "add":
        place[data.draw(st.text(min_size=1, max_size=4))] = data.draw(VALUES)
    elif how == "swap":
        place[last] = data.draw(st.sampled_from(list(place.values())))
    else:
        place[last] = data.draw(VALUES)
    if audit.canonical(row) == audit.canonical(original):
        return
    _store(journal, number, row)
    try:
        assert _breaks_at(journal) == number, row
    finally:
        _store(journal, number, original)


@pytest.mark.parametrize("first", [1, 2, 3])
def test_rows_that_changed_places_show(journal: Journal, first: int) -> None:
    rows = {number: _stored(journal, number) for number in (first, first + 1)}
    _store(journal, first, rows[first + 1])
    _store(journal, first + 1, rows[first])
    assert _breaks_at(journal) == first


@pytest.mark.parametrize(
    "row",
    [
        None,
        [],
        "row",
        {"seals": []},
        {"seals": {"who": "digest"}},
        {"seals": {"who": {"digest": 1}}},
    ],
)
def test_what_is_no_row_shows(journal: Journal, row: Any) -> None:
    _store(journal, 3, row)
    assert _breaks_at(journal) == 3


NO_TEXTS = {
    "no JSON": b'{"n":3',
    "no UTF-8": b'{"n":\xff3}',
    "deep": b"[" * 100_000,
    "empty": b"",
    "a number": b"3",
}


@pytest.mark.parametrize("column", ["row", "hash"])
@pytest.mark.parametrize("how", NO_TEXTS)
def test_a_text_that_can_not_be_read_breaks_the_chain_there(
    journal: Journal, column: str, how: str
) -> None:
    """And hides no other row, from nobody."""
    content = sa.cast(sa.cast(NO_TEXTS[how], sa.LargeBinary), sa.Text)
    journal.write(lambda c: c.execute(T.update().where(T.c.n == 3).values({column: content})))
    assert _breaks_at(journal) == 3
    with journal.reading() as connection:
        assert audit.check(connection, after=3).breaks_at == (None if column == "row" else 4)
        everything = audit.rows(connection, who=None, limit=9, before=99)
        mine = audit.rows(connection, who="me", limit=9, before=99)
    assert [row["n"] for row in everything] == [4, 3, 2, 1]
    assert [row["n"] for row in mine] == ([4, 2, 1] if column == "row" else [4, 3, 2, 1])
    if column == "row":
        assert everything[1] == {"n": 3}


@pytest.mark.parametrize("names", [("who",), ("subject", "remote"), ("who", "remote", "subject")])
def test_personal_fields_are_erased_and_the_chain_holds(
    journal: Journal, tmp_path: Path, names: tuple[str, ...]
) -> None:
    journal.write(
        partial(audit.add, who="somebody", remote="198.51.100.7", what="five", subject="friend")
    )
    journal.write(partial(audit.add, who="me", remote="", what="six"))
    before = _stored(journal, 5)
    journal.write(partial(audit.erase, number=5, names=names))
    journal.write(partial(audit.erase, number=5, names=names))  # again does nothing
    assert _breaks_at(journal) is None
    with journal.reading() as connection:
        stretch = audit.check(connection)
        (row,) = audit.rows(connection, who=None, limit=1, before=6)
        mine = audit.rows(connection, who="somebody", limit=9, before=99)
    assert (stretch.rows, stretch.erased, stretch.is_end) == (6, 1, True)
    assert {name: row[name] for name in names} == dict.fromkeys(names)
    assert len(mine) == ("who" not in names)
    for name in names:
        text = str(_stored(journal, 5))
        assert str(before[name]) not in text
        assert before["seals"][name]["salt"] not in text
        # Nobody can put anything in its place: neither another value, nor the right one with another salt.
        for value in (before[name], "another"):
            row = _stored(journal, 5)
            _store(journal, 5, row | {name: value})
            assert _breaks_at(journal) == 5
            seals = row["seals"] | {name: row["seals"][name] | {"salt": "00" * audit.SALT_BYTES}}
            _store(journal, 5, row | {name: value, "seals": seals})
            assert _breaks_at(journal) == 5
            _store(journal, 5, row)


def test_what_is_not_sealed_is_not_erased(journal: Journal) -> None:
    with pytest.raises(KeyError):
        journal.write(partial(audit.erase, number=2, names=["what"]))
    assert _breaks_at(journal) is None


def test_two_equal_values_have_two_digests(journal: Journal) -> None:
    one, two = (_stored(journal, number)["seals"]["who"] for number in (1, 2))
    assert one["digest"] != two["digest"]


def test_rows_of_before_that_have_no_seals_hold(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "old")
    before = ""
    for number in (1, 2):
        row = {"n": number, "at": 1.5, "who": "me", "remote": "", "what": "old"}
        before = audit.chain_hash(before, row)
        values = {"n": number, "row": row, "hash": before}
        journal.write(lambda c, v=values: c.execute(T.insert(), v))  # type: ignore[misc]
    journal.write(partial(audit.add, who="me", remote="", what="new"))
    assert _breaks_at(journal) is None
    with journal.reading() as connection:
        shown = audit.rows(connection, who="me", limit=9, before=99)
    assert [row["what"] for row in shown] == ["new", "old", "old"]
    assert all("seals" not in row for row in shown)
    _store(journal, 2, {"n": 2, "at": 1.5, "who": "you", "remote": "", "what": "old"})
    assert _breaks_at(journal) == 2
    journal.close()


def test_a_long_chain_is_checked_in_stretches(journal: Journal) -> None:
    def stretches() -> list[audit.Stretch]:
        result: list[audit.Stretch] = []
        after = 0
        while not result or not result[-1].is_end:
            with journal.reading() as connection:
                result.append(audit.check(connection, after=after, limit=3))
            after = result[-1].last
        return result

    first, second = stretches()
    assert (first.rows, second.rows, second.breaks_at) == (3, 1, None)
    assert (first.last, first.last_hash) == (second.after, second.after_hash)
    journal.write(lambda c: c.execute(T.delete().where(T.c.n == 4)))
    assert [stretch.rows for stretch in stretches()] == [3, 0]
    with journal.reading() as connection:
        assert audit.check(connection, after=4).breaks_at == 4  # the tail was cut off
