"""Add a club: an account without a password, its group, the right of the group to act as it, a home that the group shares."""

from __future__ import annotations

from ceod.operations.accounts import AddClubUser, AddGroups, BuildHomes, TakeNumbers
from ceod.operations.private import Private, ThisRun
from ceod.services.all import Services
from ceod.services.ldap_connection import encoded
from ceod.transaction.step import Json, Operation, Step, Undone


class AddSudoRole(Step[Services, Private]):
    """Whoever is in the club's group may act as the club (sudoers.ldap(5))."""

    name = "sudo role"

    def intent(self, run: ThisRun) -> Json:
        """Ours is the role that bears our transaction's id."""
        return {"sudo_role": run.tools.directory.sudo_role_dn(run.arguments["uid"])}

    def do(self, run: ThisRun) -> None:
        """Add it with the caller's rights."""
        uid = run.arguments["uid"]
        run.private.caller.add(run.facts["sudo_role"], encoded({
            "objectClass": ["top", "sudoRole"], "cn": f"%{uid}", "sudoUser": f"%{uid}", "sudoHost": "ALL", "sudoCommand": "ALL",
            "sudoOption": "!authenticate", "sudoRunAsUser": uid, "description": _mark(run.transaction),
        }))

    def undo(self, transaction: str, intent: Json, tools: Services) -> Undone:
        """Delete it, if it is ours."""
        found = tools.directory.delete_if(intent["sudo_role"], "description", _mark(transaction))
        return {True: Undone.REMOVED, False: Undone.NOT_OURS, None: Undone.ABSENT}[found]


def _mark(transaction: str) -> str:
    return f"ceo transaction {transaction}"


def _result(facts: Json) -> Json:
    return {
        "uid": facts["uid"],
        "cn": facts["cn"],
        "uid_number": facts["numbers"][facts["uid"]],
        "warnings": facts.get("warnings", []),  # an older version's journal has none
    }


ADD_CLUB: Operation[Services, Private] = Operation(
    name="add_club", version=1, before=(TakeNumbers("clubs"), AddClubUser(), AddGroups(), AddSudoRole(), BuildHomes(shared=True)), result=_result,
)
