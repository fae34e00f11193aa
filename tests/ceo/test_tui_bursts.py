"""Scans and pasted text on pages that take neither: the Enter at their end does nothing."""

from __future__ import annotations

import pytest

from ceo.tui.app import _BURST_S
from ceo.tui.incoming import Pasted
from ceo.tui.screen import SETTLE_S, Screen
from ceo.tui.screens.doing import Doing, Outcome
from ceo.tui.screens.review import Review
from tests.ceo.menu_bench import Bench, bench

__all__ = ["bench"]

SCAN = "9780201835953"


def _review(bench: Bench) -> list[str]:
    """A last look; what it did."""
    done: list[str] = []
    bench.open(
        Screen(bench.app),
        Review(bench.app, ["a line"], lambda: done.append("it"), question="Enter does it."),
    )
    return done


def _pause(bench: Bench) -> None:
    letter, came = bench.app._ignored
    bench.app._ignored = letter, came - _BURST_S


@pytest.mark.parametrize(
    ("burst", "told"),
    [
        ([*SCAN, "enter"], "A scan was ignored"),
        ([*SCAN, "enter", "enter"], "A scan was ignored"),
        ([*"hello", "enter", *"wide world", "enter"], "Text was ignored"),
    ],
)
def test_a_burst_confirms_nothing(bench: Bench, burst: list[str], told: str) -> None:
    done = _review(bench)
    for _ in range(2):
        bench.app.loop.process_input(burst)
        assert done == []
        assert bench.note.startswith(told)
        assert bench.note.count("ignored") == 1
        assert bench.note.endswith("Enter does it.")
    _pause(bench)
    bench.press("enter")
    assert done == ["it"]


def test_an_enter_alone_counts_at_once(bench: Bench) -> None:
    done = _review(bench)
    bench.press("x", "down", "enter")
    assert done == ["it"]


def test_a_paste_where_no_field_is_says_so(bench: Bench) -> None:
    """Its line ends are text, so that an Enter behind it is somebody's."""
    done = _review(bench)
    bench.app.loop.input_filter([Pasted("hello")], [])
    assert bench.note.startswith("What was pasted was ignored")
    assert bench.note.endswith("Enter does it.")
    assert done == []
    bench.press("enter")
    assert done == ["it"]


def test_a_scan_hides_no_password(bench: Bench) -> None:
    doing = Doing(bench.app, "Reset", lambda *_: iter([]), lambda _: Outcome([], ["h7kd-w3mp"]), begun=True)
    bench.open(Screen(bench.app), doing)
    bench.answer({"result": {}})
    assert doing._over
    doing._over -= SETTLE_S
    doing._on_top_since -= SETTLE_S
    bench.press(*SCAN, "enter")
    assert bench.app.stack[-1] is doing
    _pause(bench)
    bench.press("enter")
    assert bench.app.stack[-1] is not doing
