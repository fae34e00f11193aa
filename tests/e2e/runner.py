"""A bare runner of the engine on the admin host, without gunicorn: python -m tests.e2e.runner STATE_DIR CCACHE.

Reads a JSON object a line and forks a child for each, so that a crash costs a fork and not a start: {"do": "add", "member": ...,
"end": [point, phase, step] | null, "fail": the same | null} or {"do": "recover", "end": ...}.  Answers with the child's wait
status and the last event.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import gssapi

from ceo_common.config import load_daemon
from ceo_common.errors import BackendDown
from ceod.operations.add_member import ADD_MEMBER
from ceod.operations.password import generate
from ceod.operations.private import Private
from ceod.operations.registry import OPERATIONS
from ceod.services.all import Services, connect
from ceod.services.directory import Directory
from ceod.transaction.engine import Engine
from ceod.transaction.record import Request
from ceod.transaction.recovery import Recovery


class Ends:
    """An observer that ends its own process, or fails, at one boundary."""

    def __init__(self, end: list[str] | None, fail: list[str] | None) -> None:
        self.end, self.fail = end, fail

    def __call__(self, point: str, phase: str, step: str) -> None:
        here = [point, phase, step]
        if here == self.end:
            os.kill(os.getpid(), signal.SIGKILL)
        if here == self.fail:
            raise BackendDown("made to fail", backend="test")


def add(engine: Engine[Services], services: Services, member: dict[str, Any], ccache: str) -> dict[str, Any]:
    full = {"given_name": None, "sn": None, "terms": None, "non_member_terms": None, "forwarding_addresses": [],
            "operator": "office1", "warnings": [], **member}
    connection = services.directory.connect_as(gssapi.Credentials(usage="initiate", store={"ccache": ccache}))
    request = Request("add_member", 1, "office1", "test", member["uid"], (f"account:{member['uid']}",), full, "-")
    identifier, _ = engine.begin(ADD_MEMBER, request, Private(connection, {member["uid"]: generate()}))
    last: dict[str, Any] = {}
    for event in engine.follow(identifier, asked=True):
        last = dict(event)
    return last


def recover(engine: Engine[Services]) -> dict[str, Any]:
    recovery = Recovery(engine)
    for _ in range(20):
        assert recovery.once(), "another process recovers"
        if not engine.record.unfinished():
            return {"status": "recovered"}
    return {"status": "unfinished", "transactions": [row.id for row in engine.record.unfinished()]}


def child(task: dict[str, Any], state_dir: Path, services: Services, ccache: str) -> dict[str, Any]:
    # A TLS connection cannot be shared with the parent: each child has its own.
    assert services.admin
    directory = Directory(services.config.ldap, services.acceptor.own_credential, services.admin.kadmin.credential)
    own = dataclasses.replace(services, directory=directory)
    engine = Engine(state_dir, OPERATIONS, own, observer=Ends(task.get("end"), task.get("fail")), settle_s=0)
    return add(engine, own, task["member"], ccache) if task["do"] == "add" else recover(engine)


def main(state_dir: Path, ccache: str) -> None:
    services = connect(load_daemon("/etc/csc/ceod.toml"))
    services.acceptor.own_credential()
    assert services.admin
    services.admin.kadmin.credential()
    print("ready", flush=True)
    for line in sys.stdin:
        read, write = os.pipe()
        if (pid := os.fork()) == 0:
            os.close(read)
            try:
                told = child(json.loads(line), state_dir, services, ccache)
            except BaseException as error:
                told = {"status": "raised", "error": repr(error)}
            os.write(write, json.dumps(told).encode())
            os._exit(0)
        os.close(write)
        with os.fdopen(read) as answers:
            told_text = answers.read()
        _, status = os.waitpid(pid, 0)
        print(json.dumps({"signal": status & 127, "last": json.loads(told_text or "null")}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
