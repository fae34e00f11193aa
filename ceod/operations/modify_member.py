"""Change a login shell and where mail is forwarded."""

from __future__ import annotations

import os
from pathlib import Path

from ceo_common.errors import Changed, Invalid, WrongState
from ceo_common.model import names as name_rules
from ceod.operations.changes import ChangeEntries, Changes
from ceod.operations.forwarding import check_lost
from ceod.operations.private import Private, ThisRun
from ceod.services.all import Services
from ceod.services.entry import Person
from ceod.services.homes import Forward, forward_text
from ceod.services.ldap_connection import Change
from ceod.transaction.step import Json, Operation, Step, Undone


def shells(path: str) -> list[str]:
    """The login shells that one may choose.

    Those of /etc/shells (shells(5)) that are there, can be run, and are a login shell to slapd.
    """
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return []
    names = [line.partition("#")[0].strip() for line in lines]
    return [
        name
        for name in names
        if name_rules.is_shell(name) and os.path.isfile(name) and os.access(name, os.X_OK)
    ]


def check(login_shell: str | None, shells_file: str) -> None:
    """Raises Invalid with the shells that there are."""
    if login_shell is not None and login_shell not in (found := shells(shells_file)):
        message = f"{login_shell!r} is not a login shell here; there are: {', '.join(found)}"
        raise Invalid(message, problems=[{"field": "login_shell", "message": message}])


def check_expiry(person: Person) -> None:
    """Slapd lets nobody write the shell of their own account while it has an expiry, whatever day it is.

    Raises WrongState.
    """
    if day := person.one("shadowExpire"):
        raise WrongState(
            f"{person.uid} has an expiry (shadowExpire: {day}), and as long as it has one, the"
            " directory lets the systems committee alone change its login shell",
            uid=person.uid,
        )


def check_home(uid: str, services: Services, *, replace: bool) -> None:
    """Raises WrongState (no home, or a file that could not be put back), WouldLose, BackendDown."""
    homes = services.admin_host.homes
    if homes.identity(uid) is None:
        raise WrongState(f"{uid} has no home directory to write into")
    forward = homes.forward(uid)
    _readable(forward)
    check_lost(uid, forward, replace=replace)


def _readable(forward: Forward) -> str:
    """Its text.  Raises WrongState."""
    if forward.problem:
        raise WrongState(f"{forward.problem}: its owner has to move it away first")
    return forward.text


class ChangeShell(ChangeEntries):
    """The login shell."""

    name = "login shell"

    def changes(self, run: ThisRun) -> Changes:
        """From what it is."""
        wanted = run.arguments["login_shell"]
        person = run.tools.directory.person(run.arguments["uid"])
        if person is None or wanted is None or person.one("loginShell") == wanted:
            return {}
        return {person.dn: [Change("loginShell", remove=tuple(person.attributes.get("loginShell", [])), put=(wanted,))]}


class ChangeForwarding(Step[Services, Private]):
    """~/.forward, written as its owner."""

    name = "forwarding"

    def needed(self, arguments: Json) -> bool:
        """Only where addresses are given: a change of the shell touches nobody's home."""
        return arguments["forwarding_addresses"] is not None

    def intent(self, run: ThisRun) -> Json:
        """What it said, and what it shall say.

        Raises Changed, WrongState, WouldLose, BackendDown.
        """
        person = run.tools.directory.person(run.arguments["uid"])
        if person is None:
            raise Changed(f"{run.arguments['uid']} is gone")
        forward = run.tools.admin_host.homes.forward(person.uid)
        before = _readable(forward)
        check_lost(person.uid, forward, replace=run.arguments.get("replace", False))
        return {"owner": [person.uid, person.number], "forward_before": before,
                "forward_after": forward_text(run.arguments["forwarding_addresses"])}

    def do(self, run: ThisRun) -> None:
        """Where it differs."""
        if run.facts["forward_before"] != run.facts["forward_after"]:
            uid, number = run.facts["owner"]
            run.tools.admin_host.homes.write_forward(uid, number, run.facts["forward_after"])

    def undo(self, transaction: str, intent: Json, tools: Services) -> Undone:
        """Put it back, if it is as we left it; what its owner put there meanwhile is left."""
        homes, (uid, number) = tools.admin_host.homes, intent["owner"]
        now = homes.forward(uid)
        if now.problem:
            return Undone.NOT_OURS
        if now.text == intent["forward_before"]:
            return Undone.ABSENT
        if now.text != intent["forward_after"]:
            return Undone.NOT_OURS
        try:
            homes.write_forward(uid, number, intent["forward_before"])
        except WrongState:  # their home takes no file now
            return Undone.NOT_OURS
        return Undone.REMOVED


def _result(facts: Json) -> Json:
    values = {name: facts[name] for name in ("uid", "login_shell", "forwarding_addresses")}
    return values | {"warnings": facts.get("warnings", [])}  # an older version's journal has none


MODIFY_MEMBER: Operation[Services, Private] = Operation(
    name="modify_member", version=1, before=(ChangeShell(), ChangeForwarding()), result=_result,
)
