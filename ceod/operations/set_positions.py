"""Say who holds which position; the executive's group and its lists follow."""

from __future__ import annotations

import time

from ceo_common.config import Positions
from ceo_common.errors import Invalid, NotFound
from ceod.operations.changes import ChangeEntries, Changes, as_json
from ceod.operations.lists import JoinLists, LeaveLists, warnings
from ceod.operations.private import Private, ThisRun
from ceod.services.all import Services
from ceod.services.directory import Directory
from ceod.services.entry import People
from ceod.services.ldap_connection import Change
from ceod.transaction.step import Json, Operation

Holders = dict[str, list[str]]  # usernames by position


def holders(directory: Directory, config: Positions) -> Holders:
    """Who holds which now, in the club's order; a position that only the directory knows comes last."""
    return by_position(with_positions(directory), config)


def with_positions(directory: Directory) -> People:
    """Who holds any."""
    return directory.people_with("(position=*)", ["uid", "position"])


def by_position(people: People, config: Positions) -> Holders:
    """The usernames, by the position that they hold."""
    found: Holders = {name: [] for name in config.available}
    for person in sorted(people, key=lambda person: person.uid):
        for name in person.attributes.get("position", []):
            found.setdefault(name, []).append(person.uid)
    return found


def plan(services: Services, wanted: Holders) -> Json:
    """The arguments: who loses and who gets what.

    Raises Invalid with every problem, BrokenEntry (of somebody who holds one of the positions).
    """
    config, directory = services.config.positions, services.directory
    people = directory.people_named(sorted({uid for uids in wanted.values() for uid in uids}))
    holding = with_positions(directory)
    for person in holding.broken:
        if set(person.attributes.get("position", [])) & set(wanted):
            person.check()  # it would keep the position, since nobody sees that it has it
    before, now = by_position(holding, config), time.time()
    problems = []
    for position, uids in wanted.items():
        if position not in config.available:
            problems.append((position, f"there is no position {position!r}; there are: {', '.join(config.available)}"))
        if position in config.required and not uids:
            problems.append((position, f"the position {position} has to be held by somebody"))
        problems += [
            (position, people.fault(uid) or f"there is no account {uid}")
            for uid in uids
            if uid not in people
        ]
        problems += [(position, f"{uid} is a club") for uid in uids if uid in people and people[uid].is_club]
        problems += [(position, f"{uid} was deleted") for uid in uids if uid in people and people[uid].is_deleted]
        # Whoever holds it already and expired meanwhile does not keep others from being named.
        new = {uid for uid in uids if uid in people} - set(before.get(position, []))
        problems += [(position, f"{uid} is expired; renew it first") for uid in sorted(new)
                     if not people[uid].is_deleted and people[uid].is_expired(now)]
    if problems:
        # What does not exist is told as that, wherever nothing else is wrong.
        missing = all(message.startswith("there is no ") for _, message in problems)
        refusal = NotFound if missing else Invalid
        raise refusal("the positions have problems", problems=[{"field": field, "message": message} for field, message in problems])
    changes: dict[str, dict[str, list[str]]] = {}
    for position, uids in wanted.items():
        for uid in sorted(set(uids) ^ set(before.get(position, []))):
            kind = "put" if uid in uids else "remove"
            changes.setdefault(uid, {"put": [], "remove": []})[kind].append(position)
    deleted = sorted(person.uid for person in holding if person.is_deleted)
    lists = services.config.groups.lists.get(config.group, [])
    return {
        "changes": changes,
        "deleted": deleted,
        "wanted": wanted,
        "group": config.group,
        "lists": lists,
    }


def names_locked(services: Services, wanted: Holders) -> tuple[str, ...]:
    """What the transaction holds: positions as a whole, the group, and each account that may change."""
    before = holders(services.directory, services.config.positions)
    concerned = {uid for position, uids in wanted.items() for uid in [*uids, *before.get(position, [])]}
    return ("positions", f"group:{services.config.positions.group}", *(f"account:{uid}" for uid in sorted(concerned)))


class ChangePositions(ChangeEntries):
    """The differences, and nothing else."""

    name = "positions"

    def is_admins(self, run: ThisRun, dn: str) -> bool:
        """Whoever was deleted only loses what they hold: whether one may do that is ceod's rule."""
        return dn in map(run.tools.directory.person_dn, run.arguments["deleted"])

    def changes(self, run: ThisRun) -> Changes:
        """By account."""
        return {run.tools.directory.person_dn(uid): [Change("position", tuple(of["remove"]), tuple(of["put"]))]
                for uid, of in run.arguments["changes"].items()}


class FollowExecutive(ChangeEntries):
    """The executive's group: who holds a position now is in it, who gave up the last one is not."""

    name = "executive group"

    def intent(self, run: ThisRun) -> Json:
        """Of those concerned alone: somebody who was put there by hand stays."""
        directory, group = run.tools.directory, run.arguments["group"]
        if directory.group(group) is None:
            return {f"{self.name}: changed": {}, "joined": [], "left": []}
        now, concerned = (
            holders(directory, run.tools.config.positions),
            set(run.arguments["changes"]),
        )
        holding, inside = (
            {uid for uids in now.values() for uid in uids},
            {uid for uid in concerned if directory.is_in(group, uid)},
        )
        join, leave = sorted(concerned & holding - inside), sorted((concerned - holding) & inside)
        change = Change("uniqueMember", tuple(directory.person_dn(uid) for uid in leave), tuple(directory.person_dn(uid) for uid in join))
        return {f"{self.name}: changed": as_json({directory.group_dn(group): [change]}), "joined": join, "left": leave}


def _result(facts: Json) -> Json:
    return {"positions": facts["wanted"], "changed": sorted(facts["changes"]), "joined": facts["joined"], "left": facts["left"],
            "warnings": warnings(facts)}


SET_POSITIONS: Operation[Services, Private] = Operation(
    name="set_positions", version=1, before=(ChangePositions(), FollowExecutive()),
    after=(
        JoinLists(lambda facts: [(name, uid) for name in facts["lists"] for uid in facts["joined"]]),
        LeaveLists(lambda facts: [(name, uid) for name in facts["lists"] for uid in facts["left"]]),
    ),
    result=_result,
)
