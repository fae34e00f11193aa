"""The sandbox's club as data: its realm, its hosts and their addresses, its people, its places."""

from __future__ import annotations

from pathlib import Path

REALM = "CSCLUB.INTERNAL"
DOMAIN = "csclub.internal"
BASE_DN = "dc=csclub,dc=internal"
UW_BASE_DN = "dc=uwaterloo,dc=internal"
PASSWORD = "krb5"  # of everybody who is there from the start
CEOD_PORT = 9987

CHECKOUT = Path(__file__).resolve().parent.parent
PYTHON = CHECKOUT / ".venv/bin/python"
COMMAND = ".venv/bin/python -m sandbox"  # what a person types in the checkout

# 192.0.2.0/24 is the documentation range (RFC 5737): nothing routes it, and the namespaces have no way out anyway.
NETWORK = "192.0.2.0/24"
DESK = "desk"  # the sandbox's own namespace: the office terminal, where people sit and tests run
HOSTS = {"phosphoric-acid": "192.0.2.2", "mail": "192.0.2.3", "coffee": "192.0.2.4", "uwldap": "192.0.2.5"}
ADDRESSES = {DESK: "192.0.2.1", **HOSTS}
ROLES = {"phosphoric-acid": ["admin"], "mail": ["mail"], "coffee": ["database", "library"]}

# name -> uidNumber; their password is PASSWORD.
PEOPLE = {"ctdalek": 20001, "office1": 20002, "regular1": 20003, "rep1": 20004}
GROUPS = {"syscom": (10001, ["ctdalek"]), "office": (10002, ["ctdalek", "office1"]), "staff": (10003, ["ctdalek"])}
# Groups of the directory alone: this machine has some of these names in its own /etc/group.
LDAP_GROUPS = {name: 10004 + i for i, name in enumerate(("exec", "adm", "src", "cdrom", "audio", "video", "www"))}
LISTS = ("csc-general", "syscom", "exec", "events", "jobs")

# Inside the sandbox.
SRV = Path("/srv/club")  # the servers' data
OUTSIDE = Path("/srv/sandbox")  # the sandbox's directory, as seen from inside: logs, mail, control sockets


def fqdn(host: str) -> str:
    """The full name of one of HOSTS or of the desk."""
    return "ldap.uwaterloo.internal" if host == "uwldap" else f"{host}.{DOMAIN}"


def hardware_address(name: str) -> str:
    """The one that a host keeps over a crash, as a machine does.

    With another one it would be out of reach until its neighbours asked again, which they do after
    up to a minute (arp(7), base_reachable_time).
    """
    return f"02:00:00:00:00:{int(ADDRESSES[name].rpartition('.')[2]):02x}"


def host_place(host: str) -> Path:
    """Where a host's own files lie, outside its namespaces: they outlive a crash of the host."""
    return Path("/srv/hosts") / host
