"""The bare runner (runner.py) as tests at the desk use it: operations that end at a boundary, and recoveries."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from ceod.transaction.step import Operation
from sandbox import shell
from tests.club.club import ADMIN, CHECKOUT, PYTHON, Club


class Runner:
    """The bare runner, spoken to in lines."""

    def __init__(self, club: Club, state_dir: Path, host: str = ADMIN) -> None:
        self.club = club
        self.state_dir = state_dir
        self.fingerprint = state_dir.with_name(f"{state_dir.name}-fingerprint") / "journal"
        for who in ("office1", "ctdalek"):
            club.ccache(who)
        entry = shell.resolve(club.state, f"root@{host}")
        argv = [str(PYTHON), "-m", "tests.club.runner", str(state_dir), str(club.folder)]
        self.process = subprocess.Popen(shell.command(club.state, entry, argv, folder=str(CHECKOUT)), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        assert self.process.stdout and self.process.stdout.readline() == "ready\n"

    def ask(self, **task: Any) -> dict[str, Any]:
        assert self.process.stdin and self.process.stdout
        print(json.dumps(task), file=self.process.stdin, flush=True)
        told: dict[str, Any] = json.loads(self.process.stdout.readline())
        return told

    def states(self, uid: str) -> tuple[str, dict[str, str]]:
        """The state of the newest transaction about a name, and its steps'."""
        query = "SELECT id, state FROM transactions WHERE subject = ? ORDER BY created DESC LIMIT 1"
        ((identifier, state),) = self.club.journal(query, uid, state_dir=self.state_dir)
        steps = self.club.journal("SELECT name, state FROM steps WHERE \"transaction\" = ?", identifier, state_dir=self.state_dir)
        return state, dict(steps)

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


def boundaries(operation: Operation[Any, Any], later: tuple[str, ...] = (), notes: tuple[tuple[str, str], ...] = ()) -> list[tuple[bool, dict[str, Any]]]:
    """Whether the commit comes before it, and where to end or fail.  `later` are the steps after the commit that have something to do,
    `notes` those that note facts.
    """
    before = [step.name for step in operation.before]
    points = [[p, "do", step] for step in before for p in ("intent", "note", "effect", "record") if p != "note" or ("do", step) in notes]
    points += [["intent", "commit", "commit"]]
    found: list[tuple[bool, dict[str, Any]]] = [(False, {"end": point}) for point in points]
    found += [(False, {"fail": ["effect", "do", step]}) for step in before]
    if before:
        found += [(False, {"fail": ["effect", "do", before[-1]], "end": [p, "undo", step]})
                  for step in before for p in ("intent", "effect", "record")]
    found += [(True, {"end": ["record", "commit", "commit"]})]
    found += [(True, {"end": [p, "later", step]}) for step in later for p in ("intent", "note", "effect", "record")
              if p != "note" or ("later", step) in notes]
    return found
