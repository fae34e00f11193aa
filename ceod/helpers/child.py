"""A helper process as the worker sees it: started on first use, spoken to in turn, killed at a deadline, started anew."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time

from ceod.helpers import wire

REST_S = 3.0


class Died(Exception):
    """The helper ended while it had our request in hand."""


class TookTooLong(Exception):
    """The helper did not answer within the deadline and was killed; what it did is unknown."""


class NoTurn(Exception):
    """Ours was never sent: the requests before it took too long, or one of them just did."""


class Child:
    """One helper; it serves one request at a time, the others wait their turn."""

    def __init__(self, module: str, arguments: list[str], environment: dict[str, str]) -> None:
        self._argv = [sys.executable, "-m", module, *arguments]
        self._environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LANG": "C.UTF-8", **_kept(), **environment}
        self._turn = threading.Lock()
        self._starting = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._rests_until = 0.0

    def ask(self, request: wire.Message, *, deadline_s: float) -> wire.Message:
        """The helper's answer; the deadline counts for our turn to come and then once more for the answer.

        Raises Died, TookTooLong, NoTurn.
        """
        if time.monotonic() < self._rests_until or not self._turn.acquire(timeout=deadline_s):
            raise NoTurn(request.get("do"))
        try:
            connection, process = self._connection()
            try:
                connection.settimeout(deadline_s)
                wire.send(connection, request)
                return wire.receive(connection)
            except TimeoutError:
                self._kill(process)
                # Whoever comes next would wait as long for the same server: they hear at once that it is away.
                self._rests_until = time.monotonic() + REST_S
                raise TookTooLong(request.get("do")) from None
            except (OSError, EOFError, ValueError):
                self._kill(process)
                raise Died(request.get("do")) from None
        finally:
            self._turn.release()

    def _connection(self) -> tuple[socket.socket, subprocess.Popen[bytes]]:
        with self._starting:
            if self._socket is None or self._process is None or self._process.poll() is not None:
                self._start()
            assert self._process is not None and self._socket is not None
            return self._socket, self._process

    def _start(self) -> None:
        if self._socket:
            self._socket.close()
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = self._launch(theirs)

    def _launch(self, theirs: socket.socket) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*self._argv, str(theirs.fileno())], env=self._environment, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
        )

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        with self._starting:
            process.kill()
            process.wait()
            if self._process is process:
                self._process = None

    def close(self) -> None:
        """End the helper."""
        with self._starting:
            if self._socket:
                self._socket.close()
                self._socket = None
            if self._process is not None:
                with contextlib.suppress(ProcessLookupError):
                    self._process.send_signal(signal.SIGTERM)
                self._process.wait()
                self._process = None

    @property
    def pid(self) -> int | None:
        """The running helper's pid."""
        return self._process.pid if self._process else None


def _kept() -> dict[str, str]:
    """What of our own environment a helper needs: where Kerberos is configured, and a moved clock."""
    names = ("KRB5_CONFIG", "LD_PRELOAD", "FAKETIME", "FAKETIME_DONT_FAKE_MONOTONIC", "NO_FAKE_STAT", "PYTHONDONTWRITEBYTECODE")
    return {name: os.environ[name] for name in names if name in os.environ}
