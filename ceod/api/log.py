"""The audit log: who did what, and what came of it."""

from __future__ import annotations

import dataclasses

import flask

from ceo_common.errors import JournalUntrusted
from ceo_common.model.transaction import Log, LogCheck
from ceo_common.permissions import Who
from ceod.api.requests import answer, caller, ceod, number, route
from ceod.auth.caller import standing
from ceod.transaction import audit
from ceod.transaction.journal import audit_accepted_to

blueprint = flask.Blueprint("log", __name__)

LIMIT = 1000


@route(blueprint, "GET", "/log", role=None, operation="log.read", gives=Log,
       query={"limit": f"how many rows, up to {LIMIT}; 50 by default", "before": "only rows with a smaller number"})
def rows() -> flask.Response:
    """Your own actions, newest first; the systems committee sees everybody's."""
    running, who = ceod(), caller()
    everything = Who.SYSCOM in standing(who, running.services.directory)
    limit, before = number("limit", 50, LIMIT, least=1), number("before", 1 << 40, 1 << 40)
    with running.engine.journal.reading() as connection:
        found = audit.rows(connection, who=None if everything else who.name, limit=limit, before=before)
    return answer(Log(host=running.config.host, rows=found))


@route(blueprint, "GET", "/log/verify", role=None, operation="log.verify", gives=LogCheck,
       query={"after": "only rows with a larger number; the first one is checked against the hash of that row"})
def verify() -> flask.Response:
    """Check rows of the audit log: whether any was changed, moved or removed."""
    running, after = ceod(), number("after", 0, 1 << 40)
    with running.engine.journal.reading() as connection:
        stretch = audit.check(connection, after=after)
        accepted_to = audit_accepted_to(connection)
    return answer(LogCheck(
        host=running.config.host, rows=stretch.rows, accepted_to=accepted_to, is_newest=_is_newest(),
        **dataclasses.asdict(stretch),
    ))


def _is_newest() -> bool | None:
    """Whether the log ends where the fingerprint outside says, or behind it: a cut tail shows by nothing else."""
    journal = ceod().engine.journal
    try:
        known = journal.known_outside()
        return None if known is None else journal.compare(known) is None
    except JournalUntrusted:
        return None
