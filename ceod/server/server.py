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
from weakref import WeakValueDictionary

from ceo_common.errors import CeoError, TooSlow
from ceo_common.events import Event
from ceod.server import limits
from ceod.server.answer import Answer, Application, Environ, Source
from ceod.server.connections import Connection, Connections
from ceod.server.request import Gone, Incoming, as_input, unforeseen

log = logging.getLogger("ceod.server")

T = TypeVar("T")

_TLS_HELLO = 0x16  # the first byte of a handshake record (RFC 8446, 5.1)
_WRITES = frozenset(("POST", "PATCH", "DELETE"))
_FREE: contextlib.AbstractAsyncContextManager[None] = contextlib.nullcontext()


class UseSlowAcceptor(Exception):
    """The address has sent tickets that end an acceptor: accept this one where nobody else waits."""


class Admission(Protocol):
    """What the application says about the head of a request; both methods are called in threads."""

    def admit(self, environ: Environ, *, slowly: bool = False) -> str | None:
        """Whose it is; None: nobody's, or somebody's who will be refused.  Raises UseSlowAcceptor (unless slowly)."""

    def allows_more(self, environ: Environ) -> bool:
        """Whether whoever has SHARE requests at once may have another; if not, the application refuses it."""


class Pools:
    """Threads by what they do: who waits in one pool, for a server or for others, keeps nobody in another waiting."""

    def __init__(self) -> None:
        self.tickets = {is_write: ThreadPoolExecutor(limits.TICKET_THREADS, "ticket") for is_write in (False, True)}
        self.slow_tickets = ThreadPoolExecutor(limits.SLOW_TICKET_THREADS, "slow-ticket")
        self.reads = ThreadPoolExecutor(limits.READ_THREADS, "read")
        self.writes = ThreadPoolExecutor(limits.WRITE_THREADS, "write")
        self.events = ThreadPoolExecutor(limits.EVENT_THREADS, "events")
        self._places: WeakValueDictionary[tuple[str, bool], asyncio.Semaphore] = WeakValueDictionary()

    def place(self, principal: str | None, *, is_write: bool) -> asyncio.Semaphore:
        """One of the places that a person has among the threads; waiting for it takes no thread."""
        key = (principal or "", is_write)
        place = self._places.get(key)
        if place is None:
            place = asyncio.Semaphore(limits.WRITES_EACH if is_write else limits.READS_EACH)
            self._places[key] = place
        return place

    def shutdown(self) -> None:
        """What has not begun never does."""
        for pool in (*self.tickets.values(), self.slow_tickets, self.reads, self.writes, self.events):
            pool.shutdown(wait=False, cancel_futures=True)


class Server:
    """One a worker.  `config` is gunicorn's; `capacity` counts connections that answer no authenticated request."""

    def __init__(
        self, application: Application, config: Any, *, admission: Admission, body_limit: int,
        tls: ssl.SSLContext | None, capacity: int,
    ) -> None:
        self.application = application
        self.config = config
        self.admission = admission
        self.body_limit = body_limit
        self.tls = tls
        self.connections = Connections(capacity)
        self.pools = Pools()
        self.is_stopping = False
        self._listeners: list[socket.socket] = []
        self._accepting: list[asyncio.Task[None]] = []

    def start(self, listeners: list[socket.socket]) -> None:
        """Accept connections."""
        self._listeners = listeners
        self._accepting = [asyncio.create_task(self._accept(listener)) for listener in listeners]

    async def stop(self) -> None:
        """Accept no more, and close what answers no authenticated request; the others go on to their end."""
        self.is_stopping = True
        for task in self._accepting:
            task.cancel()
        await asyncio.gather(*self._accepting, return_exceptions=True)
        # Ours alone: the master has them still, for the workers that come after us.
        for listener in self._listeners:
            listener.close()
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
            await asyncio.sleep(0)  # it has its first turn before the next one can take its place

    async def _serve(self, connection: Connection, client: socket.socket, peer: tuple[str, int]) -> None:
        """One connection, whatever happens on it."""
        incoming = None
        try:
            incoming = await self._open(client)
            scheme = "https" if incoming.is_tls else "http"
            while await self._exchange(connection, incoming, peer, scheme) and await _begins(incoming):
                pass
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
        timeouts = {"ssl_handshake_timeout": limits.HANDSHAKE_S, "ssl_shutdown_timeout": limits.SEND_S} if tls else {}
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, client, ssl=tls, **timeouts)
        # What send() returns from has left this process, but for a little.
        transport.set_write_buffer_limits(high=1, low=0)
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        return Incoming(reader, writer, self.config, is_tls=tls is not None)

    # One request

    async def _exchange(self, connection: Connection, incoming: Incoming, peer: tuple[str, int], scheme: str) -> bool:
        """A request and its answer; whether another one may follow."""
        try:
            async with asyncio.timeout(limits.HEAD_S):
                await incoming.begins()
                request = await incoming.head(peer, scheme)
            answer = _answer_to(self.application, request, peer, self.config)
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
            return await self._answer(answer, incoming, connection)
        except CeoError as error:
            if not incoming.has_answered:
                await self._refuse(incoming, peer, error)
            return False
        finally:
            self.connections.release(connection)

    async def _principal(self, environ: Environ) -> str | None:
        """Whose authenticated request it is; None: it will be refused."""
        if "HTTP_AUTHORIZATION" not in environ:
            return None
        pool = self.pools.tickets[environ["REQUEST_METHOD"] in _WRITES]
        try:
            principal = await self._in(pool, self.admission.admit, environ)
        except UseSlowAcceptor:
            principal = await self._in(self.pools.slow_tickets, partial(self.admission.admit, slowly=True), environ)
        if principal is None or self.connections.in_flight[principal] < limits.SHARE:
            return principal
        return principal if await self._in(pool, self.admission.allows_more, environ) else None

    async def _answer(self, answer: Answer, incoming: Incoming, connection: Connection) -> bool:
        is_write = answer.environ["REQUEST_METHOD"] in _WRITES
        if "HTTP_AUTHORIZATION" not in answer.environ:
            pool = None  # what the application says without a ticket it says at once, so the loop may call it
        elif not is_write:
            pool = self.pools.reads
        else:  # a write that will be refused does not wait for those that are made
            pool = self.pools.writes if connection.principal else self.pools.tickets[True]
        place = self.pools.place(connection.principal, is_write=is_write) if connection.principal else _FREE
        if self.is_stopping:
            answer.response.force_close()
        try:
            async with place:
                data = await self._in(pool, answer.begin)
            await incoming.send(data)
            if answer.source:
                connection.is_streaming = True
                await self._stream(answer, answer.source, incoming)
            while not answer.is_over:
                async with place:
                    data = await self._in(pool, answer.more)
                await incoming.send(data)
            return not answer.closes and not self.is_stopping
        finally:
            connection.is_streaming = False
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
        while not source.is_over:
            # The client may attach again.  Whose transaction runs here waits to its end: it may carry a password.
            if source.is_foreign and (self.is_stopping or time.monotonic() - happened > limits.QUIET_S):
                break
            changed.clear()
            looked = loop.time()
            if events := await self._in(self.pools.events, source.poll):
                sent = happened = time.monotonic()
                await incoming.send(answer.lines(_as_lines(events)))
            else:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(source.patience_s, limits.HEARTBEAT_S)):
                        await changed.wait()
                if time.monotonic() - sent >= limits.HEARTBEAT_S and not changed.is_set():
                    sent = time.monotonic()
                    await incoming.send(answer.lines(_as_lines([source.heartbeat()])))
            # Steps often take a few milliseconds each: one look serves several.
            if not source.is_over:
                await asyncio.sleep(looked + limits.GATHER_S - loop.time())
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
        except (CeoError, UseSlowAcceptor):
            raise
        except Exception:
            log.exception("unforeseen")
            raise unforeseen() from None


async def _begins(incoming: Incoming) -> bool:
    """Wait for another request; False: none came, and the connection may be closed.  Raises Gone."""
    try:
        async with asyncio.timeout(limits.IDLE_S):
            await incoming.begins()
        return True
    except TimeoutError:
        return False


def _answer_to(application: Application, request: Any, peer: tuple[str, int], config: Any) -> Answer:
    """Raises Internal."""
    try:
        return Answer(application, request, peer, config.address[0], config)
    except Exception:
        log.exception("unforeseen")
        raise unforeseen() from None


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
