"""What was found wrong, as lines."""

from __future__ import annotations

from typing import Any

from ceo.tui.widgets.page import Record

Json = dict[str, Any]
MARKS = {"ok": "✓", "problem": "✗", "unknown": "?"}
WIDTH = 21  # of the longest check, and of a step's name
_STYLES = {"ok": "choice", "problem": "problem", "unknown": "choice"}


def lines(finding: Json, name: str) -> list[Record]:
    """A finding under a short name; where it is not as it should be, what was looked at and how to mend it."""
    found = [Record(f"{MARKS[finding['state']]} {name}", (_STYLES[finding["state"]], finding["found"]), WIDTH)]
    if finding["state"] != "ok" and finding["looked_at"]:
        found.append(Record("", ("hint", f"looked at: {finding['looked_at']}"), WIDTH))
    if finding["mend"]:
        found.append(Record("", f"→ {finding['mend']}", WIDTH))
    return found
