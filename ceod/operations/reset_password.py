"""Give an account a temporary password."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ceod.services.all import Services
from ceod.transaction.step import Json, Operation, Run, Step, Undone


@dataclass
class Private:
    """In memory alone."""

    password: str = field(repr=False)

    def close(self) -> None:
        """Nothing to let go of."""


class SetPassword(Step[Services, Private]):
    """The KDC gets the new password: an old key can't be brought back, so this has no undo."""

    name = "Kerberos password"
    undoable = False

    def intent(self, run: Run[Services, Private]) -> Json:
        """Whose."""
        return {"principal": run.arguments["uid"]}

    def do(self, run: Run[Services, Private]) -> None:
        """Set it, to be changed at the next login."""
        run.tools.admin_host.kadmin.set_password(run.arguments["uid"], run.private.password)

    def undo(self, transaction: str, intent: Json, tools: Services) -> Undone:
        """If the new password was set it is known to nobody: the next reset puts that right."""
        return Undone.NOT_OURS


def _result(facts: Json) -> Json:
    return {"uid": facts["uid"], "temporary_password": None, "temporary_password_lost": True}


def _secrets(private: Any) -> Json:
    return {"temporary_password": private.password, "temporary_password_lost": False}


RESET_PASSWORD: Operation[Services, Private] = Operation(
    name="reset_password", version=1, before=(SetPassword(),), result=_result, secrets=_secrets,
)
