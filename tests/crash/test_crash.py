"""Fail each step, and end the process at every boundary of every step: before the commit nothing is left, after it everything is there."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ceod.operations.add_member import ADD_MEMBER
from tests.club.club import Club
from tests.club.crashes import Runner

BEFORE = [step.name for step in ADD_MEMBER.before]
AFTER = [later.name for later in ADD_MEMBER.after]
DO = [[point, "do", step] for step in BEFORE for point in ("intent", "effect", "record")] + [["intent", "commit", "commit"]]
COMMITTED = [["record", "commit", "commit"]] + [[point, "later", step] for step in AFTER for point in ("intent", "effect", "record")]
UNDO = [[point, "undo", step] for step in reversed(BEFORE) for point in ("intent", "effect", "record")]


def _id(boundary: list[str]) -> str:
    return "-".join(boundary).replace(" ", "_")


@pytest.mark.parametrize("step", BEFORE)
@pytest.mark.parametrize("point", ["intent", "effect"])
def test_a_step_that_fails_leaves_nothing(club: Club, runner: Runner, step: str, point: str) -> None:
    uid = club.name()
    last = runner.ask(do="add", member=club.member(uid, forwarding_addresses=["a@example.org"]), fail=[point, "do", step])["last"]
    assert last["status"] == "aborted" and last["error"]["backend"] == "test"
    club.nothing(uid)
    state, steps = runner.states(uid)
    assert state == "aborted" and set(steps.values()) <= {"undone", "not_ours"}


@pytest.mark.parametrize("boundary", DO, ids=_id)
def test_killed_before_the_commit_leaves_nothing(club: Club, runner: Runner, boundary: list[str]) -> None:
    uid = club.name()
    assert runner.ask(do="add", member=club.member(uid, forwarding_addresses=["a@example.org"]), end=boundary)["signal"] == 9
    assert runner.ask(do="recover")["last"] == {"status": "recovered"}
    club.nothing(uid)
    assert runner.states(uid)[0] == "aborted"


@pytest.mark.parametrize("boundary", COMMITTED, ids=_id)
def test_killed_after_the_commit_is_finished(club: Club, runner: Runner, boundary: list[str]) -> None:
    uid = club.name()
    assert runner.ask(do="add", member=club.member(uid), end=boundary)["signal"] == 9
    assert runner.ask(do="recover")["last"] == {"status": "recovered"}
    club.whole(uid)
    assert runner.states(uid)[0] == "completed"


@pytest.mark.parametrize("boundary", UNDO, ids=_id)
def test_killed_in_the_middle_of_undoing(club: Club, runner: Runner, boundary: list[str]) -> None:
    uid = club.name()
    told = runner.ask(do="add", member=club.member(uid), fail=["effect", "do", BEFORE[-1]], end=boundary)
    assert told["signal"] == 9
    assert runner.ask(do="recover")["last"] == {"status": "recovered"}
    club.nothing(uid)
    assert runner.states(uid)[0] == "aborted"


@pytest.mark.parametrize("boundary", UNDO[:3], ids=_id)
def test_killed_in_the_middle_of_recovering(club: Club, runner: Runner, boundary: list[str]) -> None:
    uid = club.name()
    assert runner.ask(do="add", member=club.member(uid), end=["record", "do", BEFORE[-1]])["signal"] == 9
    assert runner.ask(do="recover", end=boundary)["signal"] == 9
    assert runner.ask(do="recover")["last"] == {"status": "recovered"}
    club.nothing(uid)


def test_what_stood_before_is_the_same_afterwards(club: Club, runner: Runner) -> None:
    """Undo removes what the transaction made: not what somebody else put there meanwhile."""
    uid = club.name()
    assert runner.ask(do="add", member=club.member(uid), end=["record", "do", "home directory"])["signal"] == 9
    os.rename(f"/users/{uid}", f"/users/{uid}-kept")
    os.mkdir(f"/users/{uid}", 0o700)
    (Path("/users") / uid / "precious").write_text("mine")
    assert runner.ask(do="recover")["last"] == {"status": "recovered"}
    try:
        assert (Path("/users") / uid / "precious").read_text() == "mine"
        assert runner.states(uid)[1]["home directory"] == "not_ours"
        assert club.entries(f"(uid={uid})") == {} and club.principal(uid) is None
    finally:
        subprocess.run(["rm", "-rf", f"/users/{uid}", f"/users/{uid}-kept"], check=True)


def test_numbers_grow_although_the_journal_is_lost(club: Club, runner: Runner) -> None:
    first, second = club.name(), club.name()
    before = runner.ask(do="add", member=club.member(first))["last"]["result"]["uid_number"]
    for path in runner.state_dir.glob("journal.db*"):
        path.unlink()
    after = runner.ask(do="add", member=club.member(second))["last"]["result"]["uid_number"]
    assert after > before


def test_a_step_that_this_version_does_not_know_is_not_guessed(club: Club, runner: Runner) -> None:
    import sqlite3

    uid = club.name()
    assert runner.ask(do="add", member=club.member(uid), end=["record", "do", "LDAP user"])["signal"] == 9
    with sqlite3.connect(runner.state_dir / "journal.db") as connection:
        connection.execute("UPDATE transactions SET version = 99 WHERE subject = ?", (uid,))
    assert runner.ask(do="recover")["last"] == {"status": "recovered"}  # nothing is unfinished: a person has to look
    assert runner.states(uid)[0] == "undo_failed"
    assert len(club.entries(f"(uid={uid})")) == 1
    with sqlite3.connect(runner.state_dir / "journal.db") as connection:
        connection.execute("UPDATE transactions SET version = 1, state = 'undoing' WHERE subject = ?", (uid,))
    assert runner.ask(do="recover")["last"] == {"status": "recovered"}
    club.nothing(uid)
