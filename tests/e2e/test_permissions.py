"""Every route with every kind of caller, made from the route table and the table of who may do what: a route without a row fails."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import flask
import gssapi
import pytest

from ceo_common.client import Client
from ceo_common.errors import CeoError
from ceo_common.permissions import RULES, Who
from ceod.api import register
from ceod.api.requests import ROUTES, Route
from sandbox.club import host_place
from tests.e2e.club import Club

register(flask.Flask("ceod"))

_ADMIN_HOST, _MAIL_HOST = "phosphoric-acid.csclub.internal", "mail.csclub.internal"
_KINDS: dict[str, set[Who]] = {
    "nobody": {Who.ANYONE},
    "regular1": {Who.ANYONE, Who.SIGNED_IN},
    "regular1 about themselves": {Who.ANYONE, Who.SIGNED_IN, Who.SELF},
    "office1": {Who.ANYONE, Who.SIGNED_IN, Who.OFFICE},
    "ctdalek": {Who.ANYONE, Who.SIGNED_IN, Who.OFFICE, Who.SYSCOM},
    "a host": {Who.ANYONE, Who.SIGNED_IN, Who.HOST},
}
# Rules that a view chooses among by what is asked for: the body, and the rule that counts for it.
_CHOSEN: dict[str, list[tuple[Any, str, str]]] = {
    "PATCH /api/members/<uid>": [({"login_shell": 1}, "", "member.shell"), ({"forwarding_addresses": 1}, "", "member.forwarding")],
    "POST /api/members/expire": [({}, "", "member.expire"), (None, "?dry_run", "member.expire.rehearse")],
}
_OPEN = ("health", "description")


def _cases() -> list[tuple[Route, Any, str, str]]:
    """Each route with a request that does nothing: an unknown parameter, a body that says nothing, or somebody who is not there."""
    found: list[tuple[Route, Any, str, str]] = []
    for row in ROUTES:
        name = f"{row.method} {row.path}"
        if name in _CHOSEN:
            found += [(row, *case) for case in _CHOSEN[name]]
        else:
            decided_inside = row.operation in ("member.pwreset", "transactions.read", "transactions.resume")
            found.append((row, None, "" if decided_inside else "?no-such-parameter", row.operation))
    return found


def _host(row: Route) -> str:
    return _MAIL_HOST if row.role == "mail" else _ADMIN_HOST


def _path(row: Route, uid: str) -> str:
    path = row.path.replace("<uid>", uid).replace("<identifier>", "00000000-0000-4000-8000-000000000000")
    return re.sub("<[^>]+>", "no-such-thing", path)


@pytest.fixture(scope="module")
def clients(club: Club) -> dict[str, Client]:
    cache = club.folder / "cc-a-host"
    keytab = host_place("mail") / "krb5.keytab"
    subprocess.run(["kinit", "-c", f"FILE:{cache}", "-k", "-t", keytab, f"ceod/{_MAIL_HOST}"], check=True)
    host = Client(hosts=club.settings.hosts, port=club.settings.port, ca=club.settings.ca,
                  credential=lambda: gssapi.Credentials(usage="initiate", store={"ccache": f"FILE:{cache}"}))
    people = {kind: club.client(kind.split()[0]) for kind in _KINDS if kind not in ("nobody", "a host")}
    return {**people, "a host": host}


def _answer(client: Client, row: Route, path: str, body: Any) -> tuple[int, dict[str, Any]]:
    try:
        with client._ask(_host(row), row.method, path, body, timeout=20) as response:
            return response.status_code, {}
    except CeoError as error:
        return error.status, error.as_json()


@pytest.mark.parametrize("case", _cases(), ids=lambda case: f"{case[0].method}{case[0].path}{case[2] if case[2] == '?dry_run' else ''}-{case[3]}")
def test_who_may(club: Club, clients: dict[str, Client], case: tuple[Route, Any, str, str]) -> None:
    row, body, query, operation = case
    if row.operation in _OPEN:
        assert club.curl(None, row.path.removeprefix("/api"))[0] == 200
        return
    assert club.curl(None, _path(row, "x").removeprefix("/api") + query, "-X", row.method)[0] == 401
    for kind, standing in _KINDS.items():
        if kind == "nobody" or (Who.SELF in standing and row.subject is None):
            continue
        uid = "regular1" if Who.SELF in standing else "no-such-account"
        status, told = _answer(clients[kind], row, _path(row, uid) + query, body)
        allowed = RULES[operation].allows(standing)
        assert ((status, told.get("code")) == (403, "forbidden")) is not allowed, (kind, status, told)
        if allowed:
            assert 200 <= status < 500, (kind, status, told)
        else:
            assert told["rule"] == operation and RULES[operation].sentence() in told["error"], (kind, told)


@pytest.mark.parametrize("row", [row for row in ROUTES if row.role], ids=lambda row: f"{row.method}{row.path}")
def test_another_host_names_the_one_that_serves_it(club: Club, row: Route) -> None:
    """Every host knows the whole route table."""
    wrong, right = ("phosphoric-acid", _MAIL_HOST) if row.role == "mail" else ("mail", _ADMIN_HOST)
    client = club.client("regular1")
    with pytest.raises(CeoError) as caught:
        client._ask(f"{wrong}.csclub.internal", row.method, _path(row, "x"), None, timeout=20)
    assert (caught.value.status, caught.value.more["host"]) == (421, right)
