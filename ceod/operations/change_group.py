"""Put an account into a group or take it out, with the groups and the mailing lists that follow from it."""

from __future__ import annotations

from typing import Literal

from ceo_common.config import Groups
from ceo_common.errors import Exists, NotFound, WrongState
from ceod.operations.changes import ChangeEntries, Changes
from ceod.operations.lists import JoinLists, LeaveLists, warnings
from ceod.operations.private import Private, ThisRun
from ceod.services.all import Services
from ceod.services.directory import Directory
from ceod.services.ldap_connection import Change
from ceod.services.missing_names import no_group
from ceod.transaction.step import Json, Operation

SYSCOM = "syscom"

Outcome = Literal["to do", "nothing to do", "there is no such group"]


def plan(services: Services, group: str, uid: str, *, join: bool) -> Json:
    """The arguments: of each group concerned, whether there is something to do.

    Raises NotFound (no such group), Exists (in it already, with all that follows), WrongState (not in it).
    """
    if services.directory.group(group) is None:
        raise no_group(services.directory, group)
    concerned = _concerned(services, group, uid, join=join)
    outcomes = {name: _outcome(services, name, uid, join=join) for name in concerned}
    if join and "to do" not in outcomes.values():
        raise Exists(f"{uid} is in {group} already")
    if not join and outcomes[group] != "to do":
        raise NotFound(f"{uid} is not in {group}")
    if not join and outcomes.get(SYSCOM) == "to do":
        ensure_not_last(services.directory, uid)
    stays = {name for other in ([] if join else _staying(services, group, uid)) for name in services.config.groups.lists.get(other, [])}
    lists = [name for other, outcome in outcomes.items() if outcome != "there is no such group"
             for name in services.config.groups.lists.get(other, []) if name not in stays]
    return {"group": group, "uid": uid, "join": join, "groups": outcomes, "lists": list(dict.fromkeys(lists))}


def _concerned(services: Services, group: str, uid: str, *, join: bool) -> list[str]:
    """What follows from the group; on leaving, what does not follow from another one that stays."""
    implied = services.config.groups.implied_by(group)
    if join:
        return implied
    kept = _staying(services, group, uid)
    return [group] + [name for name in implied[1:] if name not in kept]


def _staying(services: Services, group: str, uid: str) -> set[str]:
    """The groups that somebody who leaves one is in all the same, and what follows from them."""
    config: Groups = services.config.groups
    implied = config.implied_by(group)
    return {other for name in services.directory.groups_of(uid) if name not in implied for other in config.implied_by(name)}


def _outcome(services: Services, group: str, uid: str, *, join: bool) -> Outcome:
    entry = services.directory.group(group)
    if entry is None:
        return "there is no such group"
    return "to do" if services.directory.is_in(group, uid) != join else "nothing to do"


def names_locked(config: Groups, group: str, uid: str) -> tuple[str, ...]:
    """What the transaction holds: the account and every group that may change."""
    return (f"account:{uid}", *(f"group:{name}" for name in config.implied_by(group)))


class ChangeGroups(ChangeEntries):
    """Every group at once: none of them is left half applied."""

    name = "groups"

    def changes(self, run: ThisRun) -> Changes:
        """The ones with something to do."""
        directory, uid, join = run.tools.directory, run.arguments["uid"], run.arguments["join"]
        person_dn = directory.person_dn(uid)
        change = Change("uniqueMember", put=(person_dn,)) if join else Change("uniqueMember", remove=(person_dn,))
        names = [name for name, outcome in run.arguments["groups"].items() if outcome == "to do"]
        # The group that the others follow from is left last: it may be the caller's own right to change them.
        return {directory.group_dn(name): [change] for name in (names if join else reversed(names))}


def ensure_not_last(directory: Directory, uid: str) -> None:
    """Whoever else is in it has to be a living account.  Asked while the group is locked.  Raises WrongState."""
    others = directory.people_named([name for name in directory.members_of(SYSCOM) if name != uid])
    if directory.is_in(SYSCOM, uid) and not any(not person.one("shadowExpire") for person in others.values()):
        raise WrongState(f"{uid} is the last member of the systems committee, and nobody could undo this")


def _pairs(*, join: bool) -> JoinLists | LeaveLists:
    kind = JoinLists if join else LeaveLists
    return kind(lambda facts: [(name, facts["uid"]) for name in facts["lists"]] if facts["join"] == join else [])


def _result(facts: Json) -> Json:
    done = "added" if facts["join"] else "removed"
    return {"group": facts["group"], "uid": facts["uid"], "lists": facts["lists"],
            "groups": {name: done if outcome == "to do" else outcome for name, outcome in facts["groups"].items()}, "warnings": warnings(facts)}


CHANGE_GROUP: Operation[Services, Private] = Operation(
    name="change_group", version=1, before=(ChangeGroups(),), after=(_pairs(join=True), _pairs(join=False)), result=_result,
)
