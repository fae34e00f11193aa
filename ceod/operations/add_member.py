"""Add a member or a club representative."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Any

from ceo_common.errors import BackendDown, Exists
from ceod.services.all import Services
from ceod.services.directory import Connection
from ceod.transaction.step import Json, Later, Operation, Run, Step, Undone


@dataclass
class Private:
    """In memory alone: the directory bound as the caller, and the new account's password."""

    connection: Connection
    password: str = field(repr=False)

    def close(self) -> None:
        """The caller's connection is for the steps before the commit alone."""
        self.connection.close()


ThisRun = Run[Services, Private]


def _undone(deleted: bool | None) -> Undone:
    return {True: Undone.REMOVED, False: Undone.NOT_OURS, None: Undone.ABSENT}[deleted]


class TakeUid(Step[Services, Private]):
    """The next number of the range; never given back, so that no two accounts ever share one."""

    name = "user number"

    def do(self, run: ThisRun) -> None:
        """Take numbers until one is free: a collision means that somebody chose one by hand."""
        members = run.tools.config.members
        while True:
            number = run.tools.directory.take_number("members")
            if number > members.range_last:
                raise Exists(f"the numbers for members, {members.range_first} to {members.range_last}, are used up")
            if not run.tools.directory.number_in_use(number):
                run.note(uid_number=number)
                return

    def undo(self, transaction: str, intent: Json, tools: Services) -> Undone:
        """Nothing: a number only grows."""
        return Undone.REMOVED


class AddUser(Step[Services, Private]):
    """The LDAP user, added by the caller."""

    name = "LDAP user"

    def intent(self, run: ThisRun) -> Json:
        """Ours is the entry with our number."""
        return {"user_dn": run.tools.directory.person_dn(run.arguments["uid"]), "user_number": run.facts["uid_number"]}

    def do(self, run: ThisRun) -> None:
        """Add it with the caller's rights: slapd has the last word."""
        member, number = run.arguments, str(run.facts["uid_number"])
        config = run.tools.config
        values: dict[str, str | list[str] | None] = {
            "objectClass": ["top", "account", "posixAccount", "shadowAccount", "member"],
            "uid": member["uid"], "cn": member["cn"], "sn": member["sn"], "givenName": member["given_name"],
            "uidNumber": number, "gidNumber": number, "homeDirectory": f"{config.homes.root}/{member['uid']}",
            "loginShell": config.members.login_shell, "program": member["program"],
            "term": member["terms"], "nonMemberTerm": member["non_member_terms"],
        }
        run.private.connection.add(run.facts["user_dn"], _encoded(values))

    def undo(self, transaction: str, intent: Json, tools: Services) -> Undone:
        """Delete the entry that has our number."""
        return _undone(tools.directory.delete_if(intent["user_dn"], "uidNumber", str(intent["user_number"])))


class AddGroup(Step[Services, Private]):
    """The account's own LDAP group, added by the caller."""

    name = "LDAP group"

    def intent(self, run: ThisRun) -> Json:
        """Ours is the entry with our number."""
        return {"group_dn": run.tools.directory.group_dn(run.arguments["uid"]), "group_number": run.facts["uid_number"]}

    def do(self, run: ThisRun) -> None:
        """Add it with the caller's rights."""
        values: dict[str, str | list[str] | None] = {
            "objectClass": ["top", "group", "posixGroup"], "cn": run.arguments["uid"], "gidNumber": str(run.facts["uid_number"]),
        }
        run.private.connection.add(run.facts["group_dn"], _encoded(values))

    def undo(self, transaction: str, intent: Json, tools: Services) -> Undone:
        """Delete the entry that has our number."""
        return _undone(tools.directory.delete_if(intent["group_dn"], "gidNumber", str(intent["group_number"])))


class CreatePrincipal(Step[Services, Private]):
    """The Kerberos principal, with a password that serves once, marked with the transaction."""

    name = "Kerberos principal"

    def intent(self, run: ThisRun) -> Json:
        """Ours is the one that bears our transaction's id."""
        return {"principal": run.arguments["uid"]}

    def do(self, run: ThisRun) -> None:
        """Create it as ceod/admin."""
        run.tools.admin_host.kadmin.create(run.arguments["uid"], run.private.password, run.transaction)

    def undo(self, transaction: str, intent: Json, tools: Services) -> Undone:
        """Delete it if we made it."""
        return _undone(tools.admin_host.kadmin.delete_if_made_by(intent["principal"], transaction))


class BuildHome(Step[Services, Private]):
    """The home directory, from the skeleton."""

    name = "home directory"
    deadline_s = 30

    def intent(self, run: ThisRun) -> Json:
        """Ours is what stands under our temporary name, and later what has the device and inode that it had."""
        return {"home_temporary": f".ceo-{run.transaction}", "home_name": run.arguments["uid"]}

    def do(self, run: ThisRun) -> None:
        """Build it aside, note what it is, put it into place."""
        homes = run.tools.admin_host.homes
        identity = homes.build(run.facts["home_temporary"], run.facts["uid_number"])
        run.note(home_identity=list(identity))
        homes.rename(run.facts["home_temporary"], run.arguments["uid"])

    def undo(self, transaction: str, intent: Json, tools: Services) -> Undone:
        """Remove it, whichever of its two names it has."""
        homes = tools.admin_host.homes
        aside = homes.remove_if(intent["home_temporary"], None)
        if "home_identity" not in intent:
            return _undone(aside)
        device, inode = intent["home_identity"]
        placed = homes.remove_if(intent["home_name"], (device, inode))
        return Undone.REMOVED if aside or placed else _undone(placed)


class SetForwarding(Step[Services, Private]):
    """The forwarding addresses, written as the new user."""

    name = "forwarding"

    def do(self, run: ThisRun) -> None:
        """Nothing to write when none were given."""
        if addresses := run.arguments["forwarding_addresses"]:
            run.tools.admin_host.homes.write_forward(run.arguments["uid"], run.facts["uid_number"], addresses)

    def undo(self, transaction: str, intent: Json, tools: Services) -> Undone:
        """It goes with the home, which is removed next."""
        return Undone.REMOVED


class _ForTheMember(Later[Services]):
    def wanted(self, facts: Json, tools: Services) -> bool:
        """While the account is still the one that was added."""
        person = tools.directory.person(facts["uid"])
        return person is not None and person.one("uidNumber") == str(facts["uid_number"])


class WelcomeMail(_ForTheMember):
    """The welcome mail to the new member."""

    name = "welcome mail"

    def do(self, transaction: str, facts: Json, tools: Services) -> None:
        """May come twice after a crash, under one Message-ID."""
        domain = tools.config.domain
        tools.admin_host.smtp.send("welcome", f"{facts['uid']}@{domain}", f"{transaction}.welcome", **_mail_facts(facts))


class Subscribe(_ForTheMember):
    """The mailing list of all members."""

    name = "mailing list"

    def do(self, transaction: str, facts: Json, tools: Services) -> None:
        """By way of the mail host; who is on the list already stays on it."""
        with contextlib.suppress(Exists):
            try:
                tools.peers.subscribe(tools.config.members.list, facts["uid"])
            except Exists:
                raise
            except Exception as error:
                # Whatever the mail host says, the account stands: the list is tried again.
                raise BackendDown(f"{tools.config.hosts.mail}: {error}", backend="mailman") from error


class Announce(_ForTheMember):
    """The announcement to the systems committee."""

    name = "announcement"

    def do(self, transaction: str, facts: Json, tools: Services) -> None:
        """With the operator named."""
        config = tools.config
        tools.admin_host.smtp.send("announcement", f"{config.members.announce_to}@{config.domain}", f"{transaction}.announcement",
                                   **_mail_facts(facts))


def _mail_facts(facts: Json) -> Json:
    wanted = ("uid", "cn", "program", "operator", "uid_number")
    return {name: facts[name] for name in wanted} | {"terms": facts["terms"] or facts["non_member_terms"], "is_rep": facts["terms"] is None}


def _encoded(values: dict[str, str | list[str] | None]) -> list[tuple[str, list[bytes]]]:
    """LDAP attributes; what is None or empty is left out."""
    listed = {name: [value] if isinstance(value, str) else value for name, value in values.items() if value}
    return [(name, [value.encode() for value in found]) for name, found in listed.items() if found]


def _result(facts: Json) -> Json:
    """What the journal keeps of the result: everything but the password."""
    kept = ("uid", "cn", "given_name", "sn", "program", "terms", "non_member_terms", "forwarding_addresses", "uid_number", "warnings")
    return {name: facts[name] for name in kept} | {"temporary_password": None, "temporary_password_lost": True}


def _secrets(private: Any) -> Json:
    return {"temporary_password": private.password, "temporary_password_lost": False}


ADD_MEMBER: Operation[Services, Private] = Operation(
    name="add_member",
    version=1,
    before=(TakeUid(), AddUser(), AddGroup(), CreatePrincipal(), BuildHome(), SetForwarding()),
    after=(WelcomeMail(), Subscribe(), Announce()),
    result=_result,
    secrets=_secrets,
)
