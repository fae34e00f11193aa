"""Delete an account: disabled and out of everything, its home archived, its name and number taken for good, and all of it restorable."""

from __future__ import annotations

import contextlib

from ceo_common.errors import Changed, Exists, NotFound, WrongState
from ceod.operations.change_group import SYSCOM, ensure_not_last
from ceod.operations.changes import ChangeEntries, ChangePrincipal, Changes
from ceod.operations.lists import leave_for_good, mail_host
from ceod.operations.private import Private, ThisRun
from ceod.services import mailman
from ceod.services.all import Services
from ceod.services.entry import DELETED, Person
from ceod.services.kadmin import Principal
from ceod.services.ldap_connection import Change
from ceod.services.ldap_names import first_value
from ceod.transaction.step import Json, Later, Operation, Step, Turn, Undone


def check(person: Person, services: Services) -> None:
    """Raises WrongState (somebody who holds a position, or the last of the systems committee)."""
    if positions := person.attributes.get("position"):
        raise WrongState(f"{person.uid} is {', '.join(sorted(positions))}; give that to somebody else first: ceo positions set")
    ensure_not_last(services.directory, person.uid)


class LeaveGroups(ChangeEntries):
    """Every group that names the account."""

    name = "groups"

    def changes(self, run: ThisRun) -> Changes:
        """By the value that stands there, whatever its case."""
        directory = run.tools.directory
        naming = directory.entries_naming(directory.person_dn(run.arguments["uid"]))
        found = {dn: [Change("uniqueMember", remove=tuple(values))] for dn, values in naming}
        # The last one is where the right comes from, for one of the committee who deletes themselves.
        return dict(sorted(found.items(), key=lambda item: first_value(item[0]) == SYSCOM))


class Disable(ChangeEntries):
    """The LDAP user: expired on a day that no expiry sets, and without a shell."""

    name = "LDAP user"

    def changes(self, run: ThisRun) -> Changes:
        """From what is there."""
        person = run.tools.directory.person(run.arguments["uid"])
        if person is None:
            raise Changed(f"{run.arguments['uid']} is gone")
        if person.is_deleted:
            raise Changed(f"{person.uid} was deleted meanwhile")
        return {person.dn: [
            Change("shadowExpire", remove=tuple(person.attributes.get("shadowExpire", [])), put=(DELETED,)),
            Change("loginShell", remove=tuple(person.attributes.get("loginShell", [])), put=(run.tools.config.members.deleted_shell,)),
        ]}


class DisablePrincipal(ChangePrincipal):
    """No ticket any more; its keys stay, for they could not be brought back."""

    def after(self, run: ThisRun, found: Principal) -> tuple[bool, int]:
        """Disabled."""
        return True, found.expires


class ArchiveHome(Step[Services, Private]):
    """The home, moved into the archive whole."""

    name = "home directory"

    def intent(self, run: ThisRun) -> Json:
        """What it is, and where it goes."""
        uid = run.arguments["uid"]
        return {"home": uid, "home_archived": f"{uid}.{run.transaction}", "home_identity": run.tools.admin_host.homes.identity(uid)}

    def do(self, run: ThisRun) -> None:
        """Move it; an account without a home has nothing to move."""
        if run.facts["home_identity"]:
            run.tools.admin_host.homes.archive(run.facts["home"], run.facts["home_archived"])

    def undo(self, transaction: str, intent: Json, tools: Services) -> Undone:
        """Move it back."""
        try:
            tools.admin_host.homes.unarchive(intent["home_archived"], intent["home"])
        except NotFound:
            return Undone.ABSENT
        return Undone.REMOVED


class LeaveAllLists(Later[Services]):
    """Every mailing list that the account is on; which they were is kept for a restore."""

    name, backend = "mailing lists", mailman.BACKEND
    deadline_s = 60

    def wanted(self, turn: Turn[Services]) -> bool:
        """Until it is restored."""
        person = turn.tools.directory.person(turn.facts["uid"])
        return person is None or person.is_deleted

    def do(self, turn: Turn[Services]) -> None:
        """Note them all before the first is left."""
        uid, peers = turn.facts["uid"], turn.tools.peers
        if "lists" not in turn.facts:
            with mail_host(turn.tools):
                turn.note(lists=peers.lists_of(uid)["lists"])

        def over(uids: list[str]) -> list[str]:
            return uids if uids and self.wanted(turn) else []

        for name in turn.facts["lists"]:
            with contextlib.suppress(NotFound):
                leave_for_good(turn.tools, name, [uid], over)
        if not self.wanted(turn):  # restored in the middle of this
            for name in turn.facts["lists"]:
                with contextlib.suppress(Exists, NotFound, WrongState), mail_host(turn.tools):
                    peers.subscribe(name, uid)


def _result(facts: Json) -> Json:
    return {"uid": facts["uid"], "groups": sorted(first_value(dn) for dn in LeaveGroups.of(facts)),
            "home": facts["home_archived"] if facts["home_identity"] else None}


DELETE_MEMBER: Operation[Services, Private] = Operation(
    name="delete_member", version=1, before=(Disable(), DisablePrincipal(), ArchiveHome(), LeaveGroups()),
    after=(LeaveAllLists(),), result=_result,
)
