"""What the tests inside a sandbox are given: the club, a terminal, a session.

They run at its desk: make test, or one of its parts.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
import requests

from sandbox import processes, shell
from sandbox.club import OUTSIDE
from tests.club.club import CA, Club, until
from tests.club.crashes import Runner
from tests.club.crowd import Crowd
from tests.club.terminal import Open, Terminal


@pytest.fixture(scope="session")
def club(tmp_path_factory: pytest.TempPathFactory) -> Club:
    """The club."""
    if not (OUTSIDE / "club.json").exists():
        pytest.exit("these tests run inside a sandbox: make test, or one of its parts", returncode=2)
    folder: Path = tmp_path_factory.mktemp("club")
    # People read their own ccaches there.
    for path in (folder, *folder.parents):
        if path == Path("/tmp"):
            break
        path.chmod(0o711)
    return Club(folder)


@pytest.fixture(scope="session")
def crowd(club: Club) -> Crowd:
    """Twenty thousand members more."""
    made = Crowd(club)
    made.load()
    return made


@pytest.fixture(autouse=True)
def _own_environment() -> Iterator[None]:
    """No test leaves a ticket in the process's environment."""
    before = os.environ.get("KRB5CCNAME")
    yield
    if before is None:
        os.environ.pop("KRB5CCNAME", None)
    else:
        os.environ["KRB5CCNAME"] = before


@pytest.fixture
def terminal(club: Club) -> Iterator[Open]:
    """Opens a command of a person in a terminal."""
    opened: list[Terminal] = []
    numbers = count()  # of those that are opened at the same time, too

    def open_(who: str, *argv: str, ticket: bool = True, clock: Path | None = None, columns: int = 80, rows: int = 24,
              **environment: str) -> Terminal:
        entry, number = shell.resolve(club.state, who), next(numbers)
        if ticket:
            club.run_as(who, "true")  # hands the ccache over
            entry.environment["KRB5CCNAME"] = club.ccache(who)
        else:
            entry.environment["KRB5CCNAME"] = f"FILE:/users/{who}/ccache-{number}"
        entry.environment |= {"TERM": "xterm-256color", "XDG_STATE_HOME": f"/users/{who}/state-{number}", **environment}
        moved = processes.movable_clock(clock) if clock else []
        window = Terminal(shell.command(club.state, entry, [*moved, *argv]), columns=columns, rows=rows)
        opened.append(window)
        return window

    yield open_
    for one in opened:
        one.close()
    # A menu that was just told to end may write there still.
    remove = "rm -rf /users/*/ccache-* /users/*/state-*"
    until(lambda: subprocess.run(remove, shell=True, check=False).returncode == 0, 10, remove)


@pytest.fixture
def session() -> requests.Session:
    """A session that trusts the club's authority and takes nothing from the environment."""
    made = requests.Session()
    made.verify, made.trust_env = CA, False
    return made


@pytest.fixture(scope="module")
def runner(club: Club, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """The bare runner, with a journal of its own."""
    made = Runner(club, tmp_path_factory.mktemp("journal") / "state")
    yield made
    made.close()
