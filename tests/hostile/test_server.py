"""The HTTP server: what is no request, what is too much or too slow, streams that are over, and how much one person may ask for."""

from __future__ import annotations

import base64
import contextlib
import json
import random
import socket
import ssl
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest

from ceo_common.errors import TooMany
from ceo_common.krb5 import tickets
from ceod.auth.rates import WRITES
from ceod.server import limits
from sandbox.club import ADDRESSES, CEOD_PORT
from tests.club import ap_req
from tests.club.adds import held
from tests.club.attackers import under_attack
from tests.club.club import ADMIN, CA, Club, until
from tests.club.hostile import two_tickets
from tests.club.wire import HOST, Reply, Wire, ask, request, ticket

_MIB = 1 << 20


def _chunked(*parts: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + end


_CHUNKED = request("POST", "/api/members", "Transfer-Encoding: chunked")
_MALFORMED = {
    "no words": b"\r\n\r\n\r\n\r\n",
    "one word": b"GET\r\n\r\n",
    "a method in small letters": b"get /api/health HTTP/1.1\r\n\r\n",
    "another protocol": b"GET /api/health HTTP/2.7\r\n\r\n",
    "bare line feeds": b"GET /api/health HTTP/1.1\nHost: x\n\n",
    "a header without a colon": request("GET", "/api/health", "X"),
    "a header with a blank in its name": request("GET", "/api/health", "X Y: z"),
    "a header with a NUL": request("GET", "/api/health", "X: a\0b"),
    "a folded header": request("GET", "/api/health", "X: a\r\n b"),
    "two hosts": request("GET", "/api/health", "Host: other"),
    "two lengths": request("POST", "/api/members", "Content-Length: 3", body="{} "),
    "a length that is no number": request("POST", "/api/members", "Content-Length: 1x"),
    "a length below nothing": request("POST", "/api/members", "Content-Length: -1"),
    "a length and chunks": request("POST", "/api/members", "Transfer-Encoding: chunked", body=_chunked(b"{}")),
    "chunked twice": request("POST", "/api/members", "Transfer-Encoding: chunked, chunked"),
    "an unknown coding": request("POST", "/api/members", "Transfer-Encoding: brotli"),
    "an unknown expectation": request("POST", "/api/members", "Expect: 200-ok"),
    "a target that is no path": b"GET /\xff HTTP/1.1\r\n\r\n",
}
# With a ticket: a body of somebody unknown is read away, and nobody looks at what is in it.
_MALFORMED_CHUNKS = {
    "a size that is no number": b"zz\r\n{}\r\n0\r\n\r\n",
    "no size": b"\r\n{}\r\n0\r\n\r\n",
    "a size with a sign": b"+2\r\n{}\r\n0\r\n\r\n",
    "a size below nothing": b"-2\r\n{}\r\n0\r\n\r\n",
    "a size with an underscore": b"0_2\r\n{}\r\n0\r\n\r\n",
    "a chunk longer than its size": b"1\r\n{}\r\n0\r\n\r\n",
    "a size line that never ends": b"2" * (limits.CHUNK_LINE_BYTES + 2),
    "a trailer without a colon": _chunked(b"{}", end=b"0\r\nX\r\n\r\n"),
    "a trailer that authenticates": _chunked(b"{}", end=b"0\r\nAuthorization: Negotiate x\r\n\r\n"),
    "an extension with a bare return": b"2;a\rb\r\n{}\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("data", _MALFORMED.values(), ids=_MALFORMED)
def test_what_is_no_request_is_refused_in_our_form(club: Club, data: bytes) -> None:
    with closing(Wire()) as wire:
        answer = wire.send(data).reply()
        assert answer.status == 400
        assert answer.json()["code"] == "invalid"
        assert wire.is_closed()


def _whatever_comes(data: bytes) -> Reply | None:
    """The answer to bytes that may be no whole request; None where the connection ends, or the server still waits for more."""
    with closing(Wire(seconds=1)) as wire:
        try:
            return wire.send(data).reply()
        except (EOFError, OSError):
            return None


def test_whatever_bytes_come_each_answer_is_in_our_form(club: Club) -> None:
    """Requests with some bytes replaced: a status below 500, and words of ours."""
    draw, whole = random.Random(12), [
        request("GET", "/api/members?name=x", "Authorization: Negotiate YIIabc", "X-KRB5-CRED: abc"),
        request("POST", "/api/members", "Transfer-Encoding: chunked") + _chunked(b'{"uid":', b'"x"}'),
        request("PATCH", "/api/members/x", "Idempotency-Key: 1", body='{"login_shell": "/bin/sh"}'),
    ]
    mutants = []
    for i in range(300):
        data = bytearray(whole[i % len(whole)])
        for _ in range(draw.randint(1, 4)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        mutants.append(bytes(data))
    with ThreadPoolExecutor(16) as pool:
        answers = [answer for answer in pool.map(_whatever_comes, mutants) if answer]
    assert len(answers) > len(mutants) / 2
    assert {answer.status for answer in answers} <= {400, 401, 403, 404, 405, 408, 413, 431}
    assert all({"error", "code", "problems"} <= set(answer.json()) for answer in answers)


@pytest.mark.parametrize("chunks", _MALFORMED_CHUNKS.values(), ids=_MALFORMED_CHUNKS)
def test_malformed_chunks_and_trailers_are_refused_in_our_form(club: Club, chunks: bytes) -> None:
    head = request("POST", "/api/members", ticket(club, "office1"), "Transfer-Encoding: chunked")
    with closing(Wire()) as wire:
        answer = wire.send(head + chunks).reply()
        assert (answer.status, answer.json()["code"]) == (400, "invalid")
        assert wire.is_closed()


def test_chunks_are_taken_as_a_body(club: Club) -> None:
    member = json.dumps(club.member()).encode()
    head = request("POST", "/api/members?dry_run", ticket(club, "office1"), "Transfer-Encoding: chunked", "Connection: keep-alive")
    answer = ask(head + _chunked(member[:1], member[1:]))
    assert answer.status == 200
    assert answer.json()["dry_run"] is True


@pytest.mark.parametrize("signed_in", [True, False])
def test_a_body_above_the_limit_is_refused_and_not_cut(club: Club, signed_in: bool) -> None:
    """Announced or in chunks; one byte less is read, and found to be no JSON."""
    who = [ticket(club, "office1") for _ in range(4)] if signed_in else ["X-Nobody: 1"] * 4
    too_large, fits = b" " * (_MIB + 1), b" " * _MIB
    statuses = [
        ask(request("POST", "/api/members", who[0], body=too_large)).status,
        ask(request("POST", "/api/members", who[1], "Transfer-Encoding: chunked") + _chunked(too_large[:-1], b" ")).status,
        ask(request("POST", "/api/members", who[2], body=fits)).status,
        ask(request("POST", "/api/members", who[3], "Transfer-Encoding: chunked") + _chunked(fits)).status,
    ]
    assert statuses == ([413, 413, 400, 400] if signed_in else [413, 413, 401, 401])


def test_curl_is_told_of_a_body_that_is_too_large_before_it_sends_it(club: Club) -> None:
    with closing(Wire()) as wire:
        wire.send(request("POST", "/api/members", "Expect: 100-continue", f"Content-Length: {_MIB + 1}"))
        assert wire.reply().status == 413
    with closing(Wire()) as wire:
        wire.send(request("POST", "/api/members?dry_run", ticket(club, "office1"), "Expect: 100-continue", "Content-Length: 2"))
        assert wire._file.readline() == b"HTTP/1.1 100 Continue\r\n"
        assert wire._file.readline() == b"\r\n"
        assert wire.send(b"{}").reply().status == 400


@pytest.mark.parametrize(("data", "code"), [
    (request("GET", "/api/" + "x" * 5000), "header_too_large"),
    (request("GET", "/api/health", "X: " + "y" * 33000), "header_too_large"),
    (request("GET", "/api/health", *(f"X{i}: y" for i in range(101))), "header_too_large"),
    (request("GET", "/api/health", *(f"X{i}: {'y' * 30000}" for i in range(5))), "header_too_large"),
])
def test_headers_above_the_limits(club: Club, data: bytes, code: str) -> None:
    answer = ask(data)
    assert (answer.status, answer.json()["code"]) == (431, code)


@pytest.mark.parametrize("path", ["//", "//api/health", "/api//health", "/api/health//", "//evil.example/api/health"])
def test_two_strokes_are_no_path_and_no_redirect(club: Club, path: str) -> None:
    answer = ask(request("GET", path))
    assert answer.status == 404
    assert "location" not in answer.headers
    assert answer.json()["code"] == "not_found"


def test_several_requests_over_one_connection(club: Club) -> None:
    """One after the other, and two sent at once; HEAD has no body; `close` closes."""
    with closing(Wire()) as wire:
        assert wire.send(request("GET", "/api/health")).reply().json() == {"up": True}
        wire.send(request("GET", "/api/health") + request("GET", "/api/nothing"))
        assert [wire.reply().status, wire.reply().status] == [200, 404]
        assert wire.send(request("GET", "/api/health", "Connection: close")).reply().status == 200
        assert wire.is_closed()
    with closing(Wire()) as wire:
        assert wire.send(b"GET /api/health HTTP/1.0\r\nHost: localhost\r\n\r\n").reply().status == 200
        assert wire.is_closed()


def test_nothing_follows_a_chunked_body_as_another_request(club: Club) -> None:
    smuggled = request("GET", "/api/health")
    with closing(Wire()) as wire:
        assert wire.send(_CHUNKED + _chunked(b"{}") + smuggled).reply().status == 401
        assert wire.is_closed()


def test_the_first_byte_tells_the_protocol(club: Club) -> None:
    """Plain HTTP is told to use TLS; a frame of the old protocol and bytes of no protocol end the connection."""
    answer = ask(request("GET", "/api/health"), tls=False)
    assert (answer.status, answer.json()["rule"]) == (403, "tls")
    forged = ask(request("GET", "/api/whoami", ticket(club, "office1"), "X-Forwarded-Proto: https"), tls=False)
    assert (forged.status, forged.json()["rule"]) == (403, "tls")
    for first in (b"\0\0\0\4\x08\0\0\0abcd", b"\x80\x2e\1", b"\xff"):
        with closing(Wire(tls=False)) as wire:
            assert wire.send(first).is_closed()


def test_whoever_is_slow_is_told_so_and_cut_off(club: Club) -> None:
    """A silent connection, half a hello, half a header and half a body, side by side: each has its time."""
    head, body = request("GET", "/api/health")[:-4], request("POST", "/api/members", "Content-Length: 9") + b"{"
    with ExitStack() as stack:
        silent, hello, half_head, half_body = (stack.enter_context(closing(Wire(tls=tls))) for tls in (False, False, True, True))
        hello.send(b"\x16\x03\x01\x02\x00\x01")
        half_head.send(head)
        half_body.send(body)
        assert silent.is_closed()
        assert hello.is_closed()
        for wire in (half_head, half_body):
            answer = wire.reply()
            assert (answer.status, answer.json()["code"]) == (408, "too_slow")
            assert wire.is_closed()


# More of each than all workers have threads.
_NEVER_FINISH = {"idle": 200, "half hellos": 200, "half headers": 200, "slow bodies": 100, "slow readers": 100}


@pytest.mark.parametrize("kinds", [*({kind: count} for kind, count in _NEVER_FINISH.items()), _NEVER_FINISH], ids=[*_NEVER_FINISH, "all"])
def test_connections_that_never_finish_keep_nobody_waiting(club: Club, kinds: dict[str, int]) -> None:
    """From the honest client's own address."""
    client = club.client("regular1")
    client.answer_s = 5
    with under_attack(kinds):
        for _ in range(5):
            client.ping(HOST)
            assert client.whoami()["uid"] == "regular1"
            assert client.member("office1")["uid"] == "office1"


# Streams


@pytest.mark.parametrize("after", [0, 1, 999_999, 1 << 30])
def test_a_stream_of_what_is_over_ends_at_once(club: Club, after: int) -> None:
    """Many at once, more than there are threads: each is answered, and so is everybody else."""
    last = club.add()
    path = f"/api/transactions/{last['transaction']}/events?after={after}"

    def follow(_: int) -> dict[str, object]:
        return dict(ask(request("GET", path, ticket(club, "office1"))).lines[-1])

    with ThreadPoolExecutor(32) as pool:
        ends = list(pool.map(follow, range(63)))
    assert {end["status"] for end in ends} == {"completed"}
    assert {end["n"] for end in ends} == {last["n"]}


def test_a_stream_says_that_it_is_alive(club: Club) -> None:
    """A heartbeat is an event that today's client has nothing to show for, and counts for nothing."""
    with held(club) as (add,):
        identifier = club.transaction_of(add.uid)[0]
        with closing(Wire()) as wire:
            wire.send(request("GET", f"/api/transactions/{identifier}/events?after=1000", ticket(club, "office1")))
            assert wire.head() == 200
            assert json.loads(wire.chunk()) == {"n": 1000, "status": "in progress", "transaction": identifier, "heartbeat": True}
    assert add.last["status"] == "completed"
    assert [event["n"] for event in add.events] == list(range(1, len(add.events) + 1))


def test_a_stream_whose_client_left_is_noticed(club: Club) -> None:
    """The server lets go of the connection, so that it counts no more among what its owner asks for."""
    with held(club) as (add,):
        path = f"/api/transactions/{club.transaction_of(add.uid)[0]}/events?after=1000"
        for _ in range(10):
            wire = Wire()
            wire.send(request("GET", path, ticket(club, "office1")))
            assert wire.head() == 200
            wire.close()
        # What the client closed and the server did not is in this state (tcp(7)).
        waiting = ("ss", "-Htn", "state", "close-wait", "sport", "=", ":9987")
        until(lambda: club.run_as("root", *waiting, host=ADMIN).stdout == "", 20, "the server closed them too")
    assert add.last["status"] == "completed"


# How much one person may ask for


def _unfinished(club: Club, who: str, stack: ExitStack) -> None:
    """Requests of somebody that both workers are at, as many as anybody may have: their bodies never end."""
    for _ in range(4 * limits.SHARE):
        wire = stack.enter_context(closing(Wire()))
        wire.send(request("POST", "/api/members", ticket(club, who), "Content-Length: 9"))


def test_one_person_has_a_share_and_others_at_the_same_address_have_theirs(club: Club) -> None:
    with ExitStack() as stack:
        _unfinished(club, "regular1", stack)
        refused = until(lambda: [a for a in [ask(request("GET", "/api/whoami", ticket(club, "regular1")))] if a.status == 429])[0]
        assert refused.json()["code"] == "too_many"
        assert int(refused.headers["retry-after"]) > 0
        for _ in range(6):
            assert ask(request("GET", "/api/whoami", ticket(club, "rep1"))).status == 200
    until(lambda: ask(request("GET", "/api/whoami", ticket(club, "regular1"))).status == 200)


def test_staff_has_as_much_at_once_as_it_needs(club: Club) -> None:
    with ExitStack() as stack:
        _unfinished(club, "office1", stack)
        for _ in range(6):
            assert ask(request("GET", "/api/whoami", ticket(club, "office1"))).status == 200


def test_somebody_who_holds_silent_connections_keeps_nobody_at_the_same_address_out(club: Club) -> None:
    """Many more than the server keeps open: the address loses its oldest, and an honest request is never that."""
    with under_attack({"idle": 2 * limits.CONNECTIONS + 400}):
        for _ in range(20):
            assert club.client("rep1").whoami()["uid"] == "rep1"


def test_an_address_whose_ticket_ended_an_acceptor_waits_and_is_served(club: Club) -> None:
    """Everybody there is: fifty at once, by an acceptor of their own; nobody is refused."""
    cache = club.ccache("regular1")
    hostile = ap_req.token(cache, f"ceod/{HOST}", two_tickets(tickets.forward(cache)))
    statuses = set()
    for _ in range(6):  # both workers, most likely
        data = request("GET", "/api/whoami", f"Authorization: Negotiate {base64.b64encode(hostile).decode()}")
        statuses.add(ask(data).status)
    assert 503 in statuses
    tokens = [ticket(club, "office1") for _ in range(50)]
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda token: ask(request("GET", "/api/whoami", token)), tokens))
    assert {answer.status for answer in answers} == {200}


def test_a_member_changes_something_so_often_and_no_oftener(club: Club) -> None:
    """Each worker counts; the refusal says how long to wait.  Reads go on."""
    uid = club.add()["result"]["uid"]
    club.has_password(uid)

    def patch() -> Reply:
        return ask(request("PATCH", f"/api/members/{uid}", ticket(club, uid), body='{"forwarding_addresses": []}'))

    statuses = [patch().status for _ in range(2 * WRITES)]
    assert statuses[:WRITES] == [200] * WRITES
    refused = until(lambda: [answer for answer in [patch()] if answer.status == 429])[0]
    assert refused.json()["code"] == "too_many"
    assert 0 < int(refused.headers["retry-after"]) <= 3600
    with pytest.raises(TooMany, match="wait"):
        for _ in range(WRITES + 1):  # the other worker may have room for so many still
            list(club.client(uid).modify_member(uid, {"forwarding_addresses": []}))
    assert club.client(uid).member(uid)["uid"] == uid


def test_staff_works_as_often_as_it_has_to(club: Club) -> None:
    staff, missing = club.client("ctdalek"), str(uuid.uuid4())
    for _ in range(2 * WRITES + 3):
        answer = ask(request("POST", f"/api/transactions/{missing}/resume", ticket(club, "ctdalek")))
        assert answer.status == 404
    assert staff.whoami()["uid"] == "ctdalek"


def test_gunicorns_own_lines_are_in_our_form(club: Club) -> None:
    lines = [json.loads(line) for line in club.log(f"{ADMIN}.ceod").splitlines()]
    said = [line["message"] for line in lines if line["logger"] == "gunicorn.error"]
    assert any(message.startswith("Listening at") for message in said)


# What a second look found


@pytest.mark.parametrize("signed_in", [True, False])
def test_a_body_of_small_chunks_is_taken_up_to_a_number_of_them(club: Club, signed_in: bool) -> None:
    """Nobody waits meanwhile: each is looked at once, and others have their turn between them."""
    who = ticket(club, "office1") if signed_in else "X-Nobody: 1"
    head = request("POST", "/api/members?dry_run", who, "Transfer-Encoding: chunked")
    many = b"1\r\n \r\n" * limits.CHUNKS
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask(head + many), range(8 if not signed_in else 1)))
    assert {answer.status for answer in answers} == {400}
    few = ask(request("POST", "/api/members?dry_run", ticket(club, "office1"), "Transfer-Encoding: chunked") + b"1\r\n \r\n" * 2000 + b"0\r\n\r\n")
    assert "JSON" in few.json()["error"]


@pytest.mark.parametrize("size", ["-6", "-2", "+2", "0x2", "2_0", " 2", "fffffffff"])
def test_a_chunk_size_is_hexadecimal_digits_alone(club: Club, size: str) -> None:
    """Also for somebody unknown, whose body is read away."""
    answer = ask(_CHUNKED + f"{size}\r\n{{}}\r\n0\r\n\r\n".encode())
    assert (answer.status, answer.json()["code"]) == (400, "invalid")


def test_requests_that_were_sent_ahead_wait_their_turn(club: Club) -> None:
    """Two thousand without a ticket on each of eight connections, and somebody else is served between them."""
    with ExitStack() as stack:
        wires = [stack.enter_context(closing(Wire())) for _ in range(8)]
        senders = [threading.Thread(target=_send_ahead, args=(wire,), daemon=True) for wire in wires]
        for sender in senders:
            sender.start()
        client = club.client("regular1")
        client.answer_s = 5
        for _ in range(10):
            assert client.whoami()["uid"] == "regular1"


def _send_ahead(wire: Wire) -> None:
    with contextlib.suppress(OSError):
        wire.send(request("GET", "/api/nothing") * 2000)


def test_a_slow_reader_gets_the_whole_answer(club: Club) -> None:
    """Whether the connection is kept or closed: reading pauses are shorter than what each piece may take."""
    whole = len(ask(request("GET", "/api/openapi.json")).body)
    for connection in ("keep-alive", "close"):
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.connect((ADDRESSES[ADMIN], CEOD_PORT))
        tls = ssl.create_default_context(cafile=CA).wrap_socket(raw, server_hostname=HOST)
        tls.sendall(request("GET", "/api/openapi.json", f"Connection: {connection}"))
        time.sleep(limits.IDLE_S + limits.CLOSE_S + 1)  # the answer has to outlive what ends an idle connection
        received = b""
        while len(received) < whole and (data := tls.recv(65536)):
            received += data
        tls.close()
        assert len(received) > whole


def test_one_person_has_some_of_the_threads_and_others_have_the_rest(club: Club) -> None:
    """Whoever asks for what takes long, as often as a share allows, keeps nobody else waiting: rep1's look-ups go on."""
    with ThreadPoolExecutor(2 * limits.SHARE) as pool, club.frozen("uwldap", "uwldap"):
        slow = [pool.submit(ask, request("GET", "/api/uwldap/s0001uw", ticket(club, "regular1"))) for _ in range(2 * limits.SHARE)]
        client = club.client("rep1")
        client.answer_s = 3
        for _ in range(10):
            assert client.member("office1")["uid"] == "office1"
        assert not all(future.done() for future in slow)
    assert {future.result().status for future in slow} <= {200, 404, 429, 503}


def test_what_repeats_a_known_key_is_not_counted(club: Club) -> None:
    uid, key = club.add()["result"]["uid"], str(uuid.uuid4())
    club.has_password(uid)
    body = '{"forwarding_addresses": ["a@example.org"]}'

    def again() -> int:
        return ask(request("PATCH", f"/api/members/{uid}", ticket(club, uid), f"Idempotency-Key: {key}", body=body)).status

    assert {again() for _ in range(2 * WRITES + 2)} == {200}
