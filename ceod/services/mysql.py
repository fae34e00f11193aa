"""MariaDB, by its socket on this host: one database and one user an account, named like it.

MySQL itself has no comment on a database, by which a transaction knows its own; MariaDB has from 10.5 on.
"""

from __future__ import annotations

import hashlib
import math
import struct
import time
from collections.abc import Callable
from typing import Any, TypeVar

import pymysql

from ceo_common.config import MySql as Settings
from ceo_common.deadline import CONNECT_S, LOCK_WAIT_S, OPERATION_S, within
from ceo_common.errors import BackendDown, Exists, NotFound
from ceod.services.database_limits import CONNECTIONS

BACKEND = "mysql"
_CANNOT_CREATE_USER, _DATABASE_EXISTS = 1396, 1007  # of the server's error list
_DENIED = (1045, 1698)  # a wrong password, or a user who logs in without one
_CLIENT_ERRORS = range(2000, 3000)  # of the driver's: no server said so
# What the driver makes of bytes that are no answer.
_NO_MYSQL = (struct.error, IndexError, ValueError, UnboundLocalError, AssertionError)
_HERE = "localhost"
_ACCOUNT = "%s@%s IDENTIFIED VIA mysql_native_password USING %s WITH MAX_USER_CONNECTIONS %s"

T = TypeVar("T")

# The server's own names, and those that it refuses.
RESERVED = frozenset((
    "information_schema", "mysql", "mariadb.sys", "performance_schema", "sys", "root", "mariadb", "test", "public", "none", "current_user",
    "current_role",
))


class Cursor(pymysql.cursors.Cursor):
    """Sends nothing from `until` (of time.monotonic()) on: who waited was told that it did not answer, and something else is done by now."""

    until = math.inf

    def execute(self, query: str, args: Any = None) -> int:
        """As the base class.  Raises BackendDown."""
        if time.monotonic() > self.until:
            raise BackendDown("MySQL did not answer in time", backend=BACKEND)
        return super().execute(query, args)


class MySql:
    """The server."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def ping(self) -> None:
        """One round trip.  Raises BackendDown."""
        self._do(lambda cursor: cursor.execute("SELECT 1"))

    def parts(self, name: str) -> set[str]:
        """Which of "database" and "user" bear this name, wherever that user comes from.  Raises BackendDown."""
        def look(cursor: Cursor) -> set[str]:
            found = {"database": _mark(cursor, name) is not None, "user": _has_user(cursor, name, "%")}
            return {part for part, there in found.items() if there}

        return self._do(look)

    def is_unlimited(self, name: str) -> bool:
        """Whether a user of this name may have any number of connections.  Raises BackendDown."""
        def look(cursor: Cursor) -> bool:
            cursor.execute(
                "SELECT 1 FROM mysql.user WHERE user = %s AND max_user_connections = 0", (name,)
            )
            return cursor.fetchone() is not None

        return self._do(look)

    def names(self) -> list[str]:
        """The databases and users, the server's own left out.  Raises BackendDown."""
        def look(cursor: Cursor) -> list[str]:
            cursor.execute("SELECT schema_name FROM information_schema.schemata UNION SELECT user FROM mysql.user")
            rows: Any = cursor.fetchall()
            return sorted({str(row[0]) for row in rows} - RESERVED - {self.settings.user})

        return self._do(look)

    def create_database(self, name: str, mark: str) -> None:
        """Create it, marked in the same statement.  Raises Exists, BackendDown (outcome unknown)."""
        self._do(lambda cursor: cursor.execute(f"CREATE DATABASE {_identifier(name)} COMMENT %s", (mark,)))

    def create_user(self, name: str, password: str) -> None:
        """Create the user, who may use the database of that name and nothing else.  Raises Exists, BackendDown (outcome unknown)."""
        def create(cursor: Cursor) -> None:
            # What is sent is the hash: the password can't stand in any log of the server's.
            cursor.execute(f"CREATE USER {_ACCOUNT}", (name, _HERE, _hash(password), CONNECTIONS))
            cursor.execute(f"GRANT ALL PRIVILEGES ON {_pattern(name)}.* TO %s@%s", (name, _HERE))

        self._do(create)

    def set_password(self, name: str, password: str) -> None:
        """Give the user another password.  Raises NotFound, BackendDown (outcome unknown)."""
        def change(cursor: Cursor) -> None:
            if not _has_user(cursor, name):
                raise NotFound(f"{name} has no MySQL database yet: ceo mysql create {name}")
            # The limit once more: who was made by a version before has none.
            cursor.execute(f"ALTER USER {_ACCOUNT}", (name, _HERE, _hash(password), CONNECTIONS))

        self._do(change)

    def takes_password(self, name: str, password: str) -> bool:
        """Whether one can log in with it, from here.  Raises BackendDown (that can't be told now)."""
        try:
            within(CONNECT_S, BACKEND, lambda: self._connect(name, password)).close()
        except pymysql.MySQLError as error:
            if error.args and error.args[0] in _DENIED:
                return False
            raise BackendDown(f"MySQL does not say whether {name} may log in: {error}", backend=BACKEND) from None
        except (OSError, *_NO_MYSQL) as error:
            raise BackendDown(f"MySQL does not answer: {error}", backend=BACKEND) from None
        return True

    def drop_user_if(self, name: str, mark: str) -> bool | None:
        """Drop the user if the database of that name bears the mark: True when dropped, False when it is another's, None when not there."""
        def drop(cursor: Cursor) -> bool | None:
            if not _has_user(cursor, name):
                return None
            if _mark(cursor, name) != mark:
                return False
            cursor.execute("DROP USER %s@%s", (name, _HERE))
            return True

        return self._do(drop)

    def drop_database_if(self, name: str, mark: str) -> bool | None:
        """Drop the database if it bears the mark: True when dropped, False when it is another's, None when not there."""
        def drop(cursor: Cursor) -> bool | None:
            found = _mark(cursor, name)
            if found is None:
                return None
            if found != mark:
                return False
            cursor.execute(f"DROP DATABASE {_identifier(name)}", ())
            return True

        return self._do(drop)

    def _do(self, work: Callable[[Cursor], T]) -> T:
        """Within the time limit, over a connection of its own.  Each statement of this kind commits by itself."""
        try:
            return self._connected(work)
        except pymysql.MySQLError as error:
            number = error.args[0] if error.args else 0
            if number in (_CANNOT_CREATE_USER, _DATABASE_EXISTS):
                raise Exists("MySQL has a database or a user of that name already") from None
            told = error.args[1] if len(error.args) > 1 else error
            # Where the driver understands nothing, a sentence stands in the place of a number.
            did = "does not do it" if isinstance(number, int) and number not in _CLIENT_ERRORS else "does not answer"
            raise BackendDown(f"MySQL {did}: {told}", backend=BACKEND) from None
        except _NO_MYSQL as error:
            raise BackendDown(f"MySQL does not answer as it should: {error}", backend=BACKEND) from None
        except OSError as error:
            raise BackendDown(f"MySQL does not answer: {error}", backend=BACKEND) from None

    def _connected(self, work: Callable[[Cursor], T]) -> T:
        # The driver's own limit for connecting ends before the server's greeting.
        user, password = self.settings.user, self.settings.password
        connection = within(CONNECT_S, BACKEND, lambda: self._connect(user, password))
        until = time.monotonic() + OPERATION_S - CONNECT_S

        def run() -> T:
            with connection, connection.cursor() as cursor:
                cursor.until = until
                return work(cursor)

        return within(OPERATION_S - CONNECT_S, BACKEND, run)

    def _connect(self, user: str, password: str) -> pymysql.connections.Connection[Cursor]:
        return pymysql.connect(
            unix_socket=self.settings.socket, user=user, password=password, autocommit=True, charset="utf8mb4",
            ssl_disabled=True,  # else the driver reads every authority that the system knows, for a socket without TLS
            connect_timeout=int(CONNECT_S), read_timeout=int(OPERATION_S), write_timeout=int(OPERATION_S),
            cursorclass=Cursor, init_command=f"SET SESSION lock_wait_timeout = {int(LOCK_WAIT_S)}",
        )


def _mark(cursor: Cursor, name: str) -> str | None:
    """The comment on a database, None where there is none of that name."""
    cursor.execute("SELECT schema_comment FROM information_schema.schemata WHERE schema_name = %s", (name,))
    row: Any = cursor.fetchone()
    return None if row is None else str(row[0])


def _has_user(cursor: Cursor, name: str, host: str = _HERE) -> bool:
    cursor.execute("SELECT 1 FROM mysql.user WHERE user = %s AND host LIKE %s", (name, host))
    return cursor.fetchone() is not None


def _identifier(name: str) -> str:
    """A quoted identifier (MariaDB, "Identifier Names"): the driver quotes values only, and puts them where a % stands alone."""
    return f"`{name.replace('`', '``').replace('%', '%%')}`"


def _pattern(name: str) -> str:
    r"""A database name in GRANT, where _ and % stand for other characters: `a_b` would reach axb."""
    return _identifier(name.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%"))


def _hash(password: str) -> str:
    """What mysql_native_password keeps of a password: SHA-1 twice."""
    return "*" + hashlib.sha1(hashlib.sha1(password.encode()).digest()).hexdigest().upper()  # noqa: S324 - the server's own format
