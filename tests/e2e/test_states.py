"""The state of accounts, made from the route table: of whoever asks for a change, and of what is changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import flask
import pytest

from ceo_common.client import Client
from ceo_common.krb5.admin import Admin
from ceo_common.permissions import RULES, Who
from ceod.api import register
from ceod.api.requests import ROUTES, Route
from ceod.auth.states import DELETED, NEW, NO_ACCOUNT, State
from sandbox.club import BASE_DN, PASSWORD
from tests.club.club import Club
from tests.e2e.test_members import _expire
from tests.e2e.test_permissions import _answer, _as_host, _path

register(flask.Flask("ceod"))


def _new(uid: str) -> dict[str, Any]:
    return {"uid": uid, "cn": "New Person", "program": "x", "terms": ["f2026"]}


_WRITES = [row for row in ROUTES if row.method != "GET"]
_ELSEWHERE = {"POST /api/members/<uid>/purge"}  # in development mode alone: tests/crash has one
# What a request of each route says; of the others, nothing.
_BODIES: dict[str, Any] = {
    "POST /api/members": _new,
    "POST /api/members/bulk": lambda uid: {"members": [_new(uid)]},
    "PATCH /api/members/<uid>": lambda _: {"forwarding_addresses": ["a@example.org"]},
    "POST /api/members/<uid>/renew": lambda _: {"terms": ["w2027"]},
    "POST /api/groups": lambda uid: {"cn": uid},
    "POST /api/clubs": lambda uid: {"uid": uid, "cn": "New Club"},
    "POST /api/positions": lambda uid: {"offsck": [uid]},
    "POST /api/uwldap/updateprograms": lambda uid: {"members": [uid]},
    "DELETE /api/mailman/<list_name>": lambda uid: {"uids": [uid]},
    "PUT /api/homes/<uid>/database-info": lambda uid: {
        "kind": "mysql",
        "host": "coffee",
        "database": uid,
        "username": uid,
        "password": "x",
    },
}
_IN_BODY = {
    "POST /api/members",
    "POST /api/members/bulk",
    "POST /api/groups",
    "POST /api/clubs",
    "POST /api/positions",
    "POST /api/uwldap/updateprograms",
    "DELETE /api/mailman/<list_name>",
}
_REFUSED = {
    State.ACTIVE: (409, "wrong_state"),
    State.EXPIRED: (409, "wrong_state"),
    State.DELETED: (409, "deleted_account"),
    State.CLUB: (400, "invalid"),
    State.EXPIRED_CLUB: (400, "invalid"),
    State.MISSING: (404, "not_found"),
}


def _name(row: Route) -> str:
    return f"{row.method} {row.path}"


def _request(row: Route, uid: str) -> tuple[str, Any]:
    path = (
        row.path.replace("<list_name>", "csc-general")
        .replace("<cn>", "office")
        .replace("<book>", "1")
    )
    body = _BODIES.get(_name(row), lambda _: None)(uid)
    return _path(Route(row.method, path, row.role, row.operation, ""), uid), body


def _refused(row: Route, state: State) -> tuple[int, str]:
    """The status and the code for an account in a state that a route does not take."""
    opens_clubs = state is State.EXPIRED_CLUB and State.CLUB in (row.states or ())
    return (409, "wrong_state") if opens_clubs else _REFUSED[state]


def _end(club: Club, uid: str, day: str) -> None:
    """Write a shadowExpire by hand."""
    change = (
        f"dn: uid={uid},ou=People,{BASE_DN}\nchangetype: modify\n"
        f"add: shadowExpire\nshadowExpire: {day}\n"
    )
    assert club.run_as("ctdalek", "ldapmodify", "-Q", text=change).returncode == 0


@pytest.fixture(scope="module")
def accounts(club: Club) -> list[tuple[State, str]]:
    """One of each state, and a club that was deleted; only dry runs and refusals are asked."""
    syscom = club.client("ctdalek")
    active, expired, deleted, *clubs, missing = (club.name() for _ in range(7))
    people = [active, expired, deleted]
    club.done(club.client("office1").add_members([club.member(uid) for uid in people]))
    for uid in clubs:
        club.done(syscom.add_club({"uid": uid, "cn": "Test Club"}))
    open_club, expired_club, deleted_club = clubs
    _end(club, expired, "20000")
    _end(club, expired_club, "20000")
    _end(club, deleted_club, "1")
    club.done(syscom.delete_member(deleted))
    return [
        (State.ACTIVE, active),
        (State.EXPIRED, expired),
        (State.DELETED, deleted),
        (State.CLUB, open_club),
        (State.EXPIRED_CLUB, expired_club),
        (State.DELETED, deleted_club),
        (State.MISSING, missing),
    ]


def test_every_change_is_made_to_accounts_of_declared_states(
    club: Club, accounts: list[tuple[State, str]]
) -> None:
    syscom, host = club.client("ctdalek"), _as_host(club, "coffee")
    wrong, asked = [], 0
    for row in _WRITES:
        if row.states == NO_ACCOUNT or _name(row) in _ELSEWHERE:
            continue
        assert row.states
        for state, uid in accounts:
            path, body = _request(row, uid)
            client = host if row.operation in ("database.info", "database.login") else syscom
            query = "?dry_run" if row.rehearsal else ""
            status, told = _answer(client, row, path + query, body)
            asked += 1
            if _name(row) == "POST /api/members/bulk":
                right = (syscom.check_members(body["members"])["problems"] == []) == (
                    state in row.states
                )
            elif _name(row) in _IN_BODY:
                right = (status == 200) == (state in row.states)
            elif state in row.states:
                right = status < 500 and "state" not in told
            else:
                right = (status, told.get("code"), told.get("state")) == (
                    *_refused(row, state),
                    state.name.lower(),
                )
            if not right:
                wrong.append((_name(row), state, status, told))
    assert not wrong, "\n".join(map(str, wrong))
    print(f"{asked} changes of accounts in {len(State)} states")


def test_each_route_that_names_an_account_says_which_it_takes() -> None:
    with_uid = [row for row in _WRITES if "<uid>" in row.path]
    assert all(row.states for row in with_uid)
    # What ends a state is open to it.
    by_name = {_name(row): row.states for row in _WRITES}
    assert by_name["POST /api/members/<uid>/restore"] == DELETED
    assert by_name["POST /api/members"] == NEW
    for undoes in (
        "DELETE /api/mailman/<list_name>/<uid>",
        "DELETE /api/groups/<cn>/members/<uid>",
        "POST /api/members/<uid>/doctor",
        "DELETE /api/library/books/<book>/loans/<uid>",
    ):
        assert State.DELETED in (by_name[undoes] or ())


@pytest.fixture(scope="module")
def tickets(club: Club) -> Iterator[dict[State, tuple[str, Client]]]:
    """People whose tickets outlive their accounts; the expired one is of the systems committee."""
    syscom, names = club.client("ctdalek"), [club.name() for _ in range(3)]
    expired, deleted, missing = names
    club.done(club.client("office1").add_members([club.member(uid) for uid in (expired, deleted)]))
    club.done(syscom.add_to_group("syscom", expired))
    for uid in (expired, deleted):
        club.has_password(uid)
    kadmin = Admin.with_password("sysadmin/admin", PASSWORD)
    kadmin.create(missing, PASSWORD)
    clients = {uid: club.client(uid) for uid in names}
    _expire(club, expired)
    club.done(syscom.delete_member(deleted))
    yield {
        state: (uid, clients[uid])
        for state, uid in zip((State.EXPIRED, State.DELETED, State.MISSING), names, strict=True)
    }
    kadmin.delete(missing)
    club.done(syscom.remove_from_group("syscom", expired))


def test_who_has_no_open_account_changes_nothing(
    club: Club, tickets: dict[State, tuple[str, Client]]
) -> None:
    rights = {
        State.EXPIRED: {Who.SELF, Who.OFFICE, Who.SYSCOM},
        State.DELETED: {Who.SELF},
        State.MISSING: {Who.SELF},
    }
    for state, (uid, client) in tickets.items():
        for row in _WRITES:
            path, body = _request(row, uid)
            dry = "?dry_run" if row.rehearsal and state is State.MISSING else ""
            status, told = _answer(client, row, path + dry, body)
            allowed = RULES[row.operation].allows(
                rights[state] if row.subject or state is State.EXPIRED else set()
            )
            assert status == 403, (_name(row), state, told)
            if allowed:
                assert (told["code"], told["state"]) == ("inactive_caller", state.name.lower()), (
                    _name(row),
                    told,
                )
            else:
                assert told["code"] in ("inactive_caller", "forbidden"), (_name(row), told)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (
            State.EXPIRED,
            "is expired: you may look things up and change nothing. Renew your membership at the office.",
        ),
        (
            State.DELETED,
            "was deleted: you may look things up and change nothing. Ask the systems committee to restore it.",
        ),
        (State.MISSING, "you may look things up and change nothing. Ask the systems committee."),
    ],
)
def test_they_may_look_and_are_told_what_to_do(
    club: Club, tickets: dict[State, tuple[str, Client]], state: State, words: str
) -> None:
    uid, client = tickets[state]
    assert client.whoami()["uid"] == uid
    assert client.member("regular1")["uid"] == "regular1"
    if state is State.EXPIRED:
        done = club.run_as(uid, "ceo", "mailman", "subscribe", uid, "csc-general")
        assert done.returncode == 77
        assert words in " ".join(done.stderr.split())
    else:
        subscribe = next(row for row in _WRITES if row.operation == "mailman.subscribe")
        _, told = _answer(client, subscribe, f"/api/mailman/csc-general/{uid}", None)
        assert words in told["error"]
