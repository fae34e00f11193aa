"""The audit log over all hosts: whether it can be believed."""

from __future__ import annotations

import json
import os
import sqlite3
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ceo_common.errors import Forbidden
from ceod.auth.refusals import EACH, WRITE_S
from sandbox.club import host_place
from tests.club.club import ADMIN, Club, until

HOST = f"{ADMIN}.csclub.internal"


@contextmanager
def _changed(statement: str) -> Iterator[int]:
    """A row of office1 in the admin host's audit log, changed past ceod and put back; its number."""
    path = host_place(ADMIN) / "ceod/journal.db"
    newest = """SELECT n, "row" FROM audit WHERE JSON_EXTRACT("row", '$.who') = 'office1'"""
    with sqlite3.connect(path, timeout=10) as connection:
        number, row = connection.execute(f"{newest} ORDER BY n DESC LIMIT 1").fetchone()
        connection.execute(statement, {"n": number})
    connection.close()
    try:
        yield int(number)
    finally:
        with sqlite3.connect(path, timeout=10) as connection:
            connection.execute('UPDATE audit SET "row" = ? WHERE n = ?', (row, number))
        connection.close()


@contextmanager
def _cut_off(transaction: str) -> Iterator[None]:
    """The end of the admin host's audit log, from a transaction's row on, taken away and put back."""
    path = host_place(ADMIN) / "ceod/journal.db"
    end = """FROM audit WHERE n >= (SELECT MIN(n) FROM audit WHERE JSON_EXTRACT("row", '$.transaction') = ?)"""
    with sqlite3.connect(path, timeout=10, isolation_level=None) as connection:
        connection.execute("BEGIN IMMEDIATE")
        rows = connection.execute(f'SELECT n, "row", hash {end}', (transaction,)).fetchall()
        connection.execute(f"DELETE {end}", (transaction,))
        connection.execute("COMMIT")
    connection.close()
    try:
        yield
    finally:
        with sqlite3.connect(path, timeout=10) as connection:
            connection.executemany("INSERT OR REPLACE INTO audit VALUES (?, ?, ?)", rows)
        connection.close()


def _refusals_are_written(club: Club) -> None:
    """Wait until nobody writes: refusals of the tests before come within a second."""
    seen, since = 0, time.monotonic()

    def is_quiet() -> bool:
        nonlocal seen, since
        ((count,),) = club.journal("SELECT COUNT(*) FROM audit")
        if count != seen:
            seen, since = count, time.monotonic()
        return time.monotonic() - since > 1.5 * WRITE_S

    until(is_quiet)


def test_every_hosts_chain_is_verified(club: Club) -> None:
    _refusals_are_written(club)
    uids = [club.add()["result"]["uid"] for _ in range(2)]
    whole = club.run_as("ctdalek", "ceo", "log", "--verify")
    assert whole.returncode == 0, whole
    assert whole.stderr == ""
    assert [line.split()[1] for line in whole.stdout.splitlines()] == [
        "CHAIN",
        "holds",
        "holds",
        "holds",
    ]
    chains = json.loads(club.run_as("ctdalek", "ceo", "log", "--verify", "--json").stdout)["chains"]
    (admin,) = (chain for chain in chains if chain["host"] == HOST)
    count, newest = club.journal(
        "SELECT MAX(n), (SELECT hash FROM audit ORDER BY n DESC LIMIT 1) FROM audit"
    )[0]
    assert (admin["state"], admin["rows"], admin["head"]) == ("ok", count, newest)

    with _changed(
        """UPDATE audit SET "row" = REPLACE("row", '"office1"', '"ctdalek"') WHERE n = :n"""
    ) as number:
        broken = club.run_as("ctdalek", "ceo", "log", "--verify")
        assert broken.returncode == 1
        assert f"the audit log of {HOST} was changed: row {number} " in broken.stderr
        assert (
            club.client("ctdalek").verify_log(HOST, after=number)["breaks_at"] is None
        )  # behind it all is well

    with _cut_off(club.transaction_of(uids[-1])[0]):
        cut = club.run_as("ctdalek", "ceo", "log", "--verify", "--host", HOST)
        assert cut.returncode == 1
        assert "rows at its end were cut off" in cut.stderr

    with club.frozen("mail", "ceod"):
        unknown = club.run_as("ctdalek", "ceo", "log", "--verify", "--host", "mail.csclub.internal")
        assert unknown.returncode == 75, unknown
        assert "mail.csclub.internal did not answer" in unknown.stderr
    with pytest.raises(
        Forbidden, match="Only the systems committee may check the audit log's chain"
    ):
        club.client("office1").verify_log(HOST)
    subjects = {row["subject"] for row in club.client("office1").log(HOST)["rows"]}
    assert set(uids) <= subjects


def test_refusals_are_in_the_log_of_their_host(club: Club) -> None:
    uid, who = club.name(), "regular1"
    for host in (HOST, "coffee.csclub.internal"):
        with pytest.raises(Forbidden):
            club.client(who).verify_log(host)
    for _ in range(3 * EACH):
        assert club.curl(who, f"/members/{uid}/doctor")[0] == 403

    def refused(host: str) -> list[dict[str, object]]:
        return [
            row
            for row in club.client("ctdalek").log(host, limit=200)["rows"]
            if row["outcome"] == "refused" and row["who"] == who
        ]

    rows = until(lambda: [row for row in refused(HOST) if row["subject"] == uid], 5, "the refusals")
    assert {name: rows[0][name] for name in ("what", "remote", "error", "rule")} == {
        "what": "GET /api/members/<uid>/doctor",
        "remote": "192.0.2.1",
        "error": "forbidden",
        "rule": "member.examine",
    }
    assert len(rows) <= 2 * EACH  # two workers
    assert "GET /api/log/verify" in {
        row["what"] for row in until(lambda: refused("coffee.csclub.internal"), 5)
    }
    assert (
        f" {uid} " in club.run_as(who, "ceo", "log", "--host", HOST).stdout
    )  # and one sees one's own


def test_a_refusal_is_about_the_account_that_a_path_names(club: Club) -> None:
    """And not about the list or the group that stands before it."""
    who, uid = club.add()["result"]["uid"], club.name()
    club.has_password(who)
    with pytest.raises(Forbidden):
        club.client(who).subscribe("csc-general", uid)
    with pytest.raises(Forbidden):
        list(club.client(who).add_to_group("exec", uid))

    def refused(host: str) -> list[tuple[object, object]]:
        rows = club.client("ctdalek").log(host, limit=200)["rows"]
        return [(row["what"], row["subject"]) for row in rows if row["who"] == who]

    for host, what in (
        ("mail.csclub.internal", "POST /api/mailman/<list_name>/<uid>"),
        (HOST, "POST /api/groups/<cn>/members/<uid>"),
    ):
        assert until(lambda host=host: refused(host), 5, what) == [(what, uid)]  # type: ignore[misc]


def test_a_temporary_home_that_was_left_is_shown(club: Club) -> None:
    name = f".ceo-{uuid.uuid4()}-somebody"
    home = Path("/users") / name
    home.mkdir()
    os.utime(home, (0, 0))
    try:
        (left,) = [
            left["path"]
            for left in club.client("regular1").left_homes()
            if left["path"].endswith(name)
        ]
        doctor = club.run_as("ctdalek", "ceo", "doctor")
        assert doctor.returncode == 1, doctor
        assert f"left: {left}" in doctor.stdout
    finally:
        home.rmdir()
    assert club.client("regular1").left_homes() == []
