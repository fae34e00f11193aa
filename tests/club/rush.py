"""Many people at once, each set in a process of its own, so that one does not slow the other down: python -m tests.club.rush.

`signups WHO CCACHE UID...` signs all of them up at the same moment; `readers CCACHE COUNT` look somebody up again and again, and one of
them asks whether ceod is up, until standard input ends.  Both print a line of JSON.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import gssapi

from ceo_common.client import Client
from ceo_common.config import load_client
from ceo_common.errors import CeoError
from sandbox.club import CHECKOUT, PYTHON

_PAUSE_S = (0.5, 1.5)  # a reader is a person, who looks at what was found


def _client(ccache: str) -> Client:
    settings = load_client()
    return Client(hosts=settings.hosts, realm=settings.realm, port=settings.port, ca=settings.ca,
                  credential=lambda: gssapi.Credentials(usage="initiate", store={"ccache": ccache}))


def sign_up(ccache: str, uids: list[str]) -> dict[str, Any]:
    """How each ended, and how long it took."""
    together = threading.Barrier(len(uids))

    def one(uid: str) -> tuple[str, float]:
        client = _client(ccache)
        together.wait()
        began = time.monotonic()
        try:
            *_, last = client.add_member({"uid": uid, "cn": "Rush Person", "program": "Mathematics", "terms": ["f2026"]})
            return last["status"], time.monotonic() - began
        except CeoError as error:
            return f"{error.code}: {error.message}", time.monotonic() - began

    threading.stack_size(512 * 1024)
    with ThreadPoolExecutor(len(uids)) as pool:
        return {"ended": list(pool.map(one, uids))}


def read(ccache: str, count: int) -> dict[str, Any]:
    """How long each look-up took, and each question whether ceod is up; what failed."""
    over, failures = threading.Event(), []
    reads: list[float] = []
    pings: list[float] = []

    def loop(ask: Callable[[Client], object], times: list[float]) -> None:
        client = _client(ccache)
        over.wait(random.uniform(0, _PAUSE_S[1]))
        while not over.is_set():
            began = time.monotonic()
            try:
                ask(client)
                times.append(time.monotonic() - began)
            except CeoError as error:
                failures.append(f"{error.code}: {error.message}")
            over.wait(random.uniform(*_PAUSE_S))  # they do not ask in step

    host = load_client().hosts.admin
    threads = [threading.Thread(target=loop, args=(lambda client: client.member("office1"), reads)) for _ in range(count)]
    threads.append(threading.Thread(target=loop, args=(lambda client: client.ping(host), pings)))
    for thread in threads:
        thread.start()
    print("ready", flush=True)
    sys.stdin.read()
    over.set()
    for thread in threads:
        thread.join()
    return {"reads": reads, "health": pings, "failures": failures}


def start(*words: str) -> subprocess.Popen[str]:
    """One of the two.  The crowd computes when nobody else does (sched(7), SCHED_IDLE): in truth each of them has a machine of
    their own, and here hundreds of threads would take the processor from the servers that are measured.
    """
    return subprocess.Popen([*(["chrt", "--idle", "0"] if words[0] == "signups" else []), PYTHON, "-m", "tests.club.rush", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT)


def said(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What it printed at its end."""
    printed, _ = process.communicate(timeout=600)
    told: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return told


if __name__ == "__main__":
    what, ccache, *rest = sys.argv[1:]
    print(json.dumps(sign_up(ccache, rest) if what == "signups" else read(ccache, int(rest[0]))), flush=True)
