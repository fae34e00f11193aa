"""Mailing lists: subscribed, held for a moderator, left, and every refusal."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ceo_common.errors import Exists, Forbidden, Invalid, NotFound, Overtaken, WrongState
from sandbox.club import BASE_DN
from tests.club.club import Club
from tests.e2e.test_permissions import _as_host

REST = "http://127.0.0.1:8001/3.1"


def _rest(club: Club, path: str, *more: str) -> Any:
    """Mailman's own REST API, past ceod."""
    done = club.run_as("root", "curl", "-s", "-u", "ceod:mailman-rest", f"{REST}/{path}", *more, host="mail")
    return json.loads(done.stdout) if done.stdout.strip() else None


def test_an_address_is_subscribed_and_taken_off(club: Club) -> None:
    uid = club.add()["result"]["uid"]
    office = club.client("office1")
    assert office.lists_of(uid)["lists"] == ["csc-general"]
    assert office.subscribe("events", uid) == {"list": "events", "uid": uid, "subscribed": True, "held": False}
    assert club.on_list(uid, "events") and office.lists_of(uid)["lists"] == ["csc-general", "events"]
    with pytest.raises(Exists, match="is on the list events already"):
        office.subscribe("events", uid)
    assert not office.unsubscribe("events", uid)["subscribed"] and not club.on_list(uid, "events")
    with pytest.raises(NotFound, match="is not on the list events"):
        office.unsubscribe("events", uid)


def test_ones_own_subscription_is_ones_own(club: Club) -> None:
    regular = club.client("regular1")
    assert regular.subscribe("events", "regular1")["subscribed"]
    regular.unsubscribe("events", "regular1")
    for refused in (regular.subscribe, regular.unsubscribe):
        with pytest.raises(Forbidden, match="Only the account's owner, office staff, the systems committee and the club's own hosts may"):
            refused("events", "rep1")
    with pytest.raises(Forbidden):
        regular.lists_of("rep1")


@pytest.fixture
def moderated(club: Club) -> Iterator[str]:
    """A list whose moderator is asked."""
    _rest(club, "lists/jobs.csclub.internal/config", "-X", "PATCH", "-d", "subscription_policy=moderate")
    yield "jobs"
    for request in (_rest(club, "lists/jobs.csclub.internal/requests") or {}).get("entries", []):
        _rest(club, f"lists/jobs.csclub.internal/requests/{request['token']}", "-d", "action=discard")
    _rest(club, "lists/jobs.csclub.internal/config", "-X", "PATCH", "-d", "subscription_policy=confirm")


def test_a_moderated_list_holds_what_nobody_approved(club: Club, moderated: str) -> None:
    regular = club.client("regular1")
    regular.rehearsing = True
    (change,) = regular.subscribe(moderated, "regular1")["changes"]
    assert change["new"] == f"{moderated}, once its moderator agrees"
    regular.rehearsing = False
    assert regular.subscribe(moderated, "regular1") == {"list": moderated, "uid": "regular1", "subscribed": False, "held": True}
    assert not club.on_list("regular1", moderated)
    with pytest.raises(Exists, match="the moderator of the list jobs was asked already whether regular1@"):
        regular.subscribe(moderated, "regular1")
    uid = club.add()["result"]["uid"]
    assert club.client("ctdalek").subscribe(moderated, uid)["subscribed"]  # the committee's word is enough
    club.client("ctdalek").unsubscribe(moderated, uid)


@pytest.fixture
def moderated_members_list(club: Club) -> Iterator[str]:
    """The list of all members, whose moderator is asked."""
    path = "lists/csc-general.csclub.internal"
    _rest(club, f"{path}/config", "-X", "PATCH", "-d", "subscription_policy=moderate")
    yield "csc-general"
    for request in (_rest(club, f"{path}/requests") or {}).get("entries", []):
        _rest(club, f"{path}/requests/{request['token']}", "-d", "action=discard")
    _rest(club, f"{path}/config", "-X", "PATCH", "-d", "subscription_policy=confirm")


def test_who_waits_for_a_moderator_is_told_at_sign_up_and_by_the_doctor(
    club: Club, moderated_members_list: str
) -> None:
    """Somebody asked for the address before it had an account."""
    uid = club.name()
    asked = ["-d", "list_id=csc-general.csclub.internal", "-d", f"subscriber={uid}@csclub.internal"]
    _rest(club, "members", *asked, "-d", "pre_verified=true", "-d", "pre_confirmed=true")
    words = ["--cn", "Test Person", "--program", "CS", "--term", "f2026", "--yes"]
    done = club.run_as("office1", "ceo", "members", "add", uid, *words)
    assert done.returncode == 0, done
    assert f"{uid} is not on the list csc-general yet: its moderator has to agree" in done.stderr
    assert not club.on_list(uid)
    assert club.client("office1").waiting_lists(uid) == ["csc-general"]
    done = club.run_as("office1", "ceo", "doctor", uid)
    assert done.returncode == 1, done
    assert "it waits for the moderator of the list csc-general" in " ".join(done.stdout.split())
    # Who joins by a group is told, too.
    other = club.add()["result"]["uid"]
    assert club.client("office1").waiting_lists(other) == []


def test_what_mailman_refuses_for_good_is_told_and_not_tried_again(club: Club) -> None:
    office, uid, added = club.client("office1"), club.add()["result"]["uid"], club.name()
    addresses = {name: f"{name}@csclub.internal" for name in (uid, added)}
    for address in addresses.values():
        _rest(club, "bans", "-d", f"email={address}")
    try:
        with pytest.raises(WrongState, match=f"{addresses[uid]} is banned from the list events"):
            office.subscribe("events", uid)
        last = club.add(uid=added)
        assert last["waiting"] == [] and last["result"]["warnings"] == [f"{addresses[added]} is banned from the list csc-general"]
        told = club.done(club.client("ctdalek").add_to_group("exec", uid))
        assert told["warnings"] == [f"{addresses[uid]} is banned from the list exec"]
    finally:
        for address in addresses.values():
            _rest(club, f"bans/{address}", "-X", "DELETE")
        club.done(club.client("ctdalek").remove_from_group("exec", uid))


@pytest.mark.parametrize("name", ["no-such-list", "csc-general.csclub.internal", "csc-general-owner"])
def test_lists_that_are_not_there(club: Club, name: str) -> None:
    for call in (club.client("ctdalek").subscribe, club.client("ctdalek").unsubscribe):
        with pytest.raises(NotFound, match=f"there is no list {name}"):
            call(name, "regular1")


@pytest.mark.parametrize("name", ["a'b", 'a"b', "a`b", "a\x00b", "../csc-general", "x" * 65, "ｅxec", "exec@csclub.internal", "exec/member", "a b", "%2e%2e"])
def test_hostile_list_names_change_nothing(club: Club, name: str) -> None:
    before = club.rosters()
    for call in (club.client("ctdalek").subscribe, club.client("ctdalek").unsubscribe):
        with pytest.raises((Invalid, NotFound)):
            call(name, "regular1")
    assert club.rosters() == before


def test_many_are_taken_off_at_once(club: Club) -> None:
    uids = [club.add()["result"]["uid"] for _ in range(3)]
    told = club.client("ctdalek").unsubscribe_all("csc-general", [*uids, "not-on-it"])
    assert told == {"list": "csc-general", "uids": 4, "overtaken": []}
    assert not any(club.on_list(uid) for uid in uids)
    with pytest.raises(NotFound, match="there is no list nowhere"):
        club.client("ctdalek").unsubscribe_all("nowhere", uids)


# Lists that follow from a group


def test_who_is_on_a_list_that_follows_from_a_group_is_the_groups_to_say(club: Club) -> None:
    uid, syscom, office = club.add()["result"]["uid"], club.client("ctdalek"), club.client("office1")
    rehearsing, before = club.client("office1"), club.rosters()
    rehearsing.rehearsing = True
    for client, who in ((club.client("regular1"), "regular1"), (office, uid), (rehearsing, uid), (syscom, uid)):
        for name in ("syscom", "exec"):
            with pytest.raises(WrongState, match=f"the list {name} belongs to the group {name}: put {who} into the group"):
                client.subscribe(name, who)
    assert club.rosters() == before
    club.done(syscom.add_to_group("exec", uid))
    assert club.on_list(uid, "exec")
    words = "the list exec belongs to the group exec: take .* out of the group"
    with pytest.raises(WrongState, match=words):
        syscom.unsubscribe("exec", uid)
    with pytest.raises(WrongState, match=words):
        office.unsubscribe_all("exec", ["regular1", uid])
    with pytest.raises(WrongState, match=words):
        rehearsing.unsubscribe("exec", uid)
    assert club.on_list(uid, "exec")
    # What differs from the group is mended by hand, in both directions.
    address = f"{uid}@csclub.internal"
    _rest(club, f"lists/exec.csclub.internal/member/{address}", "-X", "DELETE")
    assert office.subscribe("exec", uid)["subscribed"]
    club.done(syscom.remove_from_group("exec", uid))
    assert not club.on_list(uid, "exec")
    _rest(club, "members", "-d", "list_id=exec.csclub.internal", "-d", f"subscriber={address}", "-d", "pre_verified=true",
          "-d", "pre_confirmed=true", "-d", "pre_approved=true")
    assert club.on_list(uid, "exec")
    office.unsubscribe("exec", uid)
    assert not club.on_list(uid, "exec")


def test_a_group_that_is_not_there_closes_no_list(club: Club) -> None:
    uid, office = club.add()["result"]["uid"], club.client("office1")
    _rename_group(club, "exec", "exec-away")
    try:
        assert office.subscribe("exec", uid)["subscribed"]
        office.unsubscribe("exec", uid)
    finally:
        _rename_group(club, "exec-away", "exec")
    with pytest.raises(WrongState):
        office.subscribe("exec", uid)


def _rename_group(club: Club, old: str, new: str) -> None:
    change = (
        f"dn: cn={old},ou=Group,{BASE_DN}\nchangetype: modrdn\nnewrdn: cn={new}\ndeleteoldrdn: 1\n"
    )
    done = club.run_as("ctdalek", "ldapmodify", "-Q", text=change)
    assert done.returncode == 0, done.stderr


def test_the_command_says_why(club: Club) -> None:
    done = club.run_as("regular1", "ceo", "mailman", "subscribe", "regular1", "syscom")
    assert done.returncode == 73
    assert "the list syscom belongs to the group syscom: put regular1 into the group" in " ".join(done.stderr.split())


# Wishes


def test_a_newer_wish_stands(club: Club) -> None:
    uid, office, host = club.add()["result"]["uid"], club.client("office1"), _as_host(club, "phosphoric-acid")
    long_ago = time.time() - 3600
    office.unsubscribe("csc-general", uid)
    with pytest.raises(Overtaken, match=f"{uid} was taken off the list csc-general after this was asked for"):
        host.subscribe("csc-general", uid, wished=long_ago)
    assert not club.on_list(uid)
    office.subscribe("csc-general", uid)
    with pytest.raises(Overtaken, match="was put on the list csc-general after"):
        host.unsubscribe("csc-general", uid, wished=long_ago)
    planning = _as_host(club, "phosphoric-acid")
    planning.rehearsing = True
    assert planning.unsubscribe_all("csc-general", [uid], wished=long_ago)["changes"] == []
    assert len(planning.unsubscribe_all("csc-general", [uid])["changes"]) == 1
    told = host.unsubscribe_all("csc-general", [uid, "nobody-at-all"], wished=long_ago)
    assert told == {"list": "csc-general", "uids": 1, "overtaken": [uid]}
    told = host.unsubscribe_all("csc-general", [uid], wished=long_ago)  # and of one alone
    assert told == {"list": "csc-general", "uids": 0, "overtaken": [uid]}
    assert club.on_list(uid)
    # The same wish again, as after a crash, and a clock that is ahead of ours.
    now = time.time()
    for moment in (now, now, now + 3600):
        with contextlib.suppress(NotFound):
            host.unsubscribe("csc-general", uid, wished=moment)
    assert not club.on_list(uid)
    assert office.subscribe("csc-general", uid)["subscribed"]


def test_what_is_refused_for_good_is_no_wish(club: Club) -> None:
    uid, office, host = club.add()["result"]["uid"], club.client("office1"), _as_host(club, "phosphoric-acid")
    _rest(club, "bans", "-d", f"email={uid}@csclub.internal")
    before = time.time()
    try:
        with pytest.raises(WrongState, match="is banned"):
            office.subscribe("events", uid)
    finally:
        _rest(club, f"bans/{uid}@csclub.internal", "-X", "DELETE")
    with pytest.raises(NotFound, match="is not on the list"):  # and not Overtaken
        host.unsubscribe("events", uid, wished=before)


@pytest.mark.parametrize("wished", ["", "x", "-1", "1e9", "1.1234567", "99999999999999"])
def test_only_our_hosts_say_when(club: Club, wished: str) -> None:
    url = "https://mail.csclub.internal:9987/api"
    status, body = club.curl("ctdalek", f"/mailman/events/regular1?wished={wished or 1}", "-X", "POST", url=url)
    assert status == 400 and "only the club's own hosts" in body
    with pytest.raises(Invalid, match="seconds since 1970"):
        _as_host(club, "coffee")._json("mail.csclub.internal", "DELETE", f"/api/mailman/events/regular1?wished={wished}")


def test_what_people_do_on_every_host_is_in_the_log(club: Club) -> None:
    uid, office = club.add()["result"]["uid"], club.client("office1")
    office.subscribe("events", uid)
    office.unsubscribe("events", uid)
    with pytest.raises(NotFound):
        office.unsubscribe("events", uid)
    office.unsubscribe_all("events", [uid, "regular1"])
    club.done(club.client("ctdalek").create_database("mysql", uid))
    book = office.add_book({"title": f"Log of {uid}", "authors": ["A. Writer"]})["book"]
    office.lend(book, uid)
    office.give_back(book, uid)
    told = json.loads(club.run_as("ctdalek", "ceo", "log", "--json").stdout)
    assert told["silent"] == {}
    mine = [row for row in reversed(told["rows"]) if uid in (row.get("subject"), *(row.get("uids") or []))]
    rows = [(row["who"], row["what"], row["outcome"], row.get("list")) for row in mine if row["what"] != "add_member"]
    assert rows == [
        ("office1", "mailman.subscribe", "done", "events"),
        ("office1", "mailman.unsubscribe", "done", "events"),
        ("office1", "mailman.unsubscribe", "nothing to do", "events"),
        ("office1", "mailman.unsubscribe", "done", "events"),
        ("ctdalek", "create_mysql_database", "completed", None),
        ("office1", "library.lend", "done", None),
        ("office1", "library.return", "done", None),
    ]
    assert all(row["remote"] for row in mine)


def test_a_list_that_is_not_advertised_is_shown_to_staff_alone(club: Club) -> None:
    config = "lists/jobs.csclub.internal/config"
    _rest(club, config, "-X", "PATCH", "-d", "advertised=false")
    try:
        hosts = _as_host(club, "phosphoric-acid")
        staff = [hosts, club.client("office1"), club.client("ctdalek")]
        seen = [{row["list"] for row in client.lists()} for client in staff]
        others = {row["list"] for row in club.client("regular1").lists()}
    finally:
        _rest(club, config, "-X", "PATCH", "-d", "advertised=true")
    assert all("jobs" in lists for lists in seen), seen
    assert "csc-general" in others
    assert "jobs" not in others
    assert "jobs" in {row["list"] for row in club.client("regular1").lists()}
