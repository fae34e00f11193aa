"""Adding a member: ended in the middle of recovery, and what undo and recovery leave alone.  Its boundaries are in test_crash_operations.py."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ceod.operations.add_member import ADD_MEMBER
from tests.club.club import Club
from tests.club.crashes import Runner

BEFORE = [step.name for step in ADD_MEMBER.before]


@pytest.mark.parametrize("point", ["intent", "effect", "record"])
def test_killed_in_the_middle_of_recovering(club: Club, runner: Runner, point: str) -> None:
    uid = club.name()
    assert runner.ask(do="add", member=club.member(uid), end=["record", "do", BEFORE[-1]])["signal"] == 9
    assert runner.ask(do="recover", end=[point, "undo", BEFORE[-1]])["signal"] == 9
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
