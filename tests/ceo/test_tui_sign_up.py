"""The sign-up form: what the university says of a username goes with it, and is shown where it differs."""

from __future__ import annotations

from typing import Any

import pytest

from ceo.tui.screen import Screen
from ceo.tui.screens.sign_up import LastLook, SignUp
from ceo_common.errors import Unreachable
from tests.ceo.menu_bench import Bench, bench, text_of

__all__ = ["bench"]

JANE = {"cn": "Jane Doe", "program": "Physics", "given_name": "Jane", "sn": "Doe"}
ALAN = {"cn": "Alan Wirth", "program": "Statistics", "given_name": "Alan", "sn": "Wirth"}
TO_USERNAME = ("up",) * 4


def _form(bench: Bench) -> SignUp:
    form = SignUp(bench.app, rep=False)
    bench.open(form)
    return form


def _known(bench: Bench, uid: str, known: dict[str, Any]) -> SignUp:
    """A form that the university has filled in."""
    form = _form(bench)
    bench.press(*uid, "tab")
    bench.answer((None, known))
    return form


def _who(form: SignUp) -> tuple[str, str]:
    return form.form.text("cn"), form.form.text("program")


def test_what_the_university_said_of_one_username_stays_for_no_other(bench: Bench) -> None:
    bench.open(Screen(bench.app))
    form = _known(bench, "jdoe", JANE)
    assert _who(form) == ("Jane Doe", "Physics")
    bench.press("up")
    assert bench.app._note.text == "Typing replaces, End keeps."
    assert "Ctrl-N empty" in bench.app._hint.text
    bench.press("end")
    assert bench.app._note.text == ""
    bench.press(*TO_USERNAME, "x")
    assert _who(form) == ("", "")
    bench.press("tab")
    bench.answer((None, {}))
    assert _who(form) == ("", "")
    bench.press(*TO_USERNAME, "ctrl u", *"awirth", "tab")
    bench.answer((None, ALAN))
    assert _who(form) == ("Alan Wirth", "Statistics")


def test_a_form_that_was_left_keeps_only_what_was_typed(bench: Bench) -> None:
    """Whoever comes back is asked about anew; a name that somebody typed stays."""
    bench.open(Screen(bench.app))
    form = _known(bench, "jdoe", JANE)
    bench.press("up", "ctrl u", *"Maths", "esc")
    form = _form(bench)
    assert _who(form) == ("", "Maths")
    bench.answer((None, {**JANE, "cn": "Jane Roe"}))
    assert _who(form) == ("Jane Roe", "Maths")
    assert form.fields["program"]._under == ("hint", "The university has: Physics")
    bench.press(*TO_USERNAME, "ctrl u", *"awirth", "ctrl d")
    assert form.fields["program"]._under == ("", "")
    assert _who(form) == ("", "Maths")
    bench.answer((None, ALAN))
    assert _who(form) == ("Alan Wirth", "Maths")
    assert isinstance(bench.app.stack[-1], LastLook)
    assert form.member()["given_name"] == "Alan"


@pytest.mark.parametrize("leaves", ["down", "ctrl d", "click"])
def test_the_username_is_asked_about_however_the_cursor_leaves_it(
    bench: Bench, leaves: str
) -> None:
    bench.open(Screen(bench.app))
    form = _known(bench, "jdoe", JANE)
    bench.press(*TO_USERNAME, "ctrl u", *"awirth")
    if leaves == "click":  # which tells the form nothing
        form.form.go_to("terms")
        bench.press("ctrl d")
    else:
        bench.press(leaves)
    assert bench.app.stack[-1] is form
    assert _who(form) == ("", "")
    bench.answer((None, ALAN))
    assert _who(form) == ("Alan Wirth", "Statistics")
    assert isinstance(bench.app.stack[-1], LastLook) is (leaves != "down")


def test_a_name_that_was_typed_stays_and_what_the_university_has_is_below_it(bench: Bench) -> None:
    form = _form(bench)
    bench.press("down", *"Jane Roe", "up", *"jdoe", "down")
    bench.answer((None, JANE))
    assert form.form.text("cn") == "Jane Roe"
    assert form.fields["cn"]._under == ("hint", "The university has: Jane Doe")
    bench.press("up", "ctrl u", *"awirth", "down")
    bench.answer((None, {}))
    assert _who(form) == ("Jane Roe", "")


def test_an_answer_that_comes_too_late_fills_in_nothing(bench: Bench) -> None:
    form = _form(bench)
    bench.press(*"jdoe", "tab", "up", "x")
    bench.answer((None, JANE))
    assert _who(form) == ("", "")
    bench.press("backspace", "ctrl d")
    bench.answer((None, JANE))
    assert isinstance(bench.app.stack[-1], LastLook)


def test_a_name_that_was_typed_is_shown_beside_what_the_university_says(bench: Bench) -> None:
    form = _form(bench)
    bench.press(*"jdoe", "tab")
    bench.answer((None, JANE))
    bench.press("up", "up", *"Jana Doe", "ctrl d")
    assert _who(form) == ("Jana Doe", "Physics")
    look = bench.app.stack[-1]
    bench.press("enter")
    bench.answer({"warnings": []}, 0)
    bench.answer([])
    assert bench.app.stack[-1] is look
    shown = text_of(look)
    assert "Full name         Jana Doe" in shown
    assert "The university has another full name for jdoe: Jane Doe" in shown
    assert "another program" not in shown


@pytest.mark.parametrize("is_left_by_click", [True, False])
def test_a_university_that_is_silent_keeps_nobody_out(bench: Bench, is_left_by_click: bool) -> None:
    form = _form(bench)
    bench.press(*"jdoe")
    if is_left_by_click:
        form.form.go_to("cn")
    else:
        bench.press("tab")
        bench.answer(Unreachable("a does not answer"))
    bench.press(*"Jane Doe", "tab", *"Physics", "ctrl d")
    bench.answer(Unreachable("a does not answer"))
    assert isinstance(bench.app.stack[-1], LastLook)
