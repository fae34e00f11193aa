"""The servers behind ceod frozen, stopped and cut off: what people are told meanwhile, and what is there afterwards."""

from __future__ import annotations

import base64
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from ceo_common.krb5 import tickets
from sandbox.club import PASSWORD, REALM
from tests.club.adds import HELD_AT, Adding, ended, held
from tests.club.club import ADMIN, CA, Club, until
from tests.club.tokens import fresh_token, send


@pytest.mark.parametrize(("program", "service", "backend"), [("slapd", "slapd", "ldap"), ("krb5kdc", "krb5kdc", "kdc"), ("kadmind", "kadmind", "kadmind")])
def test_a_frozen_server(club: Club, program: str, service: str, backend: str) -> None:
    """Health on the same worker within a second, a typed answer within 30 s, and no half account within 60 s of its return."""
    # Two writes of a person run at once in a worker: with the one below it, each waits for one other.
    uids = [club.name() for _ in range(3)]
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
    assert until(lambda: ended(club, add.uid), 60) == "aborted"
    club.nothing(add.uid)
    club.settled()


def test_waiting_for_the_kdc_lets_other_threads_run(club: Club) -> None:
    """The GIL is released: a counter goes on while a ticket is asked of a frozen KDC."""
    counted, over = [0], threading.Event()

    def count() -> None:
        while not over.is_set():
            counted[0] += 1
            over.wait(0.001)

    threading.Thread(target=count, daemon=True).start()
    asked = threading.Thread(target=lambda: tickets.initial(f"ctdalek@{REALM}", PASSWORD, "MEMORY:gil"), daemon=True)
    with club.frozen("phosphoric-acid", "krb5kdc"):
        asked.start()
        before = counted[0]
        asked.join(0.5)
        assert counted[0] - before > 50
    asked.join(30)
    over.set()


def test_a_host_that_is_down_is_named(club: Club) -> None:
    club.state.call("desk", do="cut", host="coffee")
    try:
        done = club.run_as("office1", "ceo", "transactions", "list")
    finally:
        club.state.call("desk", do="join", host="coffee")
    assert done.returncode == 0 and "coffee.csclub.internal did not answer" in done.stderr


def test_a_deletion_while_the_mail_host_is_away_leaves_the_lists_later(club: Club) -> None:
    uid, syscom = club.add()["result"]["uid"], club.client("ctdalek")
    club.service("mail", "stop", "ceod")
    try:
        *_, last = syscom.delete_member(uid)
        assert last["status"] == "completed" and last["waiting"] == ["mailing lists"]
        assert not os.path.exists(f"/users/{uid}") and club.on_list(uid)
    finally:
        club.service("mail", "start", "ceod")
    syscom.resume("phosphoric-acid.csclub.internal", last["transaction"])
    until(lambda: not club.on_list(uid), 20, "the list left")
    club.done(syscom.restore_member(uid))
    assert club.on_list(uid)


def test_a_silent_mail_server_is_waited_for_once_and_no_mail_is_lost(club: Club) -> None:
    """Each worker waits for its greeting once; the sign-ups after that leave their mails to recovery."""
    uids, took = [club.name() for _ in range(6)], []
    with club.frozen("mail", "smtp"):
        for uid in uids:
            began = time.monotonic()
            *_, last = club.client("office1").add_member(club.member(uid))
            took.append(time.monotonic() - began)
            assert last["status"] == "completed"
            assert last["waiting"] == ["welcome mail", "announcement"]
    slow = [seconds for seconds in took if seconds > 3]
    assert 1 <= len(slow) <= len(club.workers()), took
    assert max(took) < 8, "it is the greeting that is waited for, not the end of the mail"
    until(
        lambda: all(club.mails(f"{uid}@csclub.internal") for uid in uids), 90, "the welcome mails"
    )
    committee = "".join(club.mails("syscom@csclub.internal"))
    until(
        lambda: all(uid in "".join(club.mails("syscom@csclub.internal")) for uid in uids),
        60,
        committee[-200:],
    )
    for uid in uids:
        club.whole(uid)
    until(
        lambda: all(not club.add()["waiting"] for _ in range(4)),
        60,
        "both workers ask the mail server again",
    )
