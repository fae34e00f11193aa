"""Give an account a temporary password."""

from __future__ import annotations

from typing import Any

from ceo_common.terms import Term, in_order
from ceod.operations.private import Private, ThisRun
from ceod.services import smtp
from ceod.services.all import Services
from ceod.services.entry import Person
from ceod.transaction.step import Json, Later, Operation, Step, Turn, Undone


def over_warnings(person: Person, now: Term, at: float) -> list[str]:
    """What a reset will not change: an account that is expired, a membership that is over.

    `at` are seconds since 1970.
    """
    uid = person.uid
    if person.is_expired(at):
        return [f"{uid} is expired: the new password opens nothing until the membership is renewed"]
    terms = [*person.attributes.get("term", []), *person.attributes.get("nonMemberTerm", [])]
    held = in_order([str(term) for term in terms])
    if not held:
        return [f"{uid} was never registered for a term"]
    try:
        is_over = Term.parse(held[-1]) < now
    except ValueError:  # somebody's invention: the directory's check names it
        return []
    return [f"the membership of {uid} ended with {held[-1]}: renew it"] if is_over else []


class SetPassword(Step[Services, Private]):
    """The KDC gets the new password: an old key can't be brought back, so this has no undo."""

    name = "Kerberos password"
    undoable = False

    def intent(self, run: ThisRun) -> Json:
        """Whose."""
        return {"principal": run.arguments["uid"]}

    def do(self, run: ThisRun) -> None:
        """Set it, to be changed at the next login."""
        uid = run.arguments["uid"]
        run.tools.admin_host.kadmin.set_password(uid, run.private.passwords[uid])

    def undo(self, transaction: str, intent: Json, tools: Services) -> Undone:
        """If the new password was set it is known to nobody: the next reset puts that right."""
        return Undone.NOT_OURS


class TellThem(Later[Services]):
    """A mail to whose it is, so that a reset that they did not ask for shows; the password is not in it."""

    name, backend = "mail", smtp.BACKEND

    def wanted(self, turn: Turn[Services]) -> bool:
        """While there is somebody to read it.

        A later reset changes nothing about it: whoever did not ask for the first one has to hear of it.
        """
        person = turn.tools.directory.person(turn.facts["uid"])
        return person is not None and not person.is_deleted

    def do(self, turn: Turn[Services]) -> None:
        """With the operator named."""
        uid, domain = turn.facts["uid"], turn.tools.config.domain
        turn.tools.admin_host.smtp.send("password_reset", f"{uid}@{domain}", f"{turn.transaction}.pwreset", uid=uid, operator=turn.facts["operator"])


def _result(facts: Json) -> Json:
    warnings = facts.get("warnings", [])  # an older version's journal has none
    password = {"temporary_password": None, "temporary_password_lost": True}
    return {"uid": facts["uid"], "warnings": warnings, **password}


def _secrets(private: Any) -> Json:
    (password,) = private.passwords.values()
    return {"temporary_password": password, "temporary_password_lost": False}


RESET_PASSWORD: Operation[Services, Private] = Operation(
    name="reset_password", version=1, before=(SetPassword(),), after=(TellThem(),), result=_result, secrets=_secrets,
)
