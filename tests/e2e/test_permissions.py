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
from tests.club.club import Club

register(flask.Flask("ceod"))

_HOSTS = {"admin": "phosphoric-acid", "mail": "mail", "database": "coffee", "library": "coffee", None: "phosphoric-acid"}
# Whom a path's account is to be, where the caller is something to it.
_ABOUT = {"regular1 about themselves": "regular1", "rep1 about their club": "go-club"}
_KINDS: dict[str, set[Who]] = {
    "nobody": {Who.ANYONE},
    "regular1": {Who.ANYONE, Who.SIGNED_IN},
    "regular1 about themselves": {Who.ANYONE, Who.SIGNED_IN, Who.SELF},
    "rep1 about their club": {Who.ANYONE, Who.SIGNED_IN, Who.CLUB},
    "office1": {Who.ANYONE, Who.SIGNED_IN, Who.OFFICE},
    "ctdalek": {Who.ANYONE, Who.SIGNED_IN, Who.OFFICE, Who.SYSCOM},
    "host mail": {Who.ANYONE, Who.SIGNED_IN, Who.HOST},
    "host coffee": {Who.ANYONE, Who.SIGNED_IN, Who.HOST, Who.DATABASE_HOST},
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
    return f"{_HOSTS[row.role]}.csclub.internal"


def _path(row: Route, uid: str) -> str:
    path = row.path.replace("<uid>", uid).replace("<identifier>", "00000000-0000-4000-8000-000000000000")
    return re.sub("<[^>]+>", "no-such-thing", path)


@pytest.fixture(scope="module")
def clients(club: Club) -> dict[str, Client]:
    found = {}
    for kind in _KINDS:
        if kind.startswith("host "):
            found[kind] = _as_host(club, kind.removeprefix("host "))
        elif kind != "nobody":
            found[kind] = club.client(kind.split()[0])
    return found


def _as_host(club: Club, host: str) -> Client:
    """As ceod/<host>, from elsewhere than that host."""
    cache = club.folder / f"cc-host-{host}"
    subprocess.run(["kinit", "-c", f"FILE:{cache}", "-k", "-t", host_place(host) / "krb5.keytab", f"ceod/{host}.csclub.internal"], check=True)
    return Client(hosts=club.settings.hosts, realm=club.settings.realm, port=club.settings.port, ca=club.settings.ca,
                  credential=lambda: gssapi.Credentials(usage="initiate", store={"ccache": f"FILE:{cache}"}))


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
    assert club.curl(None, _path(row, "x") + query, "-X", row.method, url=f"https://{_host(row)}:9987")[0] == 401
    for kind, standing in _KINDS.items():
        if kind == "nobody" or (kind in _ABOUT and row.subject is None):
            continue
        uid = _ABOUT.get(kind, "no-such-account")
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
    wrong, right = "phosphoric-acid" if row.role == "mail" else "mail", _host(row)
    client = club.client("regular1")
    with pytest.raises(CeoError) as caught:
        client._ask(f"{wrong}.csclub.internal", row.method, _path(row, "x"), None, timeout=20)
    assert (caught.value.status, caught.value.more["host"]) == (421, right)
