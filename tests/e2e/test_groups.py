"""Groups, clubs and positions: what follows from them, and every refusal."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ceo_common.errors import CeoError, Deleted, Exists, Forbidden, Invalid, LeftBehind, NotFound, WrongState
from ceo_common.events import Event
from ceo_common.krb5.admin import Admin
from sandbox.club import BASE_DN, PASSWORD
from tests.club.club import Club

GROUPS = f"ou=Group,{BASE_DN}"


def _inside(club: Club, group: str) -> list[str]:
    (entry,) = club.entries(f"(&(cn={group})(objectClass=group))").values()
    return sorted(dn.decode().partition(",")[0].removeprefix("uid=") for dn in entry.get("uniqueMember", []))


def test_a_new_group_has_an_administrative_number(club: Club) -> None:
    cn = club.name()
    result = club.done(club.client("ctdalek").add_group(cn))
    (entry,) = club.entries(f"(cn={cn})").values()
    assert entry["gidNumber"] == [str(result["gid_number"]).encode()] and 10011 <= result["gid_number"] <= 19999
    assert club.client("regular1").group(cn) == {"cn": cn, "gid_number": result["gid_number"], "members": [], "lists": [], "implies": []}
    assert {"cn": cn, "gid_number": result["gid_number"], "members": 0} in club.client("regular1").groups()
    with pytest.raises(Exists, match="there is a group"):
        list(club.client("ctdalek").add_group(cn))


@pytest.mark.parametrize("cn", ["regular1", "root", "go-club", "csc-general-owner"])
def test_a_group_takes_no_name_that_is_something_else(club: Club, cn: str) -> None:
    with pytest.raises((Exists, Invalid)):
        list(club.client("ctdalek").add_group(cn))


def test_what_follows_from_a_group_is_joined_and_left_with_it(club: Club) -> None:
    uid, syscom = club.add()["result"]["uid"], club.client("ctdalek")
    result = club.done(syscom.add_to_group("syscom", uid))
    implied = ["office", "staff", "adm", "src", "cdrom", "audio", "video", "www"]
    assert result == {"group": "syscom", "uid": uid, "lists": ["syscom"], "groups": dict.fromkeys(["syscom", *implied], "added"), "warnings": []}
    assert all(uid in _inside(club, group) for group in ["syscom", *implied]) and club.on_list(uid, "syscom")
    with pytest.raises(Exists, match="in syscom already"):
        list(syscom.add_to_group("syscom", uid))
    assert set(club.done(syscom.remove_from_group("syscom", uid))["groups"].values()) == {"removed"}
    assert not any(uid in _inside(club, group) for group in ["syscom", *implied]) and not club.on_list(uid, "syscom")
    with pytest.raises(NotFound, match="is not in syscom"):
        list(syscom.remove_from_group("syscom", uid))


def test_what_another_group_asks_for_too_stays(club: Club) -> None:
    uid, syscom = club.add()["result"]["uid"], club.client("ctdalek")
    club.done(syscom.add_to_group("syscom", uid))
    assert set(club.done(syscom.remove_from_group("office", uid))["groups"]) == {"office", "cdrom", "audio", "video", "www"} - {
        "office", "cdrom", "audio", "video", "www"} | {"office"}
    assert uid in _inside(club, "cdrom")  # which being in syscom asks for
    club.done(syscom.remove_from_group("syscom", uid))


def test_an_auxiliary_group_that_is_not_there_is_told(club: Club) -> None:
    uid, syscom = club.add()["result"]["uid"], club.client("ctdalek")
    before = club.entries("(cn=video)")
    assert club.run_as("ctdalek", "ldapmodify", "-Q", text=f"dn: cn=video,{GROUPS}\nchangetype: delete\n").returncode == 0
    try:
        result = club.done(syscom.add_to_group("office", uid))
        assert result["groups"]["video"] == "there is no such group" and result["groups"]["cdrom"] == "added"
        club.done(syscom.remove_from_group("office", uid))
    finally:
        (entry,) = before.values()
        text = "".join(f"{name}: {value.decode()}\n" for name, values in entry.items() for value in values)
        assert club.run_as("ctdalek", "ldapadd", "-Q", text=f"dn: cn=video,{GROUPS}\n{text}").returncode == 0


def test_the_last_of_the_systems_committee_stays(club: Club) -> None:
    with pytest.raises(WrongState, match="ctdalek is the last member of the systems committee"):
        list(club.client("ctdalek").remove_from_group("syscom", "ctdalek"))
    assert _inside(club, "syscom") == ["ctdalek"]


@pytest.mark.parametrize("dn", [f"uid=robot,ou=Service,{BASE_DN}", f"uid=gone,ou=People,{BASE_DN}", f"uid=CTDALEK,ou=People,{BASE_DN}"])
def test_what_is_no_living_account_does_not_keep_the_committee(club: Club, dn: str) -> None:
    change = f"dn: cn=syscom,{GROUPS}\nchangetype: modify\n%s: uniqueMember\nuniqueMember: {dn}\n"
    added = club.run_as("ctdalek", "ldapmodify", "-Q", text=change % "add").returncode == 0
    try:
        with pytest.raises(WrongState, match="the last member of the systems committee"):
            list(club.client("ctdalek").remove_from_group("syscom", "ctdalek"))
    finally:
        assert not added or club.run_as("ctdalek", "ldapmodify", "-Q", text=change % "delete").returncode == 0


def test_a_membership_in_another_spelling_is_one(club: Club) -> None:
    """It was taken away by the undoing of a change that was refused."""
    change = f"dn: cn=adm,{GROUPS}\nchangetype: modify\n%s: uniqueMember\nuniqueMember: uid=Regular1,ou=People,{BASE_DN}\n"
    assert club.run_as("ctdalek", "ldapmodify", "-Q", text=change % "add").returncode == 0
    try:
        with pytest.raises(Exists, match="regular1 is in adm already"):
            list(club.client("ctdalek").add_to_group("adm", "regular1"))
        assert "Regular1" in _inside(club, "adm")
    finally:
        assert club.run_as("ctdalek", "ldapmodify", "-Q", text=change % "delete").returncode == 0


def test_a_sudo_role_that_was_left_keeps_the_name_from_being_used(club: Club) -> None:
    uid, syscom = club.name(), club.client("ctdalek")
    dn = f"cn=%{uid},ou=SUDOers,{BASE_DN}"
    text = f"dn: {dn}\nchangetype: add\nobjectClass: sudoRole\ncn: %{uid}\nsudoUser: %{uid}\nsudoHost: ALL\nsudoCommand: ALL\n"
    assert club.run_as("ctdalek", "ldapmodify", "-Q", text=text).returncode == 0
    try:
        asked: list[Callable[[], Iterator[Event]]] = [
            lambda: syscom.add_group(uid), lambda: syscom.add_club({"uid": uid, "cn": "A Club"}), lambda: syscom.add_member(club.member(uid))]
        for ask in asked:
            with pytest.raises(LeftBehind, match="SUDOers"):
                list(ask())
    finally:
        assert club.run_as("ctdalek", "ldapmodify", "-Q", text=f"dn: {dn}\nchangetype: delete\n").returncode == 0


def test_two_who_leave_at_once_do_not_leave_it_empty(club: Club) -> None:
    """Each sees the other still in it: only one may go."""
    import threading

    uid, syscom = club.add()["result"]["uid"], club.client("ctdalek")
    club.done(syscom.add_to_group("syscom", uid))
    told: list[Any] = []

    def leave(name: str) -> None:
        try:
            *_, last = club.client("ctdalek").remove_from_group("syscom", name)
            told.append(last["status"])
        except CeoError as error:
            told.append(error.code)

    threads = [threading.Thread(target=leave, args=(name,)) for name in ("ctdalek", uid)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    left = _inside(club, "syscom")
    assert len(left) == 1 and told.count("completed") == 1, (told, left)
    if left != ["ctdalek"]:
        Admin.with_password("sysadmin/admin", PASSWORD).set_password(uid, PASSWORD)
        text = "".join(f"dn: cn={group},{GROUPS}\nchangetype: modify\nadd: uniqueMember\nuniqueMember: uid=ctdalek,ou=People,{BASE_DN}\n\n"
                       for group in ("syscom", "office", "staff"))
        subprocess.run(["ldapmodify", "-Q"], input=text, text=True, check=True, env={**os.environ, "KRB5CCNAME": club.ccache(uid)})
        club.done(syscom.remove_from_group("syscom", uid))
    assert _inside(club, "syscom") == ["ctdalek"] and "ctdalek" in _inside(club, "office")


def test_who_is_gone_can_still_be_taken_out(club: Club) -> None:
    uid, syscom = club.name(), club.client("ctdalek")
    change = f"dn: cn=staff,{GROUPS}\nchangetype: modify\nadd: uniqueMember\nuniqueMember: uid={uid},ou=People,{BASE_DN}\n"
    assert club.run_as("ctdalek", "ldapmodify", "-Q", text=change).returncode == 0
    with pytest.raises(LeftBehind, match="cn=staff"):
        list(club.client("office1").add_member(club.member(uid)))
    with pytest.raises(NotFound, match="there is no account"):
        list(syscom.add_to_group("office", uid))
    club.done(syscom.remove_from_group("staff", uid))
    assert uid not in _inside(club, "staff")


def test_groups_that_are_not_there_and_people_who_may_not(club: Club) -> None:
    syscom = club.client("ctdalek")
    for refused in (lambda: syscom.add_to_group("no-such-group", "regular1"), lambda: syscom.add_to_group("office", "nobody-here"),
                    lambda: syscom.remove_from_group("office", "*"), lambda: syscom.group("no)(cn=*")):
        with pytest.raises(NotFound):
            list(refused())
    for who in ("office1", "regular1"):
        with pytest.raises(Forbidden, match="Only the systems committee may change who is in a group"):
            list(club.client(who).add_to_group("office", "regular1"))
    with pytest.raises(Forbidden, match="Only the systems committee may create a group"):
        list(club.client("office1").add_group(club.name()))


# Clubs


def test_a_club_has_a_group_a_sudo_role_and_a_home_that_the_group_shares(club: Club) -> None:
    """In the programs before, club creation failed always."""
    uid, syscom = club.name(), club.client("ctdalek")
    result = club.done(syscom.add_club({"uid": uid, "cn": "Ängström Club"}))
    number = str(result["uid_number"]).encode()
    assert 30003 <= result["uid_number"] <= 39999
    people, groups, roles = (club.entries(filter_) for filter_ in (f"(uid={uid})", f"(&(cn={uid})(objectClass=group))", f"(cn=%{uid})"))
    (person,), (group,), (role,) = people.values(), groups.values(), roles.values()
    assert person["objectClass"] == [b"top", b"account", b"posixAccount", b"shadowAccount", b"club"]
    assert person["cn"] == ["Ängström Club".encode()] and person["uidNumber"] == group["gidNumber"] == [number]
    assert "term" not in person and club.principal(uid) is None
    assert role["sudoUser"] == [f"%{uid}".encode()] and role["sudoRunAsUser"] == [uid.encode()] and role["sudoOption"] == [b"!authenticate"]
    info = os.stat(f"/users/{uid}")
    assert (info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode)) == (int(number), int(number), 0o2771)

    # What one member of the group makes, another may change; who is not in the group may not.
    def as_somebody(who: int, group: int, what: str) -> int:
        return subprocess.run(["setpriv", "--reuid", str(who), "--regid", str(who), "--groups", str(group), "sh", "-c", what],
                              capture_output=True, check=False).returncode

    assert as_somebody(29998, int(number), f"umask 027; mkdir /users/{uid}/d && echo one > /users/{uid}/d/file") == 0
    assert as_somebody(29997, int(number), f"echo two >> /users/{uid}/d/file") == 0
    assert as_somebody(29996, 29996, f"ls /users/{uid}") != 0 and as_somebody(29996, 29996, f"cat /users/{uid}/d/file") != 0
    member = club.client("regular1").member(uid)
    assert member["is_club"] and member["terms"] == []


def test_clubs_that_are_refused(club: Club) -> None:
    syscom = club.client("ctdalek")
    for body, error in (({"uid": "go-club", "cn": "Go Club"}, Exists), ({"uid": "X", "cn": "abc"}, Invalid), ({"uid": club.name()}, Invalid),
                        ({"uid": "regular1", "cn": "A Club"}, Exists)):
        with pytest.raises(error):
            list(syscom.add_club(body))
    with pytest.raises(Forbidden, match="Only the systems committee may create a club"):
        list(club.client("office1").add_club({"uid": club.name(), "cn": "A Club"}))


# Positions


@pytest.fixture
def positions(club: Club) -> Iterator[None]:
    """What the test gives is taken back."""
    before = club.client("ctdalek").positions()["positions"]
    yield
    now = club.client("ctdalek").positions()["positions"]
    if changed := {name: before[name] for name in now if now[name] != before[name] and (before[name] or name not in _REQUIRED)}:
        list(club.client("ctdalek").set_positions(changed))
    # Required ones may not be empty again: past ceod, then.
    entries = club.entries("(position=*)")
    text = "".join(f"dn: {dn}\nchangetype: modify\ndelete: position\n\n" for dn in entries)
    text += "".join(f"dn: cn=exec,{GROUPS}\nchangetype: modify\ndelete: uniqueMember\n\n" for _ in [0] if _inside(club, "exec"))
    if text:
        assert club.run_as("ctdalek", "ldapmodify", "-Q", text=text).returncode == 0


_REQUIRED = ("president", "vice-president", "sysadmin")


@pytest.mark.usefixtures("positions")
def test_positions_the_executive_group_and_its_lists_follow(club: Club) -> None:
    one, two, syscom = club.add()["result"]["uid"], club.add()["result"]["uid"], club.client("ctdalek")
    wanted = {"president": [one], "vice-president": [two], "sysadmin": ["ctdalek"], "webmaster": [one, two]}
    result = club.done(syscom.set_positions(wanted))
    assert result["changed"] == result["joined"] == sorted(["ctdalek", one, two])
    told = club.client("regular1").positions()
    assert {name: uids for name, uids in told["positions"].items() if uids} == {name: sorted(uids) for name, uids in wanted.items()}
    assert told["required"] == list(_REQUIRED)
    assert _inside(club, "exec") == sorted(["ctdalek", one, two]) and club.on_list(one, "exec")
    assert sorted(club.client("regular1").member(one)["positions"]) == ["president", "webmaster"]

    # Only the differences are written: who stays as they are is not touched.
    log = len(club.log("phosphoric-acid.slapd"))
    result = club.done(syscom.set_positions({"president": [two], "vice-president": [two], "webmaster": []}))
    assert result["changed"] == sorted([one, two]) and result["left"] == [one] and result["joined"] == []
    assert 'MOD dn="uid=ctdalek' not in club.log("phosphoric-acid.slapd")[log:]
    assert _inside(club, "exec") == sorted(["ctdalek", two])
    assert not club.on_list(one, "exec") and club.on_list(two, "exec")


@pytest.mark.usefixtures("positions")
@pytest.mark.parametrize(("body", "message"), [
    ({"president": []}, "the position president has to be held by somebody"), ({"king": ["ctdalek"]}, "there is no position 'king'"),
    ({"cro": ["nobody-here"]}, "there is no account nobody-here"), ({"cro": ["go-club"]}, "go-club is a club"),
    ({"cro": "ctdalek"}, "has to be a list"), ({"cro": ["Bad Name"]}, "a username is"), ([], "has to be an object"),
])
def test_positions_that_are_refused(club: Club, body: Any, message: str) -> None:
    before = club.entries("(objectClass=*)")
    with pytest.raises(NotFound if message.startswith("there is no") else Invalid) as caught:
        list(club.client("ctdalek").set_positions(body))
    assert message in caught.value.problems[0]["message"], caught.value.problems
    assert club.entries("(objectClass=*)") == before


def test_a_deleted_member_gets_no_position(club: Club) -> None:
    uid, syscom = club.add()["result"]["uid"], club.client("ctdalek")
    club.done(syscom.delete_member(uid))
    with pytest.raises(Invalid, match="the positions have problems"):
        list(syscom.set_positions({"cro": [uid]}))
    with pytest.raises(Deleted):
        list(syscom.add_to_group("office", uid))
    with pytest.raises(Forbidden, match="Only the systems committee may change who holds which position"):
        list(club.client("office1").set_positions({"cro": ["regular1"]}))
