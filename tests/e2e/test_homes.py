"""What somebody may have put into their home: the member is served, the change is refused with what to do, nothing waits."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ceo_common.errors import WrongState
from ceod.operations.create_database import KINDS, Kind
from tests.club.club import Club
from tests.club.databases import query

ADDRESSES = {"forwarding_addresses": ["a@example.org"]}


def _large(path: Path) -> None:
    """A gigabyte that takes no room."""
    with path.open("wb") as file:
        file.truncate(1 << 30)


UNREADABLE: dict[str, Callable[[Path], None]] = {
    "is a directory": Path.mkdir,
    "is no file": os.mkfifo,
    "is a link": lambda path: path.symlink_to("/etc/passwd"),
    "is larger than 64 KiB": _large,
}


@pytest.mark.parametrize("problem", UNREADABLE)
def test_a_member_is_served_whatever_their_forward_file_is(club: Club, problem: str) -> None:
    uid, office = club.add()["result"]["uid"], club.client("office1")
    syscom, path = club.client("ctdalek"), Path(f"/users/{uid}/.forward")
    UNREADABLE[problem](path)
    began = time.monotonic()
    member = office.member(uid)
    assert time.monotonic() - began < 2
    assert member["forwarding_addresses"] == []
    assert member["forwarding_problem"] == f"{path} {problem}"
    assert club.client("rep1").member(uid)["forwarding_problem"] is None, "not for everybody to see"

    shown = club.run_as("office1", "ceo", "members", "get", uid).stdout
    assert f"not known: {path} {problem}" in shown
    findings = {finding["check"]: finding for finding in syscom.examine(uid)}
    assert findings["forwarding"]["found"] == f"{path} {problem}"

    with pytest.raises(WrongState, match=f"{problem}: its owner has to move it away first"):
        list(office.modify_member(uid, ADDRESSES))
    assert (
        club.done(syscom.modify_member(uid, {"login_shell": "/bin/sh"}))["login_shell"] == "/bin/sh"
    )
    assert os.path.lexists(path)


def test_nobody_can_occupy_the_name_of_the_temporary_file(club: Club) -> None:
    """In the version before, a directory of that name locked the account for ever."""
    uid = club.add()["result"]["uid"]
    Path(f"/users/{uid}/.forward.ceo-new").mkdir()
    club.done(club.client("office1").modify_member(uid, ADDRESSES))
    assert Path(f"/users/{uid}/.forward").read_text() == "a@example.org\n"


@contextmanager
def _mode(home: Path, mode: int) -> Iterator[None]:
    before = home.stat().st_mode
    home.chmod(mode)
    try:
        yield
    finally:
        home.chmod(before)


@pytest.mark.parametrize("mode", [0o500, 0o000])
def test_a_home_that_its_owner_closed_is_a_refusal_and_locks_nothing(club: Club, mode: int) -> None:
    uid, office = club.add()["result"]["uid"], club.client("office1")
    home = Path(f"/users/{uid}")
    with _mode(home, mode):
        *_, last = office.modify_member(uid, ADDRESSES)
        assert last["status"] == "aborted"
        assert last["error"]["code"] == "wrong_state"
        assert f"chmod u+rwx {home}" in last["error"]["error"]
        assert "undoing" not in last, "nothing waits for recovery"
    club.done(office.modify_member(uid, ADDRESSES))
    assert [path.name for path in home.iterdir() if ".ceo-" in path.name] == []


OBSTACLES: dict[str, Callable[[Path], None]] = {
    "ceo-{}-info is a directory: move it away": lambda info: info.mkdir(),
    "ceo-{}-info.old is a directory: move it away": lambda info: info.with_name(
        f"{info.name}.old"
    ).mkdir(),
    "ceo-{}-info is no file: move it away": os.mkfifo,
    "make the home writable for its owner": lambda info: info.parent.chmod(0o500),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_a_database_whose_info_file_cannot_be_written_says_why(
    club: Club, kind: Kind, obstacle: str
) -> None:
    uid = club.add()["result"]["uid"]
    OBSTACLES[obstacle](Path(f"/users/{uid}/ceo-{kind}-info"))
    result = club.done(club.client("ctdalek").create_database(kind, uid))
    assert result["info_file"] is None
    assert "info_file: not written" in result["warnings"][0]
    assert obstacle.format(kind) in result["warnings"][0]
    assert query(club, kind, uid, result["password"], "SELECT 1").stdout.strip() == "1"
