"""What ceod and its helpers say to each other: a length (4 bytes, big-endian) and a JSON object; bytes travel as base64."""

from __future__ import annotations

import base64
import ctypes
import json
import socket
import struct
from typing import Any

Message = dict[str, Any]
_LIMIT = 4 << 20
_PR_SET_DUMPABLE = 4


def send(channel: socket.socket, message: Message) -> None:
    """Send one message.  Raises OSError."""
    body = json.dumps({name: _out(value) for name, value in message.items()}).encode()
    channel.sendall(struct.pack(">I", len(body)) + body)


def receive(channel: socket.socket) -> Message:
    """Wait for one message.  Raises EOFError when the other side is gone, OSError (also on a time-out)."""
    (length,) = struct.unpack(">I", _exactly(channel, 4))
    if length > _LIMIT:
        raise EOFError("a message beyond the limit")
    message = json.loads(_exactly(channel, length))
    return {name: _in(value) for name, value in message.items()}


def _exactly(channel: socket.socket, count: int) -> bytes:
    parts = b""
    while len(parts) < count:
        if not (part := channel.recv(count - len(parts))):
            raise EOFError("the other side is gone")
        parts += part
    return parts


def _out(value: Any) -> Any:
    return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def _in(value: Any) -> Any:
    return base64.b64decode(value["base64"]) if isinstance(value, dict) and set(value) == {"base64"} else value


def keep_out_of_cores() -> None:
    """No core dump of this process, and nobody attaches to it: it holds keys (PR_SET_DUMPABLE 0)."""
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
