"""Renew a member or a club representative; a representative who is given member terms becomes a member."""

from __future__ import annotations

from ceo_common.errors import Changed, Exists, WrongState
from ceo_common.model.member import Renewal
from ceo_common.terms import in_order
from ceod.operations.changes import ChangeEntries, ChangePrincipal, Changes
from ceod.operations.lists import JoinLists, warnings
from ceod.operations.private import Private, ThisRun
from ceod.services.all import Services
from ceod.services.entry import Person
from ceod.services.kadmin import Principal
from ceod.services.ldap_connection import Change
from ceod.transaction.step import Json, Operation


def check(person: Person, renewal: Renewal) -> None:
    """Raises Exists with the terms that are held already."""
    held = set(person.attributes.get("term", []))
    if renewal.terms is None:
        # A representative's renewal counts over both kinds: who is a member that term needs no free one.
        held |= set(person.attributes.get("nonMemberTerm", []))
    if again := in_order([term for term in renewal.all_terms if term in held]):
        raise Exists(f"{person.uid} is registered already for {', '.join(again)}", uid=person.uid, terms=again)


def check_own_expiry(person: Person) -> None:
    """Office staff end every expiry but their own, by slapd's rules.  Raises WrongState."""
    if day := person.one("shadowExpire"):
        raise WrongState(
            f"you have an expiry (shadowExpire: {day}), which ends with a renewal, and the directory"
            " does not let you end your own: ask somebody else of office staff",
            uid=person.uid,
        )


class AddTerms(ChangeEntries):
    """The terms, added to those that are there; nothing is taken away."""

    name = "terms"

    def changes(self, run: ThisRun) -> Changes:
        """Of one kind."""
        terms, others = run.arguments["terms"], run.arguments["non_member_terms"]
        change = Change("term", put=tuple(terms)) if terms else Change("nonMemberTerm", put=tuple(others))
        return {run.tools.directory.person_dn(run.arguments["uid"]): [change]}


class Unexpire(ChangeEntries):
    """The expiry, which office staff may delete and not set."""

    name = "expiry"

    def changes(self, run: ThisRun) -> Changes:
        """The day that is there, if one is."""
        person = run.tools.directory.person(run.arguments["uid"])
        if person and person.is_deleted:
            raise Changed(f"{person.uid} was deleted meanwhile")
        expires = person.one("shadowExpire") if person else ""
        return {person.dn: [Change("shadowExpire", remove=(expires,))]} if person and expires else {}


class UnexpirePrincipal(ChangePrincipal):
    """The principal's expiry, which goes with the directory's; one that was disabled by hand stays so."""

    def after(self, run: ThisRun, found: Principal) -> tuple[bool, int]:
        """Open again, if it is an expiry that ends here."""
        return found.disabled, 0 if Unexpire.of(run.facts) else found.expires


def _result(facts: Json) -> Json:
    return {"uid": facts["uid"], "terms": facts["terms"], "non_member_terms": facts["non_member_terms"],
            "unexpired": bool(Unexpire.of(facts)), "warnings": warnings(facts)}


RENEW_MEMBER: Operation[Services, Private] = Operation(
    name="renew_member", version=1, before=(AddTerms(), Unexpire(), UnexpirePrincipal()),
    after=(JoinLists(lambda facts: [(facts["list"], facts["uid"])]),), result=_result,
)
