"""How ceod runs under gunicorn: a worker whose server no stranger stops, and that does not end before its transactions do."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
import threading
import time
from asyncio import sslproto
from typing import Any

import flask
from gunicorn import sock
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from gunicorn.workers.base import Worker

from ceo_common.config import DAEMON_FILE, load_daemon
from ceod.log import JsonLines
from ceod.server import limits
from ceod.server.server import Server


def application() -> flask.Flask:
    """The app for a worker; post_worker_init starts it."""
    from ceod.api import create_app  # noqa: PLC0415 - imported when gunicorn starts, by its configuration

    return create_app(load_daemon(os.environ.get("CEOD_CONFIG", DAEMON_FILE)))


def started(worker: Any) -> None:
    """Gunicorn's post_worker_init."""
    from ceod import runtime  # noqa: PLC0415

    try:
        runtime.start(worker.app.wsgi())
    except runtime.CannotStart as error:
        worker.log.critical("ceod can't start: %s", error)
        sys.exit(Arbiter.WORKER_BOOT_ERROR)  # ends the master too: a new worker would fail the same way


def ended(_server: Any, worker: Any) -> None:
    """Gunicorn's worker_exit."""
    from ceod import runtime  # noqa: PLC0415

    app = getattr(worker.app, "callable", None)
    if _transactions():
        # Whoever takes one up must not do so while it still acts here: our lock ends with this process.
        worker.log.error("transactions still run; what is left of them is taken up when this process has ended")
    elif app is not None and runtime.of(app)._engine is not None:
        runtime.of(app).stop()


class JsonLogger(Logger):  # type: ignore[misc]
    """Gunicorn's own lines in the form of ceod's."""

    def setup(self, cfg: Any) -> None:
        """As the base class."""
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(JsonLines())


class DrainingWorker(Worker):  # type: ignore[misc]
    """Serves until TERM, then lives until no transaction does: it would otherwise end one whose client has left.

    None of gunicorn's own workers has a limit of time for a TLS handshake, a header or a body.
    """

    alive: bool

    def run(self) -> None:
        """Gunicorn's main loop of a worker."""
        # The loop needs the interpreter often and briefly: at the default of 5 ms, each thread at work
        # on a transaction could keep it waiting that long, each time.
        sys.setswitchinterval(0.001)
        sslproto.SSLProtocol.max_size = limits.TLS_BUFFER_BYTES
        loop = asyncio.new_event_loop()
        loop.set_exception_handler(self._unforeseen)
        try:
            loop.run_until_complete(self._serve())
        finally:
            loop.close()

    async def _serve(self) -> None:
        from ceo_common.client import BODY_LIMIT  # noqa: PLC0415
        from ceod.api.admission import Admissions  # noqa: PLC0415

        stopping = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
        tls = sock.ssl_context(self.cfg) if self.cfg.is_ssl else None
        server = Server(self.wsgi, self.cfg, admission=Admissions(self.wsgi), body_limit=BODY_LIMIT, tls=tls, capacity=_capacity())
        server.start(self.sockets)
        # A TERM that came before there was a handler of ours is gunicorn's, who puts it into `alive`.
        while self.alive and not stopping.is_set() and self.ppid == os.getppid():
            self.notify()
            await _within(1.0, stopping)
        self.alive = False
        await server.stop()
        await self._drain(server)
        server.pools.shutdown()

    async def _drain(self, server: Server) -> None:
        """Let answers and transactions come to their end; the master counts the grace, and sees us alive meanwhile."""
        began = time.monotonic()
        # Before the master's own patience ends: it would kill us.
        until = began + float(self.cfg.graceful_timeout) - limits.CLOSE_S
        while time.monotonic() < until and (len(server.connections) or _transactions()):
            if time.monotonic() - began > limits.DRAIN_S:
                server.connections.close_answers()
            self.notify()
            await asyncio.sleep(0.05)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0)  # they let go of their connections

    def _unforeseen(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.log.error("%s", context.get("message"), exc_info=context.get("exception"))


def _transactions() -> bool:
    return any(thread.name.startswith("tx-") for thread in threading.enumerate())


async def _within(seconds: float, event: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass


def _capacity() -> int:
    """How many connections of strangers there may be: as many descriptors as the system lets us have, within reason."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = limits.CONNECTIONS + limits.OWN_DESCRIPTORS
    have = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if soft != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, have), most))
    return max(have // 2, have - limits.OWN_DESCRIPTORS)
