"""Requests as bytes, over TLS or not, and what comes back."""

from __future__ import annotations

import base64
import json
import socket
import ssl
from dataclasses import dataclass
from typing import Any

from sandbox.club import ADDRESSES, CEOD_PORT
from tests.club.club import CA, Club
from tests.club.tokens import fresh_token

HOST = "phosphoric-acid.csclub.internal"


@dataclass
class Reply:
    """A whole answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.body.splitlines()]


class Wire:
    """One connection to the admin host's ceod."""

    def __init__(self, *, tls: bool = True, seconds: float = 60) -> None:
        raw = socket.create_connection((ADDRESSES["phosphoric-acid"], CEOD_PORT), seconds)
        self.socket = ssl.create_default_context(cafile=CA).wrap_socket(raw, server_hostname=HOST) if tls else raw
        self._file = self.socket.makefile("rb")

    def send(self, data: bytes | str) -> Wire:
        self.socket.sendall(data.encode() if isinstance(data, str) else data)
        return self

    def reply(self) -> Reply:
        """The next answer; read to the end of its body.  Raises EOFError where the connection ended instead."""
        while (status := self._status()) == 100:
            assert self._file.readline() == b"\r\n"
        headers = {}
        while (line := self._file.readline().decode().rstrip("\r\n")):
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        is_chunked = headers.get("transfer-encoding") == "chunked"
        body = b"".join(iter(self.chunk, b"")) if is_chunked else self._file.read(int(headers["content-length"]))
        return Reply(status, headers, body)

    def _status(self) -> int:
        line = self._file.readline()
        if not line:
            raise EOFError
        return int(line.split()[1])

    def head(self) -> int:
        """The status of an answer whose body is read with chunk()."""
        status = self._status()
        while self._file.readline() != b"\r\n":
            pass
        return status

    def chunk(self) -> bytes:
        """The next chunk, empty at the end."""
        size = int(self._file.readline(), 16)
        data = self._file.read(size)
        assert self._file.readline() == b"\r\n"
        return data

    def is_closed(self) -> bool:
        """Whether the server ended the connection; waits for its next byte."""
        try:
            return self._file.read(1) == b""
        except OSError:
            return True

    def close(self) -> None:
        self._file.close()
        self.socket.close()


def request(method: str, path: str, *headers: str, body: bytes | str = b"", host: str = f"{HOST}:{CEOD_PORT}") -> bytes:
    """A request with a Host; Content-Length where there is a body."""
    raw = body.encode() if isinstance(body, str) else body
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *headers, *([f"Content-Length: {len(raw)}"] if raw else [])]
    return "\r\n".join([*lines, "", ""]).encode() + raw


def ticket(club: Club, who: str) -> str:
    """An Authorization header with a fresh token."""
    return f"Authorization: Negotiate {base64.b64encode(fresh_token(club, who)).decode()}"


def ask(data: bytes | str, **more: Any) -> Reply:
    """One request over a connection of its own."""
    wire = Wire(**more)
    try:
        return wire.send(data).reply()
    finally:
        wire.close()
