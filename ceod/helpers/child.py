"""A helper process as the worker sees it: started, asked in turn, killed when late, replaced."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable

from ceod.helpers import wire

REST_S = 3.0


class Died(Exception):
    """The helper ended while it had our request in hand."""


class TookTooLong(Exception):
    """The helper did not answer within the deadline and was killed; what it did is unknown."""


class NoTurn(Exception):
    """Ours was never sent: the requests before it took too long, or one of them just did."""


class _Helper:
    """A helper process and our end of its socket."""

    def __init__(self, process: subprocess.Popen[bytes], channel: socket.socket) -> None:
        self.process = process
        self.channel = channel
        self._is_ready = self._is_greeted = False

    def is_running(self) -> bool:
        """Whether the process has not ended."""
        return self.process.poll() is None

    def is_ready(self) -> bool:
        """Whether the helper has reported that its imports are done.  Never waits."""
        if not self._is_ready:
            with contextlib.suppress(BlockingIOError):
                self._is_ready = bool(self.channel.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        return self._is_ready

    def ask(self, request: wire.Message, deadline_s: float) -> wire.Message:
        """Its answer.  Raises TimeoutError, OSError, EOFError, ValueError."""
        self.channel.settimeout(deadline_s)
        if not self._is_greeted:
            wire.receive(self.channel)
            self._is_greeted = True
        wire.send(self.channel, request)
        return wire.receive(self.channel)

    def end(self, number: int) -> None:
        """Send it a signal, and wait until it has ended."""
        self.channel.close()
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)
        self.process.wait()


class Child:
    """One helper; it serves one request at a time, the others wait their turn.

    With `spare`, a second process waits with its imports done, and takes over when the first one
    ends.  With `nice`, the helper leaves the processor to others (nice(1)).
    """

    def __init__(
        self,
        module: str,
        arguments: list[str],
        environment: dict[str, str],
        *,
        spare: bool = False,
        nice: int = 0,
    ) -> None:
        self._argv = [sys.executable, "-m", module, *arguments]
        self._nice = ["nice", "-n", str(nice)] if nice else []
        self._environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LANG": "C.UTF-8", **_kept(), **environment}
        self._turn = threading.Lock()
        self._starting = threading.Lock()
        self._has_spare = spare
        self._helper: _Helper | None = None
        self._spare: _Helper | None = None
        self._is_closed = False
        self._rests_until = 0.0

    def start(self) -> None:
        """Start the helper, so that the first request need not wait.  Raises NoTurn (closed)."""
        self._running()

    def ask(
        self,
        request: wire.Message,
        *,
        deadline_s: float,
        turn_s: float | None = None,
        is_wanted: Callable[[], bool] | None = None,
    ) -> wire.Message:
        """The helper's answer.

        The deadline counts for our turn to come, unless turn_s does, and then for the answer.  When
        our turn comes and `is_wanted` returns False, the request is not sent.
        Raises Died, TookTooLong, NoTurn (no process can be started, too).
        """
        patience_s = deadline_s if turn_s is None else turn_s
        if time.monotonic() < self._rests_until or not self._turn.acquire(timeout=patience_s):
            raise NoTurn(request.get("do"))
        try:
            if is_wanted is not None and not is_wanted():
                raise NoTurn(request.get("do"))
            try:
                helper = self._running()
            except OSError:
                raise NoTurn(request.get("do")) from None
            try:
                return helper.ask(request, deadline_s)
            except TimeoutError:
                self._replace(helper)
                if not self._has_spare:
                    # Whoever comes next would wait as long for the same server: they hear at
                    # once that it is away.
                    self._rests_until = time.monotonic() + REST_S
                raise TookTooLong(request.get("do")) from None
            except (OSError, EOFError, ValueError):
                self._replace(helper)
                raise Died(request.get("do")) from None
        finally:
            self._turn.release()

    def _running(self) -> _Helper:
        """The helper, started where none runs.  Raises NoTurn (closed)."""
        with self._starting:
            if self._is_closed:
                raise NoTurn("closed")
            if self._helper is None or not self._helper.is_running():
                self._promote()
            assert self._helper is not None
            return self._helper

    def _replace(self, helper: _Helper) -> None:
        """End a helper that can't be used any more, and promote the spare."""
        with self._starting:
            helper.end(signal.SIGKILL)
            if self._helper is helper:
                self._helper = None
                # Without a spare, the next request starts a process, if there ever is one.
                if self._has_spare and not self._is_closed:
                    self._promote()

    def _promote(self) -> None:
        """Put the spare in the helper's place, or a new process, and start the next spare.

        Starting one takes some milliseconds here; its imports, which take longer, are its own time.
        """
        if self._helper is not None:
            self._helper.channel.close()
        spare, self._spare = self._spare, None
        if spare is not None and not spare.is_running():
            spare.channel.close()
            spare = None
        self._helper = spare or self._start()
        if self._has_spare:
            self._spare = self._start()

    def _start(self) -> _Helper:
        ours, theirs = socket.socketpair()
        with theirs:
            return _Helper(self._launch(theirs), ours)

    def _launch(self, theirs: socket.socket) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*self._nice, *self._argv, str(theirs.fileno())],
            env=self._environment,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        )

    def close(self) -> None:
        """End the helper and its spare."""
        with self._starting:
            self._is_closed = True
            for helper in (self._helper, self._spare):
                if helper is not None:
                    helper.end(signal.SIGTERM)
            self._helper = self._spare = None

    @property
    def spare_pid(self) -> int | None:
        """The pid of a spare whose imports are done."""
        with self._starting:
            spare = self._spare
            return spare.process.pid if spare and spare.is_running() and spare.is_ready() else None

    @property
    def pid(self) -> int | None:
        """The running helper's pid."""
        helper = self._helper
        return helper.process.pid if helper else None


def _kept() -> dict[str, str]:
    """What of our own environment a helper needs: where Kerberos is configured, and a moved clock."""
    names = ("KRB5_CONFIG", "LD_PRELOAD", "FAKETIME", "FAKETIME_DONT_FAKE_MONOTONIC", "NO_FAKE_STAT", "PYTHONDONTWRITEBYTECODE")
    return {name: os.environ[name] for name in names if name in os.environ}
