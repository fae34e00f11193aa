"""Bring the members' programs up to what the university's directory says."""

from __future__ import annotations

from typing import Any

from ceo_common.errors import Changed, NotFound, WrongState
from ceo_common.model import names as name_rules
from ceo_common.model.upkeep import ProgramChange, ProgramPlan
from ceod.operations.private import Private
from ceod.services.all import Services
from ceod.services.ldap_connection import Change
from ceod.services.missing_names import no_account
from ceod.transaction.step import Bulk, Json, Operation, Turn

# What the university writes where there is no program any more (2010).
_NOT_PROGRAMS = ("orphaned", "expired")


def plan(services: Services, uids: list[str] | None, held: dict[str, str]) -> ProgramPlan:
    """Whose program would change; empty ones, unchanged ones and what is no program are skipped.

    `held` are the names that transactions hold: whose account is among them is left out.
    Raises NotFound (who is not there), BrokenEntry, WrongState (a club or a deleted account is named).
    """
    directory = services.directory
    broken = 0
    if uids is None:
        people = directory.people_with(
            "(objectClass=member)", ["uid", "program", "shadowExpire", "objectClass"]
        )
        members, broken = {person.uid: person for person in people}, len(people.broken)
    else:
        members = directory.people_named(uids)
        for person in members.broken.values():
            person.check()
        if missing := [uid for uid in uids if uid not in members]:
            errors = [no_account(directory, uid) for uid in missing]
            more = errors[0].more if len(errors) == 1 else {}
            raise NotFound("; ".join(error.message for error in errors), **more)
        if others := [uid for uid in uids if members[uid].is_deleted or members[uid].is_club]:
            raise WrongState(f"deleted accounts and clubs have no program: {', '.join(others)}")
    members = {uid: person for uid, person in members.items() if not person.is_deleted and not person.is_club}
    at_university = services.admin_host.uwldap.people(list(members))
    changes, left_out = list[ProgramChange](), dict[str, str]()
    for uid, person in sorted(members.items()):
        new = name_rules.normal(at_university.get(uid, {}).get("program", "")).strip()
        old = person.one("program")
        skipped = new == old or name_rules.text_problem(new, "") or any(word in new.casefold() for word in _NOT_PROGRAMS)
        if skipped:
            continue
        if reason := held.get(f"account:{uid}"):
            left_out[uid] = reason
        else:
            changes.append(ProgramChange(what="program", of=uid, uid=uid, old=old or None, new=new))
    return ProgramPlan(
        changes=changes,
        looked_at=len(members),
        unknown=len(members) - len(at_university),
        left_out=left_out,
        broken=broken,
    )


class ChangePrograms(Bulk[Services]):
    """The programs, each from exactly the old to exactly the new."""

    name = "programs"

    def items(self, turn: Turn[Services]) -> list[Any]:
        """As they were planned."""
        return list(turn.facts["changes"])

    def batch(self, turn: Turn[Services], items: list[Any]) -> dict[str, str]:
        """One that is new already was changed before a crash."""
        directory = turn.tools.directory
        by_dn = {directory.person_dn(item["uid"]): item for item in items}
        with directory.writing(turn.private and turn.private.connection) as connection:
            refused = connection.change_all([
                (dn, [Change("program", (item["old"],) if item["old"] else (), (item["new"],))]) for dn, item in by_dn.items()])
        return {by_dn[dn]["uid"]: error.message for dn, error in refused.items()
                if not (isinstance(error, (Changed, NotFound)) and self._is_done(turn, by_dn[dn]))}

    def _is_done(self, turn: Turn[Services], item: Json) -> bool:
        person = turn.tools.directory.person(item["uid"])
        return person is not None and person.one("program") == item["new"]


def _result(facts: Json) -> Json:
    done, failed = ChangePrograms().outcome(facts)
    return {"updated": done, "failed": failed, "left_out": facts.get("left_out", {})}


UPDATE_PROGRAMS: Operation[Services, Private] = Operation(
    name="update_programs", version=1, before=(), after=(ChangePrograms(),), bulk=True, result=_result,
)
