"""MariaDB or MySQL, by its socket on this host."""

from __future__ import annotations

import pymysql

from ceo_common.config import MySql as Settings
from ceo_common.deadline import CONNECT_S, OPERATION_S
from ceo_common.errors import BackendDown

BACKEND = "mysql"


class MySql:
    """The server."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def ping(self) -> None:
        """One round trip.  Raises BackendDown."""
        try:
            with pymysql.connect(
                unix_socket=self.settings.socket, user=self.settings.user, password=self.settings.password,
                connect_timeout=int(CONNECT_S), read_timeout=int(OPERATION_S), write_timeout=int(OPERATION_S),
            ) as connection:
                connection.ping(reconnect=False)
        except (pymysql.MySQLError, OSError) as error:
            raise BackendDown(f"MySQL does not answer: {error}", backend=BACKEND) from None
