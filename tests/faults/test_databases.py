"""The database servers, Mailman and the admin host's ceod lost in the middle of an operation: who is told what, in what time, and what is
there when they are back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ceo_common.errors import BackendDown, CeoError, OutcomeUnknown
from ceo_common.events import Event
from ceod.operations.create_database import KINDS, Kind
from ceod.transaction.engine import SETTLE_S
from sandbox.club import host_place
from tests.club import databases
from tests.club.club import Club, kill, until

SERVERS: dict[Kind, str] = {"mysql": "mariadb", "postgresql": "postgresql"}
SECOND: dict[Kind, str] = {"mysql": "MySQL user", "postgresql": "PostgreSQL database"}
COFFEE, ADMIN = "coffee.csclub.internal", "phosphoric-acid.csclub.internal"


def _told(call: Callable[[], Any]) -> tuple[Any, float]:
    """The last event, the answer or the error, and after how many seconds."""
    began = time.monotonic()
    try:
        found = call()
        *_, last = found if not isinstance(found, dict) else (found,)
    except CeoError as error:
        return error, time.monotonic() - began
    return last, time.monotonic() - began


def _up(club: Club, host: str, backend: str) -> None:
    until(lambda: club.client("ctdalek").health(host)["backends"][backend]["up"], 30, f"{backend} up again")


def _step_of(club: Club, uid: str) -> dict[str, str]:
    query = 'SELECT s.name, s.state FROM steps s JOIN transactions t ON t.id = s."transaction" WHERE t.subject = ?'
    return dict(club.journal(query, uid, state_dir=host_place("coffee") / "ceod"))


def _is_under_way(club: Club, uid: str, step: str) -> bool:
    return _step_of(club, uid).get(step) == "intent"


def _is_undone(club: Club, uid: str) -> bool:
    return set(_step_of(club, uid).values()) <= {"undone", "not_ours"}


def _lose(club: Club, how: str, server: str) -> None:
    if how == "frozen":
        club.service("coffee", "signal", server, signal="STOP", group=True)
    elif how == "killed":
        club.service("coffee", "kill", server)
    else:  # as systemd would: PostgreSQL's fast end, which waits for nobody
        club.service("coffee", "signal", server, signal="INT" if server == "postgresql" else "TERM")


def _give_back(club: Club, how: str, server: str) -> None:
    if how == "frozen":
        club.service("coffee", "signal", server, signal="CONT", group=True)
        return
    until(lambda: not club.state.call("coffee", do="status")["services"][server], 20, f"{server} ended")
    club.service("coffee", "start", server)


@pytest.mark.parametrize("how", ["stopped", "frozen", "killed"])
def test_a_database_server_lost_in_the_middle_of_a_statement(club: Club, how: str) -> None:
    """The first step is done, the second is under way inside the server.  Both servers at once, to save time."""
    syscom, uids = club.client("ctdalek"), {kind: club.add()["result"]["uid"] for kind in KINDS}
    before = {kind: databases.catalogue(club, kind) for kind in KINDS}
    with ThreadPoolExecutor(2) as pool, ExitStack() as locks:
        for kind in KINDS:
            locks.enter_context(databases.second_step_waits(club, kind))
        asked = {kind: pool.submit(_told, partial(syscom.create_database, kind, uids[kind])) for kind in KINDS}
        for kind in KINDS:
            until(partial(_is_under_way, club, uids[kind], SECOND[kind]), 10, f"{kind} in the middle")
            _lose(club, how, SERVERS[kind])
        told = {kind: each.result(30) for kind, each in asked.items()}
        asked = {kind: pool.submit(_told, partial(syscom.create_database, kind, "ctdalek")) for kind in KINDS}
        refused = {kind: each.result(30) for kind, each in asked.items()}
        for kind in KINDS:
            _give_back(club, how, SERVERS[kind])
    for kind in KINDS:
        last, took = told[kind]
        assert took < 25 and last["status"] == "aborted" and last["error"]["backend"] == kind, (kind, last, took)
        error, took = refused[kind]
        assert took < 8 and isinstance(error, BackendDown) and error.backend == kind, (kind, error, took)
        _up(club, COFFEE, kind)
    for kind, uid in uids.items():
        until(partial(_is_undone, club, uid), 40, f"{kind} undone")
        assert databases.catalogue(club, kind) == before[kind]
    for kind, uid in uids.items():
        password = until(partial(_again, club, partial(syscom.create_database, kind, uid)), 40, f"{kind} free again")
        assert databases.query(club, kind, uid, password, "SELECT 1").stdout.strip() == "1"


def test_a_database_server_frozen_in_the_middle_of_a_reset(club: Club) -> None:
    """Which password works nobody can say; that of another reset does.  Both servers at once."""
    syscom, uids = club.client("ctdalek"), {kind: club.add()["result"]["uid"] for kind in KINDS}
    first = {kind: club.done(syscom.create_database(kind, uid))["password"] for kind, uid in uids.items()}
    with ThreadPoolExecutor(2) as pool, ExitStack() as locks:
        for kind in KINDS:
            locks.enter_context(databases.password_waits(club, kind))
        asked = {kind: pool.submit(_told, partial(syscom.reset_database, kind, uids[kind])) for kind in KINDS}
        for kind in KINDS:
            until(partial(_is_under_way, club, uids[kind], "password"), 10, f"{kind} in the middle")
            _lose(club, "frozen", SERVERS[kind])
        told = {kind: each.result(30) for kind, each in asked.items()}
        for kind in KINDS:
            _give_back(club, "frozen", SERVERS[kind])
    for kind, uid in uids.items():
        last, took = told[kind]
        assert took < 15 and last["status"] == "aborted" and last["error"]["backend"] == kind, (last, took)
        assert f"whether the old password still works is not known, so ask again: ceo {kind} pwreset {uid}" in last["error"]["error"], last
    for kind, uid in uids.items():
        password = until(partial(_again, club, partial(syscom.reset_database, kind, uid)), 40, f"{kind} free again")
        assert databases.query(club, kind, uid, password, "SELECT 1").stdout.strip() == "1"
        assert databases.query(club, kind, uid, first[kind], "SELECT 1").returncode != 0


def test_a_worker_killed_while_its_statements_wait_for_a_lock(club: Club) -> None:
    """They wait on in the servers, but not beyond recovery's last look.  Both servers at once."""
    uids = {kind: club.add()["result"]["uid"] for kind in KINDS}
    before = {kind: databases.catalogue(club, kind) for kind in KINDS}
    with ThreadPoolExecutor(2) as pool, ExitStack() as locks:
        for kind in KINDS:
            locks.enter_context(databases.second_step_waits(club, kind))
        asked = [pool.submit(_told, partial(club.client("ctdalek").create_database, kind, uid)) for kind, uid in uids.items()]
        for kind, uid in uids.items():
            until(partial(_is_under_way, club, uid, SECOND[kind]), 10, f"{kind} in the middle")
        query = "SELECT DISTINCT owner FROM transactions WHERE subject IN (?, ?)"
        owners = club.journal(query, *uids.values(), state_dir=host_place("coffee") / "ceod")
        for worker in {club.pid_of_owner(owner) for (owner,) in owners}:
            kill(worker)
        time.sleep(1 + SETTLE_S)  # as long as recovery takes to look twice
        told = [each.result(30)[0] for each in asked]
    for kind, uid in uids.items():
        until(partial(_is_undone, club, uid), 40, f"{kind} undone")
    assert all(isinstance(error, OutcomeUnknown) or error["status"] == "aborted" for error in told), told
    assert {kind: databases.catalogue(club, kind) for kind in KINDS} == before


def _again(club: Club, ask: Callable[[], Iterator[Event]]) -> str:
    """The password of what is created or reset now; empty while the earlier one is still being undone."""
    try:
        return str(club.done(ask())["password"])
    except CeoError as error:
        assert error.code in ("busy", "in_recovery"), error
        return ""


@pytest.mark.parametrize("how", ["frozen", "killed"])
def test_the_admin_host_lost_while_the_info_file_is_written(club: Club, how: str) -> None:
    """The database stands, its password is shown, and the result says that the file is not there and what to do."""
    uid = club.add()["result"]["uid"]
    with ThreadPoolExecutor(1) as pool:
        club.service("phosphoric-acid", "signal", "ceod", signal="STOP", group=True)
        try:
            asked = pool.submit(_told, lambda: club.client("ctdalek").create_database("mysql", uid))
            until(lambda: _step_of(club, uid).get("MySQL user") == "done" and _step_of(club, uid).get("info file"), 10, "the info file's turn")
            if how == "killed":
                time.sleep(0.3)  # the request is on its way
                club.service("phosphoric-acid", "kill", "ceod")
            last, took = asked.result(30)
        finally:
            if how == "frozen":
                club.service("phosphoric-acid", "signal", "ceod", signal="CONT", group=True)
            else:
                club.service("phosphoric-acid", "start", "ceod")
    club.settled()
    assert took < 25 and last["status"] == "completed" and not last["result"]["password_lost"], last
    assert last["result"]["info_file"] is None and ADMIN in last["result"]["warnings"][0] and f"ceo mysql pwreset {uid}" in last["result"]["warnings"][0]
    assert databases.query(club, "mysql", uid, last["result"]["password"], "SELECT 1").stdout.strip() == "1"
    second = club.done(club.client("ctdalek").reset_database("mysql", uid))
    assert second["password"] in Path(f"/users/{uid}/ceo-mysql-info").read_text()


@pytest.mark.parametrize("how", ["stopped", "frozen", "killed"])
def test_mailman_lost_in_the_middle(club: Club, how: str) -> None:
    """A subscription ends with its name in time; an account that is made meanwhile stands, and is subscribed when Mailman is back."""
    one, two = club.add()["result"]["uid"], club.name()
    with ThreadPoolExecutor(2) as pool:
        if how == "stopped":
            club.service("mail", "stop", "mailman")
        else:
            club.service("mail", "signal", "mailman", signal="STOP", group=True)
        try:
            asked = pool.submit(_told, lambda: club.client("office1").subscribe("events", one))
            added = pool.submit(club.add, uid=two)
            time.sleep(0.5)
            if how == "killed":
                club.service("mail", "kill", "mailman")
            error, took = asked.result(30)
            last = added.result(40)
        finally:
            if how == "frozen":
                club.service("mail", "signal", "mailman", signal="CONT", group=True)
            else:
                club.service("mail", "start", "mailman")
    assert isinstance(error, BackendDown) and error.backend == "mailman" and took < 15, (error, took)
    assert last["waiting"] == ["mailing list"] and not last["result"]["temporary_password_lost"]
    _up(club, "mail.csclub.internal", "mailman")
    until(lambda: _resumed(club, last["transaction"], two), 30, "the subscription")
    club.whole(two)
    assert not club.on_list(one, "events")  # what was told of as not done is not done late
    assert club.client("office1").subscribe("events", one)["subscribed"] and club.on_list(one, "events")


def _resumed(club: Club, transaction: str, uid: str) -> bool:
    try:
        club.client("office1").resume(ADMIN, transaction)
    except CeoError as error:
        assert error.code == "wrong_state", error
    return club.on_list(uid)
