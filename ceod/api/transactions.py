"""Transactions: list, show, follow, resume, abandon; each host has its own."""

from __future__ import annotations

from typing import Any

import flask
from flask import request
from sqlalchemy.engine import Row

from ceo_common.errors import NotFound
from ceo_common.model.change import changed
from ceo_common.model.transaction import Abandoned, Reason, Rehearsal, Resumed, Transaction, Transactions
from ceo_common.permissions import Who
from ceod.api.requests import allow, caller, ceod, is_rehearsal, number, parsed, rehearsed, route, stream
from ceod.auth import states
from ceod.auth.caller import standing

blueprint = flask.Blueprint("transactions", __name__)

LIMIT = 1000


@route(blueprint, "GET", "/transactions", role=None, operation="transactions.list", gives=Transactions,
       query={"state": "only those in this state; stuck: those that wait for a person, or did not end within ten minutes",
              "limit": f"how many, up to {LIMIT}; 50 by default"})
def listed() -> flask.Response:
    """Your own transactions, newest first; the systems committee sees everybody's."""
    running, who = ceod(), caller()
    all_of_them = Who.SYSCOM in standing(who, running.services.directory)
    rows = running.engine.record.listed(caller=None if all_of_them else who.name, state=request.args.get("state"), limit=number("limit", 50, LIMIT))
    return flask.jsonify({"host": running.config.host, "transactions": [_summary(row) for row in rows]})


@route(blueprint, "GET", "/transactions/<identifier>", role=None, operation="transactions.read", decide=False, gives=Transaction)
def show(identifier: str) -> flask.Response:
    """One transaction: the request, each step and how it ended."""
    row = _found(identifier, "transactions.read")
    steps = [{
        "number": step.number, "name": step.name, "state": step.state, "attempts": step.attempts, "began": step.began, "ended": step.ended,
        "next_at": step.next_at if step.state == "waiting" else None, "error": step.error, "facts": step.intent,
    } for step in ceod().engine.record.steps_of(identifier)]
    return flask.jsonify({**_summary(row), "remote": row.remote, "arguments": row.arguments, "result": row.result, "reason": row.reason,
                          "steps": steps, "host": ceod().config.host})


@route(blueprint, "GET", "/transactions/<identifier>/events", role=None, operation="transactions.read", decide=False, streams=True,
       query={"after": "the number of the last event that you have received"})
def events(identifier: str) -> flask.Response:
    """Follow a transaction: its events after ?after=N, until it ends."""
    _found(identifier, "transactions.read")
    return stream(identifier, asked=False, after=number("after", 0, 1 << 30))


@route(blueprint, "POST", "/transactions/<identifier>/resume", role=None, operation="transactions.resume",
       states=states.NO_ACCOUNT, decide=False, gives=Resumed,
       rehearsal=Rehearsal)
def resume(identifier: str) -> flask.Response:
    """Retry now the steps that wait or could not be undone."""
    row = _found(identifier, "transactions.resume")
    operation = ceod().engine.operations.get((row.operation, row.version))
    if operation is not None and operation.bulk:
        allow("transactions.resume.bulk")  # it goes on with ceod's own rights
    names = ceod().engine.resume(identifier, rehearse=is_rehearsal())
    if is_rehearsal():
        changes = [changed(name, row.subject, "waits or failed", "tried again now") for name in names]
        return rehearsed("transactions.resume", row.subject, changes, *(f"try again: {name}" for name in names))
    ceod().engine.record.audit(identifier, caller().name, caller().address, "resume", "asked", subject=row.subject)
    return flask.jsonify({"transaction": identifier, "resumed": True})


@route(blueprint, "POST", "/transactions/<identifier>/abandon", role=None, operation="transactions.abandon",
       states=states.NO_ACCOUNT, takes=Reason, gives=Abandoned,
       rehearsal=Rehearsal)
def abandon(identifier: str) -> flask.Response:
    """Give up the steps that failed or do not end; the reason is recorded."""
    told = ceod().engine.abandon(identifier, caller().name, caller().address, parsed(Reason).reason, rehearse=is_rehearsal())
    if is_rehearsal():
        names = [item["step"] for item in told["left"]]
        changes = [changed(name, identifier, "not finished", "given up") for name in names]
        if not names:
            changes = [changed("transaction", identifier, "not ended", "abandoned")]
        return rehearsed("transactions.abandon", identifier, changes, *(f"give up: {name}" for name in names))
    return flask.jsonify(told)


def _found(identifier: str, operation: str) -> Row[Any]:
    """The transaction, if the caller may; whose it is decides.  Raises Forbidden, NotFound.

    Whoever may not see it learns nothing of it: a wrong id and somebody else's are told apart for the systems committee alone.
    """
    row = ceod().engine.record.transaction(identifier)
    mine = {Who.STARTER} if row is not None and row.caller == caller().name else set()
    allow(operation, also=mine)
    if row is None:
        raise NotFound(f"there is no transaction {identifier} on {ceod().config.host}")
    return row


def _summary(row: Row[Any]) -> dict[str, object]:
    return {
        "transaction": row.id, "operation": row.operation, "caller": row.caller, "subject": row.subject, "state": row.state,
        "created": row.created, "committed": row.committed, "ended": row.ended, "error": row.error,
    }
