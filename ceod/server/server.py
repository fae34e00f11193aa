"""Serves a worker's connections: each is a coroutine with a deadline for each part, the application runs in threads."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import ssl
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from typing import Any, Protocol, TypeVar

from ceo_common.errors import CeoError, Internal, TooSlow
from ceo_common.events import Event
from ceod.server import limits
from ceod.server.answer import Answer, Application, Environ, Source
from ceod.server.connections import Connection, Connections
from ceod.server.request import Gone, Incoming, as_input

log = logging.getLogger("ceod.server")

T = TypeVar("T")

_TLS_HELLO = 0x16  # the first byte of a handshake record (RFC 8446, 5.1)
_WRITES = frozenset(("POST", "PATCH", "DELETE"))


class AskSlowly(Exception):
    """Others must not wait for what has to be done for this request: ask again where nobody else waits."""


class Gate(Protocol):
    """What the application says of a request's head; both are called in threads."""

    def admit(self, environ: Environ, *, slowly: bool = False) -> str | None:
        """Whose it is; None: nobody's, or somebody's who will be refused.  Raises AskSlowly (unless slowly)."""

    def allows_more(self, environ: Environ) -> bool:
        """Whether whoever has SHARE requests at once may have another; if not, the application refuses it."""


class Pools:
    """Threads by what they do: who waits in one pool, for a server or for others, keeps nobody in another waiting."""

    def __init__(self) -> None:
        self.doors = {is_write: ThreadPoolExecutor(limits.DOOR_THREADS, "door") for is_write in (False, True)}
        self.side_door = ThreadPoolExecutor(limits.SIDE_DOOR_THREADS, "side-door")
        self.reads = ThreadPoolExecutor(limits.READ_THREADS, "read")
        self.writes = ThreadPoolExecutor(limits.WRITE_THREADS, "write")
        self.events = ThreadPoolExecutor(limits.EVENT_THREADS, "events")

    def door(self, environ: Environ) -> ThreadPoolExecutor:
        """Those that accept a request's ticket."""
        return self.doors[environ["REQUEST_METHOD"] in _WRITES]

    def of(self, environ: Environ, *, is_admitted: bool) -> ThreadPoolExecutor | None:
        """Those that answer a request; a write that will be refused does not wait for those that are made.

        None where no ticket was sent: what the application says then it says at once, so the loop may call it.
        """
        if "HTTP_AUTHORIZATION" not in environ:
            return None
        if environ["REQUEST_METHOD"] not in _WRITES:
            return self.reads
        return self.writes if is_admitted else self.door(environ)

    def shutdown(self) -> None:
        """What has not begun never does."""
        for pool in (*self.doors.values(), self.side_door, self.reads, self.writes, self.events):
            pool.shutdown(wait=False, cancel_futures=True)


class Server:
    """One a worker.  `config` is gunicorn's; `capacity` counts connections that answer no authenticated request."""

    def __init__(
        self, application: Application, config: Any, *, gate: Gate, body_limit: int,
        tls: ssl.SSLContext | None, capacity: int,
    ) -> None:
        self.application = application
        self.config = config
        self.gate = gate
        self.body_limit = body_limit
        self.tls = tls
        self.connections = Connections(capacity)
        self.pools = Pools()
        self.is_stopping = False
        self._accepting: list[asyncio.Task[None]] = []

    def start(self, listeners: list[socket.socket]) -> None:
        """Accept connections."""
        self._accepting = [asyncio.create_task(self._accept(listener)) for listener in listeners]

    def stop(self) -> None:
        """Accept no more, and close what answers no authenticated request; the others go on to their end."""
        self.is_stopping = True
        for task in self._accepting:
            task.cancel()
        self.connections.close_waiting()

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, peer = await loop.sock_accept(listener)
            except OSError as error:  # above all: no descriptor is left
                log.warning("a connection could not be accepted: %s", error.strerror)
                self.connections.evict()
                await asyncio.sleep(0.05)
                continue
            connection = Connection(peer[0])
            connection.task = asyncio.create_task(self._serve(connection, client, peer))
            self.connections.add(connection)

    async def _serve(self, connection: Connection, client: socket.socket, peer: tuple[str, int]) -> None:
        """One connection, whatever happens on it."""
        incoming = None
        try:
            incoming = await self._open(client)
            scheme = "https" if incoming.is_tls else "http"
            while await self._exchange(connection, incoming, peer, scheme):
                async with asyncio.timeout(limits.IDLE_S):
                    await incoming.begins()
            await incoming.close()
        except (Gone, TimeoutError, OSError):  # ssl.SSLError is an OSError
            pass
        except Exception:
            log.exception("a connection ended in an unforeseen way", extra={"address": peer[0]})
        finally:
            self.connections.remove(connection)
            if incoming:
                incoming.abort()
            else:
                client.close()

    async def _open(self, client: socket.socket) -> Incoming:
        """Tell the protocol by its first byte; another protocol than TLS and HTTP has its place here.  Raises Gone."""
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(limits.ACK_S * 1000))
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        async with asyncio.timeout(limits.FIRST_BYTE_S):
            first = await _first_byte(client)
        tls = self.tls if first == _TLS_HELLO else None
        # Plain HTTP opens with a letter.  The application refuses it, in words, unless it is in development.
        if tls is None and not bytes((first,)).isalpha() and first not in b"\r":
            raise Gone
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=limits.CHUNK_BYTES)
        protocol = asyncio.StreamReaderProtocol(reader)
        timeouts = {"ssl_handshake_timeout": limits.HANDSHAKE_S, "ssl_shutdown_timeout": limits.CLOSE_S} if tls else {}
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, client, ssl=tls, **timeouts)
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        return Incoming(reader, writer, self.config, is_tls=tls is not None)

    # One request

    async def _exchange(self, connection: Connection, incoming: Incoming, peer: tuple[str, int], scheme: str) -> bool:
        """A request and its answer; whether another one may follow."""
        try:
            async with asyncio.timeout(limits.HEAD_S):
                await incoming.begins()
                request = await incoming.head(peer, scheme)
            answer = Answer(self.application, request, peer, self.config.address[0], self.config)
            principal = await self._principal(answer.environ)
            if principal is not None:
                self.connections.hold(connection, principal)
            async with asyncio.timeout(limits.BODY_S):
                body = await incoming.body(request, self.body_limit, keep=principal is not None)
        except TimeoutError:
            await self._refuse(incoming, peer, TooSlow("the request did not come in time; send it again"))
            return False
        except CeoError as error:
            await self._refuse(incoming, peer, error)
            return False
        as_input(answer.environ, body)
        try:
            return await self._answer(answer, incoming, is_admitted=principal is not None)
        finally:
            self.connections.release(connection)

    async def _principal(self, environ: Environ) -> str | None:
        """Whose authenticated request it is; None: it will be refused."""
        if "HTTP_AUTHORIZATION" not in environ:
            return None
        try:
            principal = await self._in(self.pools.door(environ), self.gate.admit, environ)
        except AskSlowly:
            principal = await self._in(self.pools.side_door, partial(self.gate.admit, slowly=True), environ)
        if principal is None or self.connections.in_flight[principal] < limits.SHARE:
            return principal
        return principal if await self._in(self.pools.reads, self.gate.allows_more, environ) else None

    async def _answer(self, answer: Answer, incoming: Incoming, *, is_admitted: bool) -> bool:
        pool = self.pools.of(answer.environ, is_admitted=is_admitted)
        if self.is_stopping:
            answer.response.force_close()
        try:
            await incoming.send(await self._in(pool, answer.begin))
            if answer.source:
                await self._stream(answer, answer.source, incoming)
            while not answer.is_over:
                await incoming.send(await self._in(pool, answer.more))
            return not answer.closes and not self.is_stopping
        finally:
            # In a thread: what was begun there may still run, and it may ask a server.
            with contextlib.suppress(RuntimeError):  # the pool is shut down
                (pool or self.pools.reads).submit(answer.close)

    async def _stream(self, answer: Answer, source: Source, incoming: Incoming) -> None:
        """Events as they come, a heartbeat while none does; no thread waits for them."""
        loop, changed = asyncio.get_running_loop(), asyncio.Event()

        def notify() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is over
                loop.call_soon_threadsafe(changed.set)

        source.on_change(notify)
        sent = happened = time.monotonic()
        while not source.is_over and time.monotonic() - happened < limits.QUIET_S:
            if self.is_stopping and source.is_foreign:
                break  # the client attaches again, to whoever comes after us
            changed.clear()
            if events := await self._in(self.pools.events, source.poll):
                sent = happened = time.monotonic()
                await incoming.send(answer.lines(_as_lines(events)))
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(source.patience_s, limits.HEARTBEAT_S)):
                    await changed.wait()
            if time.monotonic() - sent >= limits.HEARTBEAT_S and not changed.is_set():
                sent = time.monotonic()
                await incoming.send(answer.lines(_as_lines([source.heartbeat()])))
        await incoming.send(answer.end())

    async def _refuse(self, incoming: Incoming, peer: tuple[str, int], error: CeoError) -> None:
        """Answer a request that never reaches the application."""
        identifier = uuid.uuid4().hex[:16]
        log.info("refused: %s", error.message, extra={
            "status": error.status, "code": error.code, "address": peer[0], "request": identifier})
        body = json.dumps(error.as_json()).encode()
        head = (
            f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nCache-Control: no-store\r\n"
            f"X-Request-Id: {identifier}\r\n\r\n"
        )
        await incoming.send(head.encode() + body)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limits.CLOSE_S):
                await incoming.read_away()

    async def _in(self, pool: ThreadPoolExecutor | None, function: Callable[..., T], *arguments: Any) -> T:
        """Call it in a thread, or without a pool here.  What is unforeseen becomes an Internal, once it is in the log."""
        try:
            if pool is None:
                return function(*arguments)
            return await asyncio.get_running_loop().run_in_executor(pool, function, *arguments)
        except (CeoError, OSError, Gone, AskSlowly):
            raise
        except Exception:
            log.exception("unforeseen")
            raise Internal("something unforeseen happened; the daemon's log tells more") from None


async def _first_byte(client: socket.socket) -> int:
    """The first byte that a client sends, left where it is.  Raises Gone, OSError."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(client, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(client)
    first = client.recv(1, socket.MSG_PEEK)
    if not first:
        raise Gone
    return first[0]


def _as_lines(events: list[Event]) -> bytes:
    return "".join(json.dumps(event, ensure_ascii=True) + "\n" for event in events).encode()
