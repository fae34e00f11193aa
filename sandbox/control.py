"""The control sockets: how the command line and the tests speak to a process 1 (JSON, one object a line each way)."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Reply = dict[str, Any]


class Refused(Exception):
    """A process 1 said no; the text is its reason."""


@contextlib.contextmanager
def _address(path: Path) -> Iterator[str]:
    """A socket's path through a descriptor of its folder: sun_path holds 107 bytes, folders are longer."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def listen(path: Path) -> socket.socket:
    """Listen at path, which may be left over from a killed sandbox."""
    path.unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX)
    with _address(path) as address:
        server.bind(address)
    os.chmod(path, 0o600)
    server.listen()
    return server


def serve_one(server: socket.socket, answer: Callable[[Reply], Reply]) -> None:
    """Take one connection, answer its one request.  Whatever goes wrong is told to the caller, never ends us."""
    connection, _ = server.accept()
    connection.settimeout(5)
    with connection, contextlib.suppress(OSError):
        try:
            with connection.makefile("r") as lines:
                reply = answer(json.loads(lines.readline()))
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        connection.sendall(json.dumps(reply).encode() + b"\n")


def call(path: Path, **request: Any) -> Reply:
    """Send one request and wait for its answer.  Raises Refused, OSError (nobody there)."""
    with socket.socket(socket.AF_UNIX) as connection:
        with _address(path) as address:
            connection.connect(address)
        connection.sendall(json.dumps(request).encode() + b"\n")
        with connection.makefile("r") as lines:
            line = lines.readline()
    if not line:
        raise Refused("the sandbox closed the connection")
    reply: Reply = json.loads(line)
    if "error" in reply:
        raise Refused(reply["error"])
    return reply
