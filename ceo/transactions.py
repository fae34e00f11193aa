"""Transactions over all hosts: each has its own journal, people want one list."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from ceo_common.errors import BackendDown, CeoError, Forbidden, JournalUntrusted, NotFound, Unauthenticated, Unreachable

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]

_STEPS = {"intent": "was begun; ceod checks whether it was done", "done": "done", "undone": "undone", "not_ours": "there was nothing to undo",
          "undo_failed": "COULD NOT BE UNDONE", "pending": "to be done", "skipped": "not needed any more", "given_up": "given up"}


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
    """The newest audit rows of some hosts, at most `limit`, each with its `host`, and why a host did not answer, by host."""
    rows: list[Json] = []
    silent: dict[str, str] = {}
    for host in hosts:
        try:
            rows += [{**row, "host": host} for row in client.log(host, limit=limit)["rows"]]
        except (Unreachable, BackendDown) as error:
            silent[host] = error.message
    newest = sorted(rows, key=lambda row: float(row["at"]), reverse=True)
    return newest[:limit], silent


def verify(client: Client, host: str) -> Json:
    """Whether the chain of a host's audit log holds, how far, and its head.

    `state` is "ok", "problem" (ceod's journal is not trusted there, too), or "unknown" where the host
    did not answer; `problem` says why.  `accepted` says which broken rows an administrator accepted; the
    chain is checked behind them, too.  Raises Forbidden, Unauthenticated.
    """
    checked: Json = {
        "host": host, "state": "unknown", "problem": "", "rows": 0, "erased": 0, "head": "", "accepted": "",
    }
    after, is_end = 0, False
    last_hash: str | None = ""
    while not is_end:
        try:
            part = client.verify_log(host, after=after)
        except (Forbidden, Unauthenticated):
            raise
        except JournalUntrusted as error:
            return {**checked, "state": "problem", "problem": error.message}
        except CeoError as error:
            return {**checked, "problem": error.message}
        if last_hash is not None and part["after_hash"] != last_hash:  # somebody changed it just now
            part = {**part, "rows": 0, "erased": 0, "breaks_at": part["after"]}
        checked["rows"] += part["rows"]
        checked["erased"] += part["erased"]
        after, last_hash, is_end = part["last"], part["last_hash"], part["is_end"]
        if part["breaks_at"] is not None:
            accepted_to = part["accepted_to"]
            if part["breaks_at"] <= accepted_to and not checked["accepted"]:
                checked["accepted"] = f"broken at row {part['breaks_at']}, which was accepted; checked since row {accepted_to}"
                after, last_hash, is_end = accepted_to, None, False
                continue
            return {**checked, "state": "problem", "problem": f"row {part['breaks_at']} was changed, or one before it taken out"}
        if part["is_newest"] is False:
            return {**checked, "state": "problem", "problem": "rows at its end were cut off or changed, or an older journal was put back:"
                    " ceod's fingerprint of the journal records others"}
    return {**checked, "state": "ok", "head": last_hash}


def step_told(step: Json) -> str:
    """A step's state in words, with its error and when it is tried again."""
    tries = f"{step['attempts']} {'try' if step['attempts'] == 1 else 'tries'}"
    told = _STEPS.get(step["state"], str(step["state"]))
    if step["state"] == "waiting":
        told = f"waits after {tries}"
    if step["state"] == "waiting" and step["next_at"]:
        told += f"; next on {when(step['next_at'])}"
    if kept := step["facts"].get("kept"):
        told += f"; it held more than the skeleton, so it was kept: {', '.join(kept)}"
    if step["error"] and step["state"] != "done":
        told += f" ({step['error'].get('error', '')})"
    return told


def when(seconds: float) -> str:
    """A moment, in this machine's time."""
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M:%S")
