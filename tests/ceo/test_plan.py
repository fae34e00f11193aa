"""What a dry run says will change, as lines of the last look."""

from __future__ import annotations

from typing import Any

from ceo.tui.screens.plan import plan_lines


def _lines(*changes: tuple[str, str, str | None, str | None], **how: Any) -> list[str]:
    rows = [dict(zip(("what", "of", "old", "new"), change, strict=True)) for change in changes]
    plan = {"operation": how.pop("operation", "renew_member"), "subject": "jdoe", "changes": rows}
    drawn = [b"\n".join(record.render((70,)).text).decode() for record in plan_lines(plan, **how)]
    return [" ".join(line.split()) for line in drawn]


def test_old_and_new_values_stand_in_one_line_for_each_kind() -> None:
    changes = (
        ("login shell", "jdoe", "/bin/bash", "/bin/zsh"),
        ("member term", "jdoe", None, "w2027"),
        ("member term", "jdoe", None, "s2027"),
        ("group", "jdoe", "office", None),
        ("mailing list", "cone", None, "exec"),
    )
    assert _lines(*changes) == [
        "Login shell /bin/bash becomes /bin/zsh",
        "Terms w2027 (new), s2027 (new)",
        "Group office (taken away)",
        "Mailing list cone: exec (new)",
    ]


def test_what_is_told_elsewhere_and_details_are_left_out() -> None:
    changes = (("user number", "jdoe", None, "20001"), ("member term", "jdoe", None, "w2027"))
    assert _lines(*changes, shown=("member term",)) == []
    assert _lines(*changes, details=True) == ["User number 20001 (new)", "Terms w2027 (new)"]


def test_of_a_new_account_everything_is_new() -> None:
    assert _lines(("login shell", "jdoe", None, "/bin/bash"), operation="add_member") == [
        "Login shell /bin/bash"
    ]


def test_a_daemon_that_names_no_changes_has_no_lines() -> None:
    assert plan_lines({"operation": "renew_member", "subject": "jdoe"}) == []
