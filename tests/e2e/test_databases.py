"""Databases of members and clubs: who may, what the account can do with the password, and what nobody can."""

from __future__ import annotations

import json
import os
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ceo_common.errors import CeoError, Deleted, Exists, Forbidden, Invalid, LeftBehind, NotFound, WrongState
from ceod.operations.create_database import KINDS, Kind
from sandbox.club import BASE_DN, OUTSIDE, PYTHON, SRV, host_place
from tests.club.club import Club, by_both_workers
from tests.club.databases import as_root, catalogue, query


def _catalogue(club: Club) -> dict[Kind, list[str]]:
    """Everything that the servers know."""
    return {kind: catalogue(club, kind) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_the_owner_creates_uses_and_resets_it(club: Club, kind: Kind) -> None:
    uid = club.add()["result"]["uid"]
    result = club.done(club.client("ctdalek").create_database(kind, uid))
    first = result["password"]
    assert len(first) >= 20 and not result["password_lost"] and result["warnings"] == []
    done = query(club, kind, uid, first, "CREATE TABLE t (a int); INSERT INTO t VALUES (42); SELECT a FROM t")
    assert done.stdout.split()[-1] == "42", done
    path = Path(f"/users/{uid}/ceo-{kind}-info")
    assert result["info_file"] == str(path) and first in path.read_text()
    assert (stat.S_IMODE(path.stat().st_mode), path.stat().st_uid) == (0o600, Path(f"/users/{uid}").stat().st_uid)
    with pytest.raises(Exists, match=f"ceo {kind} pwreset {uid}"):
        list(club.client("ctdalek").create_database(kind, uid))

    second = club.done(club.client("ctdalek").reset_database(kind, uid))["password"]
    assert second != first and query(club, kind, uid, first, "SELECT 1").returncode != 0
    assert query(club, kind, uid, second, "SELECT a FROM t").stdout.split() == ["42"]
    assert second in path.read_text() and first in path.with_name(f"{path.name}.old").read_text()
    assert stat.S_IMODE(path.with_name(f"{path.name}.old").stat().st_mode) == 0o600
    assert club.client("ctdalek").databases(uid) == {
        "uid": uid,
        "mysql": kind == "mysql",
        "postgresql": kind == "postgresql",
        "unlimited": [],
    }


_CONNECT = """if True:
    import json, sys
    import psycopg2, pymysql
    kind, accounts = json.load(sys.stdin)
    def connect(uid):
        if kind == "mysql":
            return pymysql.connect(unix_socket="/run/mysqld/mysqld.sock", user=uid, password=accounts[uid], database=uid)
        return psycopg2.connect(host="127.0.0.1", user=uid, password=accounts[uid], dbname=uid)
    greedy, other = accounts
    held = [connect(greedy) for _ in range(10)]
    try:
        connect(greedy)
        print("an eleventh")
    except (pymysql.MySQLError, psycopg2.Error) as error:
        print("refused", " ".join(str(error).split()))
    connect(other).close()
    print("others are served")
    held.pop().close()
    for _ in range(100):  # the server notices the end a moment later
        try:
            connect(greedy)
            print("again")
            break
        except (pymysql.MySQLError, psycopg2.Error):
            pass
"""


@pytest.mark.parametrize("kind", KINDS)
def test_an_account_has_ten_connections_and_takes_none_from_others(club: Club, kind: Kind) -> None:
    """In the version before, one account could have all that MariaDB has."""
    syscom, uids = club.client("ctdalek"), [club.add()["result"]["uid"] for _ in range(2)]
    accounts = {uid: club.done(syscom.create_database(kind, uid))["password"] for uid in uids}
    # As an account has it that was made before; a reset of its password sets the limit.
    unlimited = (
        "USER {}@localhost WITH MAX_USER_CONNECTIONS 0"
        if kind == "mysql"
        else "ROLE {} CONNECTION LIMIT -1"
    )
    as_root(club, kind, f"ALTER {unlimited.format(uids[0])}")
    (problem,) = [finding for finding in syscom.examine(uids[0]) if finding["state"] == "problem"]
    assert "limits its connections to no number" in problem["found"]
    accounts[uids[0]] = club.done(syscom.reset_database(kind, uids[0]))["password"]
    assert not [finding for finding in syscom.examine(uids[0]) if finding["state"] == "problem"]
    done = club.run_as(
        "root",
        str(PYTHON),
        "-W",
        "ignore",
        "-c",
        _CONNECT,
        text=json.dumps([kind, accounts]),
        host="coffee",
    )
    refused, *rest = done.stdout.splitlines()
    assert refused.startswith("refused"), done
    assert (
        "max_user_connections" if kind == "mysql" else "too many connections for role"
    ) in refused
    assert rest == ["others are served", "again"], done


def test_who_may(club: Club) -> None:
    club.done(club.client("regular1").create_database("mysql", "regular1"))
    for who in ("office1", "rep1"):
        with pytest.raises(Forbidden, match="Only the account's owner, the club's own members and the systems committee may create a database"):
            list(club.client(who).create_database("postgresql", "regular1"))
    # rep1 is in the group of the club: theirs is the club's database too.
    club.done(club.client("rep1").create_database("postgresql", "go-club"))
    with pytest.raises(Forbidden):
        list(club.client("regular1").reset_database("postgresql", "go-club"))
    with pytest.raises(NotFound, match="has no MySQL database yet: ceo mysql create go-club"):
        list(club.client("rep1").reset_database("mysql", "go-club"))
    with pytest.raises(NotFound, match="there is no account"):
        list(club.client("ctdalek").create_database("mysql", "nobody-here"))


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_reaches_anothers_although_the_names_are_alike(club: Club, kind: Kind) -> None:
    """_ and % are wildcards in MySQL's GRANT: a_b would reach axb."""
    stem = club.name()
    one, other = f"{stem}_b", f"{stem}xb"
    passwords = {}
    for uid in (one, other):
        club.add(uid=uid)
        passwords[uid] = club.done(club.client("ctdalek").create_database(kind, uid))["password"]
    for uid, foreign in ((one, other), (other, one)):
        assert query(club, kind, uid, passwords[uid], "SELECT 1", foreign).returncode != 0
        assert query(club, kind, uid, passwords[uid], "SELECT 1", "mysql" if kind == "mysql" else "postgres").returncode != 0
        for text in ("CREATE DATABASE evil", "GRANT ALL PRIVILEGES ON *.* TO evil" if kind == "mysql" else "CREATE ROLE evil"):
            assert query(club, kind, uid, passwords[uid], text).returncode != 0, text
    if kind == "mysql":
        assert set(query(club, kind, one, passwords[one], "SHOW DATABASES").stdout.split()) == {"information_schema", one}


@pytest.mark.parametrize("uid", ["a-b", "select"])
def test_names_that_need_quotes(club: Club, uid: str) -> None:
    club.add(uid=uid)
    for kind in KINDS:
        club.done(club.client("ctdalek").create_database(kind, uid))
        password = club.done(club.client("ctdalek").reset_database(kind, uid))["password"]
        assert query(club, kind, uid, password, "CREATE TABLE t (a int); SELECT 1").stdout.split()[-1] == "1"


HOSTILE = ["a`b", "a'b", 'a"b', "a\\", "a\\'b", "a;drop", "a--b", "/*a*/", "%", "_", "%s", "%(x)s", "{}", "$1", "../x", "a b", "ａｂｃ", "x" * 63]


def test_hostile_names_are_names_alone_to_both_servers(club: Club) -> None:
    """Past the routes, which know no such account: what the services are given, they make, change and drop, and nothing else."""
    before = _catalogue(club)
    code = """if True:
        import json, sys
        from ceo_common.config import load_daemon
        from ceod.services.mysql import MySql
        from ceod.services.postgresql import PostgreSql
        config, told = load_daemon(), []
        mysql, postgresql = MySql(config.mysql), PostgreSql(config.postgresql)
        for name in json.load(sys.stdin):
            mysql.create_database(name, name)
            mysql.create_user(name, "a-password")
            postgresql.create_role(name, "a-password", name)
            postgresql.create_database(name)
            for server in (mysql, postgresql):
                server.set_password(name, "another")
                told.append([name, name in server.names(), sorted(server.parts(name))])
            dropped = [drop(name, mark) for mark in ("x" + name, name) for drop in (
                mysql.drop_user_if, mysql.drop_database_if, postgresql.drop_database_if, postgresql.drop_role_if)]
            told.append([name, dropped, [sorted(server.parts(name)) for server in (mysql, postgresql)]])
        print(json.dumps(told))
    """
    done = club.run_as("root", str(PYTHON), "-W", "ignore", "-c", code, text=json.dumps(HOSTILE), host="coffee")
    assert done.returncode == 0, done
    assert json.loads(done.stdout) == [row for name in HOSTILE for row in (
        [name, True, ["database", "user"]], [name, True, ["database", "role"]], [name, [False] * 4 + [True] * 4, [[], []]])]
    assert _catalogue(club) == before


@pytest.mark.parametrize("uid", ["a`b", "a'b", 'a"b', "a\x00b", "a;drop", "x" * 65, "%", "../x", "ａｂｃ", "Regular1", "regular1 ", "root", "mysql", "postgres"])
@pytest.mark.parametrize("kind", KINDS)
def test_hostile_names_change_nothing(club: Club, kind: Kind, uid: str) -> None:
    before = _catalogue(club)
    with pytest.raises((NotFound, Invalid)):
        list(club.client("ctdalek").create_database(kind, uid))
    assert _catalogue(club) == before


def test_names_that_a_server_keeps_for_itself(club: Club) -> None:
    syscom = club.client("ctdalek")
    for kind, uid in (("mysql", "performance_schema"), ("postgresql", "pg_evil")):
        club.add(uid=uid)
        before = _catalogue(club)
        for ask in (syscom.create_database, syscom.reset_database):
            with pytest.raises(Invalid, match=f"keeps the name {uid} for itself"):
                list(ask(kind, uid))
        assert _catalogue(club) == before
    assert club.done(syscom.create_database("mysql", "pg_evil"))["database"] == "pg_evil"


def test_the_account_that_ceod_is_to_a_server_is_nobodys_database(club: Club) -> None:
    """As it would be where somebody was named before the configuration was: neither made nor given another password."""
    code = """if True:
        import dataclasses
        from ceo_common.config import load_daemon
        from ceo_common.errors import CeoError
        from ceod.operations.create_database import KINDS, check_free, check_there
        from ceod.services.all import connect
        config = load_daemon()
        renamed = {kind: dataclasses.replace(getattr(config, kind), user="jdoe") for kind in KINDS}
        services = connect(dataclasses.replace(config, library=dataclasses.replace(config.library, database="books"), **renamed))
        for kind, uid in (("mysql", "jdoe"), ("postgresql", "jdoe"), ("postgresql", "books")):
            for check in (check_free, check_there):
                try:
                    check(services, kind, uid)
                except CeoError as error:
                    print(uid, error.code)
    """
    done = club.run_as("root", str(PYTHON), "-W", "ignore", "-c", code, host="coffee")
    assert done.stdout.splitlines() == ["jdoe invalid"] * 4 + ["books invalid"] * 2, done
    listed = club.client("ctdalek").all_databases()
    assert not {"root", "mariadb.sys", "mysql"} & set(listed["mysql"]) and not {"postgres", "library"} & set(listed["postgresql"])


@pytest.mark.parametrize(("kind", "thing", "part"), [
    ("mysql", "DATABASE {}", "database"), ("mysql", "USER {}@localhost", "user"), ("mysql", "USER {}@'%'", "user"),
    ("postgresql", "DATABASE {}", "database"), ("postgresql", "ROLE {}", "role"),
])
def test_half_a_database_is_for_the_committee(club: Club, kind: Kind, thing: str, part: str) -> None:
    """Creating said to reset, and resetting to create."""
    uid, syscom = club.add()["result"]["uid"], club.client("ctdalek")
    as_root(club, kind, f"CREATE {thing.format(uid)}")
    before = catalogue(club, kind)
    try:
        for ask in (syscom.create_database, syscom.reset_database):
            with pytest.raises(WrongState, match=f"has half of what makes a database of {uid}, a {part} of that name: ask the systems committee"):
                list(ask(kind, uid))
        assert catalogue(club, kind) == before
    finally:
        as_root(club, kind, f"DROP {thing.format(uid)}")


@pytest.mark.parametrize("kind", KINDS)
def test_a_database_that_was_left_keeps_the_name_from_being_added(club: Club, kind: Kind) -> None:
    uid = club.name()
    as_root(club, kind, f"CREATE DATABASE {uid}")
    try:
        checks, row = club.client("office1").check_members, club.member(uid)
        by_both_workers(lambda: bool(checks([row])["problems"]), "the database known to ceod")
        with pytest.raises(LeftBehind, match="SQL database or user has the name"):
            list(club.client("office1").add_member(club.member(uid)))
    finally:
        as_root(club, kind, f"DROP DATABASE {uid}")


def test_a_database_host_that_is_away_keeps_nobody_from_being_signed_up(club: Club) -> None:
    club.service("coffee", "stop", "ceod")
    try:
        by_both_workers(lambda: bool(club.warnings_of_an_add()), "the database host asked anew")
        warnings = club.add()["result"]["warnings"]
    finally:
        club.service("coffee", "start", "ceod")
        club.settled()
    assert len(warnings) == 1 and "whether a database has the name could not be asked" in warnings[0]


def test_accounts_that_are_over_get_none(club: Club) -> None:
    syscom, expired, deleted = club.client("ctdalek"), club.add()["result"]["uid"], club.add()["result"]["uid"]
    later = club.add()["result"]["uid"]
    for uid, day in ((expired, 20000), (later, int(time.time() // 86400) + 30)):
        change = f"dn: uid={uid},ou=People,{BASE_DN}\nchangetype: modify\nadd: shadowExpire\nshadowExpire: {day}\n"
        assert club.run_as("ctdalek", "ldapmodify", "-Q", text=change).returncode == 0
    assert club.done(syscom.create_database("mysql", later))["database"] == later
    club.done(syscom.delete_member(deleted))
    with pytest.raises(WrongState, match="is expired; renew it first"):
        list(syscom.create_database("mysql", expired))
    with pytest.raises(Deleted):
        list(syscom.create_database("mysql", deleted))


def test_two_at_once_make_one(club: Club) -> None:
    uid = club.add()["result"]["uid"]
    told: list[Any] = []

    def create() -> None:
        try:
            *_, last = club.client("ctdalek").create_database("mysql", uid)
            told.append(last["status"])
        except CeoError as error:
            told.append(error.code)

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told.count("completed") == 1 and set(told) <= {"completed", "busy", "exists"}, told


@pytest.fixture
def every_statement_is_logged(club: Club) -> Iterator[Path]:
    """By both servers; MariaDB's log."""
    path = SRV / "mysql/data/every-statement.log"
    as_root(club, "postgresql", "ALTER SYSTEM SET log_statement = 'all';\nSELECT pg_reload_conf()")
    as_root(club, "mysql", f"SET GLOBAL general_log_file = '{path}'; SET GLOBAL general_log = ON")
    yield path
    as_root(club, "mysql", "SET GLOBAL general_log = OFF")
    as_root(club, "postgresql", "ALTER SYSTEM RESET log_statement;\nSELECT pg_reload_conf()")


def test_no_password_is_in_a_log_or_in_the_journal(club: Club, every_statement_is_logged: Path) -> None:
    uid, syscom = club.add()["result"]["uid"], club.client("ctdalek")
    passwords = [club.done(ask(kind, uid))["password"].encode() for kind in KINDS for ask in (syscom.create_database, syscom.reset_database)]
    files = [every_statement_is_logged, *(OUTSIDE / "log").iterdir()]
    files += [path for host in ("coffee", "phosphoric-acid") for path in (host_place(host) / "ceod").glob("journal.db*")]
    told = {path: path.read_bytes() for path in files}
    for path, word in ((every_statement_is_logged, b"CREATE USER"), (OUTSIDE / "log/coffee.postgresql", b"CREATE ROLE"),
                       (host_place("coffee") / "ceod/journal.db-wal", uid.encode())):
        assert word in told[path], path
    assert not [path for path, text in told.items() if any(password in text for password in passwords)]


def test_the_password_is_shown_although_the_file_cannot_be_written(club: Club) -> None:
    uid = club.add()["result"]["uid"]
    club.service("phosphoric-acid", "stop", "ceod")
    try:
        result = club.done(club.client("ctdalek").create_database("mysql", uid))
    finally:
        club.service("phosphoric-acid", "start", "ceod")
        club.settled()
    assert result["info_file"] is None and not result["password_lost"]
    assert "info_file: not written" in result["warnings"][0] and f"ceo mysql pwreset {uid}" in result["warnings"][0]
    assert query(club, "mysql", uid, result["password"], "SELECT 1").stdout.strip() == "1"
    assert not os.path.exists(f"/users/{uid}/ceo-mysql-info")
