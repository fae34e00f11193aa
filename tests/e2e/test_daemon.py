"""ceod under gunicorn: keys used again, adds side by side, two ceods, secrets looked for."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ceo_common.errors import CeoError
from ceod.transaction import audit
from ceod.transaction.journal import Journal
from sandbox.club import OUTSIDE, host_place
from tests.club.adds import Adding
from tests.club.another import another_ceod
from tests.club.club import ADMIN, Club, until


def test_one_key_twenty_times(club: Club) -> None:
    """One account, and exactly one answer carries the password."""
    member, key = club.member(), str(uuid.uuid4())
    adds = [Adding(club, member, key=key) for _ in range(20)]
    lasts = [add.last for add in adds]
    assert [last.get("status") for last in lasts] == ["completed"] * 20, [add.error for add in adds]
    assert len({last["transaction"] for last in lasts}) == 1
    told = [last["result"]["temporary_password"] for last in lasts]
    assert len([password for password in told if password]) == 1
    assert sum(last["result"]["temporary_password_lost"] for last in lasts) == 19
    club.whole(member["uid"])


def test_a_key_belongs_to_its_caller(club: Club) -> None:
    member, key = club.member(), str(uuid.uuid4())
    assert list(club.client("office1").add_member(member, key))[-1]["status"] == "completed"
    status, (told,) = club.post("ctdalek", member, "-H", f"Idempotency-Key: {key}")
    assert (status, told["code"]) == (409, "exists")  # as if there were no such key
    assert "transaction" not in told
    status, (told,) = club.post("office1", club.member(), "-H", f"Idempotency-Key: {key}")
    assert (status, told["code"]) == (422, "key_reused")
    assert club.post("office1", club.member(), "-H", "Idempotency-Key: x")[0] == 400


def test_reattaching_gives_the_end_without_the_password(club: Club) -> None:
    last = club.add()
    events = list(club.client("office1").events("phosphoric-acid.csclub.internal", last["transaction"], after=3))
    assert [event["n"] for event in events] == list(range(4, last["n"] + 1))
    assert events[-1]["result"]["temporary_password"] is None
    assert club.curl("regular1", f"/transactions/{last['transaction']}")[0] == 403
    assert club.curl("regular1", f"/transactions/{last['transaction']}/events")[0] == 403
    assert club.curl("regular1", f"/transactions/{uuid.uuid4()}")[0] == 403
    assert club.curl("ctdalek", f"/transactions/{uuid.uuid4()}")[0] == 404
    assert club.curl("ctdalek", f"/transactions/{last['transaction']}")[0] == 200


def test_resume_and_abandon_only_what_can_be(club: Club) -> None:
    last = club.add()
    path = f"/transactions/{last['transaction']}"
    assert club.curl("office1", f"{path}/resume", "-X", "POST", "-d", "{}")[0] == 409
    assert club.curl("office1", f"{path}/abandon", "-X", "POST", "-d", '{"reason":"x"}')[0] == 403
    assert club.curl("ctdalek", f"{path}/abandon", "-X", "POST", "-d", '{"reason":"x"}')[0] == 409
    assert club.curl("ctdalek", f"{path}/abandon", "-X", "POST", "-d", '{"reason":""}')[0] == 400


def _numbers(club: Club, uids: list[str]) -> list[bytes]:
    entries = club.entries("(objectClass=posixAccount)")
    found = {entry["uid"][0].decode(): entry["uidNumber"][0] for entry in entries.values()}
    return [found[uid] for uid in uids]


def test_fifty_adds_at_once(club: Club) -> None:
    with ThreadPoolExecutor(50) as pool:
        lasts = list(pool.map(lambda _: club.add(), range(50)))
    uids = [last["result"]["uid"] for last in lasts]
    assert len(set(_numbers(club, uids))) == 50
    assert len({last["result"]["temporary_password"] for last in lasts}) == 50


@pytest.fixture
def second_ceod(club: Club, tmp_path: Path) -> Iterator[int]:
    """Another ceod of role admin on the admin host, with a journal of its own; its port."""
    with another_ceod(club, tmp_path) as port:
        yield port


def test_two_ceods_of_role_admin_on_one_directory(club: Club, second_ceod: int) -> None:
    """50 adds over both: distinct numbers; the same name on both: one winner."""
    def add(i: int) -> tuple[str, dict[str, Any]]:
        client = club.client("office1")
        client.port = (9987, second_ceod)[i % 2]
        uid = club.name()
        *_, last = client.add_member(club.member(uid))
        return uid, dict(last)

    with ThreadPoolExecutor(10) as pool:
        done = list(pool.map(add, range(50)))
    assert all(last["status"] == "completed" and last["waiting"] == [] for _, last in done)
    assert len(set(_numbers(club, [uid for uid, _ in done]))) == 50

    uid = club.name()

    def race(port: int) -> str:
        client = club.client("office1")
        client.port = port
        try:
            *_, last = client.add_member(club.member(uid))
            return last["status"]
        except CeoError as error:
            return error.code

    with ThreadPoolExecutor(2) as pool:
        outcomes = sorted(pool.map(race, (9987, second_ceod)))
    assert outcomes.count("completed") == 1, outcomes
    until(lambda: club.transaction_of(uid)[1] in ("completed", "aborted", ""), 20)
    club.whole(uid)


def test_no_password_is_anywhere(club: Club) -> None:
    """A canary: the passwords that were generated stand in no journal, WAL, log, mail, argv or environment."""
    passwords = [club.add()["result"]["temporary_password"] for _ in range(3)]
    uid = club.name()
    passwords.append(club.add(uid=uid)["result"]["temporary_password"])
    *_, last = club.client("ctdalek").reset_password(uid)
    passwords.append(last["result"]["temporary_password"])
    places = [*(host_place(ADMIN) / "ceod").rglob("*"), *(OUTSIDE / "mail").iterdir(), *(OUTSIDE / "log").iterdir()]
    places += [path / name for path in Path("/proc").glob("[0-9]*") for name in ("cmdline", "environ")]
    searched = 0
    for path in places:
        try:
            content = path.read_bytes() if not path.is_dir() else b""
        except OSError:
            continue
        searched += 1
        for password in passwords:
            assert password.encode() not in content, path
    assert searched > 50
    assert re.fullmatch(r"[a-z2-9]{4}(-[a-z2-9]{4}){3}", passwords[0])


def test_the_log_is_one_object_a_line(club: Club) -> None:
    club.curl("office1", "/members/%0a%1b[31m")
    for line in club.log(f"{ADMIN}.ceod").splitlines():
        assert {"time", "level", "logger", "message"} <= set(json.loads(line)), line
        assert "\x1b" not in line


def test_the_audit_chain(club: Club) -> None:
    last = club.add()
    rows = [json.loads(row) for (row,) in club.journal("SELECT row FROM audit ORDER BY n")]
    mine = [row for row in rows if row.get("transaction") == last["transaction"]]
    assert [(row["who"], row["what"], row["outcome"], row["remote"]) for row in mine] == [("office1", "add_member", "completed", "192.0.2.1")]
    journal = Journal(host_place(ADMIN) / "ceod")
    with journal.reading() as connection:
        assert audit.breaks_at(connection) is None
    journal.close()


def test_gunicorn_takes_no_commands_from_other_processes(club: Club) -> None:
    """gunicorn's control socket stops and reloads workers for whoever reaches it."""
    for host in ("phosphoric-acid", "mail", "coffee"):
        sockets = club.run_as("root", "ss", "-xlp", host=host).stdout
        assert "u_str" in sockets  # the command did list them
        assert "gunicorn" not in sockets
