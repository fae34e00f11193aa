"""ceod's own journal, put back from a copy, deleted, cut and opened to others, under a club of real servers."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ceo_common.errors import JournalUntrusted
from sandbox import shell
from sandbox.club import host_place
from tests.club.adds import held
from tests.club.club import ADMIN, CHECKOUT, PYTHON, Club, until

STATE, OUTSIDE = host_place(ADMIN) / "ceod", host_place(ADMIN) / "ceod-fingerprint/journal"
HOST = f"{ADMIN}.csclub.internal"
Copy = dict[Path, bytes]
MANY = 12
BEGUN = "SELECT 1 FROM transactions WHERE subject = ? AND state IN ('running', 'completed')"


def _copy() -> Copy:
    return {path: path.read_bytes() for path in [*STATE.glob("journal.db*"), OUTSIDE]}


def _put_back(copy: Copy, *, outside: bool = False) -> None:
    for path in STATE.glob("journal.db*"):
        path.unlink()
    for path, content in copy.items():
        if path != OUTSIDE or outside:
            path.write_bytes(content)
            path.chmod(0o600)


def _copy_while_running(club: Club, subject: str) -> Copy:
    """A copy from the middle of a transaction, made while ceod stands still; empty where it is over."""
    workers = club.workers()
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    try:
        is_running = club.journal(
            "SELECT 1 FROM transactions WHERE subject = ? AND state = 'running'", subject
        )
        return _copy() if is_running else {}
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGCONT)


def _sign_up(club: Club) -> tuple[Copy, str]:
    """Somebody signed up, and a copy from the middle of it."""
    with held(club) as (add,):
        copy = _copy_while_running(club, add.uid)
    assert add.last["status"] == "completed"
    assert copy
    return copy, add.uid


def _sign_up_many(club: Club) -> tuple[Copy, list[str]]:
    """The same, of one sign-up of many."""
    for more in range(10):
        rows = [club.member() for _ in range(MANY + more)]
        subject, ends = f"{len(rows)} members", list[Any]()
        bulk = threading.Thread(
            target=lambda rows=rows, ends=ends: ends.extend(
                club.client("ctdalek").add_members(rows)
            )
        )
        bulk.start()
        until(partial(_has_begun, club, bulk, subject), 60)
        copy = _copy_while_running(club, subject)
        bulk.join(120)
        assert ends[-1]["status"] == "completed"
        if copy:
            return copy, [row["uid"] for row in rows]
    raise AssertionError("no sign-up of many could be caught in the middle")


def _has_begun(club: Club, bulk: threading.Thread, subject: str) -> bool:
    return bool(club.journal(BEGUN, subject)) or not bulk.is_alive()


def _restart(club: Club, before: Callable[[], None] = lambda: None, how: str = "stop") -> None:
    club.service(ADMIN, how, "ceod")
    before()
    club.service(ADMIN, "start", "ceod")
    until(lambda: club.curl(None, "/health")[0] == 200, 20, "ceod")


def _is_refused(club: Club, reasons: str | tuple[str, ...], words: str) -> None:
    """Nothing new is begun; what only reads is served, and health says why."""
    with pytest.raises(JournalUntrusted, match=words) as caught:
        list(club.client("office1").add_member(club.member()))
    assert caught.value.more["reason"] in reasons
    journal = club.client("ctdalek").health(HOST)["backends"]["journal"]
    assert not journal["up"]
    assert journal["error"] == caught.value.message
    club.client("ctdalek").member("regular1")
    assert until(lambda: "the journal is not trusted" in club.log(f"{ADMIN}.ceod"), 5)


def _accept(club: Club, answer: str) -> subprocess.CompletedProcess[str]:
    entry = shell.resolve(club.state, f"root@{ADMIN}")
    argv = shell.command(
        club.state, entry, [str(PYTHON), "-m", "ceod.accept_journal"], folder=str(CHECKOUT)
    )
    return subprocess.run(argv, input=answer, text=True, capture_output=True, check=False)


def _works(club: Club) -> str:
    def add() -> str:
        try:
            return str(club.add()["result"]["uid"])
        except JournalUntrusted:
            return ""

    return until(add, 15, "a sign-up")


def _transactions_of(club: Club, uid: str) -> dict[str, Any]:
    return next(
        dict(found)
        for found in club.client("ctdalek").examine(uid)
        if found["check"] == "transactions"
    )


def test_a_journal_that_went_backwards_undoes_nobodys_account(club: Club) -> None:
    """Copies from the middle of a sign-up and of one of many, put back alone and with the whole host; accepted in the end."""
    (one, single), (many, rows) = _sign_up(club), _sign_up_many(club)
    work = [Path("/users") / uid / "thesis.tex" for uid in (single, rows[6])]
    for path in work:
        path.write_text("years of work")
    before = {uid: club.home(uid) for uid in (single, *rows)}
    _works(club)

    def nothing_was_undone() -> None:
        people = {
            entry["uid"][0].decode()
            for entry in club.entries("(&(objectClass=member)(uid=*))").values()
        }
        assert {single, *rows} <= people
        assert all(club.principal(uid) for uid in (single, *rows))
        assert {uid: club.home(uid) for uid in (single, *rows)} == before

    _restart(club, lambda: _put_back(many))
    _is_refused(club, "older", "is older than /var/lib/ceod-fingerprint/journal remembers")
    nothing_was_undone()
    # As a host that was restored as a whole: the directory alone remembers.
    _restart(club, lambda: _put_back(one, outside=True))
    _is_refused(club, "older", "is older than the directory's cn=phosphoric-acid")
    nothing_was_undone()

    declined = _accept(club, "yes\n")
    assert declined.returncode == 1
    assert "nothing was changed" in declined.stderr
    accepted = _accept(club, "accept\n")
    assert accepted.returncode == 0, accepted
    (under_way,) = [
        line for line in accepted.stdout.splitlines() if line.startswith("Not ended in it: ")
    ]
    identifier = under_way.split()[4]
    new = _works(club)
    club.whole(new)
    nothing_was_undone()
    story = club.client("ctdalek").transaction(HOST, identifier)
    assert story["state"] == "abandoned"
    assert "an administrator accepted this journal" in story["reason"]
    assert club.client("ctdalek").health(HOST)["backends"]["journal"]["up"]
    again = _accept(club, "")
    assert again.returncode == 0
    assert "nothing to accept" in again.stdout
    # The doctor tells of it, and the name is free: the next change of the account is not held up.
    assert identifier in _transactions_of(club, single)["found"]
    assert club.done(club.client("office1").renew_member(single, {"terms": ["w2027"]}))
    assert _transactions_of(club, single)["state"] == "ok"


def test_a_journal_that_is_taken_away_cut_or_opened_to_others(club: Club) -> None:
    (STATE / "journal.db").rename(STATE / "aside")
    _is_refused(club, "replaced", "was moved, deleted or replaced while ceod runs")
    (STATE / "aside").rename(STATE / "journal.db")
    _works(club)
    for path in STATE.glob("journal.db*"):
        path.unlink()
    _is_refused(club, "replaced", "was moved, deleted or replaced while ceod runs")
    before = max(int(entry["uidNumber"][0]) for entry in club.entries("(cn=members)").values())
    _restart(club)
    _is_refused(club, "lost", "is new, but .* remembers one")
    assert _accept(club, "accept\n").returncode == 0
    number = club.client("ctdalek").member(_works(club))["uid_number"]
    assert number >= before, "the next number stands in the directory: it only grows"

    def cut_and_open() -> None:
        wal = STATE / "journal.db-wal"
        os.truncate(wal, wal.stat().st_size // 3)
        STATE.chmod(0o755)
        for path in STATE.glob("journal.db*"):
            path.chmod(0o644)

    _restart(club, cut_and_open, how="kill")
    _is_refused(club, ("older", "lost"), "remembers")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in [*STATE.glob("journal.db*"), OUTSIDE]}
    assert modes == {0o600}
    assert stat.S_IMODE(STATE.stat().st_mode) == 0o700
    for name in ("journal.db", "journal.db-wal"):
        assert club.run_as("regular1", "cat", f"/var/lib/ceod/{name}", host=ADMIN).returncode != 0
    assert _accept(club, "accept\n").returncode == 0
    _works(club)


def test_each_host_alone_writes_its_fingerprint_into_the_directory(club: Club) -> None:
    def change(host: str) -> str:
        dn = f"cn={host}.csclub.internal,ou=Journals,dc=csclub,dc=internal"
        return f"dn: {dn}\nchangetype: modify\nadd: description\ndescription: /somewhere x 0 0 -\n"

    script = "KRB5CCNAME=FILE:/tmp/cc-test; export KRB5CCNAME; kinit -k ceod/$(hostname -f 2>/dev/null || echo mail.csclub.internal)"
    with ExitStack() as stack:
        stack.callback(lambda: club.run_as("root", "rm", "-f", "/tmp/cc-test", host="mail"))
        for host, status in (("mail", 0), (ADMIN, 50), ("coffee", 50)):
            done = club.run_as(
                "root", "sh", "-c", f"{script} && ldapmodify -Q", text=change(host), host="mail"
            )
            assert done.returncode == status, (host, done)
    for who in ("office1", "regular1"):
        assert club.run_as(who, "ldapmodify", "-Q", text=change("mail")).returncode == 50


_TWO_WORKERS = """
import sys
from ceo_common.config import load_daemon
from ceo_common.errors import Changed
from ceod.services.all import connect
from ceod.services.journals import DirectoryWitness
from ceod.services.ldap_connection import Change

services = connect(load_daemon("/etc/csc/ceod.toml"))
host = sys.argv[1]
witness = DirectoryWitness(services.directory, host, "/a state_dir")
dn = f"cn={host},ou=Journals,dc=csclub,dc=internal"
try:
    for count in (3, 11, 9):
        services.directory.change_as_host(dn, Change("description", (), (f"/a state_dir a {count} 0 -",)))
    print(witness.read())
    try:
        witness.write("a 3 0 -", "a 12 0 -")
    except Changed:
        print("changed")
    witness.write("a 11 0 -", "a 12 0 -")
    print(witness._texts())
finally:
    left = tuple(f"/a state_dir {text}" for text in witness._texts())
    services.directory.change_as_host(dn, Change("description", left, ()))
"""


def test_of_two_fingerprints_in_the_directory_the_newest_counts_and_one_stays(club: Club) -> None:
    """Two workers that start at once, where there was none, add one each."""
    done = club.run_as(
        "root", str(PYTHON), "-c", _TWO_WORKERS, HOST, host=ADMIN, PYTHONPATH=str(CHECKOUT)
    )
    assert done.stdout.splitlines() == ["a 11 0 -", "changed", "['a 12 0 -']"], done
