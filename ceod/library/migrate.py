"""python -m ceod.library.migrate: make the library's database where there is none, and bring it up to date."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg2
import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg2 import sql

from ceo_common.config import DAEMON_FILE, ConfigError, PostgreSql, load_daemon
from ceod.services.postgresql_connection import connect, has_database

_PLACE = Path(__file__).parent / "migrations"
_LIMIT_S = 3600.0  # a migration of many rows may take its time
_LOCK = 20100914  # any number, the same for all who migrate


def main() -> int:
    """0 when the database is up to date."""
    try:
        config = load_daemon(os.environ.get("CEOD_CONFIG", DAEMON_FILE))
        if config.postgresql is None:
            raise ConfigError("the library needs a section [postgresql]")
        print(migrate(config.postgresql, config.library.database))
    except (ConfigError, psycopg2.Error, sa.exc.SQLAlchemyError) as error:
        print(f"ceod.library.migrate: {str(error).strip()}", file=sys.stderr)
        return 1
    return 0


def migrate(settings: PostgreSql, name: str) -> str:
    """What was done, in words.  Raises psycopg2.Error, sqlalchemy's errors."""
    made = not has_database(settings, name)
    if made:
        _create(settings, name)
    engine = sa.create_engine("postgresql+psycopg2://", creator=lambda: connect(settings, name, _LIMIT_S), poolclass=sa.pool.NullPool,
                              use_native_hstore=False)
    with engine.begin() as connection:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        before, after = _upgrade(connection)
    if before == after:
        return f"{name}: at {after}, nothing to do"
    return f"{name}: {'made' if made else f'was at {before or 0}'}, now at {after}"


def newest() -> str | None:
    """The number of the newest migration."""
    return _script().get_current_head()


def _create(settings: PostgreSql, name: str) -> None:
    connection = connect(settings, "postgres", _LIMIT_S)
    try:
        connection.autocommit = True  # CREATE DATABASE runs in no transaction
        with connection.cursor() as cursor:
            # The character type decides what a letter is to lower() and to pg_trgm.
            cursor.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'").format(
                sql.Identifier(name)))
            # Members have roles on this server, and PUBLIC is all of them.
            cursor.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
    finally:
        connection.close()


def _upgrade(connection: sa.Connection) -> tuple[str | None, str | None]:
    """The revision before and after."""
    script = _script()

    def steps(revision: Any, _context: MigrationContext) -> Sequence[Any]:
        return script._upgrade_revs("head", revision)

    before = MigrationContext.configure(connection).get_current_revision()
    # Alembic's own command would run an env.py; all that one would do stands here.
    with EnvironmentContext(_config(), script, fn=steps) as environment:
        environment.configure(connection=connection)
        environment.run_migrations()
    return before, MigrationContext.configure(connection).get_current_revision()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_PLACE).replace("%", "%%"))
    return config


def _script() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


if __name__ == "__main__":
    sys.exit(main())
