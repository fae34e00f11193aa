"""Somebody's page: everything about them, and what you may do for them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from ceo.members import described, is_rep, standing_of
from ceo.tui import keys
from ceo.tui.app import App
from ceo.tui.screen import Screen
from ceo.tui.screens import change_account
from ceo.tui.screens.databases import Databases
from ceo.tui.screens.examination import Examination
from ceo.tui.screens.groups_of import GroupsOf
from ceo.tui.screens.lists import Lists
from ceo.tui.screens.loans import Loans
from ceo.tui.screens.renew import Renew
from ceo.tui.widgets.menu import Choice, Menu
from ceo.tui.widgets.page import Page, Record
from ceo.tui.widgets.sides import Sides
from ceo_common import terms
from ceo_common.errors import CeoError
from ceo_common.permissions import Who

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]
_DETAILS = ("User number",)


class Person(Screen):
    """Asked anew whenever it comes to the top, so that what was done stands there."""

    about = "Everything about somebody, and beside it what can be done.  What is grey you may not do; mark it and the reason stands beneath."
    role = "admin"
    has_details = True
    only_shows = True

    def __init__(self, app: App, uid: str) -> None:
        super().__init__(app)
        self.uid = self.title = uid
        self.member: Json | None = None
        self.elsewhere: dict[str, str] = {}
        self.page = Page(["One moment ..."])
        self.menu = Menu([], self.tell)
        self.sides = Sides(self.page, self.menu)
        self.body = self.sides
        self.bindings = {keys.AGAIN: self.load}

    def on_top(self) -> None:
        """Ask."""
        self.load()

    def standing_told(self) -> None:
        """Grey what one may not do."""
        if self.member:
            self.menu.show(self._choices(self.member))
            self._tell_where_choices_are()

    def after_write(self) -> None:
        """No choice is marked, because the next Enter would begin the same once more."""
        self.sides.to_page()
        self._tell_where_choices_are()

    def _tell_where_choices_are(self) -> None:
        if not self.sides.on_menu:
            self.tell("hint", "Right, or a first letter: to what can be done.")

    def load(self) -> None:
        """Ask the hosts, each for what it knows."""
        self.ask(lambda client: client.member(self.uid), self._found, self._failed)
        never = self.app.standing.never
        asked: list[tuple[str, str, Callable[[Client], str]]] = [
            ("Mailing lists", "mailman.read", lambda client: ", ".join(client.lists_of(self.uid)["lists"])),
            ("Databases", "database.read", lambda client: _databases(client.databases(self.uid))),
            ("Books", "library.loans.own", lambda client: _books(client.loans_of(self.uid)))]
        for label, rule, job in asked:
            if not never(rule, self.uid):
                self.ask(job, partial(self._heard, label), partial(self._silent, label), about=label)

    def _found(self, member: Json) -> None:
        choices = self._choices(member)
        first = next((choice.label for choice in choices if not choice.never), "") if self.member is None else ""
        self.member = member
        self.menu.show(choices, first)
        self._tell_where_choices_are()
        self._show()

    def _failed(self, error: CeoError) -> None:
        if self.member is None:
            self.page.show([("problem", error.message)])
        self.complain(error)

    def _heard(self, label: str, told: str) -> None:
        self.elsewhere[label] = told
        self._show()

    def _silent(self, label: str, error: CeoError) -> None:
        self._heard(label, f"not known: {error.message}")

    def show_details(self) -> None:
        """With the user number, or without."""
        self._show()

    def _show(self) -> None:
        if self.member:
            rows = [(label, value) for label, value in described(self.member) if self.details or label not in _DETAILS]
            now = terms.current(self.app.settings.time_zone)
            lapsed = [Record("State", ("problem", "lapsed: no member this term"))] if standing_of(self.member, now) == "lapsed" else []
            elsewhere = [(label, self.elsewhere[label]) for label in ("Mailing lists", "Databases", "Books") if self.elsewhere.get(label)]
            records = [Record(label, value) for label, value in [*rows, *elsewhere]]
            # Behind the name, where a small screen shows it, too.
            self.page.show([*records[:2], *lapsed, *records[2:]])

    def _choices(self, member: Json) -> list[Choice]:
        uid, never, push, app = self.uid, self.app.standing.never, self.app.push, self.app
        gone = "The account is deleted: restore it first." if member["deleted"] else ""
        club = "A club has no terms and no password of its own." if member["is_club"] else ""
        forwarding = "member.forwarding.syscom" if "syscom" in member["groups"] else "member.forwarding"
        # The same order for everybody: by habit nobody becomes a representative, who pays nothing.
        was_rep = "  The last term was a club representative's." if is_rep(member) else ""
        return [
            Choice("Renew as a member", lambda: push(Renew(app, member, rep=False)),
                   f"Register {uid} for more terms.{was_rep}",
                   gone or club or never("member.renew")),
            Choice("Renew as a rep", lambda: push(Renew(app, member, rep=True)),
                   f"Register {uid} for terms of a club representative, free.",
                   gone or club or never("member.renew")),
            Choice("Password reset", lambda: push(change_account.reset(app, uid, member["cn"])), self._about_reset(),
                   gone or club or self._never_reset(member)),
            Choice("Shell", lambda: push(change_account.Shell(app, member)), "Change the login shell.", gone or never("member.shell", uid)),
            Choice("Forwarding", lambda: push(change_account.Forwarding(app, member)), "Where mail goes on to.", gone or never(forwarding, uid)),
            Choice("Groups", lambda: push(GroupsOf(app, uid)), "Put them into groups, take them out.", gone or never("group.change")),
            Choice("Lists", lambda: push(Lists(app, uid)), "Mailing lists.", gone or never("mailman.subscribe", uid)),
            Choice("Databases", lambda: push(Databases(app, uid)), "MySQL and PostgreSQL.", gone or never("database.read", uid)),
            Choice("Books on loan", lambda: push(Loans(app, uid)), "What they have from the library.", never("library.loans.own", uid)),
            Choice("Examine", lambda: push(Examination(app, uid)), "Check the account on every server.", never("member.examine")),
            Choice("Restore", lambda: push(change_account.restore(app, member)), "Bring the account back, with all it had.",
                   never("member.restore")) if member["deleted"] else
            Choice("Delete", lambda: push(change_account.Delete(app, member)), "Close the account; it is kept and can be restored.",
                   never("member.delete")),
        ]

    def _about_reset(self) -> str:
        who = f"  {change_account.WHO_RESETS}" if self._is_limited else ""
        return f"A temporary password, shown once.{who}"

    def _never_reset(self, member: Json) -> str:
        """Why the password can't be reset; an earlier ceod does not say who signed whom up."""
        too_late = self._is_limited and member.get("signed_up_just_now") is False
        never = self.app.standing.never("member.pwreset")
        return never or (change_account.WHO_RESETS if too_late else "")

    @property
    def _is_limited(self) -> bool:
        """Whether one resets only the passwords of those whom one signed up."""
        standing = self.app.standing
        return standing.is_any_of(Who.OFFICE) and not standing.is_any_of(Who.SYSCOM)


def _databases(told: Json) -> str:
    return ", ".join(title for kind, title in (("mysql", "MySQL"), ("postgresql", "PostgreSQL")) if told[kind])


def _books(loans: list[Json]) -> str:
    late = sum(bool(loan["overdue"]) for loan in loans)
    return f"{len(loans)} on loan" + (f", {late} overdue" if late else "") if loans else ""


