from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceo_common.terms import Term, consecutive, current, in_order

TERMS = st.builds(Term, st.integers(1000, 9000), st.integers(0, 2))


@given(TERMS, st.integers(-300, 300))
def test_adding_and_subtracting_agree(term: Term, count: int) -> None:
    assert (term + count) - term == count
    assert (term + count > term) == (count > 0)


@given(TERMS)
def test_text_and_back(term: Term) -> None:
    assert Term.parse(str(term)) == term


@pytest.mark.parametrize("text", ["", "f", "2021", "F2021", "f2021\n", "f20211", " f2021", "x2021", "f２０２１", "f0000", "f-021"])
def test_what_is_no_term(text: str) -> None:
    with pytest.raises(ValueError, match="not a term"):
        Term.parse(text)


@pytest.mark.parametrize(("day", "term"), [("2021-01-01", "w2021"), ("2021-04-30", "w2021"), ("2021-05-01", "s2021"), ("2021-08-31", "s2021"),
                                           ("2021-09-01", "f2021"), ("2021-12-31", "f2021")])
def test_the_term_of_a_day(day: str, term: str) -> None:
    assert str(Term.of(date.fromisoformat(day))) == term


def test_a_term_ends_at_its_last_local_midnight() -> None:
    last = datetime(2021, 9, 1, 3, 59, 59, tzinfo=UTC)  # 23:59:59 on 31 August in Toronto
    assert str(current("America/Toronto", last)) == "s2021"
    assert str(current("America/Toronto", last.replace(hour=4, minute=0, second=0))) == "f2021"


def test_consecutive_terms_cross_the_year() -> None:
    assert consecutive(Term.parse("s2026"), 3) == ["s2026", "f2026", "w2027"]


def test_order_is_by_time_and_keeps_what_is_no_term() -> None:
    assert in_order(["w2022", "odd", "f2021", "s2021"]) == ["s2021", "f2021", "w2022", "odd"]
