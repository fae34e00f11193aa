"""Hostile Kerberos bytes and other people's tickets: refused, nothing written, and nobody else notices."""

from __future__ import annotations

import base64
import contextlib
import os
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gssapi
import pytest
import requests

from ceo_common.krb5 import krb5, tickets
from ceo_common.krb5._krb5 import lib
from ceo_common.krb5.admin import Admin, AlreadyThere
from sandbox.club import REALM
from tests.club.club import CA, URL, Club, until
from tests.club.hostile import der, keyless, renamed, two_tickets
from tests.club.tokens import SPNEGO, fresh_token, send

MUTANTS = 1000


def _krb_cred(club: Club, who: str) -> bytes:
    return tickets.forward(club.ccache(who))


class Streaming(threading.Thread):
    """Another client's adds, one after the other, all the while."""

    def __init__(self, club: Club) -> None:
        super().__init__(daemon=True)
        self.club, self.over = club, threading.Event()
        self.completed: list[str] = []
        self.failure: Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            while not self.over.is_set():
                self.completed.append(self.club.add("ctdalek")["result"]["uid"])
        except Exception as error:
            self.failure = error

    def end(self) -> None:
        self.over.set()
        self.join(60)
        assert self.failure is None, self.failure
        assert self.completed


def test_two_tickets_in_the_header(club: Club, session: requests.Session) -> None:
    workers, other = club.both_workers(), Streaming(club)
    member = club.member()
    cred = base64.b64encode(two_tickets(_krb_cred(club, "office1"))).decode()
    answer = send(session, "POST", "/members", fresh_token(club, "office1"), member, **{"X-KRB5-CRED": cred})
    assert (answer.status_code, answer.json()["code"]) == (403, "delegation_mismatch")
    other.end()
    assert club.workers() == workers
    club.nothing(member["uid"])


def delegating_token(club: Club, who: str, cred: bytes) -> bytes:
    """A raw Kerberos token whose authenticator checksum carries this KRB-CRED (RFC 4121, 4.1.1), made with libkrb5 itself.

    A mech token, which gss_accept_sec_context takes as well as a SPNEGO one.
    """
    from tests.club import ap_req

    return ap_req.token(club.ccache(who), "ceod/phosphoric-acid.csclub.internal", cred)


def test_two_tickets_inside_the_negotiate_token(club: Club, session: requests.Session) -> None:
    """It ends the acceptor, which is there to be ended: 503 for who sent it, and nobody else notices."""
    workers, other = club.both_workers(), Streaming(club)
    honest = delegating_token(club, "office1", _krb_cred(club, "office1"))
    member = club.member()
    assert send(session, "POST", "/members", honest, member).status_code == 200  # the hand-made token is a good one
    for _ in range(4):
        hostile = delegating_token(club, "office1", two_tickets(_krb_cred(club, "office1")))
        answer = send(session, "POST", "/members", hostile, club.member())
        assert answer.status_code in (401, 503), answer.text
        if answer.status_code == 503:
            assert answer.json()["backend"] == "acceptor"
    other.end()
    assert club.workers() == workers
    assert club.client("regular1").whoami()["uid"] == "regular1"


def _mutants(good: bytes, seed: int) -> list[bytes]:
    draw = random.Random(seed)
    found = []
    for _ in range(MUTANTS // 2):
        bad = bytearray(good)
        for _ in range(draw.randint(1, 4)):
            kind, at = draw.randrange(4), draw.randrange(len(bad))
            if kind == 0:
                bad[at] = draw.randrange(256)
            elif kind == 1:
                bad[at] ^= 1 << draw.randrange(8)
            elif kind == 2:
                del bad[at : at + draw.randint(1, 8)]
            else:
                bad[at:at] = bytes(draw.randrange(256) for _ in range(draw.randint(1, 8)))
        found.append(bytes(bad))
    return found


def test_a_thousand_mutants(club: Club, session: requests.Session) -> None:
    """500 in the header, 500 as the delegated credential: no worker ends, nobody becomes somebody else."""
    workers = club.both_workers()
    before = set(club.entries("(objectClass=posixAccount)"))
    good = _krb_cred(club, "office1")
    # One name for all: a mutant that is still a good ticket may add it, once.
    member = club.member()
    tokens = [fresh_token(club, "office1") for _ in range(MUTANTS // 2)]

    def in_header(pair: tuple[bytes, bytes]) -> int:
        with requests.Session() as own:
            own.verify, own.trust_env = CA, False
            cred = base64.b64encode(pair[0]).decode()
            return send(own, "POST", "/members", pair[1], member, **{"X-KRB5-CRED": cred}).status_code

    def in_token(mutant: bytes) -> int:
        with requests.Session() as own:
            own.verify, own.trust_env = CA, False
            return send(own, "GET", "/whoami", delegating_token(club, "office1", mutant)).status_code

    with ThreadPoolExecutor(8) as pool:
        headers = list(pool.map(in_header, zip(_mutants(good, 1), tokens, strict=True)))
    with ThreadPoolExecutor(4) as pool:
        inside = list(pool.map(in_token, _mutants(good, 2)))
    assert set(headers) <= {200, 403, 409, 503} and set(inside) <= {200, 401, 503}, (set(headers), set(inside))
    assert club.workers() == workers
    assert set(club.entries("(objectClass=posixAccount)")) - before <= {f"uid={member['uid']},ou=People,dc=csclub,dc=internal"}
    print(f"{len(headers)} in the header, {len(inside)} in the token; statuses {sorted(set(headers))} and {sorted(set(inside))}")


def test_somebody_elses_ticket_in_the_header(club: Club, session: requests.Session) -> None:
    member = club.member()
    cred = base64.b64encode(_krb_cred(club, "ctdalek")).decode()
    answer = send(session, "POST", "/members", fresh_token(club, "office1"), member, **{"X-KRB5-CRED": cred})
    assert (answer.status_code, answer.json()["code"]) == (403, "delegation_mismatch")
    club.nothing(member["uid"])


@pytest.mark.parametrize(("ticket_of", "says", "caller"), [("office1", "ctdalek", "ctdalek"), ("ctdalek", "office1", "office1")])
def test_a_forged_name_both_ways(club: Club, session: requests.Session, ticket_of: str, says: str, caller: str) -> None:
    """Every library believes the name; the KDC and slapd do not."""
    member = club.member()
    forged = base64.b64encode(renamed(_krb_cred(club, ticket_of), ticket_of, says)).decode()
    answer = send(session, "POST", "/members", fresh_token(club, caller), member, **{"X-KRB5-CRED": forged})
    assert (answer.status_code, answer.json()["code"]) == (403, "delegation_mismatch"), answer.text
    club.nothing(member["uid"])


def test_a_replayed_token(club: Club) -> None:
    token = fresh_token(club, "office1")
    statuses = []
    for _ in range(5):  # over both workers
        with requests.Session() as own:
            own.verify, own.trust_env = CA, False
            statuses.append(send(own, "GET", "/whoami", token).status_code)
    assert statuses == [200, 401, 401, 401, 401]


@pytest.mark.parametrize("token", [b"", b"\x00", b"NTLMSSP\x00\x01\x00\x00\x00", b"\x60\x06", os.urandom(2000)], ids=["empty", "nul", "ntlm", "cut", "random"])
def test_tokens_that_are_none(session: requests.Session, token: bytes) -> None:
    assert send(session, "GET", "/whoami", token).status_code == 401


@pytest.mark.parametrize("header", ["Basic b2ZmaWNlMTprcmI1", "Negotiate", "Negotiate !!!", "Bearer x"])
def test_other_authorizations(session: requests.Session, header: str) -> None:
    answer = session.get(f"{URL}/whoami", headers={"Authorization": header})
    assert answer.status_code == 401 and "Negotiate" in answer.headers["WWW-Authenticate"]


def test_a_token_cut_at_each_tenth_byte(club: Club, session: requests.Session) -> None:
    token = fresh_token(club, "office1")
    for cut in range(0, len(token) - 1, 10):
        assert send(session, "GET", "/whoami", token[:cut]).status_code == 401


def test_a_token_for_another_service(club: Club, session: requests.Session) -> None:
    assert send(session, "GET", "/whoami", fresh_token(club, "office1", service="host@phosphoric-acid.csclub.internal")).status_code == 401


@pytest.fixture
def instance(club: Club) -> str:
    """x/admin: somebody's other principal."""
    admin = Admin.with_password("sysadmin/admin", "krb5")
    with contextlib.suppress(AlreadyThere):
        admin.create("office1/admin", "krb5")
    return "office1/admin"


def test_a_principal_with_an_instance(club: Club, session: requests.Session, instance: str) -> None:
    for name in (instance, "sysadmin/admin"):
        answer = send(session, "GET", "/whoami", fresh_token(club, name))
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_the_bare_acceptor_refuses_another_realm() -> None:
    """A cross-realm principal never becomes somebody of ours, whatever its name."""
    from ceo_common.errors import Forbidden
    from ceod.auth.caller import identify
    from tests.ceod.test_caller import CONFIG

    for name in ("office1@OTHER.REALM", f"office1@{REALM}.EVIL", f"office1@{REALM}@{REALM}", f"office1\n@{REALM}", f"a/b@{REALM}", f"ceod/evil@{REALM}",
                 f"ceod/admin@{REALM}", "office1", "@", f"@{REALM}"):
        with pytest.raises(Forbidden):
            identify(name, "192.0.2.9", CONFIG)


def test_a_header_that_is_too_large(club: Club, session: requests.Session) -> None:
    member = club.member()
    cred = base64.b64encode(b"\x76" + b"x" * 17000).decode()
    answer = send(session, "POST", "/members", fresh_token(club, "office1"), member, **{"X-KRB5-CRED": cred})
    assert answer.status_code == 403
    answer = send(session, "POST", "/members", fresh_token(club, "office1"), member, **{"X-KRB5-CRED": "A" * 40000})
    assert answer.status_code in (400, 431)
    club.nothing(member["uid"])


def test_a_ticket_twice_is_refused(club: Club, session: requests.Session) -> None:
    cred = base64.b64encode(_krb_cred(club, "office1")).decode()
    answer = send(session, "POST", "/members", fresh_token(club, "office1", delegate=True), club.member(), **{"X-KRB5-CRED": cred})
    assert answer.status_code == 400


def test_channel_bindings_of_another_server_are_refused(club: Club, session: requests.Session) -> None:
    context = gssapi.SecurityContext(
        name=gssapi.Name("ceod@phosphoric-acid.csclub.internal", gssapi.NameType.hostbased_service), mech=SPNEGO, usage="initiate",
        creds=gssapi.Credentials(usage="initiate", store={"ccache": club.ccache("office1")}),
        channel_bindings=gssapi.raw.ChannelBindings(application_data=b"tls-server-end-point:" + b"x" * 32),
    )
    answer = send(session, "GET", "/whoami", context.step())
    assert _error(answer) == (401, "unauthenticated")
    assert "another TLS connection" in answer.json()["error"]


@pytest.fixture(scope="module")
def ended(club: Club) -> bytes:
    """A forwarded ticket that has ended."""
    message = tickets.forward(club.ccache("office1"), life_s=1)
    end = time.time() + 2
    until(lambda: time.time() > end)
    return message


def _error(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_an_expired_forwarded_ticket(club: Club, session: requests.Session, ended: bytes) -> None:
    cred, member = base64.b64encode(ended).decode(), club.member()
    token = fresh_token(club, "office1")
    answer = send(session, "POST", "/members", token, member, **{"X-KRB5-CRED": cred})
    assert _error(answer) == (403, "delegation_mismatch")
    assert "has ended" in answer.json()["error"]
    assert "gen_cred.sh again" in answer.json()["error"]
    club.nothing(member["uid"])


def test_an_expired_forwarded_ticket_inside_the_token(
    club: Club, session: requests.Session, ended: bytes
) -> None:
    member = club.member()
    answer = send(session, "POST", "/members", delegating_token(club, "office1", ended), member)
    assert _error(answer) == (403, "delegation_mismatch")
    assert "has ended" in answer.json()["error"]
    assert "kinit" in answer.json()["error"]
    club.nothing(member["uid"])


def test_who_reads_needs_no_forwarded_ticket_that_lives(
    club: Club, session: requests.Session, ended: bytes
) -> None:
    token = delegating_token(club, "office1", ended)
    assert send(session, "GET", "/whoami", token).status_code == 200


def _with_other_key(cred: bytes) -> bytes:
    """The KRB-CRED with other bytes in its session key."""
    start = cred.index(b"\xa1\x22\x04\x20") + 4  # AES-256: [1] OCTET STRING of 32 bytes
    return cred[:start] + bytes(32) + cred[start + 32 :]


def _with_other_ticket(cred: bytes) -> bytes:
    """The KRB-CRED with one byte of the encrypted ticket changed."""
    at = len(cred) // 3
    return cred[:at] + bytes((cred[at] ^ 1,)) + cred[at + 1 :]


_FORGERIES: dict[str, Callable[[bytes], bytes]] = {
    "another name": lambda cred: renamed(cred, "office1", "ctdalek"),
    "a name that nobody has": lambda cred: renamed(cred, "office1", "nobodyx"),
    "a name that is not UTF-8": lambda cred: cred.replace(b"office1", b"off\xff\xfe\xfd1"),
    "a name with a line break": lambda cred: cred.replace(b"office1", b"office\n"),
    "no key": keyless,
    "cut": lambda cred: cred[:-9],
    "garbage": lambda cred: os.urandom(900),
    "another session key": _with_other_key,
    "another ticket": _with_other_ticket,
}


@pytest.mark.parametrize("kind", _FORGERIES)
def test_a_forged_ticket_in_the_header_is_403(
    club: Club, session: requests.Session, kind: str
) -> None:
    member, cred = club.member(), _FORGERIES[kind](_krb_cred(club, "office1"))
    header = {"X-KRB5-CRED": base64.b64encode(cred).decode()}
    answer = send(session, "POST", "/members", fresh_token(club, "office1"), member, **header)
    assert _error(answer) == (403, "delegation_mismatch"), answer.text
    club.nothing(member["uid"])


@pytest.mark.parametrize(
    "kind", ["another name", "no key", "another session key", "another ticket"]
)
def test_a_forged_ticket_inside_the_token_is_403(
    club: Club, session: requests.Session, kind: str
) -> None:
    member, cred = club.member(), _FORGERIES[kind](_krb_cred(club, "office1"))
    answer = send(session, "POST", "/members", delegating_token(club, "office1", cred), member)
    assert _error(answer) == (403, "delegation_mismatch"), answer.text
    club.nothing(member["uid"])


def _ntlm_inside_spnego(*mechanisms: str) -> bytes:
    """A NegTokenInit (RFC 4178, 4.2.1) that offers mechanisms, and whose token is NTLM's."""
    offers = der(0xA0, der(0x30, b"".join(der(0x06, bytes.fromhex(oid)) for oid in mechanisms)))
    init = der(0xA0, der(0x30, offers + der(0xA2, der(0x04, _NTLM))))
    return der(0x60, der(0x06, bytes.fromhex("2b0601050502")) + init)


_NTLM = b"NTLMSSP\0\x01\0\0\0\x07\x82\x08\xa2" + bytes(16)
_NTLM_OID, _KERBEROS_OID = "2b06010401823702020a", "2a864886f712010202"


@pytest.mark.parametrize(
    ("token", "words"),
    [
        (_NTLM, "NTLM"),
        (_ntlm_inside_spnego(_NTLM_OID), "NTLM"),
        (_ntlm_inside_spnego(_NTLM_OID, _KERBEROS_OID), "NTLM"),
        (_ntlm_inside_spnego(_KERBEROS_OID, _NTLM_OID), "NTLM"),
        (b"", "kinit"),
        (b"\0", "curl --negotiate"),
        (b"\x60\x06", "curl --negotiate"),
        (b"office1:krb5", "curl --negotiate"),
        (random.Random(1).randbytes(2000), "curl --negotiate"),
    ],
    ids=[
        "ntlm",
        "ntlm in spnego",
        "ntlm first",
        "ntlm last",
        "empty",
        "nul",
        "cut",
        "a password",
        "random",
    ],
)
def test_a_token_that_is_not_kerberos_is_401_and_says_what_to_do(
    session: requests.Session, token: bytes, words: str
) -> None:
    answer = send(session, "GET", "/whoami", token)
    assert _error(answer) == (401, "unauthenticated")
    assert words in answer.json()["error"]
    assert "Major" not in answer.json()["error"]


def test_gen_cred_asks_for_ten_minutes_and_no_more(club: Club) -> None:
    done = club.run_as("office1", "./gen_cred.sh", "phosphoric-acid")
    assert done.returncode == 0, done
    message = base64.b64decode(Path("/users/office1/cred").read_text())
    ticket, context, cache = tickets.receive(message)
    try:
        (creds,) = list(cache)
        assert not creds.flags & lib.TKT_FLG_FORWARDABLE
        assert creds.times.endtime - creds.times.starttime <= 600
        assert ticket.client == f"office1@{REALM}"
    finally:
        krb5.cc_destroy(context, cache)


def test_gen_cred_without_a_ticket_says_so(club: Club) -> None:
    done = club.run_as("office1", "./gen_cred.sh", "phosphoric-acid", ticket=False)
    assert done.returncode == 1 and "kinit first" in done.stderr and "Traceback" not in done.stderr
    assert club.run_as("office1", "./gen_cred.sh", "no-such-host").returncode == 1
