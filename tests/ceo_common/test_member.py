from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceo_common.errors import Invalid
from ceo_common.model.group import NewClub
from ceo_common.model.member import parse_new_member
from ceo_common.model.wire import parse

NOW = datetime(2026, 11, 22, tzinfo=UTC)
GOOD: dict[str, Any] = {"uid": "test_1", "cn": "Test One", "program": "Math", "terms": ["f2026"]}


def _problems(**change: Any) -> set[str]:
    with pytest.raises(Invalid) as caught:
        parse_new_member({name: value for name, value in (GOOD | change).items() if value is not ...}, "America/Toronto", NOW)
    return {problem["field"] for problem in caught.value.problems}


def test_the_least_that_is_needed() -> None:
    member, warnings = parse_new_member(GOOD, "America/Toronto", NOW)
    assert (member.uid, member.all_terms, warnings) == ("test_1", ["f2026"], [])


def test_past_terms_are_warned_of() -> None:
    assert parse_new_member(GOOD | {"terms": ["s2021"]}, "America/Toronto", NOW)[1] == ["past terms: s2021"]


def test_names_are_stored_composed() -> None:
    typed = {"cn": "Zoe\u0308\u00a0A\u030angstro\u0308m", "given_name": "Zoe\u0308", "program": "E\u0301tudes"}
    member, _ = parse_new_member(GOOD | typed, "America/Toronto", NOW)
    assert (member.cn, member.given_name, member.program) == ("Zoë Ångström", "Zoë", "Études")
    assert parse(NewClub, {"uid": "tclub", "cn": "Cafe\u0301"}).cn == "Café"


def test_each_rule() -> None:
    assert _problems(uid="-x") == {"uid"}
    assert _problems(uid=1) == {"uid"}
    assert _problems(uid=...) == {"uid"}
    assert _problems(terms=...) == {"terms"}
    assert _problems(terms=[]) == {"terms"}
    assert _problems(terms=["f2026", "f2026"]) == {"terms"}
    assert _problems(terms=["w2032"]) == {"terms"}
    assert _problems(non_member_terms=["f2026"]) == {"terms"}
    assert _problems(extra=1) == {"extra"}
    assert _problems(forwarding_addresses=["ok@example.org", "|x"]) == {"forwarding_addresses.1"}
    assert _problems(sn="a\x00b") == {"sn"}


def test_every_problem_at_once() -> None:
    assert _problems(uid="-x", cn=..., program="", terms=["x"], extra=1) == {"uid", "cn", "program", "terms", "extra"}


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12))
def test_any_json_is_a_member_or_invalid(body: Any) -> None:
    try:
        parse_new_member(body, "America/Toronto", NOW)
    except Invalid as error:
        assert error.problems


@given(st.fixed_dictionaries({}, optional={name: st.text() | st.integers() | st.lists(st.text()) for name in
                                           ("uid", "cn", "program", "terms", "non_member_terms", "sn", "given_name", "forwarding_addresses")}))
def test_any_values_are_a_member_or_invalid(body: dict[str, Any]) -> None:
    try:
        parse_new_member(body, "America/Toronto", NOW)
    except Invalid as error:
        assert error.problems
