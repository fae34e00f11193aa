"""Bring a deleted account back: its home, its login, its groups, its lists."""

from __future__ import annotations

from ceo_common.errors import Changed, NotFound
from ceod.operations.changes import ChangeEntries, ChangePrincipal, Changes
from ceod.operations.delete_member import Disable, LeaveGroups
from ceod.operations.lists import JoinLists, is_held, warnings
from ceod.operations.private import Private, ThisRun
from ceod.services.all import Services
from ceod.services.entry import DELETED, Person
from ceod.services.kadmin import Principal
from ceod.services.ldap_connection import Change
from ceod.services.ldap_names import first_value
from ceod.transaction.step import Json, Operation, Step, Turn, Undone


def arguments(
    person: Person, deletion: Json | None, services: Services, transaction: str = ""
) -> tuple[Json, list[str]]:
    """What the deletion's record says is to be brought back, and warnings of what can't be.

    `deletion` holds the arguments of that `transaction` and what its steps noted, None when this
    host has no record of it.
    """
    if deletion is None:
        # The directory and the KDC remember enough for a login; what only the journal knew is said to be missing.
        found = services.admin_host.homes.archived_of(person.uid)
        return ({"home_archived": found[-1] if found else None, "login_shell": services.config.members.login_shell, "groups": {}, "lists": []},
                ["this host has no record of the deletion: groups, mailing lists and the login shell are not brought back"])
    (changes,) = Disable.of(deletion).values()
    disabled, groups = {change.attribute: change for change in changes}, LeaveGroups.of(deletion)
    gone = [dn for dn in groups if not services.directory.exists(dn)]
    warnings = [f"{dn} is there no more" for dn in gone]
    home = deletion["home_archived"] if deletion["home_identity"] else None
    if home and services.admin_host.homes.archived_identity(home) is None:
        home, warnings = None, [*warnings, f"the archived home {home} is gone"]
    if "lists" not in deletion:
        warnings.append("the mailing lists were not left yet: so it stays on its lists")
    told = {
        "home_archived": home,
        "principal": deletion["principal_before"],
        "login_shell": (disabled["loginShell"].remove or (services.config.members.login_shell,))[0],
        "expires": next(iter(disabled["shadowExpire"].remove), None),
        "groups": {dn: list(changes[0].remove) for dn, changes in groups.items() if dn not in gone},
        "lists": deletion.get("lists", []),
        "lists_left_by": "" if "lists" in deletion else transaction,
        "lists_to_join": deletion["lists_to_join"],
    }
    return told, warnings


class BringHome(Step[Services, Private]):
    """The home, out of the archive."""

    name = "home directory"

    def intent(self, run: ThisRun) -> Json:
        """Where it is."""
        return {"home": run.arguments["uid"], "home_from": run.arguments["home_archived"]}

    def do(self, run: ThisRun) -> None:
        """Move it; one that had none gets none."""
        if run.facts["home_from"]:
            run.tools.admin_host.homes.unarchive(run.facts["home_from"], run.facts["home"])

    def undo(self, transaction: str, intent: Json, tools: Services) -> Undone:
        """Move it back, unless it never left."""
        homes = tools.admin_host.homes
        if not intent["home_from"] or homes.archived_identity(intent["home_from"]):
            return Undone.ABSENT
        try:
            homes.archive(intent["home"], intent["home_from"])
        except NotFound:
            return Undone.ABSENT
        return Undone.REMOVED


class Enable(ChangeEntries):
    """The LDAP user, as it was before.

    Whoever may restore was asked by the rule: the directory lets ceod/admin alone take the mark of
    a deletion away.
    """

    name = "LDAP user"
    as_admin = True

    def changes(self, run: ThisRun) -> Changes:
        """The day and the shell of the deletion go; one that was expired then is so again."""
        expires, person = run.arguments.get("expires"), run.tools.directory.person(run.arguments["uid"])
        if person is None or not person.is_deleted or expires == DELETED:
            raise Changed(f"{run.arguments['uid']} was changed meanwhile; look at it again")
        shell, wanted = tuple(person.attributes.get("loginShell", [])), (run.arguments["login_shell"],)
        return {person.dn: [Change("shadowExpire", remove=(DELETED,), put=(expires,) if expires else ()),
                            *([Change("loginShell", remove=shell, put=wanted)] if shell != wanted else [])]}


class EnablePrincipal(ChangePrincipal):
    """Tickets as before the deletion: one that was disabled then stays so."""

    def after(self, run: ThisRun, found: Principal) -> tuple[bool, int]:
        """What the deletion noted, else open."""
        disabled, expires = run.arguments.get("principal") or (False, found.expires)
        return disabled, expires


class JoinGroups(ChangeEntries):
    """The groups that it was in, unless somebody put it back already."""

    name = "groups"

    def changes(self, run: ThisRun) -> Changes:
        """Those that are still there."""
        directory = run.tools.directory
        already = {dn for dn, _ in directory.entries_naming(directory.person_dn(run.arguments["uid"]))}
        return {dn: [Change("uniqueMember", put=tuple(values))] for dn, values in run.arguments["groups"].items() if dn not in already}


class JoinListsAgain(JoinLists):
    """The lists that the deletion left, and those that earlier transactions still had to join."""

    def wanted(self, turn: Turn[Services]) -> bool:
        """Where there are any, or may be."""
        return bool(turn.facts.get("lists_left_by")) or super().wanted(turn)

    def do(self, turn: Turn[Services]) -> None:
        """Subscribe it, also to what the deletion left while the restore was under way.

        The account is open by now: what the deletion notes after this look, it leaves no more.
        """
        if transaction := turn.facts.get("lists_left_by"):
            turn.note(lists=turn.facts_of(transaction).get("lists", []), lists_left_by="")
        super().do(turn)

    def act(self, turn: Turn[Services], list_name: str, uid: str) -> bool:
        """Subscribe it; one that it never was on, only if nobody took it off since that was wished."""
        was_on_it = list_name in turn.facts["lists"]
        wished = turn.committed if was_on_it else turn.facts["lists_to_join"][list_name]
        return is_held(turn.tools, list_name, uid, wished)


def lists_of(facts: Json) -> list[str]:
    """The mailing lists that it is to be on again."""
    return list(dict.fromkeys([*facts["lists"], *facts.get("lists_to_join", {})]))


def _result(facts: Json) -> Json:
    return {"uid": facts["uid"], "groups": sorted(first_value(dn) for dn in JoinGroups.of(facts)),
            "lists": lists_of(facts), "warnings": warnings(facts)}


RESTORE_MEMBER: Operation[Services, Private] = Operation(
    name="restore_member", version=1, before=(BringHome(), EnablePrincipal(), Enable(), JoinGroups()),
    after=(JoinListsAgain(lambda facts: [(name, facts["uid"]) for name in lists_of(facts)]),), result=_result,
)
