"""What changes one account: password, shell, forwarding, deletion and its undoing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ceo import members
from ceo.tui import keys
from ceo.tui.app import App
from ceo.tui.screen import Screen
from ceo.tui.screens.doing import Doing, Outcome
from ceo.tui.screens.plan import plan_lines
from ceo.tui.screens.review import AGAIN_ERRORS, Review, dry_run_of
from ceo.tui.widgets.form import Field, Form
from ceo.tui.widgets.menu import Choice, Menu
from ceo.tui.widgets.page import Record
from ceo.tui.widgets.safe import Markup
from ceo_common.errors import CeoError, Invalid, WouldLose
from ceo_common.events import Event
from ceo_common.model import names as name_rules

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]
# For office workers; ceod holds it (Who.FRESH).
WHO_RESETS = (
    "You may reset it within an hour after you signed them up, while nobody has logged in; "
    "later, send the person to the systems committee."
)
_SHELLS = Path("/etc/shells")


def temporary_password(result: Json, uid: str) -> Outcome:
    """What is said of a password that is shown once."""
    if password := result.get("temporary_password"):
        return Outcome([], [["Temporary password:  ", ("secret", password)],
                            ("hint", "It is not shown again.  It has to be changed at the first login.")], another_password(uid))
    return Outcome([f"The password was shown where it was asked for first.  {another_password(uid)}"])


def another_password(uid: str) -> str:
    """How somebody who lost a temporary password gets another, in words."""
    return f"Password reset, on the page of {uid}, gives another."


def reset(app: App, uid: str, name: str = "", completed: Callable[[], None] | None = None) -> Screen:
    """Asks once more, and gives a temporary password."""
    def told(result: Json) -> Outcome:
        outcome = temporary_password(result, uid)
        return Outcome([("good", f"The password of {uid} is reset."), *outcome.lines], outcome.secret, outcome.another)

    def begin(client: Client, key: str) -> Iterator[Event]:
        return client.reset_password(uid, key)

    doing = partial(Doing, app, f"Reset the password of {uid}", begin, told, completed=completed)
    lines: list[Markup | Record] = [
        Record("Account", f"{name} ({uid})" if name else uid),
        "",
        "The old password stops working at once.  A mail tells the owner.",
    ]
    if app.standing.never("member.purge"):
        lines.append(("hint", WHO_RESETS))
    return Review(app, lines, doing, question=f"Enter resets the password of {uid}.", dry_run=dry_run_of(begin))


def restore(app: App, member: Json) -> Screen:
    """Asks once more, and brings a deleted account back."""
    uid = member["uid"]

    def begin(client: Client, key: str) -> Iterator[Event]:
        return client.restore_member(uid, key)

    doing = partial(Doing, app, f"Restore {uid}", begin, lambda _: Outcome([("good", f"{uid} is back.")]))
    lines = [Record("Account", f"{member['cn']} ({uid})"), "", "Its files, login, groups and mailing lists come back."]
    return Review(app, lines, doing, question=f"Enter restores {uid}.", dry_run=dry_run_of(begin))


class Shell(Screen):
    """One of /etc/shells that exists and can be run (2010); the current one is marked."""

    title = "Shell"
    about = "Choose the program that starts at login.  The marked one is the shell now."
    role = "admin"

    def __init__(self, app: App, member: Json) -> None:
        super().__init__(app)
        self.member = member
        now = member["login_shell"]
        shells = dict.fromkeys([*usable_shells(), now])
        self.body = Menu([f"The login shell of {member['uid']}", *(Choice(shell, partial(self._go, shell)) for shell in shells)],
                         self.tell, at=now)

    def _go(self, shell: str) -> None:
        uid, now = self.member["uid"], self.member["login_shell"]
        if shell == now:
            self.app.remove(self)
            return

        def begin(client: Client, key: str) -> Iterator[Event]:
            return client.modify_member(uid, {"login_shell": shell}, key)

        doing = partial(Doing, self.app, f"Change the shell of {uid}", begin,
                        lambda _: Outcome([("good", f"The login shell of {uid} is {shell}.")]), completed=lambda: self.app.remove(self))
        lines = [Record("Account", f"{self.member['cn']} ({uid})"), Record("Login shell", f"{now} becomes {shell}")]
        self.app.push(Review(self.app, lines, doing, question=f"Enter changes the login shell of {uid}.", dry_run=dry_run_of(begin),
                             shown=("login shell",)))


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
    about = "Type addresses, with spaces or commas between them.  Leave it empty to keep mail here."
    role = "admin"

    def __init__(self, app: App, member: Json) -> None:
        super().__init__(app)
        self.member = member
        self.draft = app.drafts.setdefault(f"forwarding {member['uid']}", {})
        now = member["forwarding_addresses"] or []
        suggestion = " ".join(line for line in now if not name_rules.address_problem(line))
        self.field = Field("Forward mail to", suggestion)
        self.form = Form({"forwarding_addresses": self.field}, self._accept, draft=self.draft,
                         head=[("heading", f"{member['cn']} ({member['uid']})")])
        self.body = self.form

    def _accept(self) -> None:
        if problem := members.addresses_problem(self.field.text):
            self.form.complain({"forwarding_addresses": problem})
            return
        self._review([])

    def _review(self, lost: list[str]) -> None:
        """The last look; `lost` are lines of ~/.forward that go too."""
        uid, addresses = self.member["uid"], members.split(self.field.text)
        change: Json = {"forwarding_addresses": addresses, **({"replace": True} if lost else {})}
        told = f"Mail to {uid} goes to {', '.join(addresses)}." if addresses else f"Mail to {uid} stays here."

        def begin(client: Client, key: str) -> Iterator[Event]:
            return client.modify_member(uid, change, key)

        doing = partial(Doing, self.app, f"Change the forwarding of {uid}", begin, lambda _: Outcome([("good", told)]),
                        completed=lambda: self.app.remove(self), refused=self._refused, draft=self.draft)
        before = ", ".join(self.member["forwarding_addresses"] or []) or "stays here"
        lines: list[Markup | Record] = [Record("Account", f"{self.member['cn']} ({uid})"), Record("Mail now", before),
                 Record("Mail from then on", ", ".join(addresses) or "stays here")]
        if lost:
            lines += ["", ("problem", "These lines of ~/.forward are no plain addresses.  They are lost:"), *(f"  {line}" for line in lost)]
        review = Review(self.app, lines, doing, question=f"Enter changes where mail to {uid} goes.", dry_run=dry_run_of(begin),
                        refused=self._refused, shown=("forwarding address",))
        if lost:  # in the place of the screen above this one, which was refused
            self.app.replace(self.app.stack[self.app.stack.index(self) + 1], review)
        else:
            self.app.push(review)

    def _refused(self, error: CeoError) -> bool:
        if isinstance(error, WouldLose):
            self._review(error.more["lost"])
            return True
        if isinstance(error, Invalid):
            self.form.refuse(error)
        return isinstance(error, Invalid)


class Delete(Screen):
    """The username has to be typed, so that no Enter too many deletes an account; ceod checks it meanwhile."""

    title = "Delete"
    about = "Close the account.  Its files, user number and terms are kept, and whoever may delete can restore it."
    role = "admin"

    def __init__(self, app: App, member: Json) -> None:
        super().__init__(app)
        self.member, self.uid = member, member["uid"]
        self.field = Field("Username")
        self.plan: Json | None = None
        self.refusal = ""
        self._is_wanted = False  # whether Enter came before the answer of the dry run
        self.body = self.form = self._form([])

    def _form(self, changes: Sequence[Record]) -> Form:
        head = [("heading", f"Delete {self.member['cn']} ({self.uid})"), "",
                "Nobody can log in with it any more.  Its home is archived, groups and lists are"
                " left.  It can be restored.", *(["", *changes] if changes else []), "",
                "Type the username to confirm."]
        return Form({"uid": self.field}, self._accept, writes=True, head=head)

    def on_top(self) -> None:
        """Ask for the dry run, the first time."""
        if self.plan is None and not self.refusal:
            self._check()

    def _check(self) -> None:
        self.bindings.pop(keys.AGAIN, None)
        self.refusal = ""
        self.wait("It is being checked ...", "Enter goes on as soon as it is checked.")
        self.ask(lambda _: dry_run_of(self._begin)(self.app.dry_run_client()), self._checked, self._not_checked)

    def _begin(self, client: Client, key: str) -> Iterator[Event]:
        return client.delete_member(self.uid, key)

    def _checked(self, plan: Json) -> None:
        self.plan = plan
        self.wait_over()
        self.body = self.form = self._form(plan_lines(plan))
        self.tell("hint", "Enter deletes the account, once its username is typed.")
        if self._is_wanted and self.in_sight:
            self._accept()

    def _not_checked(self, error: CeoError) -> None:
        self.wait_over()
        self._is_wanted = False
        if isinstance(error, AGAIN_ERRORS):
            self.bindings[keys.AGAIN] = self._check
            verdict, again = "This could not be checked", "Ctrl-R asks again; "
        else:
            verdict, again = "This is refused", ""
        self.refusal = f"{verdict}: {error.message}  {again}Esc goes back."
        self.tell("problem", self.refusal)

    def _accept(self) -> None:
        if self.refusal:
            self.tell("problem", self.refusal)
            return
        if self.form.text("uid") != self.uid:
            self.form.complain({"uid": f"type {self.uid} to delete the account, or Esc to leave it"})
            return
        self._is_wanted = self.plan is None
        if not self._is_wanted:
            self.app.push(Doing(self.app, f"Delete {self.uid}", self._begin,
                                lambda _: Outcome([("good", f"{self.uid} is deleted.  It can be restored from its page.")]),
                                completed=lambda: self.app.remove(self)))
