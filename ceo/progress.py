"""Following a transaction: every event is shown as it comes, and the end is a result or an error."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ceo_common.errors import Aborted, OutcomeUnknown
from ceo_common.events import Event

Show = Callable[[Event], None]


def follow(events: Iterable[Event], show: Show) -> Event:
    """The last event of a transaction that was completed, or the one of a rehearsal, which is not shown: nothing happened.

    Raises Aborted (its `more` holds the event), OutcomeUnknown.
    """
    for event in events:
        if event["status"] == "rehearsed":
            return event
        show(event)
        if event["status"] == "completed":
            return event
        if event["status"] == "aborted":
            error = event.get("error") or {}
            raise Aborted(aborted_sentence(event), problems=error.get("problems"), transaction=event["transaction"], cause=error,
                          undone=event.get("undone", []), undoing=event.get("undoing", []),
                          left=event.get("left", []), kept=event.get("kept", []))
    raise OutcomeUnknown("the stream ended before the outcome was known")


def aborted_sentence(event: Event) -> str:
    """What failed, what was undone, what to do next."""
    error = event.get("error") or {}
    undone, undoing = event.get("undone", []), event.get("undoing", [])
    said = f"{error.get('step', 'it')} failed: {error.get('error', 'no reason was given')}."
    kept = event.get("kept", [])
    if undoing:
        said += f" Not undone yet; ceod continues by itself: {', '.join(undoing)} (ceo transactions show {event['transaction']})."
    elif left := event.get("left", []):
        said += f" Undone: {', '.join(undone) or 'nothing'}. Not undone, so check it by hand: {', '.join(left)}."
    elif kept:
        said += f" Undone: {', '.join(undone)}."
    elif undone:
        said += f" Undone: {', '.join(undone)}. Nothing is left of it; you can try again."
    else:
        said += " Nothing was done."
    if kept:
        said += (
            f" The home held more than the skeleton, so it was kept: {', '.join(kept)}."
            " Move it away before the name can be used again."
        )
    return said
