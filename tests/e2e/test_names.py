"""A name of the system is no member's, no club's and no group's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.club.club import Club

SYSTEM_USER, SYSTEM_GROUP = "tdaemon", "tdaemons"  # of packages that nobody has heard of


@pytest.fixture(scope="module")
def _installed() -> Iterator[None]:
    """A package has made an account and a group on the hosts."""
    files = {
        Path("/etc/passwd"): f"{SYSTEM_USER}:x:987:987::/nonexistent:/usr/sbin/nologin\n",
        Path("/etc/group"): f"{SYSTEM_GROUP}:x:986:\n",
    }
    before = {path: path.read_text() for path in files}
    for path, line in files.items():
        path.write_text(before[path] + line)
    yield
    for path, text in before.items():
        path.write_text(text)


@pytest.mark.usefixtures("_installed")
@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("docker", 400, "is a reserved name"),
        ("shadow", 400, "is a reserved name"),
        ("krbtgt", 400, "is a reserved name"),
        ("tlist-owner", 400, "is a reserved name"),
        (SYSTEM_USER, 409, "is an account of the operating system"),
        (SYSTEM_GROUP, 409, "is a group of the operating system"),
    ],
)
def test_a_name_of_the_system_is_refused(club: Club, name: str, status: int, reason: str) -> None:
    asked = {
        "/members": club.member(name),
        "/clubs": {"uid": name, "cn": "Test Club"},
        "/groups": {"cn": name},
    }
    for path, body in asked.items():
        got, text = club.curl(
            "ctdalek", f"{path}?dry_run", "--delegation", "always", "-d", json.dumps(body)
        )
        assert got == status, (path, text)
        assert f"{name} {reason}" in json.loads(text)["error"], (path, text)


def test_the_problem_is_of_the_field_that_holds_the_name(club: Club) -> None:
    for path, body in {
        "/clubs": {"uid": "docker", "cn": "Test Club"},
        "/groups": {"cn": "docker"},
    }.items():
        _, text = club.curl(
            "ctdalek", f"{path}?dry_run", "--delegation", "always", "-d", json.dumps(body)
        )
        assert [problem["field"] for problem in json.loads(text)["problems"]] == [
            "uid" if path == "/clubs" else "cn"
        ]
