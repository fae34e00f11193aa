"""CSV files of people to be signed up, and imports that are killed on their way."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from sandbox import shell
from tests.club.club import Club, until

HOME = Path("/users/ctdalek")


def write_sheet(club: Club, rows: int, bad: list[str]) -> Path:
    """A file of ctdalek's with so many good rows, of Import Persons, and the bad ones from its sixth line on."""
    lines = ["uid,cn,program,terms"] + [f"{club.name()},Import Person,Mathematics,f2026 w2027" for _ in range(rows)]
    taken = lines[7].split(",")[0]
    lines[5:5] = [row.replace("TAKEN", taken) for row in bad]
    path = HOME / f"{taken}.csv"
    path.write_text("\n".join(lines) + "\n")
    os.chown(path, HOME.stat().st_uid, HOME.stat().st_gid)
    return path


def uids(sheet: Path) -> set[str]:
    """Of its good rows."""
    return {line.split(",")[0] for line in sheet.read_text().splitlines() if ",Import Person," in line}


def killed(club: Club, words: list[str], times: int, count: Callable[[], int] | None = None) -> None:
    """Run the import as ctdalek so many times; each is killed (-9) when count() has grown: without it, when a batch more than before is under way."""
    query = "SELECT COUNT(*) FROM transactions WHERE operation = 'add_members'"
    count = count or (lambda: int(club.journal(query)[0][0]))
    before = count()
    for batches in range(1, times + 1):
        entry = shell.resolve(club.state, "ctdalek")
        club.run_as("ctdalek", "true")  # hands the ccache over
        entry.environment["KRB5CCNAME"] = club.ccache("ctdalek")
        run = subprocess.Popen(shell.command(club.state, entry, words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda batches=batches: count() >= before + batches, 60, "a batch under way")  # type: ignore[misc]
        for pid in _pids(words):
            os.kill(pid, signal.SIGKILL)
        run.wait(30)


def _pids(words: list[str]) -> list[int]:
    """Not nsenter's or env's, which have the same words behind their own."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        argv = path.read_bytes().decode(errors="replace").split("\0")[:-1]
        if argv[-len(words) + 1:] == words[1:] and any(word.endswith("/ceo") for word in argv[:2]):
            found.append(int(path.parent.name))
    return found


def passwords(slips: Path) -> dict[str, str]:
    """By username; of two slips of one person the later one counts."""
    lines = [line.strip() for line in slips.read_text().splitlines()]
    names, given = ([line.split(":")[1].strip() for line in lines if line.startswith(label)] for label in ("Username", "Temporary password"))
    return dict(zip(names, given, strict=True))
