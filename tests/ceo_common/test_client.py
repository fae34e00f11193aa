"""The client against servers that are not ceod: whatever they say, it is told in words, and no ticket goes elsewhere."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests

from ceo_common.client import _LINE_LIMIT, Client, _lines
from ceo_common.client_config import Hosts
from ceo_common.errors import CeoError, OutcomeUnknown, Unreachable


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A certificate of localhost that is its own authority, and its key."""
    folder: Path = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    words = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
    ]
    words += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"]
    subprocess.run([*words, "-keyout", key, "-out", cert], check=True, capture_output=True)
    return str(cert), str(key)


def _request(connection: ssl.SSLSocket) -> bytes:
    """The whole request: what stays unread resets the connection and takes the answer along."""
    text, head, length = b"", b"", 0
    while not head or len(text) < len(head) + 4 + length:
        more = connection.recv(65536)
        if not more:
            return text
        text += more
        if not head and b"\r\n\r\n" in text:
            head = text.partition(b"\r\n\r\n")[0]
            length = int((re.search(rb"(?i)content-length: (\d+)", head) or [b"", b"0"])[1])
    return text


class Liar:
    """A TLS server that gives every request the same bytes."""

    def __init__(self, certificate: tuple[str, str], answer: bytes) -> None:
        self.requests: list[bytes] = []
        self._answer = answer
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*certificate)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # it is closed
            while True:
                raw, _ = self._listening.accept()
                with (
                    contextlib.suppress(OSError),
                    self._context.wrap_socket(raw, server_side=True) as connection,
                ):
                    self.requests.append(_request(connection))
                    connection.sendall(self._answer)

    def close(self) -> None:
        """Listen no more."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


@contextlib.contextmanager
def _lying(
    certificate: tuple[str, str], answer: bytes, ca: str = ""
) -> Iterator[tuple[Liar, Client]]:
    liar = Liar(certificate, answer)
    hosts = Hosts(admin="localhost", mail="localhost", database="localhost", library="localhost")
    try:
        yield liar, Client(hosts=hosts, port=liar.port, realm="CSCLUB.INTERNAL", ca=ca or certificate[0], answer_s=5)
    finally:
        liar.close()


def _response(status: str, *headers: str, body: bytes = b"") -> bytes:
    lines = [f"HTTP/1.1 {status}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


_UNPROVEN = "could not prove that it is ceod"
_ANSWERS = {
    "nothing": (b"", "does not answer|ended before it answered"),
    "no HTTP": (b"\x00\x01garbage\r\n\r\n", "does not answer|ended before it answered"),
    "another place": (
        _response("302 Found", "Location: https://localhost:1/api/members"),
        _UNPROVEN,
    ),
    "another place, for good": (
        _response("308 Permanent", "Location: http://localhost:1/"),
        _UNPROVEN,
    ),
    "success without a proof": (
        _response("200 OK", "Content-Type: application/json", body=b"{}"),
        _UNPROVEN,
    ),
    "success with a proof of nothing": (
        _response("200 OK", "WWW-Authenticate: Negotiate AAAA", body=b"{}"),
        _UNPROVEN,
    ),
    "a refusal without a word": (_response("500 Oops"), "without saying why"),
    "a refusal that is a list": (_response("500 Oops", body=b"[1]"), "without saying why"),
}


@pytest.mark.parametrize(("answer", "words"), _ANSWERS.values(), ids=_ANSWERS)
def test_what_is_not_ceod_is_believed_nothing(
    certificate: tuple[str, str], answer: bytes, words: str
) -> None:
    """A read and a write alike; a write whose answer did not come is of unknown outcome."""
    with _lying(certificate, answer) as (liar, client):
        for ask in (client.whoami, lambda: list(client.add_member({"uid": "x"}))):
            with pytest.raises((Unreachable, OutcomeUnknown), match=words):
                ask()
        assert not any(b"authorization" in request.lower() for request in liar.requests)


def test_an_error_of_a_code_that_nobody_knows_is_internal(certificate: tuple[str, str]) -> None:
    body = b'{"error": "\\u001b[31mred", "code": "nonsense", "problems": []}'
    with (
        _lying(certificate, _response("418 Teapot", body=body)) as (_, client),
        pytest.raises(CeoError) as caught,
    ):
        client.whoami()
    assert caught.value.code == "internal"


def test_a_certificate_of_another_authority(certificate: tuple[str, str], tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    words += ["-nodes", "-subj", "/CN=other", "-keyout", "/dev/null", "-out", str(other)]
    subprocess.run(words, check=True, capture_output=True)
    with _lying(certificate, b"", ca=str(other)) as (liar, client):
        for ask in (client.whoami, lambda: client.ping("localhost")):
            with pytest.raises(Unreachable, match="certificate"):
                ask()
        assert liar.requests == []


def test_a_line_without_an_end_is_given_up() -> None:
    """After the limit nothing more is read, however much the other side sends."""
    chunks = iter([b'{"n": 1}\n', *[b"x" * 65536] * (3 * _LINE_LIMIT // 65536)])
    response = requests.Response()
    response.raw = SimpleNamespace(stream=lambda *_, **__: chunks)
    lines = _lines(response)
    assert next(lines) == b'{"n": 1}'
    with pytest.raises(OutcomeUnknown, match="too long to be ceod's"):
        next(lines)
    assert len(list(chunks)) > _LINE_LIMIT // 65536
