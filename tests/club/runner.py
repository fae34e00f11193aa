"""A bare runner of the engine on a host, without gunicorn: python -m tests.club.runner STATE_DIR CCACHE_FOLDER.

Reads a JSON object a line and forks a child for each, so that a crash costs a fork and not a start: {"do": "add", "member": ...}, {"do":
"run", "operation": ..., "arguments": ..., "as": ...} or {"do": "recover"}, each with "end" and "fail": [point, phase, step, which time]
or null.  Answers with the child's wait status and the last event.
"""

from __future__ import annotations

import dataclasses
import gc
import json
import os
import signal
import sys
import tempfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import gssapi

from ceo_common.config import load_daemon
from ceo_common.errors import BackendDown
from ceod.operations import change_group, mend_account, remind_members, restore_member, set_positions
from ceod.operations.password import generate
from ceod.operations.private import Private
from ceod.operations.registry import OPERATIONS
from ceod.services.all import Services, connect
from ceod.services.directory import Directory
from ceod.transaction.engine import Engine
from ceod.transaction.record import Request
from ceod.transaction.recovery import Recovery
from tests.club.helpers import fork_helpers


class Ends:
    """An observer that ends its own process, or fails, at one boundary."""

    def __init__(self, end: list[Any] | None, fail: list[Any] | None) -> None:
        self.end, self.fail = end, fail
        self.seen: Counter[tuple[str, str, str]] = Counter()

    def __call__(self, point: str, phase: str, step: str) -> None:
        self.seen[point, phase, step] += 1
        if self._is(self.end, point, phase, step):
            os.kill(os.getpid(), signal.SIGKILL)
        if self._is(self.fail, point, phase, step):
            raise BackendDown("made to fail", backend="test")

    def _is(self, boundary: list[Any] | None, point: str, phase: str, step: str) -> bool:
        return boundary is not None and boundary[:3] == [point, phase, step] and self.seen[point, phase, step] == (boundary[3:] or [1])[0]


def add(engine: Engine[Services], services: Services, task: dict[str, Any], ccaches: str) -> dict[str, Any]:
    member = task["member"]
    full = {"given_name": None, "sn": None, "terms": None, "non_member_terms": None, "forwarding_addresses": [], "warnings": [], **member}
    return run(engine, services, {"operation": "add_member", "arguments": full, "as": "office1", "subject": member["uid"],
                                  "names": [f"account:{member['uid']}"], "passwords": {member["uid"]: generate()}}, ccaches)


def run(engine: Engine[Services], services: Services, task: dict[str, Any], ccaches: str) -> dict[str, Any]:
    ccache = f"FILE:{ccaches}/cc-{task['as']}"
    connection = services.directory.connect_as(gssapi.Credentials(usage="initiate", store={"ccache": ccache}))
    operation = OPERATIONS[task["operation"], 1]
    request = Request(operation.name, 1, task["as"], "test", task["subject"], tuple(task["names"]), task["arguments"] | {"operator": task["as"]}, "-")
    identifier, _ = engine.begin(operation, request, Private(connection, task.get("passwords", {})))
    last: dict[str, Any] = {}
    for event in engine.follow(identifier, asked=True):
        last = dict(event)
    return last


def prepare(engine: Engine[Services], services: Services, task: dict[str, Any], ccaches: str) -> dict[str, Any]:
    """The arguments that a view would make of what it looks up."""
    told = task["told"]
    if task["operation"] == "restore_member":
        row = engine.record.newest_of(("delete_member",), told["uid"])
        person = services.directory.person(told["uid"])
        assert row and person
        arguments, warnings = restore_member.arguments(
            person, row.arguments | engine.record.facts(row.id), services, row.id
        )
        return {**told, **arguments, "warnings": warnings}
    if task["operation"] == "change_group":
        return change_group.plan(services, told["group"], told["uid"], join=told["join"])
    if task["operation"] == "set_positions":
        held = set_positions.holders(services.directory, services.config.positions)
        return set_positions.plan(services, {name: [*held[name], told["add"]] if told["add"] else [] for name in told["positions"]})
    if task["operation"] == "mend_account":
        return mend_account.plan(services, engine.record, told["uid"])
    if task["operation"] == "remind_members":
        now = datetime.fromtimestamp(told["now"], UTC)
        due, room = remind_members.plan(services, engine.record, now)
        return remind_members.arguments(due[:room], services.config.time_zone, now)
    raise AssertionError(task)


def recover(engine: Engine[Services]) -> dict[str, Any]:
    recovery = Recovery(engine)
    for _ in range(20):
        assert recovery.once(), "another process recovers"
        if not engine.record.unfinished():
            return {"status": "recovered"}
    return {"status": "unfinished", "transactions": [row.id for row in engine.record.unfinished()]}


def child(task: dict[str, Any], state_dir: Path, services: Services, ccaches: str) -> dict[str, Any]:
    # A TLS connection cannot be shared with the parent: each child has its own.
    directory = Directory(services.config.ldap, services.acceptor.own_credential, services.admin.kadmin.credential if services.admin else None)
    own = dataclasses.replace(services, directory=directory)
    engine = Engine(state_dir, OPERATIONS, own, observer=Ends(task.get("end"), task.get("fail")), settle_s=0)
    if task["do"] == "recover":
        return recover(engine)
    do = {"add": add, "run": run, "prepare": prepare}[task["do"]]
    return do(engine, own, task, ccaches)


def main(state_dir: Path, ccaches: str) -> None:
    fork_helpers()
    services = connect(load_daemon("/etc/csc/ceod.toml"))
    services.acceptor.own_credential()
    if services.admin:
        services.admin.kadmin.credential()
    with tempfile.TemporaryDirectory() as scratch:
        Engine(Path(scratch) / "state", OPERATIONS, services).close()  # what SQLAlchemy prepares at its first use, each child would prepare again
    gc.freeze()
    print("ready", flush=True)
    for line in sys.stdin:
        read, write = os.pipe()
        if (pid := os.fork()) == 0:
            os.close(read)
            try:
                told = child(json.loads(line), state_dir, services, ccaches)
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
