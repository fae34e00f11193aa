"""Who is lapsed, due and reminded, at the moments where that changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceo_common.terms import Term, current
from ceod.operations import lapsed, remind_members
from ceod.services.entry import Person

ZONE = "America/Toronto"


def _person(*terms: str, rep: tuple[str, ...] = (), expires: str = "") -> Person:
    return Person(
        "uid=x",
        "x",
        {
            "uid": ["x"],
            "term": list(terms),
            "nonMemberTerm": list(rep),
            "shadowExpire": [expires] if expires else [],
        },
    )


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(("term", "end", "grace"), [
    ("f2026", "2027-01-01T05:00", "2027-02-01T05:00"), ("w2026", "2026-05-01T04:00", "2026-06-01T04:00"),
    ("s2026", "2026-09-01T04:00", "2026-10-01T04:00"),
])
def test_a_term_ends_at_its_last_local_midnight_and_grace_is_one_month(term: str, end: str, grace: str) -> None:
    assert lapsed.ends_at(Term.parse(term), ZONE) == _at(end)
    assert lapsed.grace_ends_at(Term.parse(term), ZONE) == _at(grace)
    person, second = _person(term), timedelta(seconds=1)
    assert not lapsed.is_over(person, ZONE, _at(end) - second) and lapsed.is_over(person, ZONE, _at(end))
    assert not lapsed.is_due(person, ZONE, _at(grace) - second) and lapsed.is_due(person, ZONE, _at(grace))


def test_who_is_registered_for_a_future_term_is_never_due() -> None:
    """In the programs before, they were mailed as expired."""
    for person in (_person("w2015", "w2028"), _person("w2028"), _person("w2015", rep=("w2028",)), _person(rep=("w2015", "w2028"))):
        assert not lapsed.is_over(person, ZONE, _at("2026-11-22")) and not lapsed.is_due(person, ZONE, _at("2026-11-22"))


def test_a_term_at_the_end_of_time_never_ends() -> None:
    """Somebody writes f9999 to mean for ever; nobody else's expiry may stumble over it."""
    for person in (_person("f9999"), _person("w9998", "f9999")):
        assert not lapsed.is_over(person, ZONE, _at("2030-01-01")) and not lapsed.is_due(person, ZONE, _at("2030-01-01"))


def test_an_expiry_that_is_no_day_is_none() -> None:
    for day in ("0", "-1"):
        person = _person("w2015", expires=day)
        assert lapsed.is_due(person, ZONE, _at("2030-01-01")) and not person.is_expired(2e9)


def test_who_has_no_terms_or_is_expired_is_not_due() -> None:
    now = _at("2030-01-01")
    assert not lapsed.is_due(_person(), ZONE, now) and not lapsed.is_over(_person(), ZONE, now)
    assert not lapsed.is_due(_person("w2015", expires="20000"), ZONE, now)
    assert lapsed.is_due(_person("not-a-term", "w2015"), ZONE, now)


@given(st.lists(st.builds(Term, st.integers(2000, 2060), st.integers(0, 2)), min_size=1), st.datetimes(
    min_value=datetime(2001, 1, 1), max_value=datetime(2059, 1, 1)))
def test_due_is_over_and_over_is_not_current(terms: list[Term], moment: datetime) -> None:
    person, now = _person(*map(str, terms)), moment.replace(tzinfo=UTC)
    if lapsed.is_due(person, ZONE, now):
        assert lapsed.is_over(person, ZONE, now)
    if lapsed.is_over(person, ZONE, now):
        assert max(terms) < current(ZONE, now)


@pytest.mark.parametrize(("one", "other"), [
    ("Zoë Ångström", "zoe angstrom"), ("Jane Doe", "Doe Jane"), ("Françoise", "FRANCOISE"), ("Łukasz Żak", "Łukasz Zak"),
])
def test_names_that_are_one(one: str, other: str) -> None:
    assert lapsed.likeness(one, other) == 1.0


def test_names_that_are_near_and_not() -> None:
    assert lapsed.likeness("Jon Smith", "John Smith") > 0.9
    assert lapsed.likeness("Jane Doe", "Wolfgang Schmidhuber") < 0.5


def test_a_day_has_room_for_so_many_mails() -> None:
    now = 1_000_000.0
    sent: list[tuple[float, dict[str, Any]]] = [(now - 90_000, {"accounts": [{}] * 50}), (now - 86_000, {"accounts": [{}] * 120}), (now - 10, {"accounts": [{}] * 30})]
    assert [remind_members.room(sent, now, a_day) for a_day in (200, 150, 100)] == [50, 0, 0]
    assert remind_members.room([], now, 200) == 200


def test_who_is_left_out_takes_nobodys_place() -> None:
    due = [Person(f"uid={uid}", uid, {"uid": [uid]}) for uid in ("a", "b", "c", "d", "e")]
    held = {"account:a": "busy", "account:c": "busy", "account:e": "busy", "group:b": "busy"}
    chosen, left_out = lapsed.choose(due, held, 2)
    assert [person.uid for person in chosen] == ["b", "d"]
    assert left_out == {"a": "busy", "c": "busy"}, "e was not reached"
