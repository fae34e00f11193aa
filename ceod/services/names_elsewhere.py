"""The names that other hosts know: databases, their users, mailing lists, aliases of mail."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ceo_common.client import Client
from ceo_common.errors import CeoError
from ceod.services.slow_hosts import SlowHosts

# Sign-ups that follow each other ask once.  Who makes a list or a database by hand in these seconds
# is as early as one who does so right after a sign-up.
KEPT_S = 5.0


@dataclass(frozen=True)
class TakenElsewhere:
    """Names that other hosts know.  `warnings` are sentences about hosts that did not answer."""

    databases: dict[str, list[str]]  # the names of databases and roles, by mysql|postgresql
    lists: list[str]
    aliases: list[str]
    warnings: list[str]

    def has_any(self, names: Collection[str]) -> bool:
        """Whether one of the names is known anywhere."""
        known = (*self.databases.values(), self.lists, self.aliases)
        return any(not set(names).isdisjoint(each) for each in known)


class NamesElsewhere:
    """Asks the database host and the mail host, and keeps what both answered for KEPT_S."""

    def __init__(
        self, peers: Client, slow_hosts: SlowHosts, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._peers, self._slow_hosts, self._clock = peers, slow_hosts, clock
        self._kept: tuple[float, TakenElsewhere] | None = None  # until when, and what

    def ask(self, names: Collection[str]) -> TakenElsewhere:
        """What the hosts know, for somebody who wants these names.

        That a host is away keeps nobody from being signed up.  The hosts are asked again when one
        of the names stands in a kept answer, so that a name that is free again can be had at once.
        """
        if kept := self._kept:  # read once: other threads put another one in its place
            until, taken = kept
            if self._clock() < until and not taken.has_any(names):
                return taken
        taken = self._asked()
        self._kept = None if taken.warnings else (self._clock() + KEPT_S, taken)
        return taken

    def _asked(self) -> TakenElsewhere:
        """Both hosts at the same time."""
        warnings, hosts, peers = [], self._peers.hosts, self._peers
        with ThreadPoolExecutor(2) as pool:
            databases = pool.submit(self._slow_hosts.ask, hosts.database, peers.all_databases)
            mail = pool.submit(self._slow_hosts.ask, hosts.mail, peers.mail_names)
        databases_known: dict[str, list[str]] = {}
        mail_known: dict[str, list[str]] = {"lists": [], "aliases": []}
        try:
            databases_known = databases.result()
        except CeoError as error:
            warnings.append(f"whether a database has the name could not be asked: {error.message}")
        try:
            mail_known = mail.result()
        except CeoError as error:
            warnings.append(
                "whether the name is a mailing list or an alias of the mail server could not be"
                f" asked: {error.message}"
            )
        return TakenElsewhere(databases_known, mail_known["lists"], mail_known["aliases"], warnings)
