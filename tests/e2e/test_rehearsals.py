"""?dry_run of every write: refused as the real thing is, and nothing is written anywhere."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import flask
import pytest

from ceo.progress import follow
from ceo_common.client import Client
from ceo_common.errors import CeoError, Exists
from ceo_common.events import Event
from ceod.api import register
from ceod.api.requests import ROUTES, Route
from ceod.operations.create_database import KINDS
from ceod.operations.registry import OPERATIONS
from sandbox.club import OUTSIDE, SRV, host_place
from tests.club.adds import held
from tests.club.club import Club
from tests.club.databases import catalogue
from tests.e2e.test_library import _sql

register(flask.Flask("ceod"))

_WRITES = [row for row in ROUTES if row.method != "GET" and row.operation not in ("database.info", "database.login")]  # that is asked by a host, after a rehearsal

# For each operation a request of the committee about an account that stands; one that was deleted where the name says so.
_ASKED: dict[str, Callable[[Client, str], Iterator[Event]]] = {
    "add_member": lambda client, uid: client.add_member({"uid": f"{uid}new", "cn": "New Person", "program": "x", "terms": ["w2021"]}),
    "add_members": lambda client, uid: client.add_members([{"uid": f"{uid}new", "cn": "New Person", "program": "x", "terms": ["f2026"]}]),
    "add_club": lambda client, uid: client.add_club({"uid": f"{uid}club", "cn": "New Club"}),
    "add_group": lambda client, uid: client.add_group(f"{uid}group"),
    "change_group": lambda client, uid: client.add_to_group("syscom", uid),
    "modify_member": lambda client, uid: client.modify_member(uid, {"login_shell": "/bin/sh", "forwarding_addresses": ["a@example.org"]}),
    "renew_member": lambda client, uid: client.renew_member(uid, {"terms": ["w2027"]}),
    "reset_password": lambda client, uid: client.reset_password(uid),
    "delete_member": lambda client, uid: client.delete_member(uid),
    "restore_member": lambda client, uid: client.restore_member(uid),
    "set_positions": lambda client, uid: client.set_positions({"offsck": [uid]}),
    "create_mysql_database": lambda client, uid: client.create_database("mysql", uid),
    "create_postgresql_database": lambda client, uid: client.create_database("postgresql", uid),
    "reset_mysql_password": lambda client, uid: client.reset_database("mysql", uid),
    "reset_postgresql_password": lambda client, uid: client.reset_database("postgresql", uid),
    "mend_account": lambda client, uid: client.mend(uid),
    "expire_members": lambda client, uid: client.expire_members(1),
    "remind_members": lambda client, uid: client.remind_members(),
    "update_programs": lambda client, uid: client.update_programs([uid]),
}
_THEIR_OWN = ("add_members", "expire_members", "remind_members", "update_programs")  # rehearsals
_NOT_HERE = {"purge_member"}  # in development mode alone: tests/crash has one


def _world(club: Club, uid: str) -> dict[str, Any]:
    """Everything that a write could change."""
    # What recovery does late for an earlier test is ceod's own doing, and refusals are written late.
    audit = "audit WHERE json_extract(row, '$.who') != 'ceod' AND json_extract(row, '$.outcome') != 'refused'"
    tables = ("transactions", "steps", "locks", audit)
    return {
        "ldap": club.entries(f"(|(uid={uid}*)(cn={uid}*)(objectClass=group)(position=*)(cn=members)(cn=clubs)(cn=administrative))"),
        "principal": vars(club.principal(uid)), "new": club.principal(f"{uid}new"), "home": club.home(uid), "lists": club.rosters(),
        "leftovers": club.leftovers(), "mails": len(list((OUTSIDE / "mail").glob("*.eml"))), "databases": [catalogue(club, kind) for kind in KINDS],
        "journals": [club.journal(f"SELECT count(*) FROM {table}", state_dir=host_place(host) / "ceod")
                     for host in ("phosphoric-acid", "coffee") for table in tables],
    }


@pytest.mark.parametrize("row", _WRITES, ids=lambda row: f"{row.method}{row.path}")
def test_every_write_has_one(row: Route) -> None:
    assert row.rehearsal is not None


def test_every_operation_is_asked_for_here() -> None:
    assert set(_ASKED) | _NOT_HERE == {name for name, _ in OPERATIONS}


@pytest.fixture(scope="module")
def accounts(club: Club) -> dict[str, str]:
    """One that stands, one with databases, one that was deleted, one without a home."""
    syscom, found = club.client("ctdalek"), {kind: club.add()["result"]["uid"] for kind in ("stands", "has databases", "deleted", "homeless")}
    for kind in KINDS:
        club.done(syscom.create_database(kind, found["has databases"]))
    club.done(syscom.delete_member(found["deleted"]))
    shutil.rmtree(f"/users/{found['homeless']}")
    return found


@pytest.mark.parametrize("name", _ASKED)
def test_nothing_is_written(club: Club, accounts: dict[str, str], name: str) -> None:
    uid = accounts[{"restore_member": "deleted", "mend_account": "homeless", "reset_mysql_password": "has databases",
                    "reset_postgresql_password": "has databases"}.get(name, "stands")]
    client, before = club.client("ctdalek"), _world(club, uid)
    client.rehearsing = True
    told: dict[str, Any] = dict(follow(_ASKED[name](client, uid), lambda event: pytest.fail(f"shown: {event}")))
    assert (told["status"], told["transaction"], told["n"]) == ("rehearsed", "", 1)
    if name in _THEIR_OWN:
        assert told["rehearsal"] and "steps" not in told
        plan = told["rehearsal"]
        if "count" in plan:  # each change names one of those who are due; a test before may have expired all of them
            assert {change["of"].partition("@")[0] for change in plan["changes"]} == {row["uid"] for row in plan["members"]}
        else:
            assert isinstance(plan["changes"], list)
    else:
        assert told["changes"]
        operation = next(operation for (found, _), operation in OPERATIONS.items() if found == name)
        assert told["dry_run"] and told["operation"] == name and (uid in told["subject"] or name == "set_positions")
        steps = [(step.name, False) for step in operation.before] + [(later.name, True) for later in operation.after]
        steps = [("home directory", False)] if name == "mend_account" else steps
        assert [(step["name"], step["after_commit"]) for step in told["steps"]] == steps
        assert told["warnings"] == (["past terms: w2021"] if name == "add_member" else [])
    assert _world(club, uid) == before


@pytest.mark.parametrize(("who", "ask", "code"), [
    ("regular1", lambda client: client.add_member({"uid": "x1", "cn": "New Person", "program": "x", "terms": ["f2026"]}), "forbidden"),
    ("office1", lambda client: client.add_member({"uid": "X", "cn": "x", "program": "", "terms": []}), "invalid"),
    ("office1", lambda client: client.add_member({"uid": "regular1", "cn": "New Person", "program": "x", "terms": ["f2026"]}), "exists"),
    ("office1", lambda client: client.renew_member("nobody-here", {"terms": ["f2026"]}), "not_found"),
    ("ctdalek", lambda client: client.add_to_group("exec", "nobody-here"), "not_found"),
    ("ctdalek", lambda client: client.remove_from_group("office", "regular1"), "not_found"),
    ("ctdalek", lambda client: client.set_positions({"no-such": ["regular1"]}), "not_found"),
    ("ctdalek", lambda client: client.restore_member("regular1"), "wrong_state"),
    ("ctdalek", lambda client: client.reset_database("mysql", "office1"), "not_found"),
    ("office1", lambda client: client.subscribe("no-such-list", "office1"), "not_found"),
    ("office1", lambda client: client.unsubscribe("events", "office1"), "not_found"),
    ("office1", lambda client: client.unsubscribe_all("no-such-list", ["office1"]), "not_found"),
    ("office1", lambda client: client.lend(2**31 - 1, "regular1"), "not_found"),
    ("office1", lambda client: client.give_back(1, "office1"), "not_found"),
    ("ctdalek", lambda client: client.resume("mail.csclub.internal", "00000000-0000-4000-8000-000000000000"), "not_found"),
])
def test_it_is_refused_as_the_real_thing_is(club: Club, who: str, ask: Callable[[Client], Any], code: str) -> None:
    told = []
    for rehearsing in (True, False):
        client = club.client(who)
        client.rehearsing = rehearsing
        with pytest.raises(CeoError) as caught:
            list(ask(client))
        told.append(caught.value.as_json())
    assert told[0] == told[1] and told[0]["code"] == code


def test_a_name_that_is_held_is_busy(club: Club) -> None:
    """As in the real thing: here by a sign-up that waits for kadmind."""
    syscom = club.client("ctdalek")
    syscom.rehearsing = True
    with held(club) as [adding], pytest.raises(CeoError) as caught:
        list(syscom.add_member(club.member(adding.uid)))
    assert caught.value.code == "busy"
    assert adding.last["status"] == "completed"


def test_no_ticket_is_forwarded_and_no_key_is_needed(club: Club) -> None:
    status, body = club.curl("ctdalek", "/members/regular1?dry_run", "-X", "DELETE")
    assert status == 200 and '"delete_member"' in body
    assert club.curl("ctdalek", "/members/regular1", "-X", "DELETE")[0] == 403


def _asked_of_mailman(club: Club) -> int:
    """How many requests stand in Mailman's log."""
    words = ("sh", "-c", f"cat {SRV}/mailman/logs/*")
    log = club.run_as("root", *words, host="mail").stdout
    return len(re.findall(r'"(?:GET|POST|DELETE|PATCH|PUT) /3', log))


def test_many_are_looked_at_in_one_list_at_once(club: Club) -> None:
    """Mailman is asked for the list and who is on it, not for each address."""
    client, uids = club.client("office1"), [club.add()["result"]["uid"] for _ in range(2)]
    client.rehearsing = True
    asked = [uids[1], *(f"nobody{number}" for number in range(500)), uids[0], uids[1]]
    before = _asked_of_mailman(club)
    told = client.unsubscribe_all("csc-general", asked)
    assert 0 < _asked_of_mailman(club) - before < 10
    assert told["changes"] == [
        {"what": "mailing list", "of": uid, "old": "csc-general", "new": None} for uid in uids[::-1]
    ]


def test_lists_are_looked_at_and_left_alone(club: Club) -> None:
    desk, client, uid = club.client("office1"), club.client("office1"), club.add()["result"]["uid"]
    client.rehearsing, before = True, club.rosters()
    told = client.subscribe("events", uid)
    assert told == {"dry_run": True, "operation": "mailman.subscribe", "subject": uid, "warnings": [],
                    "changes": [{"what": "mailing list", "of": uid, "old": None, "new": "events"}],
                    "steps": [{"name": f"subscribe {uid}@csclub.internal to events", "after_commit": False}]}
    assert client.unsubscribe("csc-general", uid)["steps"][0]["name"] == f"take {uid}@csclub.internal off csc-general"
    assert "csc-general" in client.unsubscribe_all("csc-general", [uid])["steps"][0]["name"]
    for refused in (desk.subscribe, client.subscribe):
        with pytest.raises(Exists, match="is on the list csc-general already"):
            refused("csc-general", uid)
    assert club.rosters() == before


def test_the_library_takes_it_back(club: Club) -> None:
    office, desk = club.client("office1"), club.client("office1")
    book = office.add_book({"title": f"Book {club.name()}", "authors": ["Ann Author"]})["book"]
    dump = ["SELECT * FROM books ORDER BY id;", "SELECT * FROM copies ORDER BY book, number;", "SELECT * FROM loans ORDER BY id;",
            "SELECT * FROM loan_changes ORDER BY id;"]
    reader, lent = club.add()["result"]["uid"], club.add()["result"]["uid"]
    office.add_copies(book, 1)
    loan = office.lend(book, lent)
    before = [_sql(club, query) for query in dump]
    desk.rehearsing = True
    asked = [desk.add_book({"title": "Never", "authors": ["x"]}), desk.add_copies(book, 3), desk.lend(book, reader), desk.give_back(book, lent),
             desk.renew_loan(book, lent), desk.undo_loan_change(loan["change"])]
    assert [told["operation"] for told in asked] == ["library.add", "library.add", "library.lend", "library.return", "library.renew",
                                                     "library.undo"]
    assert all(told["dry_run"] and len(told["steps"]) == 1 for told in asked)
    assert [len(told["changes"]) for told in asked] == [1] * 6
    assert [_sql(club, query) for query in dump] == before
    office.give_back(book, lent)
