"""Every service that a host's roles ask for, put together in one place."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ceo_common.client import Client
from ceo_common.config import Daemon
from ceo_common.deadline import OPERATION_S
from ceod.auth.acceptor import Acceptor
from ceod.library.database import Database
from ceod.people_index import store
from ceod.people_index.finding import PeopleIndex
from ceod.services.directory import Directory
from ceod.services.homes import Homes
from ceod.services.kadmin import Kadmin
from ceod.services.mailman import Mailman
from ceod.services.mysql import MySql
from ceod.services.names_elsewhere import NamesElsewhere
from ceod.services.postgresql import PostgreSql
from ceod.services.slow_hosts import SlowHosts
from ceod.services.smtp import Smtp
from ceod.services.uwldap import UwLdap


@dataclass(frozen=True)
class Admin:
    """What only the admin host has."""

    kadmin: Kadmin
    homes: Homes
    smtp: Smtp
    uwldap: UwLdap


@dataclass(frozen=True)
class Library:
    """What only the library's host has."""

    database: Database
    smtp: Smtp


@dataclass(frozen=True)
class Services:
    """What a ceod works with; a role's services are None on a host without it."""

    config: Daemon
    acceptor: Acceptor
    directory: Directory
    peers: Client  # the other ceods, spoken to as ceod/<fqdn>
    slow_hosts: SlowHosts  # asks what is useful, but not needed
    names_elsewhere: NamesElsewhere
    admin: Admin | None = None
    mailman: Mailman | None = None
    mysql: MySql | None = None
    postgresql: PostgreSql | None = None
    library: Library | None = None
    people_index: PeopleIndex | None = None  # the admin host's

    @property
    def admin_host(self) -> Admin:
        """The admin host's services, for operations that run nowhere else."""
        assert self.admin is not None
        return self.admin

    def pings(self) -> dict[str, Callable[[], None]]:
        """A round trip to each server behind this ceod and to each other ceod, by name.  Each raises BackendDown or Unreachable."""
        found: dict[str, Callable[[], None]] = {"ldap": self.directory.ping}
        if self.admin:
            found |= {"kadmind": self.admin.kadmin.ping, "homes": self.admin.homes.ping, "smtp": self.admin.smtp.ping,
                      "uwldap": self.admin.uwldap.ping}
        for host in self.config.hosts.all():
            if host != self.config.host:
                found[host] = functools.partial(self.peers.ping, host)
        smtp = self.library.smtp if self.library else None
        for name, service in (("mailman", self.mailman), ("mysql", self.mysql), ("postgresql", self.postgresql), ("smtp", smtp)):
            if service:
                found[name] = service.ping
        return found

    def close(self) -> None:
        """Close connections and end the helpers."""
        self.directory.close()
        self.acceptor.close()
        if self.admin:
            self.admin.kadmin.close()


def connect(config: Daemon) -> Services:
    """Put the services together; nothing is opened or started yet."""
    acceptor = Acceptor(config.keytab, f"ceod/{config.host}@{config.realm}", config.state_dir)
    admin = None
    if config.is_admin:
        assert config.smtp and config.uwldap
        kadmin = Kadmin(config.admin_keytab, config.realm)
        admin = Admin(kadmin, Homes(config.homes), Smtp(config.smtp, config.templates, config.domain), UwLdap(config.uwldap))
    library = None
    if "library" in config.roles:
        assert config.smtp and config.postgresql
        library = Library(Database(config.postgresql, config.library.database), Smtp(config.smtp, config.templates, config.domain))
    peers = Client(
        hosts=config.hosts, port=config.port, realm=config.realm,
        ca=config.tls.ca if config.tls else "",
        credential=acceptor.own_credential, answer_s=OPERATION_S,
    )
    slow_hosts = SlowHosts()
    index_folder = Path(config.state_dir) / store.FOLDER
    people_index = PeopleIndex(index_folder, config.time_zone) if config.is_admin else None
    return Services(
        config, acceptor,
        Directory(config.ldap, acceptor.own_credential, admin.kadmin.credential if admin else None),
        peers,
        slow_hosts,
        NamesElsewhere(peers, slow_hosts),
        admin,
        Mailman(config.mailman, config.domain) if config.mailman else None,
        MySql(config.mysql) if config.mysql else None,
        PostgreSql(config.postgresql) if config.postgresql else None,
        library,
        people_index,
    )
