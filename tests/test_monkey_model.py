"""The monkey's model: which states of a thing agree with what clients were told."""

from __future__ import annotations

import math
from dataclasses import replace

from tests.monkey.model import (
    ANY,
    Attempt,
    Outcome,
    Row,
    Wish,
    by_thing,
    contradictions,
    expiry_wishes,
    may_stand,
    not_taken_back,
    settle,
    wishes_of,
    without_lists,
)


def _attempt(outcome: Outcome = "unknown", **more: object) -> Attempt:
    values: dict[str, object] = {
        "client": "one",
        "kind": "shell",
        "subject": "ann",
        "host": "admin",
        "key": "k",
        "sent": 1.0,
        "answered": 2.0,
        "outcome": outcome,
        "wishes": ((("shell", "ann"), "/bin/sh"),),
    }
    return Attempt(**(values | more))  # type: ignore[arg-type]


def _row(state: str, **more: object) -> Row:
    values: dict[str, object] = {
        "transaction": "t",
        "operation": "modify_member",
        "subject": "ann",
        "state": state,
        "key": "k",
        "committed": 1.5,
        "ended": 1.6,
    }
    return Row(**(values | more))  # type: ignore[arg-type]


def test_the_last_wish_stands() -> None:
    assert may_stand([Wish("a", 1, 2), Wish("b", 3, 4)], "before") == {"b"}
    assert may_stand([Wish("b", 3, 4), Wish("a", 1, 2)], "before") == {"b"}


def test_of_wishes_at_the_same_time_either_stands() -> None:
    assert may_stand([Wish("a", 1, 3), Wish("b", 2, 4)], "before") == {"a", "b"}
    assert may_stand([Wish("a", 1, 2), Wish("b", 3, 6), Wish("c", 5, 7)], "before") == {"b", "c"}


def test_a_wish_that_is_not_sure_replaces_nothing_and_may_be_done_late() -> None:
    assert may_stand([Wish("a", 1, math.inf, sure=False)], "before") == {"a", "before"}
    assert may_stand([Wish("a", 1, 2), Wish("b", 3, math.inf, sure=False)], "before") == {"a", "b"}
    assert may_stand([Wish("a", 1, math.inf, sure=False), Wish("b", 3, 4)], "before") == {"a", "b"}
    assert may_stand([], "before") == {"before"}


def test_an_unknown_outcome_is_settled_by_the_journal() -> None:
    assert settle(_attempt(), _row("completed"), lost_records=False).outcome == "completed"
    assert settle(_attempt(), _row("completed"), lost_records=False).answered == 1.5
    assert settle(_attempt(), _row("aborted"), lost_records=False).outcome == "aborted"
    assert settle(_attempt(), None, lost_records=False).outcome == "refused"
    assert settle(_attempt(), None, lost_records=True).outcome == "unknown"
    assert settle(_attempt(host=""), None, lost_records=False).outcome == "unknown"


def test_the_journal_has_to_agree_with_what_was_told() -> None:
    assert not contradictions(_attempt("completed"), _row("completed"), lost_records=False)
    assert contradictions(_attempt("completed"), _row("aborted"), lost_records=True)
    assert contradictions(_attempt("aborted"), _row("undo_failed"), lost_records=False)
    assert contradictions(_attempt("completed"), None, lost_records=False)
    assert contradictions(_attempt("aborted"), None, lost_records=False)
    assert not contradictions(replace(_attempt("aborted"), code="busy"), None, lost_records=False)
    assert contradictions(replace(_attempt("completed"), code="busy"), None, lost_records=False)
    assert not contradictions(_attempt("completed"), None, lost_records=True)
    assert not contradictions(_attempt("refused"), None, lost_records=False)
    assert not contradictions(_attempt("completed"), _row("abandoned"), lost_records=True)
    assert contradictions(_attempt("completed"), _row("abandoned"), lost_records=False)


def test_what_was_not_done_is_no_wish() -> None:
    thing = ("shell", "ann")
    assert by_thing([_attempt("aborted"), _attempt("refused")]) == {}
    assert by_thing([_attempt("completed")]) == {thing: [Wish("/bin/sh", 1, 2)]}
    assert by_thing([_attempt("nothing to do")]) == {thing: [Wish("/bin/sh", 1, 2, sure=False)]}
    assert by_thing([_attempt("unknown")]) == {thing: [Wish("/bin/sh", 1, math.inf, sure=False)]}


def test_what_waited_in_a_journal_that_lost_it_leaves_the_lists_open() -> None:
    wishes = ((("list", "members", "ann"), True), (("shell", "ann"), "/bin/sh"))
    forgotten = without_lists(_attempt("completed", wishes=wishes, waiting=("mailing list",)))
    assert dict(forgotten.wishes)["list", "members", "ann"] == ANY
    assert dict(forgotten.wishes)["shell", "ann"] == "/bin/sh"


def test_a_password_that_was_set_before_the_end_may_stand() -> None:
    attempt = _attempt("aborted", wishes=((("password", "ann"), "new"), (("shell", "ann"), "x")))
    ((thing, wish),) = wishes_of(not_taken_back(attempt))
    assert thing == ("password", "ann")
    assert wish.value == ANY
    assert not wish.sure


def test_an_expiry_wishes_what_its_row_has() -> None:
    row = _row(
        "completed", arguments={"accounts": ["ann", "bob"]}, result={"failed": {"bob": "renewed"}}
    )
    wishes = dict(expiry_wishes(_attempt("completed", wishes=()), row, "members").wishes)
    assert wishes == {("expired", "ann"): True, ("list", "members", "ann"): False}
