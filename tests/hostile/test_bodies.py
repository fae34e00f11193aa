"""Bodies and queries that no client of ours sends: each gets a typed answer, never a 500."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import flask
import gssapi
import pytest
import requests
import requests_gssapi

from ceod.api import register
from ceod.api.requests import ROUTES, Route
from sandbox.club import host_place
from tests.club.club import CA, Club

register(flask.Flask("ceod"))

_HOSTS = {"admin": "phosphoric-acid", "mail": "mail", "database": "coffee", "library": "coffee"}
_VALUES = {
    "deep": "[" * 200 + "]" * 200,
    "deep objects": '{"a":' * 200 + "1" + "}" * 200,
    "a number of 5,000 digits": "9" * 5000,
    "a number of 19 digits": "9" * 19,
    "a large exponent": "1e999",
    "NaN": "NaN",
    "Infinity": "-Infinity",
    "half a surrogate pair": r'"\ud800"',
    "NUL": r'"a\u0000b"',
}
_BODIES = {
    "nothing": b"",
    "no JSON": b"{",
    "50,000 [": b"[" * 50_000,
    "50,000 objects": b'{"a":' * 50_000,
    "no UTF-8": b'{"uid": "\xff"}',
    "an encoded surrogate": b'{"uid": "\xed\xa0\x80"}',
    "UTF-16 cut": b"\xff\xfe{\x00",
    "a list": b"[]",
    "a key twice": b'{"uid": "a", "uid": "b"}',
    "half a surrogate pair as a key": rb'{"\ud800": 1}',
}
_ROUTES = [row for row in ROUTES if row.takes is not None]


def _bodies(row: Route) -> Iterator[tuple[str, bytes]]:
    """Bodies for a route: the general ones, then each bad value in each field that it knows."""
    assert row.takes is not None
    yield from _BODIES.items()
    names = [name for name in row.takes.model_fields if name != "root"] or ["president"]
    for what, value in _VALUES.items():
        fields = ", ".join(f"{json.dumps(name)}: {value}" for name in names)
        yield f"{what} in {', '.join(names)}", f"{{{fields}}}".encode()


@pytest.fixture(scope="module")
def ccache(club: Club) -> dict[str, str]:
    """The ccaches of who may use the routes: a person, and the database host."""
    cache, host = f"FILE:{club.folder}/cc-database-host", "coffee.csclub.internal"
    keytab = host_place("coffee") / "krb5.keytab"
    subprocess.run(["kinit", "-c", cache, "-k", "-t", keytab, f"ceod/{host}"], check=True)
    return {"person": club.ccache("ctdalek"), "host": cache}


def _ask(
    session: requests.Session,
    ccache: str,
    method: str,
    host: str,
    path: str,
    body: bytes | None = None,
) -> requests.Response:
    auth = requests_gssapi.HTTPSPNEGOAuth(
        target_name=gssapi.Name(f"ceod@{host}.csclub.internal", gssapi.NameType.hostbased_service),
        creds=gssapi.Credentials(usage="initiate", store={"ccache": ccache}),
        opportunistic_auth=True,
    )
    url = f"https://{host}.csclub.internal:9987{path}"
    return session.request(method, url, data=body, auth=auth, verify=CA, timeout=60)


@pytest.mark.parametrize("row", _ROUTES, ids=[f"{row.method} {row.path}" for row in _ROUTES])
def test_a_bad_body_is_400_at_every_route(
    session: requests.Session, ccache: dict[str, str], row: Route
) -> None:
    path = row.path.replace("<uid>", "regular1").replace("<list_name>", "csc-general")
    path = path.replace("<book>", "1").replace(
        "<identifier>", "00000000-0000-4000-8000-000000000000"
    )
    assert "<" not in path
    who = ccache["host" if row.operation in ("database.info", "database.login") else "person"]
    answers = {}
    for what, body in _bodies(row):
        answer = _ask(session, who, row.method, _HOSTS[row.role or "admin"], path, body)
        answers[what] = (answer.status_code, answer.json()["code"])
        if answer.status_code == 400:
            assert answer.json()["problems"], what
    assert answers == dict.fromkeys(answers, (400, "invalid"))


def test_a_bad_body_of_somebody_who_may_not_is_403(club: Club, session: requests.Session) -> None:
    """Which rule counts depends on the body; one that can't be read has no field."""
    who = club.ccache("regular1")
    answer = _ask(session, who, "PATCH", "phosphoric-acid", "/api/members/ctdalek", b"[" * 50_000)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("phosphoric-acid", "/members?size=٣"),
        ("phosphoric-acid", "/members?size=²"),
        ("phosphoric-acid", "/members?size=" + "9" * 3000),
        ("phosphoric-acid", "/members?size=1e3"),
        ("phosphoric-acid", "/members?size=+5"),
        ("phosphoric-acid", "/members?name=%00"),
        ("phosphoric-acid", "/members?term=f٢٠٢٦"),
        ("phosphoric-acid", "/members?after=" + "%5B" * 1300),
        ("phosphoric-acid", "/members?after=%5B%22%5Cud800%22,%22a%22%5D"),
        ("phosphoric-acid", "/members?after=%5B%22%5Cu0000%22,%22a%22%5D"),
        ("phosphoric-acid", "/members?size=1&size=2"),
        ("phosphoric-acid", "/inactive?terms=१"),
        ("phosphoric-acid", "/log?limit=１"),
        ("phosphoric-acid", "/transactions?limit=１"),
        ("phosphoric-acid", "/lapsed?cn=%00"),
        ("coffee", "/library/books?size=٣"),
        ("coffee", "/library/books?after=" + "%5B" * 1300),
        ("coffee", "/library/books?after=%5B1,%22%5Cud800%22,1%5D"),
        ("coffee", "/library/books?after=%5B1,%22a%22," + "9" * 3000 + "%5D"),
        ("coffee", "/library/books?after=%5BNaN,%22a%22,1%5D"),
        ("coffee", "/library/books?q=%00"),
        ("coffee", "/library/loans?after=%5B%22٢٠٢٦-01-01%22,1%5D"),
    ],
)
def test_a_bad_query_is_400(club: Club, session: requests.Session, host: str, path: str) -> None:
    answer = _ask(session, club.ccache("ctdalek"), "GET", host, f"/api{path}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
