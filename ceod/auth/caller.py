"""Who is asking, and what they are towards the thing they ask for."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass

from ceo_common.config import Daemon
from ceo_common.errors import Forbidden
from ceo_common.permissions import RULES, Who
from ceod.services.directory import Directory

STAFF_GROUPS = {Who.OFFICE: "office", Who.SYSCOM: "syscom"}


@dataclass(frozen=True)
class Caller:
    """An authenticated principal of our realm: a person (`uid`) or one of our hosts (`host`)."""

    principal: str
    address: str
    uid: str | None = None
    host: str | None = None
    is_timer: bool = False  # this host's own ceod, from this host: cron
    is_database_host: bool = False

    def free(self) -> set[Who]:
        """What they are without asking the directory."""
        found = {Who.ANYONE, Who.SIGNED_IN}
        more = {Who.HOST: self.host is not None, Who.TIMER: self.is_timer, Who.DATABASE_HOST: self.is_database_host}
        return found | {who for who, they_are in more.items() if they_are}

    @property
    def name(self) -> str:
        """How they are called in the journal: the principal without the realm."""
        return self.principal.rpartition("@")[0]


def identify(principal: str, address: str, config: Daemon) -> Caller:
    """The caller behind a principal: name@OURREALM with one component, or ceod/<known host>.  Raises Forbidden.

    Names map exactly; nothing is cut off one.
    """
    realm = re.escape(config.realm)
    if match := re.fullmatch(rf"([^/@\\\s]+)@{realm}", principal):
        return Caller(principal, address, uid=match[1])
    if (match := re.fullmatch(rf"ceod/([^/@\\\s]+)@{realm}", principal)) and match[1] in config.hosts.all():
        return Caller(principal, address, host=match[1], is_timer=match[1] == config.host and _is_here(address, config.host),
                      is_database_host=match[1] == config.hosts.database)
    raise Forbidden(f"{principal} is neither a person of the realm {config.realm} nor one of its ceods")


def _is_here(address: str, host: str) -> bool:
    """Whether a connection came from this host itself: from loopback, or from the address that the host's own name has."""
    if ipaddress.ip_address(address or "0.0.0.0").is_loopback:
        return True
    try:
        return address in {found[4][0] for found in socket.getaddrinfo(host, None)}
    except OSError:
        return False


def standing(caller: Caller, directory: Directory, *, subject: str | None = None) -> set[Who]:
    """What the caller is towards an account or another thing named `subject`.  Raises BackendDown."""
    found = caller.free()
    if caller.uid:
        if subject == caller.uid:
            found.add(Who.SELF)
        groups = directory.groups_of(caller.uid)
        if subject in groups and (club := directory.person(subject)) and club.is_club:
            found.add(Who.CLUB)
        found |= {who for who, group in STAFF_GROUPS.items() if group in groups}
    return found


def require(operation: str, caller: Caller, directory: Directory, *, subject: str | None = None, also: set[Who] | None = None) -> set[Who]:
    """The caller's standing; raises Forbidden with the rule where it does not suffice.

    The directory is asked only when the answer depends on it.
    """
    rule = RULES[operation]
    free = caller.free() | (also or set())
    if rule.allows(free):
        return free
    found = standing(caller, directory, subject=subject) | (also or set())
    if not rule.allows(found):
        raise Forbidden(f"{rule.sentence()} You are {caller.name}.", rule=operation)
    return found
