"""A new member, a change, a renewal as they come over the wire, and members as they go out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from ceo_common.model import names
from ceo_common.model.change import Change
from ceo_common.model.wire import Address, Problem, Terms, Text, Username, Wire, one_of_two_kinds, parse, text
from ceo_common.terms import Term, current

ROWS_LIMIT = 2000

Addresses = Annotated[list[Address], Field(max_length=names.ADDRESSES_LIMIT)]
_Terms = Annotated[Terms, Field(max_length=64)]


class NewMember(Wire):
    """POST /api/members: exactly one of terms (a member) and non_member_terms (a club representative)."""

    uid: Username
    cn: Annotated[Text, text("the full name")]
    program: Annotated[Text, text("the program")]
    given_name: Annotated[Text, text("the given name")] | None = None
    sn: Annotated[Text, text("the surname")] | None = None
    terms: _Terms | None = None
    non_member_terms: _Terms | None = None
    forwarding_addresses: Addresses = Field(default_factory=list)

    @property
    def all_terms(self) -> list[str]:
        """The terms, of whichever kind."""
        return self.terms or self.non_member_terms or []

    @classmethod
    def across(cls, body: dict[str, Any]) -> list[Problem]:
        """One kind of terms, and a name that is not the username."""
        cn, uid = body.get("cn"), body.get("uid")
        own = isinstance(cn, str) and isinstance(uid, str) and not names.text_problem(cn, "") and names.full_name_problem(cn, uid)
        return one_of_two_kinds(body) + ([("cn", own)] if own else [])

    def warnings(self, now: Term) -> list[str]:
        """What is odd, but allowed."""
        return past_terms(self.all_terms, now)


class NewMembers(Wire):
    """POST /api/members/bulk: all of them are added, or none."""

    members: list[NewMember] = Field(min_length=1, max_length=ROWS_LIMIT)

    @classmethod
    def across(cls, body: dict[str, Any]) -> list[Problem]:
        """What is wrong across each row, and a name that two rows have."""
        rows = body.get("members")
        if not isinstance(rows, list):
            return []
        found, seen = [], set()
        for i, row in enumerate(rows):
            if not isinstance(row, dict):
                continue
            found += [(f"members.{i}.{field}", message) for field, message in NewMember.across(row)]
            uid = row.get("uid")
            if isinstance(uid, str) and uid in seen:
                found.append((f"members.{i}.uid", f"{uid} is listed twice"))
            seen.add(uid if isinstance(uid, str) else None)
        return found


class Renewal(Wire):
    """POST /api/members/UID/renew: exactly one of the two."""

    terms: _Terms | None = None
    non_member_terms: _Terms | None = None

    @property
    def all_terms(self) -> list[str]:
        """The terms, of whichever kind."""
        return self.terms or self.non_member_terms or []

    @classmethod
    def across(cls, body: dict[str, Any]) -> list[Problem]:
        """One kind."""
        return one_of_two_kinds(body)


class MemberChange(Wire):
    """PATCH /api/members/UID: fields that are left out do not change; an empty list of addresses ends the forwarding."""

    login_shell: Text | None = None
    forwarding_addresses: Addresses | None = None
    replace: bool = False  # also lines of ~/.forward that are no plain addresses

    @classmethod
    def across(cls, body: dict[str, Any]) -> list[Problem]:
        """Something has to change."""
        changing = [name for name in cls.model_fields if name != "replace"]
        if all(body.get(name) is None for name in changing):
            return [("(body)", f"nothing to change; you can change: {', '.join(changing)}")]
        return []


def past_terms(terms: list[str], now: Term) -> list[str]:
    """A warning of terms that are over."""
    past = [term for term in terms if Term.parse(term) < now]
    return [f"past terms: {', '.join(past)}"] if past else []


def parse_new_member(body: object, time_zone: str, now: datetime | None = None) -> tuple[NewMember, list[str]]:
    """The member and the warnings.  Raises Invalid with every problem."""
    term = current(time_zone, now)
    member = parse(NewMember, body, term)
    return member, member.warnings(term)


class Member(Wire):
    """GET /api/members/UID."""

    uid: str
    cn: str
    uid_number: int
    gid_number: int
    home_directory: str
    login_shell: str
    program: str
    given_name: str | None = None
    sn: str | None = None
    terms: list[str] = Field(default_factory=list)
    non_member_terms: list[str] = Field(default_factory=list)
    positions: list[str] = Field(default_factory=list)
    groups: list[str] | None = None  # None: in a list of many
    is_club: bool = False
    expired: bool = False
    deleted: bool = False
    forwarding_addresses: list[str] | None = None
    forwarding_problem: str | None = (
        None  # why ~/.forward can't be read; the addresses are empty then
    )
    # Whether the office worker who asks signed it up within the last hour; None for others.
    signed_up_just_now: bool | None = None


class MemberPage(Wire):
    """GET /api/members: `next` is the `after` of the page behind this one, null on the last.

    `broken` entries of the directory match too, and can't be shown: GET /api/directory/doctor
    lists them.  `index` says why the people index did not answer, but the directory itself, which
    knows no accents and no typing errors: "behind" the directory, or "away"; null where it did.
    """

    members: list[Member]
    found: int
    broken: int = 0
    index: str | None = None
    next: str | None = None


class Checked(Wire):
    """POST /api/members/bulk?dry_run: the rows that can't be added and why, and what the others would change."""

    members: int
    problems: list[dict[str, str]]
    changes: list[Change] = Field(default_factory=list)


class Lapsed(Wire):
    """A former member: `last_term` is null for somebody who never paid."""

    uid: str
    cn: str
    program: str
    last_term: str | None
    expired: bool


class LapsedMembers(Wire):
    """GET /api/lapsed, /api/expired, /api/inactive; `broken` entries were left out.

    `index`: as in MemberPage; the directory alone answers /api/expired and /api/inactive.
    """

    members: list[Lapsed]
    broken: int = 0
    index: str | None = None
