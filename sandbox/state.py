"""A sandbox's directory as seen from outside or from its own desk: is it up, where are its hosts, what may one ask of it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from sandbox import control
from sandbox.club import COMMAND, DESK, OUTSIDE


class State:
    """One sandbox."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()

    def supervisor(self) -> int | None:
        """The supervisor's pid while it lives (it alone holds the lock), else None."""
        try:
            with (self.directory / "lock").open("r+") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return int(lock.read() or 0)
        except FileNotFoundError:
            pass
        return None

    @property
    def _club(self) -> dict[str, Any]:
        try:
            club: dict[str, Any] = json.loads((self.directory / "club.json").read_text())
        except FileNotFoundError:
            raise control.Refused(
                f"no sandbox is up in {self.directory}; start one: {COMMAND} --dir {self.directory} up"
            ) from None
        return club

    @property
    def inside(self) -> bool:
        """Whether we ourselves are at the sandbox's desk."""
        return self.directory == OUTSIDE

    @property
    def offset_seconds(self) -> int:
        """How far its clock is moved."""
        return int(self._club["offset_seconds"])

    @property
    def plain_http(self) -> bool:
        """Whether it was brought up in development mode."""
        return bool(self._club["plain_http"])

    def pid_of(self, host: str) -> int:
        """The pid of a host's process 1, or of the sandbox's own for the desk, as we see it."""
        key = "inner_pid" if self.inside else "pid"
        if host == DESK:
            return int(self._club[key])
        return int(self.call(DESK, do="hosts")["hosts"][host][key])

    def call(self, whom: str, **request: Any) -> control.Reply:
        """Ask a process 1 something.  Raises control.Refused, also when nobody is there."""
        try:
            return control.call(self.directory / "control" / whom, **request)
        except OSError:
            raise control.Refused(f"{whom} does not answer: it is down, or no sandbox is up in {self.directory}") from None

    def down(self) -> bool:
        """Take it down and wait; False when it was not up."""
        pid = self.supervisor()
        if pid is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        while self.supervisor() is not None:
            time.sleep(0.01)
        return True
