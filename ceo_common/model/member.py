"""A new member as it comes over the wire, and a member as it goes out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from ceo_common.errors import Invalid
from ceo_common.model import names
from ceo_common.terms import YEARS_AHEAD, Term, current

_Text = Annotated[str, StringConstraints(max_length=1024)]


class _Wire(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class NewMember(_Wire):
    """POST /api/members: exactly one of terms (a member) and non_member_terms (a club representative)."""

    uid: _Text
    cn: _Text
    program: _Text
    given_name: _Text | None = None
    sn: _Text | None = None
    terms: list[_Text] | None = Field(default=None, max_length=64)
    non_member_terms: list[_Text] | None = Field(default=None, max_length=64)
    forwarding_addresses: list[_Text] = Field(default_factory=list, max_length=names.ADDRESSES_LIMIT)

    @property
    def all_terms(self) -> list[str]:
        """The terms, of whichever kind."""
        return self.terms or self.non_member_terms or []

    def problems(self, now: Term) -> list[dict[str, str]]:
        """What is wrong with the values, each with its field."""
        found: list[tuple[str, str | None]] = [
            ("uid", names.username_problem(self.uid)),
            ("cn", names.full_name_problem(self.cn, self.uid)),
            ("program", names.text_problem(self.program, "the program")),
        ]
        for field, value in (("given_name", self.given_name), ("sn", self.sn)):
            if value is not None:
                found.append((field, names.text_problem(value, "the given name" if field == "given_name" else "the surname")))
        if (self.terms is None) == (self.non_member_terms is None):
            found.append(("terms", "give either terms (a member) or non_member_terms (a club representative)"))
        field = "non_member_terms" if self.terms is None else "terms"
        found += [(field, problem) for problem in term_problems(self.all_terms, now)]
        if (self.terms is None) != (self.non_member_terms is None) and not self.all_terms:
            found.append((field, "at least one term is needed"))
        for i, address in enumerate(self.forwarding_addresses):
            found.append((f"forwarding_addresses.{i}", names.address_problem(address)))
        return [{"field": field, "message": message} for field, message in found if message]

    def warnings(self, now: Term) -> list[str]:
        """What is odd, but allowed."""
        past = [term for term in self.all_terms if Term.parse(term) < now]
        return [f"past terms: {', '.join(past)}"] if past else []


def term_problems(terms: list[str], now: Term) -> list[str]:
    """What is wrong with a set of terms."""
    problems, seen = [], set()
    for text in terms:
        try:
            term = Term.parse(text)
        except ValueError as error:
            problems.append(str(error))
            continue
        if term in seen:
            problems.append(f"{text} stands there twice")
        seen.add(term)
        if term - now > 3 * YEARS_AHEAD:
            problems.append(f"{text} is more than {YEARS_AHEAD} years ahead")
    return problems


def parse_new_member(body: object, time_zone: str, now: datetime | None = None) -> tuple[NewMember, list[str]]:
    """The member and the warnings.  Raises Invalid with every problem."""
    term = current(time_zone, now)
    try:
        member = NewMember.model_validate(body)
    except ValidationError as error:
        problems = [_problem(item) for item in error.errors(include_url=False, include_context=False, include_input=False)]
        raise Invalid("the request has problems", problems=problems + _problems_of_the_rest(body, term, problems)) from None
    if problems := member.problems(term):
        raise Invalid("the request has problems", problems=problems)
    return member, member.warnings(term)


def _problem(item: Any) -> dict[str, str]:
    field = ".".join(str(part) for part in item["loc"]) or "(body)"
    return {"field": field, "message": "unknown field" if item["type"] == "extra_forbidden" else str(item["msg"])}


def _problems_of_the_rest(body: object, term: Term, known: list[dict[str, str]]) -> list[dict[str, str]]:
    """With a field missing or of a wrong type, still what is wrong with the fields that are there."""
    if not isinstance(body, dict):
        return []
    bad = {problem["field"].split(".")[0] for problem in known}
    good = {name: body[name] for name in NewMember.model_fields if name in body and name not in bad}
    stand_in: dict[str, Any] = {"uid": "stand-in", "cn": "Stand In", "program": "stand-in", "terms": [str(term)]}
    if "non_member_terms" in good:
        del stand_in["terms"]
    try:
        rest = NewMember.model_validate(stand_in | good).problems(term)
    except ValidationError:
        return []
    return [problem for problem in rest if problem["field"].split(".")[0] in good]


class Member(_Wire):
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
    groups: list[str] = Field(default_factory=list)
    is_club: bool = False
    expired: bool = False
    forwarding_addresses: list[str] | None = None  # None: not for the caller to see
