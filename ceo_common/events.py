"""The progress events of a transaction: one JSON object a line, the same for HTTP, command line, menu and tests."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

Status = Literal["in progress", "completed", "aborted", "rehearsed"]  # the last one is the client's word for what ?dry_run told
State = Literal["queued", "started", "progress", "done", "waiting", "undone", "not_ours", "undo_failed"]


class Event(TypedDict):
    """One line of a stream; `n` counts from 1, a re-attaching client asks for those after the last it saw."""

    n: int
    status: Status
    transaction: str
    operation: NotRequired[str]  # the step, in words
    state: NotRequired[State]
    step: NotRequired[int]
    of: NotRequired[int]
    elapsed_ms: NotRequired[int]
    done: NotRequired[int]  # of `items`, while a step over many is at work
    items: NotRequired[int]
    result: NotRequired[dict[str, Any]]  # of a completed one
    waiting: NotRequired[list[str]]  # steps that will be done when their server is back
    error: NotRequired[dict[str, Any]]  # of an aborted one, or why a step waits or could not be undone
    undone: NotRequired[list[str]]
    left: NotRequired[list[str]]  # steps that found something which this transaction did not make, or can't take back
    kept: NotRequired[list[str]]  # paths: homes that somebody had put something into, archived instead of removed
    undoing: NotRequired[list[str]]  # steps whose undoing goes on in the background
    heartbeat: NotRequired[bool]  # nothing happened; `n` is that of the event before


class Rehearsed(Event):
    """The one event of a rehearsal: the server's Rehearsal, or in `rehearsal` the one that the request has of its own."""

    dry_run: NotRequired[bool]
    subject: NotRequired[str]
    steps: NotRequired[list[dict[str, Any]]]  # name, after_commit
    warnings: NotRequired[list[str]]
    rehearsal: NotRequired[dict[str, Any]]


def is_last(event: Event) -> bool:
    """Whether the stream ends with this line."""
    return event["status"] != "in progress"


def heartbeat(transaction: str, n: int) -> Event:
    """The line that a stream sends while nothing happens, so that each side notices when the other is gone."""
    return {"n": n, "status": "in progress", "transaction": transaction, "heartbeat": True}
