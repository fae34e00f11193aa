"""Which server runs on which host, as whom, and how one tells that it answers."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.club import ADDRESSES, CEOD_PORT, OUTSIDE, PYTHON, SRV

_PG = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/usr/bin"))
# At each commit the log is handed to the kernel: what a killed server had said stays so.
MARIADB_OPTIONS = (
    "--no-defaults", f"--datadir={SRV}/mysql/data", "--innodb-log-file-size=8M", "--innodb-buffer-pool-size=16M",
    "--performance-schema=OFF", "--innodb-flush-log-at-trx-commit=2", "--innodb-use-native-aio=0",
)


@dataclass(frozen=True)
class Service:
    """A server process: argv, the user it runs as, and an address that accepts once it is up."""

    name: str
    argv: tuple[str, ...]
    answers: tuple[str, int] | str  # (address, port), or the path of a socket
    user: str = "root"
    environment: dict[str, str] = field(default_factory=dict)

    def is_up(self) -> bool:
        """Whether it accepts a connection now."""
        try:
            if isinstance(self.answers, str):
                with socket.socket(socket.AF_UNIX) as probe:
                    probe.connect(self.answers)
            else:
                socket.create_connection(self.answers, 1).close()
        except OSError:
            return False
        return True


def _ceod(host: str) -> Service:
    return Service(
        "ceod",
        (str(PYTHON), "-m", "gunicorn", "--config", "/etc/csc/gunicorn.conf.py"),
        (ADDRESSES[host], CEOD_PORT),
    )


_ADMIN, _COFFEE, _UW = ADDRESSES["phosphoric-acid"], ADDRESSES["coffee"], ADDRESSES["uwldap"]

ON = {
    "phosphoric-acid": (
        Service("krb5kdc", ("krb5kdc", "-n"), (_ADMIN, 88)),
        Service("kadmind", ("kadmind", "-nofork"), (_ADMIN, 749)),
        Service(
            "slapd",
            ("slapd", "-f", "/etc/ldap/slapd.conf", "-h", f"ldaps://{_ADMIN}:636 ldapi://%2Frun%2Fslapd%2Fldapi", "-d", "256"),
            (_ADMIN, 636),
        ),
        _ceod("phosphoric-acid"),
    ),
    "mail": (
        Service("smtp", (str(PYTHON), "-m", "sandbox.smtp", str(OUTSIDE / "mail")), ("127.0.0.1", 25)),
        Service("mailman", ("/usr/lib/mailman3/bin/master", "--force", "-C", "/etc/mailman3/mailman.cfg"),
                ("127.0.0.1", 8001), user="list", environment={"HOME": f"{SRV}/mailman"}),
        _ceod("mail"),
    ),
    "coffee": (
        Service("mariadb", ("mariadbd", *MARIADB_OPTIONS, "--socket=/run/mysqld/mysqld.sock", "--bind-address=127.0.0.1"),
                ("127.0.0.1", 3306), user="mysql"),
        Service("postgresql",
                (f"{_PG}/postgres", "-D", f"{SRV}/postgresql/data", "-c", "fsync=off", "-c", f"listen_addresses=localhost,{_COFFEE}",
                 "-c", "unix_socket_directories=/run/postgresql", "-c", "shared_buffers=16MB",
                 "-c", f"krb_server_keyfile={SRV}/postgresql/keytab"),
                (_COFFEE, 5432), user="postgres"),
        _ceod("coffee"),
    ),
    "uwldap": (
        Service("uwldap", ("slapd", "-f", "/etc/ldap/slapd-uw.conf", "-h", f"ldap://{_UW}:389", "-d", "0"), (_UW, 389)),
    ),
}

# Folders of /run that a server wants, and whose they are.
RUN = {
    "phosphoric-acid": {"/run/slapd": "root"},
    "mail": {},
    "coffee": {"/run/mysqld": "mysql", "/run/postgresql": "postgres"},
    "uwldap": {},
}
INITDB = str(_PG / "initdb")
POSTGRES = str(_PG / "postgres")
PSQL = str(_PG / "psql")  # the one in PATH is a script in Perl that looks for this one
