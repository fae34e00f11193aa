"""What an operation keeps in memory alone: the directory bound as the caller, and passwords that are shown once."""

from __future__ import annotations

from dataclasses import dataclass, field

from ceod.services.all import Services
from ceod.services.ldap_connection import Connection
from ceod.transaction.step import Run


@dataclass
class Private:
    """Closed when the steps that may use it are over."""

    connection: Connection | None = None
    passwords: dict[str, str] = field(default_factory=dict, repr=False)  # by username

    @property
    def caller(self) -> Connection:
        """The directory as the caller, for operations that have it."""
        assert self.connection is not None
        return self.connection

    def close(self) -> None:
        """Let go of the connection; the passwords go with the object."""
        if self.connection:
            self.connection.close()


ThisRun = Run[Services, Private]
