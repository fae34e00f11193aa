"""What a dry run says will change, as lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ceo.tui.widgets.page import Record

Json = dict[str, Any]
# Numbers, and what follows from other values.
_DETAILS = ("user number", "group number", "given name", "surname", "home directory", "mail")
# The words of the forms.
_LABELS = {
    "forwarding address": "Forward mail to",
    "member term": "Terms",
    "MySQL database": "Database",
    "MySQL password": "Password",
    "PostgreSQL database": "Database",
    "PostgreSQL password": "Password",
    "rep term": "Rep terms",
}


def plan_lines(plan: Json, *, shown: Sequence[str] = (), details: bool = False) -> list[Record]:
    """The changes of a plan, one line for each kind of value.

    A change has `what`, `of`, `old` and `new`; `shown` names kinds that are told elsewhere.
    """
    makes_new = plan.get("operation", "").startswith(("add_", "create_"))
    values: dict[str, list[str]] = {}
    for change in plan.get("changes") or []:
        what, of = change["what"], change["of"]
        if what in shown or (what in _DETAILS and not details):
            continue
        owner = "" if of == plan.get("subject") else f"{of}: "
        values.setdefault(what, []).append(owner + _value(change, makes_new=makes_new))
    return [Record(_label(what), ", ".join(texts)) for what, texts in values.items()]


def _label(what: str) -> str:
    return _LABELS.get(what, what[:1].upper() + what[1:])


def _value(change: Json, *, makes_new: bool) -> str:
    old, new = change["old"], change["new"]
    if old and new:
        return f"{old} becomes {new}"
    if old:
        return f"{old} (taken away)"
    return str(new) if makes_new else f"{new} (new)"
