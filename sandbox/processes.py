"""Starting programs inside the sandbox as one of its users."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from sandbox.club import CHECKOUT

PATH = "/opt/mailman3/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


def become(user: str) -> list[str]:
    """The words before a command that make root inside run it as this user (a name, or "UID" of somebody without one)."""
    if user == "root":
        return []
    groups = "--clear-groups" if user.isdigit() else "--init-groups"
    return ["setpriv", "--reuid", user, "--regid", user, groups, "--inh-caps=-all"]


ENVIRONMENT = {"PATH": PATH, "LANG": "C.UTF-8", "HOME": "/root", "PYTHONDONTWRITEBYTECODE": "1"}


def moved_clock(offset_seconds: int) -> list[str]:
    """The words before a command that show it a clock moved by so much (libfaketime).

    They stand after become(): the library makes a semaphore named after the pid, which only the user who made it can open.
    """
    if not offset_seconds:
        return []
    return [*_faketime(), f"FAKETIME={offset_seconds:+d}"]


def movable_clock(file: Path) -> list[str]:
    """The same for a clock that is moved while the command runs, by what the file says, such as +60s."""
    return [*_faketime(), f"FAKETIME_TIMESTAMP_FILE={file}", "FAKETIME_NO_CACHE=1"]


def _faketime() -> list[str]:
    library = min(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    return ["env", f"LD_PRELOAD={library}", "FAKETIME_DONT_FAKE_MONOTONIC=1", "NO_FAKE_STAT=1", f"PYTHONPATH={CHECKOUT}/sandbox/moved"]


def run(argv: Sequence[str], *, user: str = "root", text: str = "", environment: dict[str, str] | None = None) -> str:
    """Run a command to its end and return what it printed.  Raises RuntimeError with what it said when it fails."""
    done = subprocess.run(
        [*become(user), *argv], input=text, text=True, capture_output=True, check=False,
        env=ENVIRONMENT | (environment or {}),
    )
    if done.returncode != 0:
        raise RuntimeError(f"{argv[0]} failed ({done.returncode}): {(done.stderr or done.stdout).strip()[-2000:]}")
    return done.stdout
