"""Mailing lists: subscribed, held for a moderator, left, and every refusal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from ceo_common.errors import Exists, Forbidden, Invalid, NotFound, WrongState
from tests.club.club import Club

REST = "http://127.0.0.1:8001/3.1"


def _rest(club: Club, path: str, *more: str) -> Any:
    """Mailman's own REST API, past ceod."""
    done = club.run_as("root", "curl", "-s", "-u", "ceod:mailman-rest", f"{REST}/{path}", *more, host="mail")
    return json.loads(done.stdout) if done.stdout.strip() else None


def test_an_address_is_subscribed_and_taken_off(club: Club) -> None:
    uid = club.add()["result"]["uid"]
    office = club.client("office1")
    assert office.lists_of(uid) == {"uid": uid, "lists": ["csc-general"]}
    assert office.subscribe("exec", uid) == {"list": "exec", "uid": uid, "subscribed": True, "held": False}
    assert club.on_list(uid, "exec") and office.lists_of(uid)["lists"] == ["csc-general", "exec"]
    with pytest.raises(Exists, match="is on the list exec already"):
        office.subscribe("exec", uid)
    assert not office.unsubscribe("exec", uid)["subscribed"] and not club.on_list(uid, "exec")
    with pytest.raises(NotFound, match="is not on the list exec"):
        office.unsubscribe("exec", uid)


def test_ones_own_subscription_is_ones_own(club: Club) -> None:
    regular = club.client("regular1")
    assert regular.subscribe("exec", "regular1")["subscribed"]
    regular.unsubscribe("exec", "regular1")
    for refused in (regular.subscribe, regular.unsubscribe):
        with pytest.raises(Forbidden, match="Only the account's owner, office staff, the systems committee and the club's own hosts may"):
            refused("exec", "rep1")
    with pytest.raises(Forbidden):
        regular.lists_of("rep1")


@pytest.fixture
def moderated(club: Club) -> Iterator[str]:
    """A list whose moderator is asked."""
    _rest(club, "lists/syscom.csclub.internal/config", "-X", "PATCH", "-d", "subscription_policy=moderate")
    yield "syscom"
    for request in (_rest(club, "lists/syscom.csclub.internal/requests") or {}).get("entries", []):
        _rest(club, f"lists/syscom.csclub.internal/requests/{request['token']}", "-d", "action=discard")
    _rest(club, "lists/syscom.csclub.internal/config", "-X", "PATCH", "-d", "subscription_policy=confirm")


def test_a_moderated_list_holds_what_nobody_approved(club: Club, moderated: str) -> None:
    regular = club.client("regular1")
    assert regular.subscribe(moderated, "regular1") == {"list": moderated, "uid": "regular1", "subscribed": False, "held": True}
    assert not club.on_list("regular1", moderated)
    with pytest.raises(Exists, match="the moderator of the list syscom was asked already whether regular1@"):
        regular.subscribe(moderated, "regular1")
    uid = club.add()["result"]["uid"]
    assert club.client("ctdalek").subscribe(moderated, uid)["subscribed"]  # the committee's word is enough
    club.client("ctdalek").unsubscribe(moderated, uid)


def test_what_mailman_refuses_for_good_is_told_and_not_tried_again(club: Club) -> None:
    office, uid, added = club.client("office1"), club.add()["result"]["uid"], club.name()
    addresses = {name: f"{name}@csclub.internal" for name in (uid, added)}
    for address in addresses.values():
        _rest(club, "bans", "-d", f"email={address}")
    try:
        with pytest.raises(WrongState, match=f"{addresses[uid]} is banned from the list exec"):
            office.subscribe("exec", uid)
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
    assert told == {"list": "csc-general", "uids": 4}
    assert not any(club.on_list(uid) for uid in uids)
    with pytest.raises(NotFound, match="there is no list nowhere"):
        club.client("ctdalek").unsubscribe_all("nowhere", uids)
