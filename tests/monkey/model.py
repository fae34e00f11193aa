"""What clients were told, and which states of the servers agree with it; no server, no clock."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ceo_common.errors import Busy

Thing = tuple[
    str, ...
]  # ("shell", uid), ("list", list, uid), ("member", group, uid), ("loan", book), ...
# What is so already is nothing to do, and a wish all the same: what waits since before is too late.
Outcome = Literal["completed", "aborted", "refused", "nothing to do", "unknown"]
ANY = "<any>"  # a value that nobody was told, such as a password that was lost
ENDED = ("completed", "aborted", "abandoned")


@dataclass(frozen=True)
class Wish:
    """What one request makes of one thing; it was done at some moment from `sent` to `answered`.

    A wish that is not `sure` may have been done or not.
    """

    value: Hashable
    sent: float
    answered: float
    sure: bool = True


def may_stand(wishes: Iterable[Wish], before: Hashable) -> set[Hashable]:
    """The values that a thing may have at the end: of each wish that no later one surely replaced.

    The value `before` the first wish may stand only while no wish is sure.
    """
    wishes = list(wishes)
    last_sure = max((wish.sent for wish in wishes if wish.sure), default=-math.inf)
    values = {wish.value for wish in wishes if wish.answered >= last_sure}
    return values if last_sure > -math.inf else values | {before}


@dataclass(frozen=True)
class Attempt:
    """One request, and what the client was told of it.  Times are seconds since the epoch."""

    client: str
    kind: str
    subject: str
    host: str  # whose journal has its transaction; empty where the request makes none
    key: str
    sent: float
    answered: float
    outcome: Outcome
    code: str = ""  # of the error
    transaction: str = ""
    wishes: tuple[tuple[Thing, Any], ...] = ()
    accounts: tuple[str, ...] = ()  # that it makes, all of them or none
    warnings: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()  # steps that were still to be done when it was completed
    journal: int = 0  # how often the host's journal had lost records before


@dataclass(frozen=True)
class Row:
    """A transaction as a host's journal has it at the end."""

    transaction: str
    operation: str
    subject: str
    state: str
    key: str | None
    committed: float | None
    ended: float | None
    arguments: dict[str, Any] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)


def settle(attempt: Attempt, row: Row | None, *, lost_records: bool) -> Attempt:
    """The attempt, an unknown outcome settled by the journal's row of it.

    Without a row nothing was begun, unless the journal `lost_records` since.
    """
    if attempt.outcome != "unknown" or not attempt.host:
        return attempt
    if row is None:
        return attempt if lost_records else replace(attempt, outcome="refused")
    if row.state == "completed":
        done = row.committed or row.ended or math.inf
        return replace(
            attempt,
            outcome="completed",
            answered=max(done, attempt.sent),
            transaction=row.transaction,
        )
    if row.state == "aborted":
        return replace(attempt, outcome="aborted", transaction=row.transaction)
    return replace(attempt, transaction=row.transaction)


def contradictions(attempt: Attempt, row: Row | None, *, lost_records: bool) -> list[str]:
    """Where the journal says otherwise than the client was told."""
    if not attempt.host or attempt.outcome not in ("completed", "aborted"):
        return []
    if row is None and (attempt.outcome, attempt.code) == ("aborted", Busy.code):
        # It attached by its key to a request that was refused during its checks, and so has no row.
        return []
    if row is None:
        return (
            []
            if lost_records
            else [f"the client was told {attempt.outcome}, and the journal has no such transaction"]
        )
    if row.state != attempt.outcome and not (lost_records and row.state == "abandoned"):
        return [f"the client was told {attempt.outcome}, and the journal says {row.state}"]
    return []


def wishes_of(attempt: Attempt) -> list[tuple[Thing, Wish]]:
    """Its wishes: none where nothing was done, unsure ones where that is not known."""
    if attempt.outcome in ("aborted", "refused"):
        return []
    sure = attempt.outcome == "completed"
    until = math.inf if attempt.outcome == "unknown" else attempt.answered
    return [(thing, Wish(value, attempt.sent, until, sure)) for thing, value in attempt.wishes]


def without_lists(attempt: Attempt) -> Attempt:
    """The attempt, where its host forgot what waited: whether the lists followed nobody knows."""
    wishes = tuple((thing, ANY if thing[0] == "list" else value) for thing, value in attempt.wishes)
    return replace(attempt, wishes=wishes)


def not_taken_back(attempt: Attempt) -> Attempt:
    """The attempt, which was aborted after a password was set: an old one can't be brought back."""
    wishes = tuple((thing, ANY) for thing, _ in attempt.wishes if "password" in thing[0])
    return replace(attempt, outcome="unknown", wishes=wishes)


def by_thing(attempts: Iterable[Attempt]) -> dict[Thing, list[Wish]]:
    """The wishes of all attempts on each thing."""
    found: dict[Thing, list[Wish]] = defaultdict(list)
    for attempt in attempts:
        for thing, wish in wishes_of(attempt):
            found[thing].append(wish)
    return dict(found)


def expiry_wishes(attempt: Attempt, row: Row | None, members_list: str) -> Attempt:
    """An expiry's wishes: of those that its row has and that did not fail."""
    if row is None or row.state != "completed":
        return attempt
    expired = [
        uid for uid in row.arguments.get("accounts", []) if uid not in row.result.get("failed", {})
    ]
    wishes = [(("expired", uid), True) for uid in expired] + [
        (("list", members_list, uid), False) for uid in expired
    ]
    return replace(attempt, wishes=tuple(wishes))
