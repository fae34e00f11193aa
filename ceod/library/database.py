"""The library's database: one database transaction a question, within the time limit, on the schema that this ceod knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import sqlalchemy as sa
from psycopg2.errors import UniqueViolation
from sqlalchemy.engine import Connection

from ceo_common.config import PostgreSql as Settings
from ceo_common.errors import BackendDown
from ceod.library.tables import REVISION, VERSION_TABLE
from ceod.services.postgresql import BACKEND, said
from ceod.services.postgresql_connection import connect, has_database

T = TypeVar("T")

MIGRATE = "python -m ceod.library.migrate"
_TRIES = 3


class WrongSchema(BackendDown):
    """The database is not as this ceod knows it; the text says what to do."""


class Database:
    """Nothing is kept open: a connection by the socket takes some milliseconds, and none is ever stale."""

    def __init__(self, settings: Settings, name: str) -> None:
        self.settings = settings
        self.name = name
        self._engine = sa.create_engine(
            "postgresql+psycopg2://", creator=lambda: connect(settings, name), poolclass=sa.pool.NullPool, use_native_hstore=False)

    def run(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, its changes committed.  Raises what it does, BackendDown, WrongSchema.

        Where a unique index says no, somebody else was quicker: the work is done again, and sees what they did.
        """
        for last in (*[False] * (_TRIES - 1), True):
            try:
                return self._once(work)
            except sa.exc.IntegrityError as error:
                if last or not isinstance(error.orig, UniqueViolation):
                    raise
        raise AssertionError

    def rehearse(self, work: Callable[[Connection], T]) -> T:
        """Do the work and take all of it back; what it returned.  Raises as run()."""
        def undone(connection: Connection) -> T:
            result = work(connection)
            connection.rollback()
            return result

        return self.run(undone)

    def check(self) -> None:
        """Raises WrongSchema, BackendDown."""
        try:
            self.run(lambda connection: None)
        except WrongSchema:
            raise
        except BackendDown:
            if not has_database(self.settings, self.name):
                raise WrongSchema(f"PostgreSQL has no database {self.name!r}: run {MIGRATE}", backend=BACKEND) from None
            raise

    def _once(self, work: Callable[[Connection], T]) -> T:
        committing = False
        try:
            with self._engine.connect() as connection:
                self._check_schema(connection)
                result = work(connection)
                committing = True
                connection.commit()
                return result
        except (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.InternalError) as error:
            told = "PostgreSQL stopped answering while it wrote; look whether it is done before you do it again" if committing else \
                "PostgreSQL does not answer as it should"
            raise BackendDown(f"{told}: {said(error.orig)}", backend=BACKEND, unknown=committing) from None

    def _check_schema(self, connection: Connection) -> None:
        found = connection.execute(sa.text("SELECT to_regclass(:name) IS NOT NULL"), {"name": VERSION_TABLE}).scalar_one()
        version = connection.execute(sa.text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar() if found else None  # noqa: S608 - a constant
        if version == REVISION:
            return
        if version is None:
            told = f"the library's database {self.name!r} is empty: run {MIGRATE}"
        elif version < REVISION:
            told = f"the library's database is at {version}, older than {REVISION}, which this ceod needs: run {MIGRATE}"
        else:
            told = f"the library's database is at {version}, newer than {REVISION}, the newest that this ceod knows: upgrade ceod"
        raise WrongSchema(told, backend=BACKEND)
