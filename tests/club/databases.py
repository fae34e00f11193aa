"""MariaDB and PostgreSQL past ceod, with their own clients on their host."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ceod.operations.create_database import Kind
from sandbox import shell
from sandbox.services import PSQL
from tests.club.club import Club

# Every database, user, right and limit; passwords are looked at by using them.
_MYSQL = """
SELECT 'database', schema_name, schema_comment FROM information_schema.schemata;
SELECT 'user', user, host, json_remove(priv, '$.authentication_string', '$.password_last_changed') FROM mysql.global_priv;
SELECT 'right', db, user, host, select_priv, create_priv, drop_priv, grant_priv FROM mysql.db;
"""
_POSTGRESQL = """
SELECT 'database', d.datname, r.rolname, d.datacl FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba;
SELECT 'role', rolname, rolsuper, rolcreaterole, rolcreatedb, rolcanlogin, rolconnlimit, shobj_description(oid, 'pg_authid') FROM pg_roles;
"""


def query(club: Club, kind: Kind, name: str, password: str, text: str, database: str | None = None) -> subprocess.CompletedProcess[str]:
    """A query with the account's password."""
    if kind == "mysql":
        words = ["mysql", "--protocol=socket", "--socket=/run/mysqld/mysqld.sock", f"--user={name}", "-N", "-e", text, database or name]
        return club.run_as("root", *words, host="coffee", MYSQL_PWD=password)
    return club.run_as("root", PSQL, "-h", "127.0.0.1", "-U", name, "-d", database or name, "-Atc", text, host="coffee", PGPASSWORD=password)


def as_root(club: Club, kind: Kind, text: str) -> str:
    """What the server's own administrator is answered."""
    words = ["mysql", "-N"] if kind == "mysql" else [PSQL, "-h", "/run/postgresql", "-U", "postgres", "-AtX", "-v", "ON_ERROR_STOP=1"]
    done = club.run_as("root", *words, text=text, host="coffee")
    assert done.returncode == 0, done
    return done.stdout


def catalogue(club: Club, kind: Kind) -> list[str]:
    """Every database, user and right that the server knows, a line each."""
    return sorted(as_root(club, kind, _MYSQL if kind == "mysql" else _POSTGRESQL).splitlines())


@contextmanager
def second_step_waits(club: Club, kind: Kind) -> Iterator[None]:
    """Whoever creates the user (MySQL) or the database (PostgreSQL) waits for a lock, inside the server; no longer at the end."""
    with _locked(club, kind, "mysql.global_priv" if kind == "mysql" else "pg_database"):
        yield


@contextmanager
def password_waits(club: Club, kind: Kind) -> Iterator[None]:
    """Whoever changes a password, likewise."""
    with _locked(club, kind, "mysql.global_priv" if kind == "mysql" else "pg_authid"):
        yield


@contextmanager
def _locked(club: Club, kind: Kind, table: str) -> Iterator[None]:
    words = ["mysql", "-N", "--unbuffered"] if kind == "mysql" else [PSQL, "-h", "/run/postgresql", "-U", "postgres", "-AtX"]
    lock = f"LOCK TABLES {table} READ;" if kind == "mysql" else f"BEGIN; LOCK TABLE {table} IN SHARE MODE;"
    entry = shell.resolve(club.state, "root@coffee")
    with subprocess.Popen(shell.command(club.state, entry, words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdin and holder.stdout
        holder.stdin.write(f"{lock}\nSELECT 'locked';\n")
        holder.stdin.flush()
        while (line := holder.stdout.readline()) != "locked\n":
            assert line, f"no lock: {words}"
        try:
            yield
        finally:
            with suppress(BrokenPipeError):
                holder.stdin.close()
            holder.wait(30)
