"""Adding a member: ended in the middle of recovery, and what undo and recovery leave alone.  Its boundaries are in test_crash_operations.py."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ceo_common.errors import LeftBehind
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


def _own_file(home: Path) -> None:
    (home / "thesis.tex").write_text("work")


def _in_a_folder(home: Path) -> None:
    (home / "private/diary").write_text("work")


def _changed(home: Path) -> None:
    (home / ".bashrc").open("a").write("alias work=true\n")


def _of_the_same_size(home: Path) -> None:
    text = (home / ".bashrc").read_bytes()
    (home / ".bashrc").write_bytes(text.swapcase())


def _forwarded_elsewhere(home: Path) -> None:
    (home / ".forward").write_text("work@example.org\n")


def _link(home: Path) -> None:
    (home / "www").unlink()
    (home / "www").symlink_to("/users")


def _other_kind(home: Path) -> None:
    (home / ".profile").unlink()
    os.mkfifo(home / ".profile")


def _empty_folder(home: Path) -> None:
    (home / "papers").mkdir()


WORK = (_own_file, _in_a_folder, _changed, _of_the_same_size, _forwarded_elsewhere, _link, _other_kind, _empty_folder)


def _less(home: Path) -> None:
    (home / ".bashrc").unlink()
    (home / ".profile").chmod(0o600)


def _half_written_forward(home: Path) -> None:
    (home / ".forward.ceo-0123456789abcdef").write_text("a@")


def _nothing(home: Path) -> None:
    assert home.is_dir()


NO_WORK = (_nothing, _less, _half_written_forward)


def test_a_home_that_somebody_put_something_into_is_archived_by_an_undo(club: Club, runner: Runner) -> None:
    """And one that holds no more than ceod put there is removed: sign-ups in bulk and alone, a club, a mended home."""
    rows = [club.name() for _ in (*WORK, *NO_WORK)]
    assert runner.ask(**_bulk(rows), end=["intent", "commit", "commit"])["signal"] == 9
    single, chess = club.name(), club.name()
    assert runner.ask(do="add", member=club.member(single), end=["record", "do", "home directory"])["signal"] == 9
    assert runner.ask(**_asked("add_club", chess, {"uid": chess, "cn": "A Club"}), end=["record", "do", "home directory"])["signal"] == 9
    mended = runner.ask(do="add", member=club.member())["last"]["result"]["uid"]
    shutil.rmtree(f"/users/{mended}")
    told = runner.ask(do="prepare", operation="mend_account", told={"uid": mended})["last"]
    assert runner.ask(**_asked("mend_account", mended, told), end=["record", "do", "home directory"])["signal"] == 9

    for uid, touch in zip(rows, (*WORK, *NO_WORK), strict=True):
        touch(Path("/users") / uid)
    for uid in (single, chess, mended):
        _own_file(Path("/users") / uid)
    touched = [*rows[:len(WORK)], single, chess, mended]
    before = {uid: club.home(uid) for uid in touched}
    # Ended once more between the first home's way into the archive and the record of it.
    assert runner.ask(do="recover", end=["effect", "undo", "home directory"])["signal"] == 9
    assert runner.ask(do="recover")["last"] == {"status": "recovered"}

    archive = Path("/users/.archive")
    kept = {uid: [str(path) for path in archive.glob(f"{uid}.undone-*")] for uid in touched}
    query = 'SELECT t.subject, e.event FROM events e JOIN transactions t ON t.id = e."transaction" ORDER BY t.created, e.n'
    last = {subject: json.loads(event) for subject, event in club.journal(query, state_dir=runner.state_dir)}
    audit = [json.loads(row) for (row,) in club.journal("SELECT row FROM audit", state_dir=runner.state_dir)]
    try:
        for uid in touched:
            (place,) = kept[uid]
            moved = {path.replace(f"/users/{uid}", place, 1): what for path, what in before[uid].items()}
            assert club.home(place.removeprefix("/users/")) == moved, uid
            assert not os.path.lexists(f"/users/{uid}"), uid
        for subject, uids in {rows[0]: touched[:len(WORK)], single: [single], chess: [chess], mended: [mended]}.items():
            places = [place for uid in uids for place in kept[uid]]
            assert last[subject]["status"] == "aborted", last[subject]
            assert last[subject]["kept"] == places, last[subject]
            assert "home directory" in last[subject]["undone"]
            assert places in [row.get("kept") for row in audit]
        for uid in rows[len(WORK):]:
            club.nothing(uid)
        assert club.leftovers() == []
        findings = {finding["check"]: finding["found"] for finding in club.client("ctdalek").examine(single)}
        assert kept[single][0] in findings["home directory"]
        with pytest.raises(LeftBehind, match=f"a sign-up of {single} was undone.*{single}.undone-"):
            list(club.client("office1").add_member(club.member(single)))
    finally:
        for places in kept.values():
            for place in places:
                shutil.rmtree(place)


def _bulk(uids: list[str]) -> dict[str, Any]:
    rows = [{"uid": uid, "cn": "Test Person", "program": "x", "given_name": None, "sn": None, "terms": ["f2026"], "non_member_terms": None,
             "forwarding_addresses": ["a@example.org"]} for uid in uids]
    return _asked("add_members", uids[0], {"members": rows, "warnings": []}) | {"passwords": dict.fromkeys(uids, "a-new-one-1234")}


def _asked(operation: str, subject: str, arguments: dict[str, Any]) -> dict[str, Any]:
    names = [f"account:{subject}"]
    return {"do": "run", "operation": operation, "arguments": arguments, "as": "ctdalek", "subject": subject, "names": names}


def test_numbers_grow_although_the_journal_is_lost(club: Club, runner: Runner) -> None:
    first, second = club.name(), club.name()
    before = runner.ask(do="add", member=club.member(first))["last"]["result"]["uid_number"]
    for path in [*runner.state_dir.glob("journal.db*"), runner.fingerprint]:
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
