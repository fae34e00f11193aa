"""Connections to PostgreSQL that give up at a moment: libpq itself waits for ever for a server that is frozen in the middle."""

from __future__ import annotations

import select
import time
from typing import Any

import psycopg2
from psycopg2 import extensions

from ceo_common.config import PostgreSql as Settings
from ceo_common.deadline import CONNECT_S, OPERATION_S

# Above the deadline of whoever asks; for the case that it is frozen itself and leaves its locks behind.
_IDLE_S = 2 * OPERATION_S


class Connection(extensions.connection):
    """Whatever is waited for beyond `until` (of time.monotonic()) fails, with the connection."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self.until = time.monotonic() + CONNECT_S
        super().__init__(*arguments, **named)


def wait(connection: Any) -> None:
    """psycopg2's wait callback.  Raises psycopg2.OperationalError when it takes too long."""
    until: float = getattr(connection, "until", time.monotonic() + OPERATION_S)
    while (state := connection.poll()) != extensions.POLL_OK:
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN if state == extensions.POLL_READ else select.POLLOUT)
        if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
            raise psycopg2.OperationalError("it did not answer in time")


def connect(settings: Settings, database: str, seconds: float = OPERATION_S, *, lock_wait_s: float = 0) -> Connection:
    """A connection that is good for one operation of so many seconds, whose statements wait so long for a lock (0: as long as that).

    Raises psycopg2.Error.
    """
    # For the whole process: connections that are not ours then have OPERATION_S for each answer.
    extensions.set_wait_callback(wait)
    connection: Connection = psycopg2.connect(
        host=settings.host, user=settings.user, password=settings.password or None, dbname=database, gssencmode="disable",
        connection_factory=Connection,
        options=f"-c statement_timeout={int(seconds * 1000)} -c lock_timeout={int(lock_wait_s * 1000)} "
                f"-c idle_in_transaction_session_timeout={int(_IDLE_S * 1000)}",
    )
    connection.until = time.monotonic() + seconds - CONNECT_S
    return connection


def has_database(settings: Settings, name: str) -> bool:
    """Whether the server has a database of this name; True when it can't be asked."""
    try:
        connection = connect(settings, "postgres")
    except psycopg2.Error:
        return True
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
            return cursor.fetchone() is not None
    except psycopg2.Error:
        return True
    finally:
        connection.close()
