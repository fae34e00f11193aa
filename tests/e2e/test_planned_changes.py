"""The values that ?dry_run names are the ones that the real thing changes, no more and no fewer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ceo_common.client import Client
from ceo_common.errors import CeoError
from ceo_common.events import Event
from ceo_common.krb5.admin import DISALLOW_ALL
from sandbox.club import BASE_DN
from tests.club.club import Club

Value = tuple[str, str, str]  # what, of, value

_ATTRIBUTES = {
    "cn": "full name",
    "program": "program",
    "loginShell": "login shell",
    "term": "member term",
    "nonMemberTerm": "rep term",
    "position": "position",
}
# What words stand for: each is looked at by itself, or is another test's.
_IN_WORDS = {"account", "password", "mail", "user number", "home directory", "who may act as it"}


def _values(club: Club, uid: str) -> set[Value]:
    """What LDAP, the home and Mailman hold of an account, past ceod."""
    found = set[Value]()
    for entry in club.entries(f"(&(uid={uid})(objectClass=account))").values():
        for attribute, what in _ATTRIBUTES.items():
            found |= {(what, uid, value.decode()) for value in entry.get(attribute, [])}
        for value in entry.get("shadowExpire", []):
            if value != b"1":  # the mark of a deletion
                day = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=int(value))
                found.add(("expiry", uid, day.date().isoformat()))
    for group in club.entries(f"(uniqueMember=uid={uid},ou=People,{BASE_DN})").values():
        found.add(("group", uid, group["cn"][0].decode()))
    principal = club.principal(uid)
    if principal and principal.attributes & DISALLOW_ALL:
        found.add(("Kerberos principal", uid, "disabled"))
    forward = Path(f"/users/{uid}/.forward")
    for line in forward.read_text().splitlines() if forward.exists() else []:
        found.add(("line of ~/.forward" if line.startswith("#") else "forwarding address", uid, line))
    for name in club.rosters():
        if club.on_list(uid, name):
            found.add(("mailing list", uid, name))
    return found


def _planned(changes: list[dict[str, Any]], side: str) -> set[Value]:
    values = {(c["what"], c["of"], c[side]) for c in changes if c[side] is not None}
    return {value for value in values if value[0] not in _IN_WORDS and value[2] != "open"}


def _with_two_terms(club: Club) -> str:
    return str(club.add(terms=["w2026", "f2026"])["result"]["uid"])


def _expired(club: Club) -> str:
    uid = str(club.add(terms=["w2015"])["result"]["uid"])
    syscom = club.client("ctdalek")
    club.done(syscom.expire_members(syscom.expiry()["count"]))
    return uid


def _in_office(club: Club) -> str:
    uid = _with_two_terms(club)
    club.done(club.client("ctdalek").add_to_group("office", uid))
    return uid


def _of_syscom(club: Club) -> str:
    uid = _with_two_terms(club)
    club.done(club.client("ctdalek").add_to_group("syscom", uid))
    return uid


def _with_position(club: Club) -> str:
    uid = _with_two_terms(club)
    club.done(club.client("ctdalek").set_positions({"imapd": [uid]}))
    return uid


def _forwarding(club: Club) -> str:
    return str(club.add(forwarding_addresses=["a@example.org", "b@example.org"])["result"]["uid"])


def _commented(club: Club) -> str:
    uid = _forwarding(club)
    with Path(f"/users/{uid}/.forward").open("a") as file:
        file.write("# until May\n")
    return uid


def _deleted(club: Club) -> str:
    uid = _of_syscom(club)
    club.done(club.client("ctdalek").delete_member(uid))
    return uid


def _expired_and_deleted(club: Club) -> str:
    uid = _expired(club)
    club.done(club.client("ctdalek").delete_member(uid))
    return uid


def _nobody(club: Club) -> str:
    return club.name()


def _new(uid: str) -> dict[str, Any]:
    return {
        "uid": uid,
        "cn": "Test Person",
        "program": "Mathematics",
        "terms": ["f2026", "w2027"],
        "forwarding_addresses": ["a@example.org"],
    }


_CASES: dict[str, tuple[Callable[[Club], str], Callable[[Client, str], Iterator[Event]]]] = {
    "sign-up": (_nobody, lambda client, uid: client.add_member(_new(uid))),
    "sign-up of a rep": (
        _nobody,
        lambda client, uid: client.add_member({"uid": uid, "cn": "Test Person", "program": "x", "non_member_terms": ["f2026"]}),
    ),
    "club": (_nobody, lambda client, uid: client.add_club({"uid": uid, "cn": "Test Club"})),
    "renewal": (_with_two_terms, lambda client, uid: client.renew_member(uid, {"terms": ["w2027"]})),
    "renewal of an expired one": (_expired, lambda client, uid: client.renew_member(uid, {"terms": ["f2026"]})),
    "shell": (_with_two_terms, lambda client, uid: client.modify_member(uid, {"login_shell": "/bin/sh"})),
    "first forwarding": (_with_two_terms, lambda client, uid: client.modify_member(uid, {"forwarding_addresses": ["a@example.org"]})),
    "another forwarding": (_forwarding, lambda client, uid: client.modify_member(uid, {"forwarding_addresses": ["a@example.org", "c@example.org"]})),
    "a forwarding with a comment": (
        _commented,
        lambda client, uid: client.modify_member(
            uid, {"forwarding_addresses": ["a@example.org"], "replace": True}
        ),
    ),
    "no forwarding": (_forwarding, lambda client, uid: client.modify_member(uid, {"forwarding_addresses": []})),
    "joining a group": (_with_two_terms, lambda client, uid: client.add_to_group("syscom", uid)),
    "joining a group halfway": (_in_office, lambda client, uid: client.add_to_group("syscom", uid)),
    "leaving a group": (_of_syscom, lambda client, uid: client.remove_from_group("syscom", uid)),
    "position": (_with_two_terms, lambda client, uid: client.set_positions({"offsck": [uid]})),
    "no position": (_with_position, lambda client, uid: client.set_positions({"imapd": []})),
    "deletion": (_of_syscom, lambda client, uid: client.delete_member(uid)),
    "deletion of an expired one": (_expired, lambda client, uid: client.delete_member(uid)),
    "restoring an expired one": (
        _expired_and_deleted,
        lambda client, uid: client.restore_member(uid),
    ),
    "restoring": (_deleted, lambda client, uid: client.restore_member(uid)),
}


@pytest.mark.parametrize("name", _CASES)
def test_it_changes_what_it_names(club: Club, name: str) -> None:
    prepare, ask = _CASES[name]
    uid = prepare(club)
    plain, rehearsing = club.client("ctdalek"), club.client("ctdalek")
    rehearsing.rehearsing = True
    holders = {uid} | {held for uids in plain.positions()["positions"].values() for held in uids}

    def world() -> set[Value]:
        return {value for held in holders for value in _values(club, held)}

    before = world()
    (event,) = ask(rehearsing, uid)
    changes = event["changes"]  # type: ignore[typeddict-item]
    assert changes
    assert world() == before
    club.done(ask(plain, uid))
    after = world()
    with contextlib.suppress(CeoError):
        club.done(plain.delete_member(uid))  # out of its groups and positions, which others count
    assert _planned(changes, "new") == after - before
    assert _planned(changes, "old") == before - after


def test_a_change_that_is_none_names_nothing(club: Club) -> None:
    client = club.client("ctdalek")
    client.rehearsing = True
    uid = _with_two_terms(club)
    (event,) = client.modify_member(uid, {"login_shell": "/bin/bash"})
    assert event["changes"] == []  # type: ignore[typeddict-item]


def test_one_address_in_place_of_another_is_one_change(club: Club) -> None:
    client = club.client("ctdalek")
    client.rehearsing = True
    uid = club.add(forwarding_addresses=["a@example.org"])["result"]["uid"]
    (event,) = client.modify_member(uid, {"forwarding_addresses": ["b@example.org"]})
    assert event["changes"] == [  # type: ignore[typeddict-item]
        {"what": "forwarding address", "of": uid, "old": "a@example.org", "new": "b@example.org"}
    ]


def test_secrets_are_words(club: Club) -> None:
    client = club.client("ctdalek")
    client.rehearsing = True
    uid = _with_two_terms(club)
    (event,) = client.reset_password(uid)
    (password,) = [c for c in event["changes"] if c["what"] == "password"]  # type: ignore[typeddict-item]
    assert password["old"] == "the current one"
    assert password["new"] == "a temporary one, shown once"
    (event,) = client.create_database("mysql", uid)
    values = {change["what"]: change["new"] for change in event["changes"]}  # type: ignore[typeddict-item]
    assert values["MySQL password"] == "a new one, shown once"
    assert values["info file"] == "~/ceo-mysql-info, with the new password"


def test_loans(club: Club) -> None:
    office, desk = club.client("office1"), club.client("office1")
    desk.rehearsing = True
    title = f"Book {club.name()}"
    book = office.add_book({"title": title, "authors": ["Ann Author"]})["book"]
    uid = _with_two_terms(club)
    planned = desk.lend(book, uid)["changes"]
    loan = office.lend(book, uid)
    text = f"{title}, copy 1, due on {loan['due_on']}"
    assert planned == [{"what": "loan", "of": uid, "old": None, "new": text}]
    planned = desk.renew_loan(book, uid)["changes"]
    renewed = office.renew_loan(book, uid)
    assert planned == [
        {
            "what": f"due day of {title}",
            "of": uid,
            "old": loan["due_on"],
            "new": renewed["due_on"],
        }
    ]
    assert desk.give_back(book, uid)["changes"] == [{"what": "loan", "of": uid, "old": text.replace(loan["due_on"], renewed["due_on"]), "new": None}]
    office.give_back(book, uid)
    planned = desk.add_copies(book, 2)["changes"]
    assert planned == [{"what": "copies", "of": title, "old": "1", "new": "3"}]
    assert office.add_copies(book, 2)["copies"] == 3


def test_mailing_lists(club: Club) -> None:
    client, desk = club.client("office1"), club.client("office1")
    desk.rehearsing = True
    uid = _with_two_terms(club)
    off_it = club.name()
    planned = desk.unsubscribe_all("csc-general", [uid, off_it])["changes"]
    assert planned == [{"what": "mailing list", "of": uid, "old": "csc-general", "new": None}]
    client.unsubscribe_all("csc-general", [uid])
    assert not club.on_list(uid)


def test_who_is_not_on_the_list_does_not_leave_it(club: Club) -> None:
    on_it, off_it = (club.add(terms=["w2015"])["result"]["uid"] for _ in range(2))
    club.client("office1").unsubscribe("csc-general", off_it)
    syscom = club.client("ctdalek")
    plan = syscom.expiry()
    leaving = {change["of"] for change in plan["changes"] if change["what"] == "mailing list"}
    club.done(syscom.expire_members(plan["count"]))
    assert on_it in leaving
    assert off_it not in leaving


def test_many_at_once(club: Club) -> None:
    client = club.client("office1")
    uid = club.name()
    good = {"uid": uid, "cn": "Test Person", "program": "x", "terms": ["f2026"]}
    plan = client.check_members([good, {**good, "uid": "regular1"}])
    assert plan["changes"] == [{"what": "account", "of": uid, "old": None, "new": "Test Person, x, f2026"}]
    books = [{"title": "A", "authors": ["B"], "copies": 2}]
    assert client.check_books(books)["changes"] == [{"what": "book", "of": "the library", "old": None, "new": "A by B, 2 copies"}]
