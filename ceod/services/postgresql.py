"""PostgreSQL, by its socket on this host: one database and one role an account, named like it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg2
from psycopg2 import errors, sql
from psycopg2.extensions import encrypt_password

from ceo_common.config import PostgreSql as Settings
from ceo_common.deadline import LOCK_WAIT_S
from ceo_common.errors import BackendDown, Exists, NotFound
from ceod.services.database_limits import CONNECTIONS
from ceod.services.postgresql_connection import connect

BACKEND = "postgresql"

T = TypeVar("T")
Cursor = Any  # psycopg2's

RESERVED = frozenset(("postgres", "template0", "template1", "public", "none", "current_user", "current_role", "session_user", "library"))


class PostgreSql:
    """The server."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def ping(self) -> None:
        """One round trip.  Raises BackendDown."""
        self._do(lambda cursor: cursor.execute("SELECT 1"))

    def parts(self, name: str) -> set[str]:
        """Which of "database" and "role" bear this name.  Raises BackendDown."""
        def look(cursor: Cursor) -> set[str]:
            found = {"database": _owner_mark(cursor, name), "role": _mark(cursor, name)}
            return {part for part, mark in found.items() if mark is not None}

        return self._do(look)

    def is_unlimited(self, name: str) -> bool:
        """Whether a role of this name may have any number of connections.  Raises BackendDown."""
        def look(cursor: Cursor) -> bool:
            cursor.execute(
                "SELECT 1 FROM pg_roles WHERE rolname = %s AND rolconnlimit = -1", (name,)
            )
            return cursor.fetchone() is not None

        return self._do(look)

    def names(self) -> list[str]:
        """The databases and roles, the server's own left out.  Raises BackendDown."""
        def look(cursor: Cursor) -> list[str]:
            cursor.execute("SELECT datname FROM pg_database UNION SELECT rolname FROM pg_roles")
            return sorted({str(row[0]) for row in cursor.fetchall() if not row[0].startswith("pg_")} - RESERVED - {self.settings.user})

        return self._do(look)

    def create_role(self, name: str, password: str, mark: str) -> None:
        """Create the role, marked in the same transaction.  Raises Exists, BackendDown (outcome unknown)."""
        def create(cursor: Cursor) -> None:
            cursor.execute("BEGIN")
            cursor.execute(sql.SQL("CREATE ROLE {} LOGIN CONNECTION LIMIT {} PASSWORD {}").format(
                sql.Identifier(name), sql.Literal(CONNECTIONS), sql.Literal(_verifier(cursor, name, password))))
            cursor.execute(sql.SQL("COMMENT ON ROLE {} IS {}").format(sql.Identifier(name), sql.Literal(mark)))
            cursor.execute("COMMIT")

        self._do(create)

    def create_database(self, name: str) -> None:
        """Create the role's database, which nobody else may enter.  Raises Exists, BackendDown (outcome unknown)."""
        def create(cursor: Cursor) -> None:
            cursor.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(name)))
            cursor.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))

        self._do(create)

    def set_password(self, name: str, password: str) -> None:
        """Give the role another password.  Raises NotFound, BackendDown (outcome unknown)."""
        def change(cursor: Cursor) -> None:
            if _mark(cursor, name) is None:
                raise NotFound(f"{name} has no PostgreSQL database yet: ceo postgresql create {name}")
            cursor.execute(
                sql.SQL("ALTER ROLE {} CONNECTION LIMIT {} PASSWORD {}").format(
                    sql.Identifier(name),
                    sql.Literal(CONNECTIONS),
                    sql.Literal(_verifier(cursor, name, password)),
                )
            )

        self._do(change)

    def takes_password(self, name: str, password: str) -> bool | None:
        """Whether it is the role's; None where the server does not tell.  Raises BackendDown.

        No login is tried: whether one needs the password depends on where it comes from (pg_hba.conf).
        """
        def look(cursor: Cursor) -> bool | None:
            cursor.execute("SELECT has_column_privilege('pg_authid', 'rolpassword', 'SELECT')")
            if not cursor.fetchone()[0]:
                return None
            cursor.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", (name,))
            row = cursor.fetchone()
            return _is_password(row[0], password) if row and row[0] else None

        return self._do(look)

    def drop_database_if(self, name: str, mark: str) -> bool | None:
        """Drop the database if the role that owns it bears the mark: True when dropped, False when it is another's, None when not there."""
        def drop(cursor: Cursor) -> bool | None:
            found = _owner_mark(cursor, name)
            if found is None:
                return None
            if found != mark:
                return False
            cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
            return True

        return self._do(drop)

    def drop_role_if(self, name: str, mark: str) -> bool | None:
        """Drop the role if it bears the mark: True when dropped, False when it is another's, None when not there."""
        def drop(cursor: Cursor) -> bool | None:
            found = _mark(cursor, name)
            if found is None:
                return None
            if found != mark:
                return False
            cursor.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))
            return True

        return self._do(drop)

    def _do(self, work: Callable[[Cursor], T]) -> T:
        """Within the time limit, over a connection of its own."""
        try:
            return self._connected(work)
        except (errors.DuplicateDatabase, errors.DuplicateObject):
            raise Exists("PostgreSQL has a database or a role of that name already") from None
        except psycopg2.Error as error:
            did = "does not answer" if isinstance(error, psycopg2.OperationalError) else "does not do it"
            raise BackendDown(f"PostgreSQL {did}: {said(error)}", backend=BACKEND) from None

    def _connected(self, work: Callable[[Cursor], T]) -> T:
        connection = connect(self.settings, "postgres", lock_wait_s=LOCK_WAIT_S)
        try:
            connection.autocommit = True  # CREATE DATABASE runs in no transaction
            with connection.cursor() as cursor:
                return work(cursor)
        finally:
            connection.close()


def said(error: BaseException | None) -> str:
    """The first line of what the driver says; the others are advice to whoever set it up."""
    return next(iter(str(error).splitlines()), "it ended the connection")


def _owner_mark(cursor: Cursor, name: str) -> str | None:
    """The comment on the role that owns a database, None where there is none of that name."""
    cursor.execute("SELECT coalesce(shobj_description(datdba, 'pg_authid'), '') FROM pg_database WHERE datname = %s", (name,))
    row = cursor.fetchone()
    return None if row is None else str(row[0])


def _mark(cursor: Cursor, name: str) -> str | None:
    """The comment on a role, None where there is none of that name."""
    cursor.execute("SELECT coalesce(shobj_description(oid, 'pg_authid'), '') FROM pg_roles WHERE rolname = %s", (name,))
    row = cursor.fetchone()
    return None if row is None else str(row[0])


def _verifier(cursor: Cursor, name: str, password: str) -> str:
    """What is sent in place of the password, so that it can't stand in any log of the server's (RFC 5803)."""
    return str(encrypt_password(password, name, cursor.connection, "scram-sha-256"))


def _is_password(verifier: str, password: str) -> bool | None:
    """Whether a verifier (RFC 5803) was made of a password; None for one of another kind."""
    match = re.fullmatch(r"SCRAM-SHA-256\$(\d+):([^$]+)\$([^:]+):[^:]+", verifier)
    if match is None:
        return None
    iterations, salt, stored_key = int(match[1]), base64.b64decode(match[2]), base64.b64decode(match[3])
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    return hmac.compare_digest(hashlib.sha256(client_key).digest(), stored_key)
