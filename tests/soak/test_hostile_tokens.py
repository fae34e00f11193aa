"""One member sends tokens that end the process which reads them: everybody else is answered as before."""

from __future__ import annotations

import json
import statistics
import subprocess
import time

import requests

from sandbox import shell
from sandbox.club import CHECKOUT, PYTHON
from tests.club.club import URL, Club
from tests.club.report import LINES
from tests.club.tokens import fresh_token, send

_REQUESTS = 400
_THREADS = 4


def _ask(club: Club) -> list[float]:
    """How long honest requests take, in seconds, over one connection and each with a fresh token."""
    times = []
    with requests.Session() as session:
        session.verify, session.trust_env = club.settings.ca, False
        for _ in range(_REQUESTS):
            token = fresh_token(club, "office1")
            began = time.monotonic()
            answer = send(session, "GET", "/whoami", token)
            times.append(time.monotonic() - began)
            assert answer.status_code == 200, answer.text
    return times


def _line(what: str, times: list[float]) -> str:
    median, worst = statistics.median(times) * 1000, max(times) * 1000
    return f"{len(times)} honest requests {what}: median {median:.1f} ms, worst {worst:.0f} ms."


def test_tokens_that_end_the_acceptor_cost_the_others_little(club: Club) -> None:
    workers, quiet = club.both_workers(), _ask(club)
    cache = club.ccache("regular1")
    club.run_as("regular1", "true")  # gives them the ccache
    entry = shell.resolve(club.state, "regular1@coffee")
    entry.environment |= {"KRB5CCNAME": cache, "PYTHONPATH": str(CHECKOUT)}
    argv = [str(PYTHON), "-m", "tests.club.hostile", f"{URL}/whoami", str(_THREADS)]
    hostile = subprocess.Popen(
        shell.command(club.state, entry, argv), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    until_hostile_tokens_arrive(club)
    meanwhile = _ask(club)
    output, _ = hostile.communicate(timeout=60)
    statuses = json.loads(output)
    LINES.append(_line("before", quiet))
    LINES.append(_line(f"while {_THREADS} threads sent hostile tokens", meanwhile))
    LINES.append(f"The {sum(statuses.values())} hostile tokens got these statuses: {statuses}.")
    assert set(statuses) <= {"401", "503"}, statuses
    assert statistics.median(meanwhile) < 0.1, meanwhile
    assert max(meanwhile) < 2, max(meanwhile)
    assert club.workers() == workers


def until_hostile_tokens_arrive(club: Club) -> None:
    """Wait until ceod's log has a refusal of the acceptor."""
    from tests.club.club import ADMIN, until

    before = club.log(f"{ADMIN}.ceod").count('"backend": "acceptor"')
    until(lambda: club.log(f"{ADMIN}.ceod").count('"backend": "acceptor"') > before, 30, "a token ends an acceptor")
