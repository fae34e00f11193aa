"""Undoing a change of a loan, with the process killed at every boundary: it is done or not done, and never twice."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from ceo_common.errors import CeoError
from sandbox import shell
from sandbox.club import PYTHON
from sandbox.services import PSQL
from tests.club.club import Club, until

# The undo in a process of its own on the library's host, killed at its first boundary, then at its
# second, and so on until one run comes through.  After each the loan is read past ceod, and put
# back as it was where it was undone.  Prints what each run left.
_KILLER = """if True:
    import json, os, signal, sys
    from datetime import UTC, datetime
    import sqlalchemy as sa
    from ceo_common.config import load_daemon
    from ceod.library import undo
    from ceod.library.database import Database
    from ceod.library.lending import Desk
    from ceod.services.postgresql_connection import connect

    change, by, dirty = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    config = load_daemon()

    def killed_at(end):
        passed = 0

        def boundary(*_):
            nonlocal passed
            passed += 1
            if passed == end:
                os.kill(os.getpid(), signal.SIGKILL)

        database = Database(config.postgresql, config.library.database)
        for name in ("before_cursor_execute", "after_cursor_execute", "commit"):
            sa.event.listen(database._engine, name, boundary)
        desk = Desk(config.library, config.time_zone, datetime.now(UTC))
        database.run(lambda connection: undo.undo(connection, desk, change, by))
        boundary()

    def sql(text):
        connection = connect(config.postgresql, config.library.database)
        with connection, connection.cursor() as cursor:
            cursor.execute(text)
            return cursor.fetchall() if cursor.description else []

    left = []
    while True:
        child = os.fork()
        if not child:
            killed_at(len(left) + 1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        left.append(sql(f"SELECT due_on::text, renewed, returned_at IS NULL, undone_at IS NOT NULL FROM loans JOIN loan_changes "
                        f"ON loan = loans.id WHERE loan_changes.id = {change}")[0])
        if not status:
            break
        if left[-1][3]:
            sql(f"UPDATE loans SET {dirty} WHERE id = (SELECT loan FROM loan_changes WHERE id = {change})")
            sql(f"UPDATE loan_changes SET undone_at = NULL WHERE id = {change}")
    print(json.dumps(left))
"""


def _sql(club: Club, text: str) -> list[str]:
    words = [
        PSQL,
        "-h",
        "/run/postgresql",
        "-U",
        "postgres",
        "-AtX",
        "-v",
        "ON_ERROR_STOP=1",
        "library",
    ]
    done = club.run_as("root", *words, text=text, host="coffee")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture
def loan(club: Club) -> Iterator[dict[str, Any]]:
    """A new loan to somebody who has nothing else; in the end the book is back."""
    office, uid = club.client("office1"), club.add()["result"]["uid"]
    book = office.add_book({"title": f"Book {club.name()}", "authors": ["Ann Author"]})["book"]
    yield office.lend(book, uid)
    _sql(
        club,
        f"UPDATE loans SET returned_at = now(), returned_by = 'test' WHERE book = {book} AND returned_at IS NULL;",
    )


@pytest.mark.parametrize("kind", ["lend", "renew", "return"])
def test_an_undo_killed_at_every_boundary(club: Club, loan: dict[str, Any], kind: str) -> None:
    office, book, uid = club.client("office1"), loan["book"], loan["uid"]
    earlier = "2026-11-30"
    _sql(club, f"UPDATE loans SET due_on = '{earlier}' WHERE id = {loan['loan']};")
    if kind == "renew":
        loan = office.renew_loan(book, uid)
    elif kind == "return":
        loan = office.give_back(book, uid)
    due, day = loan["due_on"], f"due_on = '{loan['due_on']}'"
    dirty = {
        "lend": "returned_at = NULL, returned_by = NULL",
        "renew": f"{day}, renewed = 1",
        "return": "returned_at = now(), returned_by = 'office1'",
    }[kind]
    done, undone = {
        "lend": ([earlier, 0, True, False], [earlier, 0, False, True]),
        "renew": ([due, 1, True, False], [earlier, 0, True, True]),
        "return": ([earlier, 0, False, False], [earlier, 0, True, True]),
    }[kind]
    run = club.run_as(
        "root", str(PYTHON), "-c", _KILLER, str(loan["change"]), "office1", dirty, host="coffee"
    )
    assert run.returncode == 0, run.stderr
    left = json.loads(run.stdout)
    assert len(left) > 10
    assert all(state in (done, undone) for state in left), left
    # Nothing before the commit, everything after it.
    assert left == sorted(left, key=lambda state: state == undone)
    assert left[-1] == undone
    assert left[-2] == undone
    again = office.undo_loan_change(loan["change"])
    assert again["undone"]
    assert again["change"] == loan["change"]
    assert len(office.loans_of(uid)) == (kind != "lend")


@contextmanager
def _book_is_held(club: Club, book: int) -> Iterator[None]:
    """Whoever changes a loan of the book waits, until the end."""
    words = [PSQL, "-h", "/run/postgresql", "-U", "postgres", "-AtX", "library"]
    entry = shell.resolve(club.state, "root@coffee")
    with subprocess.Popen(
        shell.command(club.state, entry, words),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdin
        assert holder.stdout
        holder.stdin.write(f"BEGIN; SELECT 'held' FROM books WHERE id = {book} FOR UPDATE;\n")
        holder.stdin.flush()
        while (line := holder.stdout.readline()) != "held\n":
            assert line, "the book can't be held"
        try:
            yield
        finally:
            with suppress(BrokenPipeError):
                holder.stdin.close()
            holder.wait(30)


def _outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except CeoError as error:
        return error


def test_ceod_killed_in_the_middle_of_an_undo(club: Club, loan: dict[str, Any]) -> None:
    office = club.client("office1")
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'library' AND wait_event_type = 'Lock';"
    with ThreadPoolExecutor(1) as pool:
        try:
            with _book_is_held(club, loan["book"]):
                asked = pool.submit(_outcome, lambda: office.undo_loan_change(loan["change"]))
                until(lambda: _sql(club, waiting) == ["1"], 10, "the undo waits for the book")
                club.service("coffee", "kill", "ceod")
                assert isinstance(asked.result(30), CeoError)
        finally:
            club.service("coffee", "start", "ceod")
    until(lambda: isinstance(_outcome(lambda: office.loans_of(loan["uid"])), list), 30, "ceod answers")
    until(lambda: _sql(club, waiting) == ["0"], 10, "nobody waits")
    assert office.loans_of(loan["uid"]) == [loan]
    assert _sql(club, f"SELECT undone_at FROM loan_changes WHERE id = {loan['change']};") == [""]
    assert office.undo_loan_change(loan["change"])["undone"]
    assert office.undo_loan_change(loan["change"])["undone"]
    assert office.loans_of(loan["uid"]) == []
