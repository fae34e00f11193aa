"""How long a command takes from Enter to its end, beside what Python, click and curl take for the same in the same run."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from functools import partial

import pytest

from sandbox.club import PYTHON
from tests.bench.table import by_turns, row, shown
from tests.club.club import CA, URL, Club

REPEATS = 21
CEO = str(PYTHON.parent / "ceo")
CURL = ["curl", "-sS", "--fail", "--cacert", CA, "--negotiate", "-u", ":", "--service-name", "ceod", f"{URL}/members/ctdalek"]


@pytest.fixture
def run(club: Club) -> Callable[..., str]:
    """Runs a command with a ticket; what it prints."""
    environment = dict(os.environ, KRB5CCNAME=club.ccache("regular1"))
    return lambda *argv: subprocess.run(argv, env=environment, capture_output=True, text=True, check=True).stdout


def test_help(run: Callable[..., str]) -> None:
    assert "members" in run(CEO, "--help")
    ours, nothing, click = by_turns(REPEATS, partial(run, CEO, "--help"), partial(run, PYTHON, "-c", "pass"), partial(run, PYTHON, "-c", "import click"))
    row("ceo --help", ours, nothing, "bare, python -c pass")
    row("ceo --help", ours, click, "bare, python -c 'import click'")


def test_a_read(run: Callable[..., str]) -> None:
    assert "Calum Dalek" in run(CEO, "members", "get", "ctdalek") and "Calum Dalek" in run(*CURL)
    ours, libraries, curl = by_turns(REPEATS, partial(run, CEO, "members", "get", "ctdalek"),
                                     partial(run, PYTHON, "-c", "import click, requests_gssapi"), partial(run, *CURL))
    row("ceo members get ctdalek", ours, libraries + curl,
        f"bare, python -c 'import click, requests_gssapi' {shown(libraries)} and the same request by curl {shown(curl)}")
