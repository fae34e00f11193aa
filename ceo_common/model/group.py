"""Groups, clubs and positions over the wire."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, RootModel

from ceo_common.model import names
from ceo_common.model.wire import Problem, Text, Username, Wire, text


class NewGroup(Wire):
    """POST /api/groups."""

    cn: Username


class NewClub(Wire):
    """POST /api/clubs."""

    uid: Username
    cn: Annotated[Text, text("the club's name")]

    @classmethod
    def across(cls, body: dict[str, Any]) -> list[Problem]:
        """A name that is not the username, as for a person."""
        cn, uid = body.get("cn"), body.get("uid")
        own = isinstance(cn, str) and isinstance(uid, str) and not names.text_problem(cn, "") and names.full_name_problem(cn, uid)
        return [("cn", own)] if own else []


class Group(Wire):
    """GET /api/groups/G."""

    cn: str
    gid_number: int | None  # None: one that is no POSIX group
    members: list[str]  # usernames
    lists: list[str]  # the mailing lists that follow it
    implies: list[str]  # the groups that follow it


class GroupSummary(Wire):
    """One group of a list."""

    cn: str
    gid_number: int
    members: int  # how many


class Groups(Wire):
    """GET /api/groups: not the accounts' own; `broken` entries of the directory are left out."""

    groups: list[GroupSummary]
    broken: int = 0


class Club(Wire):
    """GET /api/clubs/UID: `members` are the usernames of those who may act as it."""

    uid: str
    cn: str
    uid_number: int
    home_directory: str
    members: list[str]
    expired: bool = False
    deleted: bool = False


class ClubSummary(Wire):
    """One club of a list."""

    uid: str
    cn: str
    members: int  # how many may act as it
    expired: bool = False
    deleted: bool = False


class Clubs(Wire):
    """GET /api/clubs, by username; `broken` entries of the directory are left out."""

    clubs: list[ClubSummary]
    broken: int = 0


class NewPositions(RootModel[dict[Text, Annotated[list[Username], Field(max_length=32)]]]):
    """POST /api/positions: who holds each position; one that is not named does not change, an empty list means nobody."""


class Positions(Wire):
    """GET /api/positions: every position there is, in the club's order."""

    positions: dict[str, list[str]]
    required: list[str]
    broken: int = 0  # entries of the directory that hold one and are left out
