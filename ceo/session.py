"""The person's ticket: find it, get one with a password, how long it lives; and a client that uses it."""

from __future__ import annotations

import os
import pwd
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ceo_common.client_config import Client as Settings
from ceo_common.krb5 import tickets

if TYPE_CHECKING:
    from ceo_common.client import Client

OWN_CCACHE = "MEMORY:ceo-menu"


@dataclass
class Session:
    """Who we are.  `ccache` None is the default cache, which other programs share; a password typed into the menu fills one of its own."""

    settings: Settings
    ccache: str | None = None
    ticket: tickets.Ticket | None = None

    def find(self) -> bool:
        """Whether there is a ticket that has not ended.  Raises Krb5Error."""
        try:
            self.ticket = tickets.find(self.ccache)
        except tickets.NoTicket:
            self.ticket = None
        return self.ticket is not None

    def get(self, name: str, password: str) -> None:
        """Get a ticket with a password.  Raises WrongPassword, PasswordExpired, NotAdmitted, Krb5Error."""
        self.ticket = tickets.initial(f"{name}@{self.settings.realm}", password, self.ccache)

    def get_own(self, name: str, password: str) -> None:
        """As get(), into a cache in memory that no other program sees; it is used from then on."""
        ticket = tickets.initial(f"{name}@{self.settings.realm}", password, OWN_CCACHE)
        self.ccache, self.ticket = OWN_CCACHE, ticket

    def change_password(self, name: str, old: str, new: str) -> None:
        """Change an expired password.  Raises PasswordRefused, WrongPassword, NotAdmitted, Krb5Error."""
        tickets.change_password(f"{name}@{self.settings.realm}", old, new)

    @property
    def name(self) -> str:
        """The ticket's owner, or who would be asked for a password."""
        return self.ticket.client.partition("@")[0] if self.ticket else login_name()

    @property
    def seconds_left(self) -> int:
        """How long the ticket still lives."""
        return max(0, int(self.ticket.endtime - time.time())) if self.ticket else 0

    def client(self) -> Client:
        """The HTTP client with this ticket."""
        import gssapi  # noqa: PLC0415 - heavy: after the command line was understood

        from ceo_common.client import Client  # noqa: PLC0415

        settings = self.settings
        ticket = self.ticket
        # By name too: somebody else's ticket that came into the cache meanwhile is not ours to use.
        who = gssapi.Name(ticket.client, gssapi.NameType.kerberos_principal) if ticket else None
        store = {"ccache": ticket.ccache} if ticket else None
        return Client(hosts=settings.hosts, port=settings.port, realm=settings.realm, ca=settings.ca,
                      credential=lambda: gssapi.Credentials(name=who, usage="initiate", store=store))


def login_name() -> str:
    """Who is logged in here; empty where neither /etc/passwd nor the environment says it."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return os.environ.get("LOGNAME") or os.environ.get("USER") or ""
