"""Mend an account: what examine_account found and ceod can put right.

The counter, group, principal and home that were missing stand before the commit; what can't be undone comes after it.
"""

from __future__ import annotations

from typing import Any

from ceo_common.errors import Exists, NotFound
from ceod.operations.accounts import AddGroups, BuildHomes, CreatePrincipals
from ceod.operations.examine_account import DAY_S, Examination
from ceod.operations.lists import LeaveLists
from ceod.operations.password import generate
from ceod.operations.private import Private, ThisRun
from ceod.services.all import Services
from ceod.transaction.record import Record
from ceod.transaction.step import Json, Later, Operation, Step, Turn, Undone


def plan(services: Services, record: Record, uid: str) -> Json:
    """The arguments: what there is to mend.  Raises NotFound (nothing that ceod can mend), BackendDown."""
    found = Examination(uid, services, record)
    mends = {name: wanted for name, wanted in found.mends.items() if wanted}
    if not mends:
        raise NotFound(f"there is nothing about {uid} that ceod can repair; look with: ceo doctor {uid}")
    person = found.person
    told: Json = {"group": False, "principal": False, "counter": None, "home": None, "wrong": None, "lists": []}
    return told | mends | {
        "uid": uid, "number": person.number if person else None, "is_club": bool(person and person.is_club),
        "expires": (person.expires or 0) * DAY_S if person else 0, "mended": [finding.check for finding in found.findings if finding.fixable],
    }


class RaiseCounter(Step[Services, Private]):
    """The counter of the account's range, past the largest number that was given."""

    name = "counter of user numbers"

    def needed(self, arguments: Json) -> bool:
        """Where it is at or below a number that was given."""
        return bool(arguments["counter"])

    def do(self, run: ThisRun) -> None:
        """As ceod/admin."""
        name, number = run.arguments["counter"]
        run.tools.directory.raise_counter(name, number)

    def undo(self, transaction: str, intent: Json, tools: Services) -> Undone:
        """Nothing: a counter only grows."""
        return Undone.REMOVED


class AddMissingGroup(AddGroups):
    """The account's own group."""

    def needed(self, arguments: Json) -> bool:
        """Where there is none."""
        return bool(arguments["group"])

    def intent(self, run: ThisRun) -> Json:
        """With the number that the account has."""
        run.facts["numbers"] = {run.arguments["uid"]: run.arguments["number"]}
        return super().intent(run)

    def do(self, run: ThisRun) -> None:
        """Unlike a new account's, the number tells nothing of who made the group: one that was there meanwhile is noted as not ours."""
        try:
            super().do(run)
        except Exists:
            run.note(groups=[])
            raise


class CreateMissingPrincipal(CreatePrincipals):
    """The principal, with a temporary password, for as long as the account is open."""

    def needed(self, arguments: Json) -> bool:
        """Where there is none."""
        return bool(arguments["principal"])

    def do(self, run: ThisRun) -> None:
        """The password is made here, so that there is none to show where there was nothing to create."""
        uid = run.arguments["uid"]
        run.private.passwords[uid] = generate()
        super().do(run)
        if run.arguments["expires"]:
            run.tools.admin_host.kadmin.expire(uid, run.arguments["expires"])


class BuildMissingHome(BuildHomes):
    """The home, from the skeleton."""

    def needed(self, arguments: Json) -> bool:
        """Where there is none."""
        return bool(arguments["home"] == "build")

    def intent(self, run: ThisRun) -> Json:
        """With the number that the account has."""
        run.facts["numbers"] = {run.arguments["uid"]: run.arguments["number"]}
        return super().intent(run)

    def is_shared(self, run: ThisRun) -> bool:
        """A club's is."""
        return bool(run.arguments["is_club"])


class GiveHome(Later[Services]):
    """The home and what is in it of its wrong owner: who had it cannot be told afterwards, so there is no undo."""

    name = "owner of the home"
    deadline_s = 120

    def needed(self, arguments: Json) -> bool:
        """Where it is somebody else's."""
        return bool(arguments["home"] == "own")

    def wanted(self, turn: Turn[Services]) -> bool:
        """While the account is the same."""
        person = turn.tools.directory.person(turn.facts["uid"])
        return person is not None and not person.is_deleted and person.number == turn.facts["number"]

    def do(self, turn: Turn[Services]) -> None:
        """The top comes last, so that a try after a crash finds it as it was."""
        facts = turn.facts
        given, left = turn.tools.admin_host.homes.give(facts["uid"], (facts["wrong"][0], facts["wrong"][1]), facts["number"])
        turn.note(given=given, left_alone=left)


class LeaveStaleLists(LeaveLists):
    """The lists that the address of an account that is over is still on."""

    name = "mailing lists"

    def needed(self, arguments: Json) -> bool:
        """Where there are any."""
        return bool(arguments["lists"])

    def wanted(self, turn: Turn[Services]) -> bool:
        """Until it is open again."""
        person = turn.tools.directory.person(turn.facts["uid"])
        return person is None or person.expires is not None


def _result(facts: Json) -> Json:
    password = {"temporary_password": None, "temporary_password_lost": True} if facts["principal"] else {}
    left = [f"{facts['left_alone']} files in the home have several names or lie too deep, and were left alone"] if facts.get("left_alone") else []
    return {"uid": facts["uid"], "mended": facts["mended"], "warnings": left, **password}


def _secrets(private: Any) -> Json:
    return {"temporary_password": password, "temporary_password_lost": False} if (password := next(iter(private.passwords.values()), None)) else {}


MEND_ACCOUNT: Operation[Services, Private] = Operation(
    name="mend_account", version=1, before=(RaiseCounter(), AddMissingGroup(), CreateMissingPrincipal(), BuildMissingHome()),
    after=(GiveHome(), LeaveStaleLists(lambda facts: [(name, facts["uid"]) for name in facts["lists"]])), result=_result, secrets=_secrets,
)
