"""Steps that change accounts which stood before: values in the directory, the principal, each undone to what it was."""

from __future__ import annotations

from typing import Any

from ceo_common.errors import BackendDown, CeoError, NotFound
from ceod.operations.accounts import undone
from ceod.operations.private import Private, ThisRun
from ceod.services.all import Services
from ceod.services.kadmin import Principal
from ceod.services.ldap_connection import Change
from ceod.transaction.step import Json, Step, Undone

Changes = dict[str, list[Change]]  # by DN


def as_json(changes: Changes) -> Json:
    """For the journal."""
    return {dn: [[change.attribute, list(change.remove), list(change.put)] for change in of] for dn, of in changes.items()}


def from_json(told: Any) -> Changes:
    """From the journal."""
    return {dn: [Change(attribute, tuple(remove), tuple(put)) for attribute, remove, put in of] for dn, of in told.items()}


class ChangeEntries(Step[Services, Private]):
    """Exact values of entries, changed by the caller; what each was stands in the intent."""

    # Whether ceod/admin changes them: slapd lets nobody else write to a deleted account.
    as_admin = False

    def is_admins(self, run: ThisRun, dn: str) -> bool:
        """Whether ceod/admin changes this entry."""
        return self.as_admin

    @classmethod
    def of(cls, facts: Json) -> Changes:
        """What this step noted that it changes."""
        return from_json(facts[f"{cls.name}: changed"])

    def changes(self, run: ThisRun) -> Changes:
        """Which."""
        raise NotImplementedError

    def intent(self, run: ThisRun) -> Json:
        """The before-image: the values that leave and those that come."""
        return {f"{self.name}: changed": as_json(self.changes(run))}

    def do(self, run: ThisRun) -> None:
        """Each entry in one modify; an entry is noted before it is changed, and not if it refuses."""
        changes, tried = self.of(run.facts), f"{self.name}: tried"
        for i, dn in enumerate(changes):
            run.note(**{tried: list(changes)[:i + 1]})
            try:
                # Without a change, the request may have come without a forwarded ticket.
                caller = None if self.is_admins(run, dn) else run.private.caller
                with run.tools.directory.writing(caller) as connection:
                    connection.change(dn, *changes[dn])
            except BackendDown:
                raise
            except CeoError:
                run.note(**{tried: list(changes)[:i]})
                raise

    def undo(self, transaction: str, intent: Json, tools: Services) -> Undone:
        """Put back what is still as we left it; what was not reached may look alike, but is somebody else's."""
        changes = self.of(intent)
        return undone([tools.directory.take_back(dn, *changes[dn]) for dn in reversed(intent.get(f"{self.name}: tried", []))])


class ChangePrincipal(Step[Services, Private]):
    """Whether the principal may have tickets, and until when; an account without a principal (a club) has nothing to change."""

    name = "Kerberos principal"

    def after(self, run: ThisRun, found: Principal) -> tuple[bool, int]:
        """Whether it shall be disabled, and when it shall expire (seconds since the epoch, 0 is never)."""
        raise NotImplementedError

    def intent(self, run: ThisRun) -> Json:
        """What it was, and what it shall be."""
        found = run.tools.admin_host.kadmin.get(run.arguments["uid"])
        before = [found.disabled, found.expires] if found else None
        after = list(self.after(run, found)) if found else None
        return {"principal": run.arguments["uid"], "principal_before": before, "principal_after": after}

    def do(self, run: ThisRun) -> None:
        """Change it as ceod/admin."""
        if run.facts["principal_before"] != run.facts["principal_after"]:
            disabled, expires = run.facts["principal_after"]
            run.tools.admin_host.kadmin.change(run.arguments["uid"], disabled=disabled, expires=expires)

    def undo(self, transaction: str, intent: Json, tools: Services) -> Undone:
        """Put it back, if it is as we left it."""
        before, after = intent["principal_before"], intent["principal_after"]
        found = tools.admin_host.kadmin.get(intent["principal"])
        if before == after or found is None or [found.disabled, found.expires] == before:
            return Undone.ABSENT
        if [found.disabled, found.expires] != after:
            return Undone.NOT_OURS
        try:
            tools.admin_host.kadmin.change(intent["principal"], disabled=before[0], expires=before[1])
        except NotFound:
            return Undone.ABSENT
        return Undone.REMOVED
