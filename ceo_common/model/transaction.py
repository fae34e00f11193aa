"""Transactions and the audit log over the wire."""

from __future__ import annotations

from typing import Annotated, Any

from ceo_common.model.change import Change
from ceo_common.model.wire import Text, Wire, checked

Moment = float  # seconds since the epoch


class Reason(Wire):
    """POST /api/transactions/ID/abandon."""

    reason: Annotated[Text, checked(lambda text: None if text.strip() else "say why")]


class Summary(Wire):
    """A transaction in a list."""

    transaction: str
    operation: str
    caller: str
    subject: str
    state: str
    created: Moment
    committed: Moment | None
    ended: Moment | None
    error: dict[str, Any] | None


class Transactions(Wire):
    """GET /api/transactions: newest first."""

    host: str
    transactions: list[Summary]


class StepRow(Wire):
    """One step of a transaction."""

    number: int
    name: str
    state: str
    attempts: int
    began: Moment
    ended: Moment | None
    next_at: Moment | None
    error: dict[str, Any] | None
    facts: dict[str, Any]


class Transaction(Summary):
    """GET /api/transactions/ID."""

    remote: str
    arguments: dict[str, Any]
    result: dict[str, Any] | None
    reason: str | None
    steps: list[StepRow]
    host: str


class RehearsedStep(Wire):
    """One step of the plan; steps after the commit are never undone."""

    name: str
    after_commit: bool


class Rehearsal(Wire):
    """A write with ?dry_run: nothing refused it, and nothing was done.

    `changes` are the values that it would change; they are empty when nothing would change.
    """

    dry_run: bool = True
    operation: str
    subject: str
    steps: list[RehearsedStep]
    changes: list[Change]
    warnings: list[str]


class Resumed(Wire):
    """POST /api/transactions/ID/resume."""

    transaction: str
    resumed: bool


class Abandoned(Wire):
    """POST /api/transactions/ID/abandon."""

    transaction: str
    left: list[dict[str, Any]]


class Log(Wire):
    """GET /api/log: newest first; each row says n, at, who, remote, what, subject, transaction, outcome, error.

    A field that was erased is null.
    """

    host: str
    rows: list[dict[str, Any]]


class LogCheck(Wire):
    """GET /api/log/verify: some rows of the audit log's chain, checked.

    The hash of each row covers the row and the hash before it.  `rows` hold, from the one behind
    `after` to `last`; of `erased` among them a personal field was erased, which the chain allows.
    `breaks_at` is the first row that does not hold; where it is not above `accepted_to`, an administrator
    accepted the broken chain up to that row, so go on behind it.  Unless `is_end`, go on behind `last`.  `is_newest`
    tells whether the journal is as new as its fingerprint outside state_dir says; null where that is
    not there or can't be read.
    """

    host: str
    after: int
    after_hash: str
    rows: int
    erased: int
    last: int
    last_hash: str
    breaks_at: int | None
    is_end: bool
    accepted_to: int
    is_newest: bool | None
