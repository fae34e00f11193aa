"""ceod under gunicorn: workers killed and drained, keys used again, adds side by side, servers frozen, secrets looked for."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from ceo_common.errors import BackendDown, CeoError
from ceo_common.krb5 import tickets
from sandbox import shell
from sandbox.club import OUTSIDE, host_place
from tests.e2e.club import ADMIN, CA, CHECKOUT, PYTHON, Club, kill, until
from tests.e2e.test_tickets import fresh_token, send

HELD_AT = "Kerberos principal"


class Adding(threading.Thread):
    """An add in the background."""

    def __init__(self, club: Club, member: dict[str, Any] | None = None, who: str = "office1", key: str | None = None) -> None:
        super().__init__(daemon=True)
        self.member = member or club.member()
        self.uid = self.member["uid"]
        self.key = key
        self.events: list[dict[str, Any]] = []
        self.error: CeoError | None = None
        self._client = club.client(who)
        self._began = time.monotonic()
        self.took = 0.0
        self.start()

    def run(self) -> None:
        try:
            for event in self._client.add_member(self.member, self.key):
                self.events.append(dict(event))
        except CeoError as error:
            self.error = error
        self.took = time.monotonic() - self._began

    @property
    def last(self) -> dict[str, Any]:
        self.join(60)
        assert not self.is_alive(), "the add never ended"
        return self.events[-1] if self.events else {}


def _pid_of(program: str) -> int:
    for path in Path("/proc").glob("[0-9]*/comm"):
        try:
            if path.read_text().strip() == program:
                return int(path.parent.name)
        except OSError:
            continue
    raise AssertionError(f"no {program} runs")


def _held(club: Club, add: Adding) -> bool:
    query = ('SELECT 1 FROM steps s JOIN transactions t ON t.id = s."transaction" '
             "WHERE t.subject = ? AND t.state = 'running' AND s.name = ? AND s.state = 'intent'")
    return bool(club.journal(query, add.uid, HELD_AT))


@contextmanager
def held(club: Club, count: int = 1, *, apart: bool = False) -> Iterator[list[Adding]]:
    """`count` adds that wait for a frozen kadmind in the middle (with `apart`: in different workers); it is let go at the end."""
    kadmind = _pid_of("kadmind")
    begun = f"SELECT COUNT(*) FROM transactions WHERE subject IN ({','.join('?' * count)})"
    for _ in range(60):
        adds = [Adding(club) for _ in range(count)]
        try:
            until(lambda adds=adds: club.journal(begun, *(a.uid for a in adds))[0][0] == count or not any(a.is_alive() for a in adds), 20)  # type: ignore[misc]
            os.kill(kadmind, signal.SIGSTOP)
            time.sleep(0.15)  # let the steps before it run to where they wait
            owners = {club.transaction_of(add.uid)[2] for add in adds}
            if all(_held(club, add) for add in adds) and (not apart or len(owners) == count):
                yield adds
                return
        finally:
            os.kill(kadmind, signal.SIGCONT)
        for add in adds:
            assert add.last.get("status") in ("completed", "aborted") or isinstance(add.error, BackendDown), (add.error, add.events)
    pytest.fail("the adds could not be caught in the middle")


def _ended(club: Club, uid: str) -> str:
    state = club.transaction_of(uid)[1]
    return state if state in ("completed", "aborted") else ""


def test_a_worker_killed_in_the_middle(club: Club) -> None:
    """Its add is rolled back within 10 s without a restart; the other worker's completes."""
    with held(club, 2, apart=True) as (first, second):
        victim = club.pid_of_owner(club.transaction_of(first.uid)[2] or "")
        other = club.pid_of_owner(club.transaction_of(second.uid)[2] or "")
        assert victim != other
        kill(victim)
        killed = time.monotonic()
    assert second.last["status"] == "completed", second.last
    assert until(lambda: _ended(club, first.uid), 10) == "aborted"
    assert time.monotonic() - killed < 10
    assert first.last.get("status") != "completed"
    club.nothing(first.uid)
    club.whole(second.uid)
    assert other in club.workers()
    story = club.run_as("office1", "ceo", "transactions", "show", club.transaction_of(first.uid)[0]).stdout
    assert "aborted" in story and "undone" in story and "ceod ended in the middle" in story


def test_the_whole_ceod_killed_in_the_middle(club: Club) -> None:
    with held(club, 1) as (add,):
        club.service(ADMIN, "kill", "ceod")
        assert add.last.get("status") != "completed"
    club.service(ADMIN, "start", "ceod")
    assert until(lambda: _ended(club, add.uid), 20) == "aborted"
    club.nothing(add.uid)


@pytest.mark.parametrize("how", ["TERM", "HUP"])
def test_stopping_waits_for_an_add_whose_client_has_left(club: Club, how: str) -> None:
    with held(club, 1) as (add,):
        old = club.workers()
        client = subprocess.run(["ss", "-K", "dst", "192.0.2.2", "dport", "=", "9987"], capture_output=True, check=False)
        assert client.returncode == 0, client
        if how == "HUP":
            club.service(ADMIN, "signal", "ceod", signal="HUP")
            stopping = None
        else:
            stopping = threading.Thread(target=club.service, args=(ADMIN, "stop", "ceod"))
            stopping.start()
        time.sleep(0.5)
    assert until(lambda: _ended(club, add.uid), 20) == "completed"
    if stopping:
        stopping.join(60)
        club.service(ADMIN, "start", "ceod")
    until(lambda: len(club.workers()) == 2 and not club.workers() & old, 30, "new workers")
    club.whole(add.uid)


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


def test_the_same_key_after_a_crash_behind_the_commit(club: Club) -> None:
    member, key = club.member(), str(uuid.uuid4())
    with club.frozen("mail", "smtp"):
        add = Adding(club, member, key=key)
        owner = until(lambda: next((o for _, state, o in [club.transaction_of(member["uid"])] if state == "committed"), None))
        assert owner
        kill(club.pid_of_owner(owner))
    assert add.last.get("status") != "completed"
    *_, last = club.client("office1").add_member(member, key)
    assert last["status"] == "completed"
    assert last["result"]["temporary_password"] is None and last["result"]["temporary_password_lost"] is True
    until(lambda: club.mails(f"{member['uid']}@csclub.internal"), 30)
    club.whole(member["uid"])
    *_, reset = club.client("office1").reset_password(member["uid"])
    assert reset["result"]["temporary_password"]
    until(lambda: len(club.workers()) == 2, 20)


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
    """Another ceod of role admin on the admin host, with a journal of its own, on port 9988."""
    port = 9988
    text = (host_place(ADMIN) / "csc/ceod.toml").read_text().replace("/var/lib/ceod", str(tmp_path / "state"))
    config = tmp_path / "ceod.toml"
    config.write_text(text)
    config.chmod(0o600)
    entry = shell.resolve(club.state, f"root@{ADMIN}")
    entry.environment["CEOD_CONFIG"] = str(config)
    log = (tmp_path / "log").open("w")
    # Only where it listens differs: `port` in its configuration is the one that its peers answer on.
    argv = [str(PYTHON), "-m", "gunicorn", "--config", "/etc/csc/gunicorn.conf.py", "--bind", f"0.0.0.0:{port}", "--pid", str(tmp_path / "pid")]
    process = subprocess.Popen(shell.command(club.state, entry, argv, folder="/"), stdout=log, stderr=log)
    until(lambda: club.curl(None, "/health", url=f"https://phosphoric-acid.csclub.internal:{port}/api")[0] == 200 if _listens(port) else False, 20)
    yield port
    # The process here is nsenter, which would leave gunicorn behind: so gunicorn is told, and nsenter waits for it.
    subprocess.run(shell.command(club.state, entry, ["sh", "-c", f"kill $(cat {tmp_path}/pid)"]), check=True)
    assert process.wait(60) == 0
    assert not _listens(port)
    log.close()


def _listens(port: int) -> bool:
    import socket

    try:
        socket.create_connection(("192.0.2.2", port), 1).close()
    except OSError:
        return False
    return True


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


def _refuses_to_start(club: Club, **environment: str) -> str:
    entry = shell.resolve(club.state, f"root@{ADMIN}")
    entry.environment |= environment
    argv = ["timeout", "20", str(PYTHON), "-m", "gunicorn", "--config", "/etc/csc/gunicorn.conf.py", "--bind", "127.0.0.1:9999"]
    done = subprocess.run(shell.command(club.state, entry, argv, folder="/"), capture_output=True, text=True, check=False)
    assert done.returncode not in (0, 124), done
    return done.stderr


def test_a_counter_that_fell_behind_keeps_ceod_from_starting(club: Club) -> None:
    counter = "cn=members,ou=UidCounters,dc=csclub,dc=internal"
    ((_, entry),) = club.entries("(cn=members)").items()
    change = f"dn: {counter}\nchangetype: modify\nreplace: uidNumber\nuidNumber: %s\n"
    assert club.run_as("ctdalek", "ldapmodify", "-Q", text=change % "20001").returncode == 0
    try:
        assert "set it to" in _refuses_to_start(club)
    finally:
        assert club.run_as("ctdalek", "ldapmodify", "-Q", text=change % entry["uidNumber"][0].decode()).returncode == 0


def test_without_a_replay_cache_ceod_does_not_start(club: Club) -> None:
    assert "KRB5RCACHENAME" in _refuses_to_start(club, KRB5RCACHENAME="none:")


def test_the_journal_deleted(club: Club) -> None:
    """The next number stands in the directory: it only grows."""
    before = club.add()["result"]["uid_number"]
    club.service(ADMIN, "stop", "ceod")
    for path in (host_place(ADMIN) / "ceod").glob("journal.db*"):
        path.unlink()
    club.service(ADMIN, "start", "ceod")
    assert club.add()["result"]["uid_number"] > before


@pytest.mark.parametrize(("program", "service", "backend"), [("slapd", "slapd", "ldap"), ("krb5kdc", "krb5kdc", "kdc"), ("kadmind", "kadmind", "kadmind")])
def test_a_frozen_server(club: Club, program: str, service: str, backend: str) -> None:
    """Health on the same worker within a second, a typed answer within 30 s, and no half account within 60 s of its return."""
    uids = [club.name() for _ in range(4)]
    club.client("regular1").whoami()  # its service ticket is in the cache, as at any desk
    club.client("office1").whoami()
    # Our client needs the KDC itself, to forward a ticket; who sends one in the header makes ceod ask it.
    headed, token = club.member(), fresh_token(club, "office1")
    cred = base64.b64encode(tickets.forward(club.ccache("office1"))).decode()
    with club.frozen(ADMIN, service), ThreadPoolExecutor(1) as pool, requests.Session() as session:
        session.verify, session.trust_env = CA, False
        answer = pool.submit(send, session, "POST", "/members", token, headed, **{"X-KRB5-CRED": cred})
        victims = [Adding(club, club.member(uid)) for uid in uids]
        time.sleep(0.5)
        for _ in range(6):  # both workers, most likely
            began = time.monotonic()
            told = club.client("regular1").health("phosphoric-acid.csclub.internal")
            assert time.monotonic() - began < 2
            if backend != "kdc":
                assert not told["backends"][backend]["up"]
        for victim in victims:
            victim.join(30)
            assert not victim.is_alive(), "no answer within 30 s"
            assert victim.took < 30
            told_error = victim.last.get("error") if victim.events else victim.error and victim.error.as_json()
            if victim.last.get("status") != "completed":
                assert told_error and told_error.get("backend") == backend, (victim.error, victim.events)
        refused = answer.result(30)
        assert (refused.status_code, refused.json()["backend"]) == (503, backend), refused.text
    thawed = time.monotonic()
    for victim in victims:
        until(lambda victim=victim: club.transaction_of(victim.uid)[1] in ("completed", "aborted", ""), 60)  # type: ignore[misc]
    time.sleep(1)  # what a server was told late would show now
    assert time.monotonic() - thawed < 60
    for victim in victims:
        if victim.last.get("status") == "completed":
            club.whole(victim.uid)
        else:
            club.nothing(victim.uid)
    club.nothing(headed["uid"])


def test_kadmind_frozen_in_the_middle(club: Club) -> None:
    """The answer names kadmind; what it was told late is looked for again and undone."""
    with held(club, 1) as (add,):
        last = add.last
        assert last["status"] == "aborted" and last["error"]["backend"] == "kadmind", last
        assert HELD_AT in last["undoing"]
        assert add.took < 30
        status, (told,) = club.post("ctdalek", club.member(add.uid))
        assert (status, told["code"]) in ((409, "in_recovery"), (503, "backend_down"))
    assert until(lambda: _ended(club, add.uid), 60) == "aborted"
    club.nothing(add.uid)
    club.settled()


def test_no_password_is_anywhere(club: Club) -> None:
    """A canary: the passwords that were generated stand in no journal, WAL, log, mail, argv or environment."""
    passwords = [club.add()["result"]["temporary_password"] for _ in range(3)]
    uid = club.name()
    passwords.append(club.add(uid=uid)["result"]["temporary_password"])
    *_, last = club.client("ctdalek").reset_password(uid)
    passwords.append(last["result"]["temporary_password"])
    places = [*(host_place(ADMIN) / "ceod").rglob("*"), *OUTSIDE.rglob("*.eml"), *(OUTSIDE / "log").iterdir()]
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
        if line.startswith("{"):
            assert {"time", "level", "logger", "message"} <= set(json.loads(line))
        else:
            assert line.startswith("["), line  # gunicorn's own words
        assert "\x1b" not in line


def test_the_audit_chain(club: Club) -> None:
    from ceod.transaction.journal import Journal

    last = club.add()
    rows = [json.loads(row) for (row,) in club.journal("SELECT row FROM audit ORDER BY n")]
    mine = [row for row in rows if row.get("transaction") == last["transaction"]]
    assert [(row["who"], row["what"], row["outcome"], row["remote"]) for row in mine] == [("office1", "add_member", "completed", "192.0.2.1")]
    journal = Journal(host_place(ADMIN) / "ceod")
    assert journal.audit_breaks_at() is None
    journal.close()


def test_development_lines_of_2021_on_each_host(club: Club) -> None:
    """kadmin, addprinc, ktadd, flask run; and on mail: mailman create."""
    script = """set -e
printf 'krb5\\n' | kadmin -p sysadmin/admin -q 'addprinc -randkey test/phosphoric-acid.csclub.internal' >/dev/null
printf 'krb5\\n' | kadmin -p sysadmin/admin -q 'ktadd -k /tmp/test.keytab test/phosphoric-acid.csclub.internal' >/dev/null
klist -k /tmp/test.keytab | grep -c test/phosphoric-acid
rm /tmp/test.keytab
export FLASK_APP=ceod.api
export FLASK_ENV=development
flask run -h 0.0.0.0 -p 9987 >/tmp/flask.log 2>&1 &
for i in $(seq 100); do curl -s http://phosphoric-acid:9987/api/health && break; sleep 0.1; done
kill %1; wait %1 || true
"""
    entry = shell.resolve(club.state, f"root@{ADMIN}")
    club.service(ADMIN, "stop", "ceod")
    try:
        done = subprocess.run(shell.command(club.state, entry, ["bash", "-c", script], folder=str(CHECKOUT)), capture_output=True, text=True, check=False)
    finally:
        club.service(ADMIN, "start", "ceod")
    assert done.returncode == 0, done
    assert '"up":true' in done.stdout.replace(" ", "") and done.stdout.startswith("1")
    made = club.run_as("root", "/opt/mailman3/bin/mailman", "create", "new_list_name@csclub.internal", host="mail")
    assert made.returncode == 0, made
    assert "new_list_name@csclub.internal" in club.run_as("root", "mailman", "lists", host="mail").stdout
