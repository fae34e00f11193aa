"""PostgreSQL, by its socket on this host."""

from __future__ import annotations

import psycopg2

from ceo_common.config import PostgreSql as Settings
from ceo_common.deadline import CONNECT_S, OPERATION_S
from ceo_common.errors import BackendDown

BACKEND = "postgresql"


class PostgreSql:
    """The server."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def ping(self) -> None:
        """One round trip.  Raises BackendDown."""
        try:
            connection = psycopg2.connect(
                host=self.settings.host, user=self.settings.user, password=self.settings.password or None, dbname="postgres",
                connect_timeout=int(CONNECT_S), options=f"-c statement_timeout={int(OPERATION_S * 1000)}", gssencmode="disable",
            )
            try:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT 1")
            finally:
                connection.close()
        except psycopg2.Error as error:
            raise BackendDown(f"PostgreSQL does not answer: {str(error).strip()}", backend=BACKEND) from None
