"""A ceod that demands channel bindings: a token counts only on its own TLS connection."""

from __future__ import annotations

from collections.abc import Iterator

import gssapi
import pytest
import requests

from ceod.auth.spnego import channel_bindings
from sandbox.club import host_place
from tests.club.another import another_ceod
from tests.club.club import ADMIN, Club
from tests.club.tokens import SPNEGO, fresh_token, send

_REQUIRED = '\n[security]\nchannel_bindings = "required"\n'


@pytest.fixture(scope="module")
def port(club: Club, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a ceod that demands them."""
    with another_ceod(club, tmp_path_factory.mktemp("required"), _REQUIRED) as found:
        yield found


def _url(port: int) -> str:
    return f"https://{ADMIN}.csclub.internal:{port}/api"


def _bound_token(club: Club, bindings: bytes) -> bytes:
    context = gssapi.SecurityContext(
        name=gssapi.Name(f"ceod@{ADMIN}.csclub.internal", gssapi.NameType.hostbased_service),
        mech=SPNEGO,
        usage="initiate",
        creds=gssapi.Credentials(usage="initiate", store={"ccache": club.ccache("office1")}),
        channel_bindings=gssapi.raw.ChannelBindings(application_data=bindings),
    )
    token: bytes = context.step()
    return token


def test_a_token_without_bindings_is_401_and_says_why(
    club: Club, session: requests.Session, port: int
) -> None:
    answer = send(session, "GET", "/whoami", fresh_token(club, "office1"), url=_url(port))
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert 'channel_bindings is "required"' in answer.json()["error"]
    assert "use the command ceo" in answer.json()["error"]


def test_every_other_way_in_is_closed_too(club: Club, session: requests.Session, port: int) -> None:
    member = club.member()
    write = fresh_token(club, "office1", delegate=True)
    assert send(session, "POST", "/members", write, member, url=_url(port)).status_code == 401
    health = fresh_token(club, "office1")
    assert send(session, "GET", "/health?full", health, url=_url(port)).status_code == 401
    assert send(session, "GET", "/health", None, url=_url(port)).status_code == 200
    club.nothing(member["uid"])


def test_a_token_with_the_right_bindings_is_accepted(
    club: Club, session: requests.Session, port: int
) -> None:
    certificate = host_place(ADMIN) / "csc/tls/cert.pem"
    token = _bound_token(club, channel_bindings(str(certificate)))
    assert send(session, "GET", "/whoami", token, url=_url(port)).status_code == 200


def test_a_token_with_other_bindings_is_401(
    club: Club, session: requests.Session, port: int
) -> None:
    token = _bound_token(club, b"tls-server-end-point:" + bytes(32))
    answer = send(session, "GET", "/whoami", token, url=_url(port))
    assert answer.status_code == 401
    assert "another TLS connection" in answer.json()["error"]


def test_our_own_client_works(club: Club, port: int) -> None:
    client = club.client("office1")
    client.port = port
    assert client.whoami()["uid"] == "office1"
    uid = club.name()
    *_, last = client.add_member(club.member(uid))
    assert last["status"] == "completed"


def test_the_curl_of_debian_sends_none(club: Club, port: int) -> None:
    status, body = club.curl("office1", "/whoami", url=_url(port))
    assert status == 401
    assert "channel_bindings" in body


def test_where_nothing_is_said_they_are_not_demanded(club: Club) -> None:
    assert club.curl("office1", "/whoami")[0] == 200
