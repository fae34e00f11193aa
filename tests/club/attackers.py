"""Clients that hold what a server gives them and never finish: python -m tests.club.attackers KIND:COUNT,... ADDRESS,...

Each connection that the server ends is opened again.  A line of JSON a second says how many of each kind are open and how often
one was opened; they end with standard input, after a minute at the latest.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sandbox.club import ADDRESSES, CEOD_PORT, CHECKOUT, DESK, PYTHON
from tests.club.club import until

ALL = {"idle": 500, "half hellos": 500, "half headers": 500, "slow bodies": 100, "slow readers": 100}
FIFTY = [f"192.0.2.{number}" for number in range(101, 151)]
_AT_MOST_S = 120
_TARGET = (ADDRESSES["phosphoric-acid"], CEOD_PORT)
_HELLO = bytes.fromhex("1603010200010001fc0303") + bytes(40)  # a TLS record that says 512 bytes, and not all of them
_HOST = b"Host: phosphoric-acid.csclub.internal:9987\r\n"
_HEADERS = b"GET /api/members HTTP/1.1\r\n" + _HOST + b"Authorization: Negotiate YII"
_BODY = b"POST /api/members HTTP/1.1\r\n" + _HOST + b"Content-Length: 100000\r\n\r\n{"
_BIG = b"GET /api/openapi.json HTTP/1.1\r\n" + _HOST + b"\r\n"


def _trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def _raw(address: str) -> socket.socket:
    raw = socket.socket()
    raw.setblocking(False)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    try:
        raw.bind((address, 0))
        await asyncio.get_running_loop().sock_connect(raw, _TARGET)
    except BaseException:
        raw.close()
        raise
    return raw


async def _until_closed(raw: socket.socket, drip: bytes = b"") -> None:
    """Say nothing, or a byte a second, until the server ends it."""
    loop = asyncio.get_running_loop()
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                if not await loop.sock_recv(raw, 1):
                    return
        if drip:
            await loop.sock_sendall(raw, drip)


async def _plain(address: str, opened: Callable[[], None], first: bytes) -> None:
    raw = await _raw(address)
    try:
        if first:
            await asyncio.get_running_loop().sock_sendall(raw, first)
        opened()
        await _until_closed(raw)
    finally:
        raw.close()


async def _over_tls(address: str, opened: Callable[[], None], first: bytes, drip: bytes, context: ssl.SSLContext) -> None:
    reader, writer = await asyncio.open_connection(sock=await _raw(address), ssl=context, server_hostname="x", limit=2)
    try:
        if not drip:
            writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(first)
        opened()
        while not writer.is_closing() and not reader.at_eof():
            await asyncio.sleep(1)
            if drip:
                writer.write(drip)
                await writer.drain()
    finally:
        writer.transport.abort()


def _kinds() -> dict[str, Callable[[str, Callable[[], None]], Awaitable[None]]]:
    context = _trusting()
    return {
        "idle": lambda address, opened: _plain(address, opened, b""),
        "half hellos": lambda address, opened: _plain(address, opened, _HELLO),
        "half headers": lambda address, opened: _over_tls(address, opened, _HEADERS, b"I", context),
        "slow bodies": lambda address, opened: _over_tls(address, opened, _BODY, b"[", context),
        "slow readers": lambda address, opened: _over_tls(address, opened, _BIG, b"", context),
    }


async def attack(wanted: dict[str, int], addresses: list[str]) -> None:
    """Keep so many of each kind open."""
    kinds, live, opened = _kinds(), Counter[str](), Counter[str]()

    async def one(kind: str, address: str) -> None:
        while True:
            counted = False

            def count() -> None:
                nonlocal counted
                counted = True
                live[kind] += 1
                opened[kind] += 1

            try:
                await kinds[kind](address, count)
            except (OSError, asyncio.IncompleteReadError):
                await asyncio.sleep(0.5)
            finally:
                live[kind] -= counted

    address = itertools.cycle(addresses)
    tasks = [asyncio.create_task(one(kind, next(address))) for kind, count in wanted.items() for _ in range(count)]
    over = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    end = time.monotonic() + _AT_MOST_S
    while not over.done() and time.monotonic() < end:
        print(json.dumps({"open": live, "opened": opened}), flush=True)
        await asyncio.wait([over], timeout=1)
    for task in tasks:
        task.cancel()
    os._exit(0)


class Attack:
    """A running attack, as a test sees it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._latest: dict[str, dict[str, int]] = {"open": {}, "opened": {}}
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._latest = json.loads(line)

    def said(self) -> dict[str, dict[str, int]]:
        """How many of each kind are open, and how many were opened so far, as of the last second."""
        assert self.process.poll() is None, "the attackers ended"
        return self._latest


@contextmanager
def under_attack(kinds: dict[str, int], addresses: list[str] | None = None) -> Iterator[Attack]:
    """Attackers at work, once most of their connections were made."""
    words = ",".join(f"{kind}:{count}" for kind, count in kinds.items())
    where = addresses or [ADDRESSES[DESK]]
    with _addresses(where):
        process = subprocess.Popen([PYTHON, "-m", "tests.club.attackers", words, ",".join(where)], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True, cwd=CHECKOUT)
        try:
            running = Attack(process)
            until(lambda: all(running.said()["opened"].get(kind, 0) >= count * 0.9 for kind, count in kinds.items()), 60)
            yield running
        finally:
            assert process.stdin
            process.stdin.close()
            process.wait(20)


@contextmanager
def _addresses(addresses: list[str]) -> Iterator[None]:
    """The desk has these addresses for a while."""
    more = [address for address in addresses if address != ADDRESSES[DESK]]
    _ip(*(f"addr add {address}/24 dev br0" for address in more))
    try:
        yield
    finally:
        _ip(*(f"addr del {address}/24 dev br0" for address in more))


def _ip(*commands: str) -> None:
    subprocess.run(["ip", "-batch", "-"], input="\n".join(commands), text=True, check=True)


def main(arguments: list[str]) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    wanted: dict[str, Any] = {kind: int(count) for kind, _, count in (word.partition(":") for word in arguments[0].split(","))}
    asyncio.run(attack(wanted, arguments[1].split(",")))


if __name__ == "__main__":
    main(sys.argv[1:])
