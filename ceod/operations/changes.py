"""Steps that change accounts which stood before: values in the directory, the principal, each undone to what it was."""

from __future__ import annotations

from typing import Any

from ceo_common.errors import NotFound
from ceod.operations.accounts import undone
from ceod.operations.private import Private, ThisRun
from ceod.services.all import Services
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
        """Each entry in one modify, with the caller's rights."""
        for dn, changes in self.of(run.facts).items():
            run.private.caller.change(dn, *changes)

    def undo(self, transaction: str, intent: Json, tools: Services) -> Undone:
        """Put back what is still as we left it."""
        changes = self.of(intent)
        return undone([tools.directory.take_back(dn, *changes[dn]) for dn in reversed(changes)])


class ChangePrincipal(Step[Services, Private]):
    """Whether the principal may have tickets, and until when; an account without a principal (a club) has nothing to change."""

    name = "Kerberos principal"

    def __init__(self, *, disabled: bool, expires: int | None = None) -> None:
        self.disabled, self.expires = disabled, expires

    def intent(self, run: ThisRun) -> Json:
        """What it was, and what it shall be."""
        found = run.tools.admin_host.kadmin.get(run.arguments["uid"])
        before = [found.disabled, found.expires] if found else None
        after = [self.disabled, found.expires if self.expires is None else self.expires] if found else None
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
