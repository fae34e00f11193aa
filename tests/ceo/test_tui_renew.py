"""Renewing in the menu: nobody pays twice, or stops paying, by the usual keys without being told."""

from __future__ import annotations

from typing import Any

import pytest

from ceo.tui.screen import SETTLE_S, Screen
from ceo.tui.screens.doing import Doing
from ceo.tui.screens.person import Person
from ceo.tui.screens.renew import Renew
from ceo.tui.screens.review import Review
from ceo_common.terms import Term, current
from tests.ceo.menu_bench import Bench, bench, text_of

__all__ = ["bench"]

NOW: Term = current("America/Toronto")
MEMBER: dict[str, Any] = {
    "uid": "jdoe", "cn": "Jane Doe", "program": "", "uid_number": 1, "home_directory": "/users/jdoe",
    "login_shell": "/bin/bash", "forwarding_addresses": [], "groups": [], "positions": [],
    "terms": [], "non_member_terms": [], "is_club": False, "expired": False, "deleted": False,
}  # fmt: skip


def _shown(bench: Bench) -> str:
    return " ".join(text_of(bench.app.stack[-1]).split())


@pytest.mark.parametrize(
    ("held", "kind"), [("terms", "a member"), ("non_member_terms", "a club representative")]
)
def test_who_is_registered_already_is_renewed_after_a_warning(
    bench: Bench, held: str, kind: str
) -> None:
    told = f"jdoe is {kind} until {NOW} already; this adds {NOW + 1}."
    bench.open(Screen(bench.app), Renew(bench.app, {**MEMBER, held: [str(NOW)]}, rep=False))
    assert told in _shown(bench)
    bench.press("enter", "enter")
    assert f"Note: {told}" in _shown(bench)
    bench.answer({"warnings": []})
    bench.press("enter")
    review = bench.app.stack[-1]
    assert isinstance(review, Review)
    review._warned -= SETTLE_S
    bench.press("enter")
    assert isinstance(bench.app.stack[-1], Doing)


def test_a_lapsed_member_is_renewed_for_a_term_without_a_form(bench: Bench) -> None:
    """An Enter too many on the page before counts for nothing."""
    bench.open(Screen(bench.app), Renew(bench.app, {**MEMBER, "terms": ["f2001"]}, rep=False))
    review = bench.app.stack[-1]
    assert isinstance(review, Review)
    bench.press("enter")
    bench.answer({"warnings": []})
    bench.press("enter")
    assert bench.app.stack[-1] is review
    review._warned -= SETTLE_S
    bench.press("enter")
    assert isinstance(bench.app.stack[-1], Doing)


def test_a_term_that_is_held_is_said_while_it_is_typed(bench: Bench) -> None:
    bench.open(Screen(bench.app), Renew(bench.app, {**MEMBER, "terms": [str(NOW)]}, rep=False))
    bench.press(*str(NOW))
    assert f"held already: {NOW}" in _shown(bench)


def test_a_former_representative_becomes_none_again_by_habit(bench: Bench) -> None:
    """What is marked first asks for the fee; the last look calls a representative one."""
    bench.open(Screen(bench.app), Person(bench.app, "jdoe"))
    bench.answer({**MEMBER, "non_member_terms": [str(NOW + -3)]}, 0)
    assert "The last term was a club representative's." in bench.note
    bench.questions.clear()
    bench.press("enter")
    assert f"Member Jane Doe (jdoe) Terms held {NOW + -3} Terms {NOW} Fee $2" in _shown(bench)
    bench.press("esc", "2")
    assert f"{NOW}, {NOW + 1} $4" in _shown(bench)
    bench.press("esc", "down", "enter", "enter")
    shown = _shown(bench)
    assert shown.startswith("Club rep Jane Doe (jdoe)")
    assert f"Terms {NOW} Fee free for a representative" in shown
