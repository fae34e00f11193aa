"""The accounts that may be meant, where nobody has the username that was typed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ceo_common.errors import CeoError, NotFound
from ceo_common.text import shown

if TYPE_CHECKING:
    from ceo.cli.context import Context

MOST = 5
_PATIENCE_S = 3.0  # the error is known already: nobody waits long for more words
_STATES = "deleted expired lapsed club"


def add_near(error: NotFound, context: Context) -> None:
    """Name in the error of a missing account those that may be meant: in words, and in `near`.

    Each of `near` has its `uid` and `cn`. Where the search fails or is refused, nothing is added.
    """
    if error.more.get("state") != "missing":
        return
    typed, client = str(error.more["uid"]), context.client
    client.answer_s, client.on_broken = _PATIENCE_S, lambda count: None
    try:
        found = client.members(text=typed, size=MOST)["members"]
    except CeoError:
        return
    near = [member for member in found if is_near(member, typed)]
    error.more["near"] = [{"uid": member["uid"], "cn": member["cn"]} for member in near]
    if near and "did_you_mean" not in error.more:  # which is said already
        names = [f"{member['uid']} ({shown(member['cn'])})" for member in near]
        error.message += f"; did you mean {', '.join(names)}?"


def is_near(member: dict[str, Any], typed: str) -> bool:
    """Whether a search found somebody by name or username.

    What was typed is a username: whom it fits as a term, a number, a state or a program is not
    meant.
    """
    number, terms = str(member["uid_number"]), [*member["terms"], *member["non_member_terms"]]
    beside = " ".join(["", member["program"], number, _STATES, *terms]).casefold()
    word = typed.casefold()
    return word in f"{member['uid']} {member['cn']}".casefold() or f" {word}" not in beside
