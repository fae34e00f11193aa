"""The people index beside a directory that changes, while its feed, its file, its line and slapd are lost: equal again, or said to be behind."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import gssapi
import ldap3
import pytest

from ceod.people_index import store
from ceod.people_index.finding import PeopleIndex, Unusable
from ceod.services.search import Question
from sandbox.club import BASE_DN, SRV, host_place
from tests.club.club import ADMIN, Club, kill, until

PEOPLE = f"ou=People,{BASE_DN}"
FOLDER = host_place(ADMIN) / "ceod" / store.FOLDER
CHANGES = 300


class Beside:
    """The index as a worker would read it, and the directory as another library does."""

    def __init__(self, club: Club) -> None:
        self.club = club
        self.index = PeopleIndex(FOLDER, "America/Toronto")
        self._syscom: ldap3.Connection | None = None

    def write(self) -> ldap3.Connection:
        """A connection that may write, past ceod."""
        if self._syscom is None:
            self._syscom = self.club.ldap_as(
                gssapi.Credentials(usage="initiate", store={"ccache": self.club.ccache("ctdalek")})
            )
        return self._syscom

    def lost_line(self) -> None:
        """slapd was stopped: connect again."""
        self._syscom = None

    def change(self, dn: str, **values: str) -> None:
        """Replace values of an entry."""
        connection = self.write()
        assert connection.modify(
            dn, {name: [(ldap3.MODIFY_REPLACE, [value])] for name, value in values.items()}
        ), connection.result

    def in_directory(self) -> dict[str, dict[str, list[str]]]:
        """Who is in the directory, with what the index has of them."""
        found = self.club.entries("(|(objectClass=member)(objectClass=club))")
        return {
            dn: {
                name: sorted(value.decode() for value in entry[name])
                for name in store.ATTRIBUTES
                if entry.get(name)
            }
            for dn, entry in found.items()
        }

    def in_index(self) -> dict[str, dict[str, list[str]]]:
        """The same of the index."""
        people = [
            one
            for some in self.index.every(Question(), None, now=datetime.now(UTC))
            for one in [*some, *some.broken]
        ]
        return {
            one.dn: {name: sorted(values) for name, values in one.attributes.items()}
            for one in people
        }

    def is_equal(self) -> bool:
        """Whether they have the same."""
        try:
            return self.in_index() == self.in_directory()
        except Unusable:
            return False

    def answers(self, **asked: str) -> dict[str, Any]:
        """ceod's own answer."""
        return self.club.client("regular1").members(**asked)

    def is_answering(self) -> bool:
        """Whether both workers answer from the index."""
        return all(self.answers(uid="regular1")["index"] is None for _ in range(6))


@pytest.fixture(scope="module")
def beside(club: Club) -> Beside:
    made = Beside(club)
    until(made.is_answering, 30, "an index")
    return made


def _feeds() -> list[int]:
    """The processes that follow the directory."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if b"ceod.people_index.feed" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


@contextmanager
def _people(beside: Beside, count: int) -> Iterator[list[str]]:
    """Some entries of our own, which are gone afterwards."""
    uids = [beside.club.name() for _ in range(count)]
    for number, uid in enumerate(uids, 25000):
        _add(beside, uid, number)
    yield uids
    for uid in uids:
        beside.write().delete(f"uid={uid},{PEOPLE}")


def _add(beside: Beside, uid: str, number: int) -> None:
    attributes = {
        "uid": uid,
        "cn": f"Test {uid}",
        "uidNumber": number,
        "gidNumber": number,
        "homeDirectory": f"/users/{uid}",
        "loginShell": "/bin/bash",
        "program": "Mathematics",
        "term": ["w2026"],
    }
    classes = ["top", "account", "posixAccount", "shadowAccount", "member"]
    assert beside.write().add(f"uid={uid},{PEOPLE}", classes, attributes), beside.write().result


def test_random_changes_are_in_it_within_a_second(beside: Beside) -> None:
    draw = random.Random(4)
    (feed,) = _feeds()
    with _people(beside, 20) as uids:
        there = set(uids)
        memory = []
        for turn in range(CHANGES):
            uid = draw.choice(uids)
            dn = f"uid={uid},{PEOPLE}"
            if uid not in there:
                _add(beside, uid, 25000 + uids.index(uid))
                there.add(uid)
            elif draw.random() < 0.1:
                assert beside.write().delete(dn)
                there.remove(uid)
            else:
                name = draw.choice(("cn", "program"))
                beside.change(
                    dn,
                    **{
                        name: draw.choice(
                            ("Zoë Ångström", "李明", f"Test {turn}", "Søren Wirth", "Mathematics")
                        )
                    },
                )
            if turn in (CHANGES // 4, CHANGES - 1):
                memory.append(_resident_kib(feed))
        changed = time.monotonic()
        until(beside.is_equal, 1, "equal within a second of the last change")
        assert time.monotonic() - changed < 1 and beside.is_answering()
        assert memory[1] - memory[0] < 4096, memory
        beside.change(f"uid={uids[0]},{PEOPLE}", cn="Quintessa Ångström-Żak") if uids[
            0
        ] in there else _add(beside, uids[0], 25000)
    until(beside.is_equal, 1)
    assert _feeds() == [feed]


def _resident_kib(pid: int) -> int:
    (line,) = [
        line
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmRSS")
    ]
    return int(line.split()[1])


def test_it_is_said_to_be_behind_while_nobody_follows(beside: Beside) -> None:
    """The directory answers meanwhile, and whoever is new in it is found."""
    (feed,) = _feeds()
    os.kill(feed, signal.SIGSTOP)
    try:
        assert (
            beside.answers(uid="regular1")["index"] is None
        )  # nothing changed, so it is still right
        with _people(beside, 1) as (uid,):
            page = beside.answers(uid=uid)
            assert (page["index"], [row["uid"] for row in page["members"]]) == ("behind", [uid])
            listed = beside.club.curl("regular1", "/members?stream&term=w1999")[1]
            assert (
                listed.strip() == '{"complete": true, "count": 0, "broken": 0, "index": "behind"}'
            )
    finally:
        os.kill(feed, signal.SIGCONT)
    until(lambda: beside.is_equal() and beside.is_answering(), 5, "equal again")


def test_a_feed_hears_of_a_line_that_is_cut_without_a_word(beside: Beside) -> None:
    """The kernel asks slapd's host whether it is there, and soon."""
    (feed,) = _feeds()
    ends = [os.readlink(path) for path in Path(f"/proc/{feed}/fd").iterdir()]
    numbers = {end[len("socket:[") : -1] for end in ends if end.startswith("socket:")}
    listed = beside.club.run_as("root", "ss", "-tnoeH", "dport", "=", ":636", host=ADMIN).stdout
    (line,) = [one for one in listed.splitlines() if numbers & set(re.findall(r"ino:(\d+)", one))]
    assert re.search(r"timer:\(keepalive,([0-9.]+ms|1?[0-9](\.\d+)?sec)", line), line


@pytest.mark.parametrize("lost", ["feed", "worker", "file", "link", "damaged"])
def test_what_is_lost_is_made_again(beside: Beside, lost: str) -> None:
    (feed,) = _feeds()
    file = FOLDER / os.readlink(FOLDER / store.CURRENT)
    if lost == "feed":
        kill(feed)
    elif lost == "worker":
        kill(int(Path(f"/proc/{feed}/stat").read_text().rpartition(")")[2].split()[1]))
    elif lost == "file":
        for path in FOLDER.glob(f"{file.name}*"):
            path.unlink()
    elif lost == "link":
        (FOLDER / store.CURRENT).unlink()
    else:
        with file.open("r+b") as opened:
            opened.write(b"\xff" * 8192)
    with _people(beside, 1) as (uid,):
        page = beside.answers(uid=uid)  # at once, whoever answers
        assert [row["uid"] for row in page["members"]] == [uid]
        # A file that is lost is made again by the same process.
        until(
            lambda: len(_feeds()) == 1 and (_feeds() == [feed]) == (lost not in ("feed", "worker")),
            10,
            "one feed",
        )
        until(lambda: beside.is_equal() and beside.is_answering(), 30, "equal again")
        until(lambda: os.readlink(FOLDER / store.CURRENT) != file.name, 30, "another file")
    beside.club.both_workers()


def test_a_directory_that_was_put_back_from_an_older_copy(beside: Beside) -> None:
    """The change that the copy lacks goes, although the directory has newer ones by the time the index hears of it."""
    club, copy = beside.club, SRV / "ldap-before"
    with _people(beside, 1) as (uid,):
        club.service(ADMIN, "stop", "slapd")
        until(lambda: not (FOLDER / store.CURRENT).is_symlink(), 5, "nobody reads what nobody feeds")
        shutil.copytree(SRV / "ldap", copy)
        club.service(ADMIN, "start", "slapd")
        beside.lost_line()
        beside.change(f"uid={uid},{PEOPLE}", cn="Lost Change")
        until(lambda: beside.is_equal() and beside.is_answering(), 30, "followed again")
        assert [row["uid"] for row in beside.answers(text="lost change")["members"]] == [uid]
        club.service(ADMIN, "stop", "slapd")
        shutil.rmtree(SRV / "ldap")
        copy.rename(SRV / "ldap")
        club.service(ADMIN, "start", "slapd")
        beside.lost_line()
        beside.change(f"uid=regular1,{PEOPLE}", program="Mathematics")
        assert beside.answers(name="lost change")["found"] == 0
        until(lambda: beside.is_equal() and beside.is_answering(), 30, "equal again")
        assert beside.answers(text="lost change")["found"] == 0
    club.settled()
