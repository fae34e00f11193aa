"""What the menu knows of the club at this moment: who we are in it, and which hosts answer.  Asked in the background, never waited for."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from ceo_common.client_config import Hosts
from ceo_common.errors import CeoError, Unreachable
from ceo_common.permissions import RULES, Who

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]


@dataclass
class Standing:
    """`who` is None until ceod has said it; then nothing is greyed, and ceod decides."""

    hosts: Hosts
    who: frozenset[Who] | None = None
    uid: str = ""
    groups: frozenset[str] = frozenset()
    silent: dict[str, str] = field(default_factory=dict)  # why a host does not answer, by host

    def never(self, operation: str, uid: str = "") -> str:
        """Why one may not do something, perhaps to an account; empty when one may, or when only ceod can tell."""
        if self.who is None:
            return ""
        towards = {Who.SELF, Who.STARTER} if uid and uid == self.uid else set()
        towards |= {Who.CLUB} if uid in self.groups else set()
        # Whether an account is fresh is ceod's to know.
        towards |= {Who.FRESH} if Who.OFFICE in self.who else set()
        rule = RULES[operation]
        return "" if rule.allows(self.who | towards) else rule.sentence()

    def down(self, role: str) -> str:
        """Why the host of a role can't be asked, with its name; empty when it seems to answer."""
        host = self.hosts.of(role)
        reason = self.silent.get(host, "")
        names_host = not reason or short(host) in reason
        return reason if names_host else f"{short(host)} does not answer: {reason}"

    def is_any_of(self, *who: Who) -> bool:
        """Whether we are known to be one of these."""
        return bool(self.who and self.who & set(who))


def look(client: Client) -> Callable[[Standing], None]:
    """Ask who we are and which hosts answer; what to note of it.  For a worker's thread."""
    told = own = None
    with contextlib.suppress(CeoError):  # whatever is asked for next will say it
        told = client.whoami()
        own = client.member(told["uid"]) if told["uid"] else None
    silent: dict[str, str] = {}
    for host in client.hosts.all():
        try:
            client.ping(host)
        except Unreachable as error:
            silent[host] = error.message
    return partial(_note, silent, told, own)


def _note(silent: dict[str, str], told: Json | None, own: Json | None, standing: Standing) -> None:
    standing.silent = silent
    if told:
        standing.uid = told["uid"] or ""
        standing.who = frozenset(Who[name.upper()] for name in told["standing"] if name.upper() in Who.__members__)
    if own:
        standing.groups = frozenset(own["groups"])


def short(host: str) -> str:
    """A host's name without its domain."""
    return host.partition(".")[0]
