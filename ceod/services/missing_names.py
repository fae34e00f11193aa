"""The error for a name that nobody has; one in capitals is told as what it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ceo_common.errors import NotFound
from ceo_common.model.names import username_problem
from ceod.services.directory import Directory


def not_there(kind: str, typed: str, is_there: Callable[[str], bool], **more: Any) -> NotFound:
    """There is no such thing; `did_you_mean` names one that has the name in small letters.

    Raises what is_there() does.
    """
    lower = typed.lower()
    if lower == typed or username_problem(lower) or not is_there(lower):
        return NotFound(f"there is no {kind} {typed!r}", **more)
    message = f"there is no {kind} {typed!r}; did you mean {lower}?"
    return NotFound(message, did_you_mean=lower, **more)


def no_account(directory: Directory, uid: str) -> NotFound:
    """There is no such account.  Raises BackendDown."""
    return not_there(
        "account",
        uid,
        lambda name: directory.person_unchecked(name) is not None,
        uid=uid,
        state="missing",
    )


def no_group(directory: Directory, cn: str) -> NotFound:
    """There is no such group.  Raises BackendDown."""
    return not_there("group", cn, lambda name: directory.group(name) is not None)


def no_club(directory: Directory, uid: str) -> NotFound:
    """There is no such club.  Raises BackendDown."""

    def is_club(name: str) -> bool:
        person = directory.person_unchecked(name)
        return person is not None and person.is_club

    return not_there("club", uid, is_club)
