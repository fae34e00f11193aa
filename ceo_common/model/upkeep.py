"""What the systems committee runs over many accounts at once: expiry, reminders, programs."""

from __future__ import annotations

from pydantic import Field

from ceo_common.model.change import Change
from ceo_common.model.member import Lapsed
from ceo_common.model.wire import Text, Wire


class Count(Wire):
    """The number of accounts that the dry run gave; if it has changed meanwhile, nothing is done."""

    count: int = Field(ge=1)


class ExpiryPlan(Wire):
    """POST /api/members/expire?dry_run and /remindexpire?dry_run: `count` of the `due` ones would be done in one run.

    `left_out` are those who are due and in another transaction, each with a sentence about it;
    `broken` is how many entries of the directory nobody can tell this of.
    """

    due: int
    count: int
    members: list[Lapsed]
    changes: list[Change] = Field(default_factory=list)
    left_out: dict[str, str] = Field(default_factory=dict)
    broken: int = 0


class UpdatePrograms(Wire):
    """POST /api/uwldap/updateprograms: the members to update; everybody when nobody is named."""

    members: list[Text] | None = Field(default=None, max_length=20000)


class ProgramChange(Change):
    """One program that would change."""

    uid: str


class ProgramPlan(Wire):
    """POST /api/uwldap/updateprograms?dry_run; `left_out` are those who are in another transaction, with a sentence each."""

    changes: list[ProgramChange]
    looked_at: int
    unknown: int  # to the university
    left_out: dict[str, str] = Field(default_factory=dict)
    broken: int = 0  # entries of the directory that nobody can work with


class UwPerson(Wire):
    """GET /api/uwldap/UID."""

    uid: str
    cn: str | None = None
    given_name: str | None = None
    sn: str | None = None
    program: str | None = None
