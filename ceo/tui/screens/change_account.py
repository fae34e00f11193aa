"""What changes one account: password, shell, forwarding, deletion and its undoing."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

from ceo import members
from ceo.tui.app import App
from ceo.tui.screen import Screen
from ceo.tui.screens.doing import Doing, Outcome
from ceo.tui.screens.review import Review
from ceo.tui.widgets.form import Field, Form
from ceo.tui.widgets.menu import Choice, Menu
from ceo.tui.widgets.page import Record
from ceo_common.errors import CeoError, Invalid
from ceo_common.model import names as name_rules

Json = dict[str, Any]
_SHELLS = Path("/etc/shells")


def temporary_password(result: Json, uid: str) -> Outcome:
    """What is said of a password that is shown once."""
    if password := result.get("temporary_password"):
        return Outcome([], [["Temporary password:  ", ("secret", password)],
                            ("hint", "Shown this once; it has to be changed at the first login.")])
    return Outcome([f"Its password was shown to whoever asked first; a reset on the page of {uid} gives another."])


def reset(app: App, member: Json) -> Screen:
    """Asks once more, and gives a temporary password."""
    uid = member["uid"]

    def told(result: Json) -> Outcome:
        outcome = temporary_password(result, uid)
        return Outcome([("good", f"The password of {uid} is reset."), *outcome.lines], outcome.secret)

    doing = partial(Doing, app, f"Reset the password of {uid}", lambda client, key: client.reset_password(uid, key), told)
    lines = [Record("Account", f"{member['cn']} ({uid})"), "", "The old password stops working at once.  A mail tells of it."]
    return Review(app, lines, doing, question=f"Enter resets the password of {uid}.")


def restore(app: App, member: Json) -> Screen:
    """Asks once more, and brings a deleted account back."""
    uid = member["uid"]
    doing = partial(Doing, app, f"Restore {uid}", lambda client, key: client.restore_member(uid, key),
                    lambda _: Outcome([("good", f"{uid} is back.")]))
    lines = [Record("Account", f"{member['cn']} ({uid})"), "", "Its files, login, groups and mailing lists come back."]
    return Review(app, lines, doing, question=f"Enter restores {uid}.")


class Shell(Screen):
    """One of /etc/shells that exists and can be run (2010); the current one is marked."""

    title = "Shell"
    about = "The program that a login starts.  The marked one is what it is now."
    role = "admin"

    def __init__(self, app: App, member: Json) -> None:
        super().__init__(app)
        self.member = member
        now = member["login_shell"]
        shells = dict.fromkeys([*usable_shells(), now])
        self.body = Menu([f"The login shell of {member['uid']}", *(Choice(shell, partial(self._go, shell), writes=shell != now) for shell in shells)],
                         self.tell, at=now)

    def _go(self, shell: str) -> None:
        uid = self.member["uid"]
        if shell == self.member["login_shell"]:
            self.app.remove(self)
            return
        self.app.push(Doing(self.app, f"Change the shell of {uid}", lambda client, key: client.modify_member(uid, {"login_shell": shell}, key),
                            lambda _: Outcome([("good", f"The login shell of {uid} is {shell}.")]), completed=lambda: self.app.remove(self)))


def usable_shells() -> list[str]:
    """Those of /etc/shells that are there; ceod looks once more, on its own host."""
    try:
        lines = _SHELLS.read_text(errors="replace").splitlines()
    except OSError:
        return []
    return [line for line in lines if name_rules.is_shell(line) and os.access(line, os.X_OK)]


class Forwarding(Screen):
    """Where an account's mail goes on to."""

    title = "Forwarding"
    about = "Addresses with blanks or commas between them; none: mail stays here."
    role = "admin"

    def __init__(self, app: App, member: Json) -> None:
        super().__init__(app)
        self.member = member
        self.draft = app.drafts.setdefault(f"forwarding {member['uid']}", {})
        self.field = Field("Forward mail to", " ".join(member["forwarding_addresses"] or []))
        self.form = Form({"forwarding_addresses": self.field}, self._accept, draft=self.draft,
                         head=[("heading", f"{member['cn']} ({member['uid']})")], writes=True)
        self.field.fill(self.draft.get("forwarding_addresses", self.field.suggestion))
        self.body = self.form

    def _accept(self) -> None:
        uid, addresses = self.member["uid"], members.split(self.field.text)
        if problem := members.addresses_problem(self.field.text):
            self.form.complain({"forwarding_addresses": problem})
            return
        told = f"Mail to {uid} goes to {', '.join(addresses)}." if addresses else f"Mail to {uid} stays here."
        self.app.push(Doing(
            self.app, f"Change the forwarding of {uid}", lambda client, key: client.modify_member(uid, {"forwarding_addresses": addresses}, key),
            lambda _: Outcome([("good", told)]), completed=lambda: self.app.remove(self), refused=self._refused,
            draft=self.draft))

    def _refused(self, error: CeoError) -> bool:
        if isinstance(error, Invalid):
            self.form.refuse(error)
        return isinstance(error, Invalid)


class Delete(Screen):
    """The username has to be typed, so that no Enter too many deletes an account."""

    title = "Delete"
    about = "The account is closed and kept: files, number, memberships.  It can be restored, by whoever may delete."
    role = "admin"

    def __init__(self, app: App, member: Json) -> None:
        super().__init__(app)
        self.member = member
        self.form = Form({"uid": Field("Username")}, self._accept, writes=True, head=[
            ("heading", f"Delete {member['cn']} ({member['uid']})"),
            "", "The login is closed, the home is put away, groups and lists are left.  It can be restored.", "Type the username to confirm."])
        self.body = self.form

    def _accept(self) -> None:
        uid = self.member["uid"]
        if self.form.text("uid") != uid:
            self.form.complain({"uid": f"type {uid} to delete the account, or Esc to leave it"})
            return
        self.app.push(Doing(self.app, f"Delete {uid}", lambda client, key: client.delete_member(uid, key),
                            lambda _: Outcome([("good", f"{uid} is deleted.  It can be restored from its page.")]),
                            completed=lambda: self.app.remove(self)))
