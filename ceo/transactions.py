"""Transactions over all hosts: each has its own journal, people want one list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ceo_common.errors import BackendDown, CeoError, NotFound, Unreachable

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]


def listed(client: Client, *, state: str = "", limit: int = 50) -> tuple[list[Json], dict[str, str]]:
    """The newest transactions of all hosts, and why a host did not answer, by host."""
    rows: list[Json] = []
    silent: dict[str, str] = {}
    for host in client.hosts.all():
        try:
            rows += [{**row, "host": host} for row in client.transactions(host, state=state, limit=limit)]
        except (Unreachable, BackendDown) as error:
            silent[host] = error.message
    return sorted(rows, key=lambda row: row["created"], reverse=True)[:limit], silent


def find(client: Client, identifier: str) -> Json:
    """The story of a transaction, whichever host has it.  Raises NotFound, naming hosts that did not answer."""
    silent: list[str] = []
    refusal: CeoError | None = None
    for host in client.hosts.all():
        try:
            return client.transaction(host, identifier)
        except NotFound:
            continue
        except (Unreachable, BackendDown):
            silent.append(host)
        except CeoError as error:
            refusal = error
    if refusal:
        raise refusal
    unsure = f"; these did not answer: {', '.join(silent)}" if silent else ""
    raise NotFound(f"no host knows a transaction {identifier}{unsure}")


def audit(client: Client, *, hosts: list[str], limit: int) -> tuple[list[Json], dict[str, str]]:
    """The newest audit rows of some hosts, each with its `host`, and why a host did not answer, by host."""
    rows: list[Json] = []
    silent: dict[str, str] = {}
    for host in hosts:
        try:
            rows += [{**row, "host": host} for row in client.log(host, limit=limit)["rows"]]
        except (Unreachable, BackendDown) as error:
            silent[host] = error.message
    return sorted(rows, key=lambda row: float(row["at"]), reverse=True), silent
