"""Names of people in every script; names of the system and of mail, which are no member's, no club's and no group's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ceo_common.errors import Invalid, NotFound
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


# Names of people


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("李明", "李明"),
        ("Bo", "Bo"),
        ("علی\u200cرضا", "علی\u200cرضا"),
        ("ශ්\u200dරී ලංකා", "ශ්\u200dරී ලංකා"),
        ("Zoe\u0308 A\u030angstro\u0308m", "Zoë Ångström"),
        ("𠮷" * 128, "𠮷" * 128),
        ("김", "김"),
        ("葛\U000e0100城", "葛\U000e0100城"),
        ("葛\U000e0100" * 70, "葛\U000e0100" * 70),
    ],
    ids=ascii,
)
def test_names_of_every_script(club: Club, typed: str, stored: str) -> None:
    """slapd takes what ceod takes; it is found and shown as it is."""
    uid = club.add(cn=typed)["result"]["uid"]
    office = club.client("office1")
    assert office.member(uid)["cn"] == stored
    assert uid in [row["uid"] for row in office.members(name=typed, size=1000)["members"]]
    assert stored in club.run_as("office1", "ceo", "members", "get", uid).stdout


def test_a_name_of_nothing_is_refused_at_the_desk(club: Club) -> None:
    uid, blank = club.name(), "\u3164" * 4
    words = ["ceo", "members", "add", uid, "--program", "CS", "--terms", "1", "--yes", "--cn"]
    done = club.run_as("office1", *words, blank)
    assert done.returncode == 65 and "there is nothing to be seen in it" in done.stderr, done
    status, _ = club.post("office1", club.member(uid, cn=blank))
    assert status == 400
    with pytest.raises(NotFound):
        club.client("office1").member(uid)


# Names that nobody has


def test_capitals_are_told_as_what_they_are(club: Club) -> None:
    uid, syscom = club.add()["result"]["uid"], club.client("ctdalek")
    book = syscom.add_book({"title": f"Book {uid}", "authors": ["A. Writer"]})["book"]
    calls: dict[str, Callable[[str], object]] = {
        "get": syscom.member,
        "doctor": syscom.examine,
        "pwreset": lambda name: list(syscom.reset_password(name)),
        "renew": lambda name: list(syscom.renew_member(name, {"terms": ["w2027"]})),
        "delete": lambda name: list(syscom.delete_member(name)),
        "join a group": lambda name: list(syscom.add_to_group("office", name)),
        "leave a group": lambda name: list(syscom.remove_from_group("office", name)),
        "databases": syscom.databases,
        "mysql": lambda name: list(syscom.create_database("mysql", name)),
        "postgresql": lambda name: list(syscom.reset_database("postgresql", name)),
        "lists": syscom.lists_of,
        "subscribe": lambda name: syscom.subscribe("events", name),
        "unsubscribe": lambda name: syscom.unsubscribe("events", name),
        "loans": syscom.loans_of,
        "lend": lambda name: syscom.lend(book, name),
        "return": lambda name: syscom.give_back(book, name),
        "renew a loan": lambda name: syscom.renew_loan(book, name),
    }
    for typed in (uid.upper(), uid.title()):
        for what, call in calls.items():
            with pytest.raises(NotFound, match=f"did you mean {uid}") as caught:
                call(typed)
            assert caught.value.more["did_you_mean"] == uid, what
    with pytest.raises(NotFound, match=f"did you mean {uid}"):
        syscom.programs([uid.upper()])
    with pytest.raises(Invalid) as refused:
        list(syscom.set_positions({"librarian": [uid.upper()]}))
    assert refused.value.problems[0]["message"].endswith(f"written in small letters: {uid}")
    things: list[tuple[str, Callable[[str], object]]] = [
        ("office", syscom.group),
        ("office", lambda name: list(syscom.add_to_group(name, uid))),
        ("go-club", syscom.club),
        ("events", lambda name: syscom.subscribe(name, uid)),
        ("events", lambda name: syscom.unsubscribe(name, uid)),
    ]
    for name, call in things:
        with pytest.raises(NotFound, match=f"did you mean {name}") as caught:
            call(name.upper())
        assert caught.value.more["did_you_mean"] == name
    assert syscom.uw_person("JDOE")["uid"] == "jdoe"
    done = club.run_as("office1", "ceo", "members", "add", "Jdoe", "--cn", "Jane Doe", "--program", "CS", "--yes")
    assert done.returncode == 65
    assert "a username is written in small letters: jdoe" in done.stderr


@pytest.mark.parametrize("name", ["ghost", "GHOST", "gh ost", "ghöst", "../ghost"])
def test_nobody_has_this_name(club: Club, name: str) -> None:
    for call in (club.client("ctdalek").member, club.client("ctdalek").examine):
        with pytest.raises(NotFound) as caught:
            call(name)
        assert "did_you_mean" not in caught.value.more
    done = club.run_as("office1", "ceo", "doctor", name)
    assert done.returncode == 66 and "there is no" in done.stderr, done
