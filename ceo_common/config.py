"""The configuration of both programs, typed, from TOML; the client's own part is in ceo_common.client_config."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ceo_common.client_config import CLIENT_FILE, Client, ConfigError, Hosts, load, load_client

__all__ = ["CLIENT_FILE", "DAEMON_FILE", "Client", "ConfigError", "Daemon", "Hosts", "load_client", "load_daemon"]

DAEMON_FILE = "/etc/csc/ceod.toml"


@dataclass(frozen=True)
class Tls:
    """The certificate that ceod shows, and the CA that it trusts other ceods by."""

    certificate: str  #: the certificate and its chain, a PEM file
    key: str  #: its private key, a PEM file
    ca: str  #: the CA of the other hosts' certificates, a PEM file


@dataclass(frozen=True)
class Security:
    """What ceod demands of those who speak to it."""

    #: "required": over TLS, a token counts only if the client bound it to the connection (channel
    #: bindings of the type tls-server-end-point, RFC 5929), which ceo does and the curl of Debian
    #: 12 does not; "accepted": bindings are checked where a client sends them
    channel_bindings: str = "accepted"

    @property
    def must_be_bound(self) -> bool:
        """Whether a ticket counts only with channel bindings."""
        return self.channel_bindings == "required"


@dataclass(frozen=True)
class Ldap:
    """The club's directory."""

    uri: str  #: where it is; ldaps://, or ldapi:// on the same host
    base: str  #: the suffix above ou=People and ou=Group
    ca: str = ""  #: the CA of its certificate, a PEM file; empty: the system's CAs


@dataclass(frozen=True)
class UwLdap:
    """The university's directory, read without a name."""

    uri: str  #: where it is
    base: str  #: the entry above the people


@dataclass(frozen=True)
class Homes:
    """Where home directories are."""

    root: str = "/users"  #: the folder that holds a folder for each account
    archive: str = "/users/.archive"  #: where the homes of deleted accounts are kept; on the same file system as root: an archived home is renamed
    skeleton: str = "/etc/skel"  #: the files that are copied into a new home
    #: run for each new home: a program and its arguments, say ["setquota", "-u", "{uid_number}", "4000000", "5000000", "0", "0", "/users"]
    quota_command: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Smtp:
    """The server that takes our mail."""

    host: str  #: its name
    port: int = 25  #: its port


@dataclass(frozen=True)
class Mailman:
    """Mailman's REST API, on this host's loopback."""

    url: str  #: where it answers, such as http://127.0.0.1:8001/3.1
    user: str  #: its administrator
    password: str = field(repr=False)  #: the administrator's password
    aliases: str = "/etc/aliases"  #: the mail server's table of aliases: a name in it is no username


@dataclass(frozen=True)
class MySql:
    """MariaDB or MySQL, by its socket."""

    socket: str  #: the path of its socket
    user: str  #: who may create databases and users
    password: str = field(default="", repr=False)  #: their password; empty: none is sent


@dataclass(frozen=True)
class PostgreSql:
    """PostgreSQL; `host` may be the folder of its socket."""

    host: str  #: its name, or the folder of its socket
    user: str  #: who may create databases and roles
    password: str = field(default="", repr=False)  #: their password; empty: none is sent


@dataclass(frozen=True)
class Library:
    """The library's database, and how long its books are lent."""

    database: str = "library"  #: the database's name; python -m ceod.library.migrate makes it
    loan_days: int = 14  #: how many days a book is lent
    renewals: int = 1  #: how often a loan may be renewed


@dataclass(frozen=True)
class Range:
    """Numbers from first to last."""

    first: int  #: the first number, 1000 or more
    last: int  #: the last one


@dataclass(frozen=True)
class Numbers:
    """The ranges of user and group numbers; each has a counter of its name in ou=UidCounters."""

    members: Range = Range(20001, 29999)  #: people: members and club representatives
    clubs: Range = Range(30001, 39999)  #: clubs
    administrative: Range = Range(10001, 19999)  #: groups that are made by hand

    def ranges(self) -> dict[str, Range]:
        """Each by its name."""
        return {"members": self.members, "clubs": self.clubs, "administrative": self.administrative}


@dataclass(frozen=True)
class Members:
    """Rules of sign-up, of expiry and of reminders."""

    login_shell: str = "/bin/bash"  #: the login shell of a new account
    shells: str = "/etc/shells"  #: the file that lists the shells which members may choose from
    deleted_shell: str = "/usr/sbin/nologin"  #: the login shell of a deleted account
    list: str = "csc-general"  #: the mailing list that every member is subscribed to
    announce_to: str = "syscom"  #: who is mailed of each new account: a username or a list of this domain
    expire_at_once: int = 500  #: how many accounts one run of expiry takes at most
    remind_a_day: int = 200  #: how many reminders are mailed in a day at most


@dataclass(frozen=True)
class Groups:
    """What follows from being in a group: other groups, and mailing lists."""

    #: by group, the other groups that its members are added to
    auxiliary: dict[str, list[str]] = field(default_factory=lambda: {
        "syscom": ["office", "staff", "adm", "src"], "office": ["cdrom", "audio", "video", "www"]})
    #: by group, the mailing lists that its members are subscribed to
    lists: dict[str, list[str]] = field(default_factory=lambda: {"syscom": ["syscom"], "exec": ["exec"]})

    def behind(self, list_name: str) -> list[str]:
        """The groups that a mailing list follows from."""
        return [group for group, names in self.lists.items() if list_name in names]

    def implied_by(self, group: str) -> list[str]:
        """The group and all that follow from it."""
        found = [group]
        for name in found:
            found += [other for other in self.auxiliary.get(name, []) if other not in found]
        return found


@dataclass(frozen=True)
class Positions:
    """The club's offices: whoever holds one is in the group `group`."""

    #: every position there is, in the club's order
    available: list[str] = field(default_factory=lambda: [
        "president", "vice-president", "treasurer", "secretary", "sysadmin", "cro", "librarian", "imapd", "webmaster", "offsck"])
    #: the positions that somebody has to hold
    required: list[str] = field(default_factory=lambda: ["president", "vice-president", "sysadmin"])
    group: str = "exec"  #: the group of the people who hold a position


@dataclass(frozen=True)
class Daemon:
    """/etc/csc/ceod.toml."""

    realm: str  #: the Kerberos realm
    domain: str  #: the club's mail domain: an account's address is UID@domain
    host: str  #: this host's full name
    roles: list[str]  #: what this host does: admin, mail, database, library
    hosts: Hosts
    ldap: Ldap
    port: int = 9987  #: where to listen
    state_dir: str = "/var/lib/ceod"  #: the journal of transactions, the audit log, locks and the replay cache; on a local disk
    #: the file that shows whether the journal is the newest; not inside state_dir, and in no backup that is put back together with it
    journal_fingerprint: str = "/var/lib/ceod-fingerprint/journal"
    keytab: str = "/etc/krb5.keytab"  #: the key of ceod/<this host>
    admin_keytab: str = "/etc/krb5.keytab"  #: the key of ceod/admin, for kadmin; on the host of role admin
    templates: str = "/etc/csc/templates"  #: the texts of the mails
    time_zone: str = "America/Toronto"  #: terms begin and end at its midnight
    development: bool = False  #: answer plain HTTP beside TLS, and development_networks alone
    development_networks: list[str] = field(default_factory=lambda: ["127.0.0.0/8", "::1/128"])  #: who is answered in development mode
    tls: Tls | None = None
    security: Security = field(default_factory=Security)
    uwldap: UwLdap | None = None
    homes: Homes = field(default_factory=Homes)
    numbers: Numbers = field(default_factory=Numbers)
    members: Members = field(default_factory=Members)
    groups: Groups = field(default_factory=Groups)
    positions: Positions = field(default_factory=Positions)
    library: Library = field(default_factory=Library)
    smtp: Smtp | None = None
    mailman: Mailman | None = None
    mysql: MySql | None = None
    postgresql: PostgreSql | None = None

    @property
    def is_admin(self) -> bool:
        """Whether this host administers LDAP, Kerberos and homes."""
        return "admin" in self.roles


ROLES = ("admin", "mail", "database", "library")
CHANNEL_BINDINGS = ("accepted", "required")
NEEDS = {"admin": ("uwldap", "smtp"), "mail": ("mailman",), "database": ("mysql", "postgresql"), "library": ("postgresql", "smtp")}


def load_daemon(path: str = DAEMON_FILE) -> Daemon:
    """The daemon's configuration; it holds passwords, so it must not be readable by everybody.  Raises ConfigError."""
    reader, config = load(path, Daemon)
    if Path(path).stat().st_mode & 0o004:
        reader.problem([], f"the file is readable by everybody and may hold passwords: chmod o-r {path}")
    for role in config.roles:
        if role not in ROLES:
            reader.problem(["roles"], f"{role!r} is not a role; roles are {', '.join(ROLES)}")
        elif config.hosts.of(role) != config.host:
            reader.problem(["hosts", role], f"this host has the role {role}, but hosts.{role} is {config.hosts.of(role)}")
        for section in NEEDS.get(role, ()):
            if getattr(config, section) is None:
                reader.problem([section, ""], f"the role {role} needs a section [{section}]")
    for name in config.positions.required:
        if name not in config.positions.available:
            reader.problem(["positions", "required"], f"{name!r} is required, but not among positions.available")
    for name, numbers in config.numbers.ranges().items():
        if not 1000 <= numbers.first <= numbers.last:
            reader.problem(["numbers", name, "first"], f"numbers.{name} has to be a range from 1000 up")
    if config.security.channel_bindings not in CHANNEL_BINDINGS:
        reader.problem(
            ["security", "channel_bindings"],
            f"security.channel_bindings has to be one of {', '.join(CHANNEL_BINDINGS)}",
        )
    if Path(config.journal_fingerprint).is_relative_to(config.state_dir):
        reader.problem(["journal_fingerprint"], "journal_fingerprint has to be outside state_dir: a backup that is put back would hide its age")
    if config.library.loan_days < 1:
        reader.problem(["library", "loan_days"], "library.loan_days has to be 1 or more")
    if config.library.renewals < 0:
        reader.problem(["library", "renewals"], "library.renewals can't be less than 0")
    if not config.roles:
        reader.problem(["roles"], "a ceod without a role has nothing to do")
    reader.finish()
    return config
