"""How ceod runs under gunicorn: a worker that does not end before its transactions do."""

from __future__ import annotations

import copy
import os
import socket
import sys
import threading
import time
from typing import Any

import flask
from gunicorn.arbiter import Arbiter
from gunicorn.workers.gthread import ThreadWorker

from ceo_common.config import DAEMON_FILE, load_daemon

_TLS_HELLO = b"\x16"
_DEFER_AFTER_S = 5.0


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
        print(f"ceod: {error}", file=sys.stderr, flush=True)
        sys.exit(Arbiter.WORKER_BOOT_ERROR)  # ends the master too: a new worker would fail the same way


def ended(_server: Any, worker: Any) -> None:
    """Gunicorn's worker_exit."""
    from ceod import runtime  # noqa: PLC0415

    app = getattr(worker.app, "callable", None)
    if app is not None and runtime.of(app)._engine is not None:
        runtime.of(app).stop()


class DrainingWorker(ThreadWorker):  # type: ignore[misc]
    """gthread, but alive until no transaction is: TERM and HUP would otherwise end one whose client has left."""

    def init_process(self) -> None:
        """Learn whether plain HTTP is answered beside TLS, which development mode allows."""
        self._plain = None
        if load_daemon(os.environ.get("CEOD_CONFIG", DAEMON_FILE)).development and self.cfg.is_ssl:
            self._plain = copy.deepcopy(self.cfg)
            self._plain.set("certfile", None)
            self._plain.set("keyfile", None)
        super().init_process()

    def handle(self, conn: Any) -> Any:
        """As gthread; in development a first byte that opens no TLS hello is plain HTTP."""
        if self._plain is not None and not conn.initialized and conn.wait_for_data(_DEFER_AFTER_S):
            conn.data_ready = True
            conn.sock.setblocking(True)
            if conn.sock.recv(1, socket.MSG_PEEK) != _TLS_HELLO:
                conn.cfg = self._plain
        return super().handle(conn)

    def run(self) -> None:
        """Serve, then drain: gunicorn sees a beat for as long as a transaction runs."""
        super().run()
        until = time.monotonic() + float(self.cfg.graceful_timeout)
        while time.monotonic() < until and any(thread.name.startswith("tx-") for thread in threading.enumerate()):
            self.notify()
            time.sleep(0.05)
