"""Connections that are not made: each reason has its words, and a dead address costs no seconds."""

from __future__ import annotations

import errno
import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ceo_common import connecting
from ceo_common.client import BODY_LIMIT, Client, _is_error
from ceo_common.client_config import Hosts
from ceo_common.errors import CeoError, Invalid, TooLarge, Unreachable
from tests.ceo_common.test_client import Liar

OPENSSL = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x".split()


def _certificate(folder: Path, name: str, *, made: str = "now") -> tuple[str, str]:
    cert, key = str(folder / "cert.pem"), str(folder / "key.pem")
    words = ["faketime", made, *OPENSSL, "-addext", f"subjectAltName={name}", "-days", "2"]
    subprocess.run([*words, "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


def _client(host: str, port: int, ca: str) -> Client:
    hosts = Hosts(admin=host, mail=host, database=host, library=host)
    return Client(hosts=hosts, port=port, realm="CSCLUB.INTERNAL", ca=ca, answer_s=5)


def _asks(client: Client) -> list[Callable[[], object]]:
    """A read, a write, and what asks without a ticket."""
    return [
        client.whoami,
        lambda: list(client.add_member({"uid": "x"})),
        lambda: client.ping(client.hosts.admin),
    ]


@pytest.mark.parametrize(
    ("name", "made", "words"),
    [
        ("DNS:other.example.org", "now", "the certificate of another host"),
        ("IP:192.0.2.1", "now", "the certificate of another host"),
        ("DNS:localhost", "5 days ago", "is not valid now.*timedatectl"),
    ],
)
def test_a_certificate_that_is_not_good(tmp_path: Path, name: str, made: str, words: str) -> None:
    certificate = _certificate(tmp_path, name, made=made)
    liar = Liar(certificate, b"")
    for ask in _asks(_client("localhost", liar.port, certificate[0])):
        with pytest.raises(Unreachable, match=words):
            ask()
    assert liar.requests == []
    liar.close()


def test_what_does_not_speak_tls(tmp_path: Path) -> None:
    ca, _ = _certificate(tmp_path, "DNS:localhost")

    def serve(server: socket.socket, answer: bytes) -> None:
        for _ in range(4):
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

    for answer, words in ((b"HTTP/1.1 400 No\r\n\r\n", "does not speak TLS"), (b"", "ended it|reset")):
        with socket.create_server(("127.0.0.1", 0)) as server:
            threading.Thread(target=serve, args=(server, answer), daemon=True).start()
            for ask in _asks(_client("localhost", server.getsockname()[1], ca)):
                with pytest.raises(Unreachable, match=words) as caught:
                    ask()
                assert "vouch" not in caught.value.message


def test_a_host_that_does_not_exist(tmp_path: Path) -> None:
    ca, _ = _certificate(tmp_path, "DNS:localhost")
    for ask in _asks(_client("nosuch.invalid", 9987, ca)):
        with pytest.raises(Unreachable, match=r"host nosuch\.invalid|address of nosuch\.invalid"):
            ask()


@pytest.mark.parametrize("host", ["foo..bar", "a" * 70, "a" * 70 + ".org", "*", ".x", "a b"])
def test_what_is_no_name_of_a_host(tmp_path: Path, host: str) -> None:
    ca, _ = _certificate(tmp_path, "DNS:localhost")
    for ask in _asks(_client(host, 9987, ca)):
        with pytest.raises(Unreachable, match=re.escape(f"there is no host {host}")):
            ask()


@pytest.mark.parametrize(
    ("content", "words"),
    [("no certificate\n", "no file of PEM certificates"), ("", "no file of PEM"), (None, "no file '")],
)
def test_authorities_that_are_none(tmp_path: Path, content: str | None, words: str) -> None:
    """Also while ceo or ceod runs, for whom it is one more host that can't be asked."""
    liar = Liar(_certificate(tmp_path, "DNS:localhost"), b"")
    path = tmp_path / "authorities.pem"
    if content is not None:
        path.write_text(content)
    for ask in _asks(_client("localhost", liar.port, str(path))):
        with pytest.raises(Unreachable, match=words):
            ask()
    assert liar.requests == []
    liar.close()


def test_authorities_that_are_not_named(tmp_path: Path) -> None:
    """Without a file of them no certificate is trusted, rather than each."""
    liar = Liar(_certificate(tmp_path, "DNS:localhost"), b"")
    for ask in _asks(_client("localhost", liar.port, "")):
        with pytest.raises(Unreachable, match="no file ''"):
            ask()
    assert liar.requests == []
    liar.close()


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.ENOENT])
def test_a_firewall_of_this_machine_is_not_blamed_on_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    ca, _ = _certificate(tmp_path, "DNS:localhost")
    monkeypatch.setattr(socket.socket, "connect_ex", lambda *_: number)
    for ask in _asks(_client("localhost", 9987, ca)):
        with pytest.raises(Unreachable, match="localhost does not answer on port 9987") as caught:
            ask()
        assert ca not in caught.value.message


def test_a_body_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    ca, _ = _certificate(tmp_path, "DNS:localhost")
    client = _client("localhost", 1, ca)
    cases: list[tuple[str, type[CeoError], str]] = [
        ("x" * BODY_LIMIT, TooLarge, "bytes, and ceod takes 1,048,576 at most"),
        ("Jos\udce9", Invalid, "not UTF-8"),
    ]
    for text, kind, words in cases:
        with pytest.raises(kind, match=words):
            list(client.add_member({"cn": text}))
        with pytest.raises(kind, match=words):
            client.add_book({"title": text})
        assert not client.has_written


def _addresses(*names: str, port: int) -> Callable[..., list[Any]]:
    return lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (name, port)) for name in names]


def test_a_dead_address_costs_no_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A listener whose queue is full answers nothing, as an address behind a broken tunnel."""
    with socket.create_server(("127.0.0.2", 0), backlog=0) as dead:
        port = dead.getsockname()[1]
        queue = [socket.socket() for _ in range(2)]
        for sock in queue:
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.2", port))
        with socket.create_server(("127.0.0.1", port)):
            refused = "127.0.0.3"
            for first in (["127.0.0.2"], [refused], [refused, "127.0.0.2"], ["127.0.0.2", refused]):
                addresses = _addresses(*first, "127.0.0.1", port=port)
                monkeypatch.setattr(socket, "getaddrinfo", addresses)
                began = time.monotonic()
                with connecting.connect("host", port, 3) as sock:
                    assert sock.getpeername()[0] == "127.0.0.1"
                assert time.monotonic() - began < 1
        monkeypatch.setattr(socket, "getaddrinfo", _addresses("127.0.0.2", refused, port=port))
        with pytest.raises(TimeoutError):
            connecting.connect("host", port, 0.5)
        monkeypatch.setattr(socket, "getaddrinfo", _addresses(refused, "127.0.0.4", port=port))
        with pytest.raises(ConnectionRefusedError):
            connecting.connect("host", port, 3)
        for sock in queue:
            sock.close()


def test_a_kind_of_address_that_this_machine_does_not_have(monkeypatch: pytest.MonkeyPatch) -> None:
    """As IPv6 where the kernel leaves it out (EAFNOSUPPORT)."""
    unknown = (socket.AF_UNSPEC, socket.SOCK_STREAM, 6, "", ("::1", 1, 0, 0))
    with socket.create_server(("127.0.0.1", 0)) as server:
        good = _addresses("127.0.0.1", port=server.getsockname()[1])()
        for addresses in ([unknown, *good], [unknown, unknown, *good]):
            monkeypatch.setattr(socket, "getaddrinfo", lambda *_, found=addresses, **__: found)
            connecting.connect("host", 1, 3).close()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [unknown])
    with pytest.raises(OSError, match="not supported"):
        connecting.connect("host", 1, 3)


def test_the_error_that_ended_a_list() -> None:
    assert _is_error({"error": "full", "code": "backend_down", "problems": []})
    assert not any(map(_is_error, ({"uid": "x"}, {"complete": True}, [], None)))
