"""ceod killed, stopped, drained, robbed of its journal, and kept from starting."""

from __future__ import annotations

import subprocess
import threading
import time
import uuid

import pytest
import requests

from sandbox import shell
from tests.club.adds import Adding, ended, held
from tests.club.attackers import ALL, under_attack
from tests.club.club import ADMIN, CA, CHECKOUT, PYTHON, Club, kill, until
from tests.club.tokens import fresh_token, send


def test_a_worker_killed_in_the_middle(club: Club) -> None:
    """Its add is rolled back within 10 s without a restart; the other worker's completes."""
    with held(club, 2, apart=True) as (first, second):
        victim = club.pid_of_owner(club.transaction_of(first.uid)[2] or "")
        other = club.pid_of_owner(club.transaction_of(second.uid)[2] or "")
        assert victim != other
        kill(victim)
        killed = time.monotonic()
    assert second.last["status"] == "completed", second.last
    assert until(lambda: ended(club, first.uid), 10) == "aborted"
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
    assert until(lambda: ended(club, add.uid), 20) == "aborted"
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
    assert until(lambda: ended(club, add.uid), 20) == "completed"
    if stopping:
        stopping.join(60)
        club.service(ADMIN, "start", "ceod")
    until(lambda: len(club.workers()) == 2 and not club.workers() & old, 30, "new workers")
    club.whole(add.uid)


@pytest.mark.parametrize("how", ["TERM", "HUP"])
def test_stopping_under_attack_ends_and_loses_no_transaction(club: Club, how: str) -> None:
    """Whoever never finishes is not waited for; whose sign-up runs hears its end."""
    with under_attack({kind: 70 for kind in ALL}), held(club, 1) as (add,):
        old = club.workers()
        if how == "HUP":
            club.service(ADMIN, "signal", "ceod", signal="HUP")
        else:
            stopping = threading.Thread(target=club.service, args=(ADMIN, "stop", "ceod"))
            stopping.start()
    assert add.last["status"] == "completed"
    if how == "TERM":
        stopping.join(30)
        assert not stopping.is_alive()
        assert "worker was sent SIGKILL" not in club.log(f"{ADMIN}.ceod")
        club.service(ADMIN, "start", "ceod")
    until(lambda: len(club.workers()) == 2 and not club.workers() & old, 30, "new workers")
    club.whole(add.uid)


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


def test_a_replayed_token_after_a_restart(club: Club, session: requests.Session) -> None:
    token = fresh_token(club, "office1")
    assert send(session, "GET", "/whoami", token).status_code == 200
    club.service("phosphoric-acid", "stop", "ceod")
    club.service("phosphoric-acid", "start", "ceod")
    with requests.Session() as own:
        own.verify, own.trust_env = CA, False
        assert send(own, "GET", "/whoami", token).status_code == 401


def _refuses_to_start(club: Club, **environment: str) -> str:
    entry = shell.resolve(club.state, f"root@{ADMIN}")
    entry.environment |= environment
    argv = ["timeout", "20", str(PYTHON), "-m", "gunicorn", "--config", "/etc/csc/gunicorn.conf.py", "--bind", "127.0.0.1:9999"]
    done = subprocess.run(shell.command(club.state, entry, argv, folder="/"), capture_output=True, text=True, check=False)
    assert done.returncode not in (0, 124), done
    return done.stderr


def test_a_counter_that_fell_behind_keeps_ceod_from_starting(club: Club) -> None:
    given = club.add()["result"]["uid_number"]
    counter = "cn=members,ou=UidCounters,dc=csclub,dc=internal"
    ((_, entry),) = club.entries("(cn=members)").items()
    change = f"dn: {counter}\nchangetype: modify\nreplace: uidNumber\nuidNumber: %s\n"
    assert club.run_as("ctdalek", "ldapmodify", "-Q", text=change % "20001").returncode == 0
    try:
        assert f"{given} was given already: set it to {given + 1} or above" in _refuses_to_start(
            club
        )
    finally:
        assert club.run_as("ctdalek", "ldapmodify", "-Q", text=change % entry["uidNumber"][0].decode()).returncode == 0


def test_without_a_replay_cache_ceod_does_not_start(club: Club) -> None:
    assert "KRB5RCACHENAME" in _refuses_to_start(club, KRB5RCACHENAME="none:")


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
