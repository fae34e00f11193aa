"""Answers that come at an unlucky moment: above a lock, after another key, while the next book is scanned."""

from __future__ import annotations

from typing import Any

import pytest

from ceo.tui.screen import Screen
from ceo.tui.screens.change_account import Forwarding
from ceo.tui.screens.review import Review
from ceo.tui.screens.sign_in import Lock
from ceo_common.errors import WouldLose
from tests.ceo.menu_bench import Bench, bench

__all__ = ["bench"]

MEMBER: dict[str, Any] = {
    "uid": "jdoe",
    "cn": "Jane Doe",
    "forwarding_addresses": ["|procmail"],
    "login_shell": "/bin/bash",
}
_LOST = WouldLose("some lines are lost", lost=["|procmail"])


def _kinds(bench: Bench) -> list[type]:
    return [type(screen) for screen in bench.app.stack]


# The lock


def test_an_answer_opens_no_screen_above_a_lock(bench: Bench) -> None:
    bench.open(Screen(bench.app), Forwarding(bench.app, MEMBER))
    bench.press("ctrl u", *"jane@example.org", "enter")
    bench.press("f9")
    bench.answer(_LOST)
    assert _kinds(bench) == [Screen, Forwarding, Review, Lock]
    bench.press("/", "esc")
    assert _kinds(bench) == [Screen, Forwarding, Review, Lock]
    assert bench.questions == []
    bench.app.remove(bench.app.stack[-1])
    assert len(bench.questions) == 1  # the new last look is checked once somebody sees it


def test_a_last_look_that_is_refused_gives_way_to_the_next_where_it_is(bench: Bench) -> None:
    bench.open(Screen(bench.app), Forwarding(bench.app, MEMBER))
    bench.press("ctrl u", *"jane@example.org", "enter")
    before = bench.app.stack[-1]
    bench.answer(_LOST)
    assert _kinds(bench) == [Screen, Forwarding, Review]
    assert bench.app.stack[-1] is not before
    bench.press("f1")
    bench.answer(_LOST)
    assert _kinds(bench)[:3] == [Screen, Forwarding, Review]
    assert len(bench.app.stack) == 4


@pytest.mark.parametrize("box", ["lock", "sign_in"])
def test_whatever_opens_while_the_menu_is_locked_opens_below(bench: Bench, box: str) -> None:
    bench.open(Screen(bench.app))
    getattr(bench.app, box)()
    bench.open(Screen(bench.app), Screen(bench.app))
    assert bench.app.stack[-1].locked
    assert [screen.locked for screen in bench.app.stack] == [False, False, False, True]
