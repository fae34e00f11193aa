"""What others wrote into the directory misleads ceod in nothing, and stops nobody else's work."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ceo_common.client import Client
from ceo_common.errors import (
    BrokenEntry,
    CeoError,
    Exists,
    Forbidden,
    InactiveCaller,
    Invalid,
    LeftBehind,
    NotFound,
)
from ceo_common.krb5.admin import Admin
from sandbox.club import PASSWORD, REALM, host_place
from tests.club import foreign
from tests.club.club import ADMIN, PYTHON, Club
from tests.club.foreign import GROUPS, PEOPLE

SYSCOM, COUNTER = f"cn=syscom,{GROUPS}", "cn=members,ou=UidCounters,dc=csclub,dc=internal"
LOOK_ALIKES = ("CTDALEK", "Ctdalek", "ｃtdalek", "ofﬁce1")


def _counter(club: Club) -> int:
    (entry,) = [entry for dn, entry in club.entries("(cn=members)").items() if dn == COUNTER]
    return int(entry["uidNumber"][0])


def _modify(dn: str, *lines: str) -> str:
    return f"dn: {dn}\nchangetype: modify\n" + "\n-\n".join(lines) + "\n"


@pytest.fixture
def pair(club: Club) -> Iterator[tuple[str, str]]:
    """One who wants to be taken for the other: their attributes with options say so."""
    evil, good = (club.add()["result"]["uid"] for _ in range(2))
    user, group = f"uid={evil},{PEOPLE}", f"cn={evil},{GROUPS}"
    put = "\n".join(
        [
            _modify(
                user,
                f"add: uid;lang-en\nuid;lang-en: {good}",
                "add: uidNumber;lang-en\nuidNumber;lang-en: 20001",
                "add: gidNumber;lang-en\ngidNumber;lang-en: 20001",
                "add: loginShell;lang-en\nloginShell;lang-en: /tmp/evil",
                "add: homeDirectory;lang-en\nhomeDirectory;lang-en: /root",
                "add: cn;lang-en\ncn;lang-en: Calum Dalek",
                "add: position;lang-en\nposition;lang-en: president",
                "add: term;lang-en\nterm;lang-en: f2099",
            ),
            _modify(
                group,
                f"add: cn\ncn: {good}",
                "add: cn;lang-en\ncn;lang-en: syscom",
                f"add: uniqueMember;lang-en\nuniqueMember;lang-en: {user}",
            ),
            _modify(SYSCOM, f"add: uniqueMember;lang-en\nuniqueMember;lang-en: {user}"),
        ]
    )
    take = put.replace("add: ", "delete: ")
    foreign.write(club, put)
    try:
        yield evil, good
    finally:
        foreign.write(club, take)


def test_an_entry_with_other_names_and_options_is_itself_alone(
    club: Club, pair: tuple[str, str]
) -> None:
    evil, good = pair
    office, syscom = club.client("office1"), club.client("ctdalek")
    number, evil_number = (os.stat(f"/users/{uid}").st_uid for uid in (good, evil))
    mine, theirs = office.member(good), office.member(evil)
    assert (mine["uid"], mine["uid_number"], mine["groups"]) == (good, number, [])
    assert (theirs["uid"], theirs["uid_number"], theirs["gid_number"]) == (
        evil,
        evil_number,
        evil_number,
    )
    assert (theirs["login_shell"], theirs["home_directory"]) == ("/bin/bash", f"/users/{evil}")
    assert (theirs["cn"], theirs["terms"], theirs["positions"]) == ("Test Person", ["f2026"], [])
    assert [row["uid"] for row in office.members(uid=good)["members"]].count(good) == 1
    assert office.group(good)["members"] == office.group(evil)["members"] == []
    assert evil not in office.group("syscom")["members"]
    assert evil not in [row["uid"] for row in office.members(group="syscom")["members"]]
    assert evil not in str(office.positions()["positions"])
    club.has_password(evil)
    assert club.client(evil).whoami()["standing"] == ["anyone", "signed_in"]
    with pytest.raises(Forbidden):
        club.client(evil).expired()

    # The home of one stays theirs.
    second = _modify(f"uid={evil},{PEOPLE}", f"add: uid\nuid: {good}")
    foreign.write(club, second)
    assert (office.member(good)["uid_number"], office.member(evil)["uid_number"]) == (
        number,
        evil_number,
    )
    assert [row["uid"] for row in office.members(uid=good)["members"]] == [good]
    with pytest.raises(NotFound, match="that ceod can repair"):
        list(syscom.mend(good))
    assert {row["check"] for row in office.examine(good) if row["state"] != "ok"} <= {"user number"}
    assert os.stat(f"/users/{good}").st_uid == number
    foreign.write(club, second.replace("add: ", "delete: "))


def test_a_second_name_is_taken(club: Club, pair: tuple[str, str]) -> None:
    """Nobody is signed up under a name that another's entry bears, however slapd compares."""
    name, shouted = club.name(), club.name()
    evil, _ = pair
    with foreign.written(club, foreign.user(shouted.upper(), 28901)):
        foreign.write(club, _modify(f"uid={evil},{PEOPLE}", f"add: uid\nuid: {name}"))
        for uid in (name, shouted):
            status, (error, *_) = club.post("office1", club.member(uid))
            assert (status, error["code"]) == (409, "left_behind"), error
            with pytest.raises(NotFound):
                club.client("office1").member(uid)
        foreign.write(club, _modify(f"uid={evil},{PEOPLE}", f"delete: uid\nuid: {name}"))


def _staffs_and_owners(club: Club, client: Client) -> list[Callable[[], Any]]:
    """What the committee, office staff or ctdalek alone may ask."""
    return [
        client.expired,
        lambda: list(client.add_member(club.member())),
        lambda: list(client.add_group(club.name())),
        lambda: client.examine("regular1"),
        lambda: client.subscribe("csc-general", "ctdalek"),
        lambda: client.loans_of("ctdalek"),
        lambda: list(client.modify_member("ctdalek", {"login_shell": "/bin/sh"})),
        lambda: list(client.create_database("mysql", "ctdalek")),
        lambda: client.databases("ctdalek"),
    ]


def test_a_principal_that_looks_like_another_is_nobody(club: Club) -> None:
    kadmin = Admin.with_password("sysadmin/admin", PASSWORD)
    for name in LOOK_ALIKES:
        kadmin.create(f"{name}@{REALM}", PASSWORD)
    try:
        for name in LOOK_ALIKES:
            own = club.client(name)
            assert own.whoami() == {
                "principal": f"{name}@{REALM}",
                "uid": name,
                "host": None,
                "standing": ["anyone", "signed_in"],
            }
            for ask in _staffs_and_owners(club, own):
                with pytest.raises((Forbidden, InactiveCaller)):
                    ask()
            assert club.client("regular1").member("ctdalek")["login_shell"] == "/bin/bash"
    finally:
        for name in LOOK_ALIKES:
            kadmin.delete(f"{name}@{REALM}")


@pytest.mark.parametrize("name", [*LOOK_ALIKES, "ctdalek ", "*", "ctdale*"])
def test_a_path_that_looks_like_a_name_is_none(club: Club, name: str) -> None:
    syscom = club.client("ctdalek")
    asked: list[Callable[[], Any]] = [
        lambda: syscom.member(name),
        lambda: syscom.group(name),
        lambda: syscom.examine(name),
        lambda: list(syscom.delete_member(name)),
        lambda: list(syscom.renew_member(name, {"terms": ["f2026"]})),
        lambda: list(syscom.reset_password(name)),
        lambda: list(syscom.add_to_group("office", name)),
        lambda: syscom.subscribe("csc-general", name),
        lambda: list(syscom.create_database("mysql", name)),
        lambda: syscom.lend(1, name),
        lambda: list(syscom.mend(name)),
    ]
    for ask in asked:
        with pytest.raises(CeoError) as error:
            ask()
        assert error.value.code in ("not_found", "invalid"), error.value


def test_a_member_by_a_look_alike_of_the_name_is_none(club: Club) -> None:
    """uniqueMember folds case: what it says of the group's members is no word of ceod's."""
    uid = club.add()["result"]["uid"]
    value = f"uid={uid.upper()},{PEOPLE}"
    foreign.write(club, _modify(SYSCOM, f"add: uniqueMember\nuniqueMember: {value}"))
    try:
        club.has_password(uid)
        assert club.client("regular1").member(uid)["groups"] == []
        with pytest.raises(Forbidden, match="of the systems committee"):
            list(club.client("office1").modify_member(uid, {"forwarding_addresses": ["x@y.org"]}))
        assert club.client(uid).whoami()["standing"] == ["anyone", "signed_in"]
        # Whoever is deleted is out of it all the same: slapd would take it for theirs.
        club.done(club.client("ctdalek").delete_member(uid))
        assert uid not in str(club.entries("(cn=syscom)")).lower()
    finally:
        if uid in str(club.entries("(cn=syscom)")).lower():
            foreign.write(club, _modify(SYSCOM, f"delete: uniqueMember\nuniqueMember: {value}"))


def _broken(number: int) -> dict[str, tuple[str, str]]:
    """Entries of ou=People that can't be accounts, by what is wrong with them."""
    lapsed = ("term: w2019", "shadowExpire: 18000", "program: Broken")
    no_posix = "\n".join(
        (
            "objectClass: top",
            "objectClass: account",
            "objectClass: member",
            "uid: broken1",
            "cn: Broken Person",
            "term: w2019",
            "program: Broken",
        )
    )
    dn, lines = foreign.user("broken2", number, *lapsed)
    return {
        "no posixAccount": (f"uid=broken1,{PEOPLE}", no_posix),
        "the number has an option": (dn, lines.replace("uidNumber:", "uidNumber;lang-en:")),
        "no name": foreign.user("x:0:0", number + 1, *lapsed),
        "a path": foreign.user("../root", number + 2, *lapsed),
        "another RDN": foreign.user("broken3", number + 3, *lapsed, named_by="cn=Foreign Person"),
        "two in the RDN": foreign.user(
            "broken4", number + 4, *lapsed, named_by="uid=broken4+cn=Foreign Person"
        ),
        "root's number": foreign.user("broken5", 0, *lapsed),
        "a day that is none": foreign.user("broken6", number + 5, "shadowExpire: 999999999999"),
        "in capitals": foreign.user("BROKEN7", number + 6, *lapsed),
    }


def test_broken_entries_are_left_out_and_everybody_else_is_served(club: Club) -> None:
    entries = _broken(28910)
    inside = [f"uniqueMember: uid={uid},{PEOPLE}" for uid in ("broken1", "regular1")]
    whole = foreign.group("nonumber", 1, "objectClass: extensibleObject", *inside)
    office, syscom = club.client("office1"), club.client("ctdalek")
    before = {uid for uid in (row["uid"] for row in office.all_members())}
    with foreign.written(
        club,
        *entries.values(),
        whole,
        foreign.group("two-names", 2, "cn: another", named_by="cn=another+gidNumber=2"),
    ):
        page = office.members(size=1000)
        assert {row["uid"] for row in page["members"]} == before
        assert page["broken"] == len(entries)
        counts: list[int] = []
        office.on_broken = counts.append
        assert {row["uid"] for row in office.all_members()} == before
        assert counts == [len(entries)]
        assert office.members(program="Broken")["found"] == 0
        for question, count in (({}, 1), ({"name": "Person"}, 1), ({"program": "Math"}, 0)):
            page = office.members(group="nonumber", **question)
            assert page["broken"] == count, question
        counts.clear()
        assert [row["uid"] for row in office.all_members(group="nonumber")] == ["regular1"]
        assert counts == [1]
        assert not {"broken1", "broken2", "x:0:0", "../root"} & {
            row["uid"] for row in [*office.expired(), *office.inactive(1)]
        }
        assert office.lapsed(cn="Broken Person") == []
        assert syscom.expiry()["broken"] >= 1
        assert syscom.reminders()["broken"] >= 1
        assert syscom.programs()["broken"] >= 1
        assert office.positions()["broken"] == 0
        groups = {row["cn"] for row in office.groups()}
        assert {"office", "syscom", "nonumber"} <= groups
        assert not {"two-names", "another"} & groups
        assert counts[-1] == 1
        for uid, words in (
            ("broken1", "no posixAccount"),
            ("broken2", "uidNumber is missing"),
            ("broken5", "uidNumber is 0"),
            ("broken6", "shadowExpire is 999999999999"),
        ):
            with pytest.raises(BrokenEntry, match=words):
                office.member(uid)
            with pytest.raises(BrokenEntry):
                list(syscom.delete_member(uid))
            with pytest.raises((BrokenEntry, Exists, LeftBehind)):
                list(office.add_member(club.member(uid)))
            findings = office.examine(uid)
            assert {
                (finding["check"], finding["state"], finding["fixable"]) for finding in findings
            } == {("LDAP user", "problem", False)}
            assert words in findings[0]["found"]
        listed = club.run_as("office1", "ceo", "members", "list", "--csv")
        assert listed.returncode == 0, listed
        assert "9 entries of the directory are broken and left out" in listed.stderr
        assert "broken" not in listed.stdout


# What a start of ceod looks at, without the seconds that the rest of a start takes.
_CHECK_COUNTERS = """
import sys
from pathlib import Path
from ceo_common.config import load_daemon
from ceod.operations.registry import OPERATIONS
from ceod.runtime import _check_counters
from ceod.services.all import connect
from ceod.transaction.engine import Engine

services = connect(load_daemon("/etc/csc/ceod.toml"))
_check_counters(services, Engine(Path(sys.argv[1]), OPERATIONS, services).record)
"""


def _check_counters(club: Club) -> subprocess.CompletedProcess[str]:
    state_dir = str(host_place(ADMIN) / "ceod")
    return club.run_as("root", str(PYTHON), "-c", _CHECK_COUNTERS, state_dir, host=ADMIN)


def test_a_counter_far_behind_is_raised_past_what_is_in_use(club: Club) -> None:
    """An older directory was put back: the first sign-up does not try some two hundred numbers."""
    before, since = _counter(club), len(club.log(f"{ADMIN}.slapd"))
    foreign.write(club, _modify(COUNTER, "replace: uidNumber\nuidNumber: 20001"))
    try:
        assert club.add()["result"]["uid_number"] > 20100
        changes = club.log(f"{ADMIN}.slapd")[since:].count(f'MOD dn="{COUNTER}"')
        assert 6 <= changes < 50
    finally:
        number = max(before, _counter(club))
        foreign.write(club, _modify(COUNTER, f"replace: uidNumber\nuidNumber: {number}"))


def test_positions_of_whoever_was_deleted_or_is_broken(club: Club) -> None:
    """A deleted holder loses them, although slapd lets ceod/admin alone write that entry."""
    syscom, uid = club.client("ctdalek"), club.add()["result"]["uid"]
    expiry = f"dn: uid={uid},{PEOPLE}\nchangetype: modify\nreplace: shadowExpire\n"
    broken = f"{expiry}shadowExpire: 999999\n-\nadd: position\nposition: offsck\n"
    for text in (broken, f"{expiry}shadowExpire: 1\n"):
        done = club.run_as("ctdalek", "ldapmodify", "-Q", text=text)
        assert done.returncode == 0, done
        if text == broken:
            with pytest.raises(BrokenEntry, match=f"the entry of {uid}"):
                list(syscom.set_positions({"offsck": []}))
            with pytest.raises(Invalid) as error:
                list(syscom.set_positions({"imapd": [uid]}))
            assert f"the entry of {uid} in the directory is broken" in str(error.value.problems)
            with pytest.raises(BrokenEntry, match=f"the entry of {uid}"):
                list(syscom.update_programs([uid]))
    assert syscom.positions()["positions"]["offsck"] == [uid]
    club.done(syscom.set_positions({"offsck": []}))
    assert syscom.positions()["positions"]["offsck"] == []
    foreign.write(club, _modify(f"uid={uid},{PEOPLE}", "delete: shadowExpire"))


def test_an_outlier_uses_nothing_up_and_stops_nobody(club: Club) -> None:
    """The last number of the range, the next one, the next one of a group: the counter goes on."""
    office, last = club.client("office1"), 29999
    number = club.add()["result"]["uid_number"]
    outlier, following, group = club.name(), club.name(), club.name()
    with foreign.written(
        club,
        foreign.user(outlier, last),
        foreign.user(following, _counter(club)),
        foreign.group(group, _counter(club) + 1),
    ):
        assert club.add()["result"]["uid_number"] == number + 3
        assert office.member(outlier)["uid_number"] == last
        finding = next(row for row in office.examine(outlier) if row["check"] == "user number")
        assert (finding["state"], finding["fixable"]) == ("problem", False)
        assert "somebody chose it" in finding["found"]
        syscom = club.client("ctdalek")
        syscom.rehearsing = True
        (rehearsal,) = syscom.mend(following)
        assert "counter of user numbers" not in str(rehearsal)
        checked = _check_counters(club)
        assert checked.returncode == 0, checked
        assert "numbers that the counter has not reached are in use" in checked.stderr


def test_a_counter_outside_of_its_range_gives_nothing(club: Club) -> None:
    """Number 5 would be an account of the operating system's."""
    before = _counter(club)
    try:
        for wrong, words in ((30000, "used up"), (5, "below 20001 to 29999")):
            foreign.write(club, _modify(COUNTER, f"replace: uidNumber\nuidNumber: {wrong}"))
            status, events = club.post("office1", club.member())
            assert status == 200
            assert events[-1]["status"] == "aborted"
            assert words in str(events[-1]), events
        checked = _check_counters(club)
        assert checked.returncode != 0
        assert "members,ou=UidCounters is at" in checked.stderr
        assert "given already" not in checked.stderr
        foreign.write(club, _modify(COUNTER, "delete: uidNumber"))
        (row,) = [r for r in club.client("office1").examine_directory() if r["check"] == "counter"]
        assert f"the uidNumber of the counter {COUNTER} is missing" in row["found"]
    finally:
        foreign.write(club, _modify(COUNTER, f"replace: uidNumber\nuidNumber: {before}"))


def test_the_directory_is_examined(club: Club) -> None:
    """What is wrong is a row with what to do; slapd lets the committee write this."""
    office, name = club.client("office1"), club.name()
    members = (f"uniqueMember: uid=nobody,{PEOPLE}", "memberUid: regular1")
    dn, lines = foreign.group(name, 10950, *members)
    change = f"dn: {dn}\nchangetype: %s\n"
    added = club.run_as("ctdalek", "ldapmodify", "-Q", text=change % "add" + lines + "\n")
    assert added.returncode == 0, added
    try:
        rows = [row for row in office.examine_directory() if row["looked_at"] == dn]
        assert [(row["check"], row["state"], row["fixable"]) for row in rows] == [
            ("members", "problem", False)
        ] * 2
        assert f"uniqueMember uid=nobody,{PEOPLE} names no account" in rows[0]["found"]
        assert "memberUid regular1 makes somebody a member" in rows[1]["found"]
        assert all("take it out with ldapmodify" in row["mend"] for row in rows)
        done = club.run_as("office1", "ceo", "doctor", "--directory", "--json")
        assert done.returncode == 1, done
        assert all(row in json.loads(done.stdout)["findings"] for row in rows)
        done = club.run_as("office1", "ceo", "doctor", "--directory")
        assert done.returncode == 1, done
        assert f"PROBLEM  members                  {dn}: uniqueMember uid=nobody" in done.stdout
        assert "-> take it out with ldapmodify: delete: memberUid: regular1" in done.stdout
    finally:
        gone = club.run_as("ctdalek", "ldapmodify", "-Q", text=change % "delete")
        assert gone.returncode == 0, gone
    assert club.run_as("regular1", "ceo", "doctor", "--directory").returncode == 77
    for words in (("--fix",), ("ctdalek",)):
        assert club.run_as("office1", "ceo", "doctor", "--directory", *words).returncode == 2
