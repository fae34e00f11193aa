"""Signing somebody up: the form, a last look, the steps, the password."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ceo import members
from ceo.tui import keys
from ceo.tui.app import App
from ceo.tui.screen import Screen
from ceo.tui.screens.change_account import temporary_password
from ceo.tui.screens.doing import Doing, Outcome
from ceo.tui.screens.person import Person
from ceo.tui.screens.review import Review, dry_run_of
from ceo.tui.widgets.form import Field, Form
from ceo.tui.widgets.page import Record
from ceo.tui.widgets.safe import Markup
from ceo_common import terms
from ceo_common.errors import BackendDown, CeoError, Exists, Invalid, LeftBehind, NotFound
from ceo_common.events import Event
from ceo_common.model import names
from ceo_common.text import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ceo_common.client import Client

Json = dict[str, Any]
_SHOWN = ("full name", "program", "member term", "rep term", "forwarding address", "password")  # by the last look itself
_CHECKS = ("Check a photo ID.", "The machine-usage policy is signed.", "The fee is paid.")


class SignUp(Screen):
    """The form, for a member or a club representative.  What was typed stays until the account stands."""

    role = "admin"

    def __init__(self, app: App, *, rep: bool) -> None:
        super().__init__(app)
        self.rep = rep
        self.title = "Sign up a club rep" if rep else "Sign up a member"
        self.about = ("Type the university's userid and press Tab: what the university knows is filled in.  Enter goes from field to field, then to "
                      "a last look; nothing is made before you have seen it.  Esc leaves the form; when you come back it is as you left it.")
        self.fields = {"uid": Field("Username"), "cn": Field("Full name"), "program": Field("Program"), "terms": Field("Terms", "1"),
                       "forwarding_addresses": Field("Forward mail to")}
        self.looked_up = ""  # the username that `there` and `known` are about
        self.there: Json | None = None  # the account that has it already
        self.known: Json = {}  # what the university says of it
        self.filled: dict[str, str] = {}  # what was filled in of that, by field
        self._looking = self._accepting = self._has_opened = False
        self.draft = app.drafts.setdefault(self.title, {})
        self.form = Form(self.fields, self._accept, draft=self.draft, leaving=self._leaving, changed=self._changed,
                         head=[("hint", "Current students: their university userid, then Tab.")])
        self.body = self.form
        self._hint()

    def on_top(self) -> None:
        """Look a username up that was typed before the form was left."""
        if not self._has_opened:
            self._has_opened = True
            self._leaving("uid")

    def _changed(self) -> None:
        """What was wanted of the form before it was changed is not wanted any more."""
        self._accepting = False
        if self.form.text("uid") != self.looked_up:
            self._forget()
        self._hint()

    def _forget(self) -> None:
        """Take away what is about the username that stood here before: it is of somebody else."""
        self.bindings.pop(keys.OPEN_INSTEAD, None)
        for name in self.known:
            if name in self.fields:
                self.fields[name].under("", "")  # which may say what the university has
        self.looked_up, self._looking, self.there, self.known = "", False, None, {}
        filled, self.filled = self.filled, {}
        for name, text in filled.items():
            if self.form.text(name) == text:
                self.form.suggest(name, "")

    def _hint(self) -> None:
        try:
            wanted = members.wanted_terms(self.app.settings, self.form.text("terms"))
        except ValueError as error:
            self.fields["terms"].under("hint", str(error))
        else:
            self.fields["terms"].under("hint", f"{', '.join(wanted)}   {members.fee(self.app.settings, wanted, rep=self.rep)}")

    # What is known of the username

    def _leaving(self, name: str) -> None:
        """Leaving the username: ask who has it."""
        if name == "uid":
            self._look_up()

    def _look_up(self) -> None:
        """Ask whether the username is taken, and what the university knows; once."""
        uid = self.form.text("uid")
        if not uid or uid == self.looked_up:
            return
        if problem := names.username_problem(uid):
            self.fields["uid"].under("problem", problem)
        else:
            self.looked_up, self._looking, self.there, self.known = uid, True, None, {}
            self.fields["uid"].under("hint", "looking up ...")
            self.ask(partial(_look_up, uid), partial(self._looked_up, uid), self._not_looked_up, about="username")

    def _looked_up(self, uid: str, told: tuple[Json | None, Json]) -> None:
        self._looking = False
        if uid != self.form.text("uid"):
            return  # somebody else was typed meanwhile
        wanted = self._accepting
        self.looked_up = uid
        self.there, self.known = told
        if self.there:
            self.bindings[keys.OPEN_INSTEAD] = lambda: self.app.push(Person(self.app, uid))
            self.fields["uid"].under("problem", f"{uid} has an account: {self.there['cn']}, until {members.last_term(self.there) or 'never'}.  "
                                     "Ctrl-O opens it, to renew.")
            self.app.redraw()
        else:
            self.fields["uid"].under("hint", "" if self.known else "The university does not know this userid.")
            self._fill()
        self._accepting = wanted  # filling in changed the form, and nobody else did
        self._go_on()

    def _not_looked_up(self, error: CeoError) -> None:
        self._looking, self.looked_up = False, ""
        self.fields["uid"].under("problem", f"not looked up: {error.message}")
        self._go_on()

    def _go_on(self) -> None:
        """To the last look, if that was asked for while the answer was still to come."""
        if self._accepting and self.in_sight:
            self._last_look()

    def _fill(self) -> None:
        """Fill in what the university knows where nothing was typed; elsewhere, show what it knows.

        The cursor, if it still waits there, goes to the first field left to fill.
        """
        here = self.form.at
        waiting = here == "cn" and not self.form.text("cn")
        for name in ("cn", "program"):
            known = self.known.get(name)
            if known and not self.form.text(name):
                self.form.suggest(name, known)
                self.filled[name] = self.form.text(name)
            elif known and self.form.text(name) != known:
                self.fields[name].under("hint", f"The university has: {known}")
        if waiting:
            self.form.go_to(next(name for name in ("cn", "program", "terms") if name == "terms" or not self.form.text(name)))

    # On to the account

    def _accept(self) -> None:
        """Go on to the last look, once it is known whose username this is.

        The field can be left by a click too, which asks nothing.
        """
        self._look_up()
        self._accepting = self._looking
        if not self._looking:
            self._last_look()

    def _last_look(self) -> None:
        """Show every problem at its field, or go on."""
        self._accepting = False
        texts = self.form.texts()
        problems = members.form_problems(self.app.settings, *(texts[name] for name in self.fields))
        if self.there and self.looked_up == texts["uid"]:
            problems["uid"] = f"{texts['uid']} has an account already; Ctrl-O opens it, to renew"
        self.form.complain(problems)
        self._hint() if "terms" not in problems else None
        if not problems:
            self.app.push(LastLook(self.app, self))

    def differences(self) -> list[str]:
        """What the university says otherwise of the username, in sentences."""
        if self.form.text("uid") != self.looked_up:
            return []
        labels = {"cn": "full name", "program": "program"}
        known = {name: shown(self.known.get(name) or "").strip() for name in labels}
        return [
            f"The university has another {label} for {self.looked_up}: {known[name]}"
            for name, label in labels.items()
            if known[name] and known[name] != self.form.text(name)
        ]

    def member(self) -> Json:
        """The request."""
        texts = self.form.texts()
        same = texts["uid"] == self.looked_up and texts["cn"] == self.known.get("cn")
        return members.new_member(
            self.app.settings, uid=texts["uid"], cn=texts["cn"], program=texts["program"], rep=self.rep,
            exact=members.wanted_terms(self.app.settings, texts["terms"]), addresses=members.split(texts["forwarding_addresses"]),
            given_name=self.known.get("given_name") if same else None, sn=self.known.get("sn") if same else None)

    def refused(self, error: CeoError) -> bool:
        """What was refused before anything began stands at its field."""
        if isinstance(error, Invalid | Exists | LeftBehind):
            self.form.refuse(error)
            return True
        return False


class LastLook(Review):
    """Everything once more, what the desk has to check, and lapsed members who may be the same person."""

    def __init__(self, app: App, form: SignUp) -> None:
        self.form, self.member = form, form.member()
        held = self.member.get("terms") or self.member["non_member_terms"]
        self.lines: list[Markup | Record] = [
            Record("Username", self.member["uid"]), Record("Full name", self.member["cn"]), Record("Program", self.member["program"]),
            Record("Rep terms" if form.rep else "Terms", ", ".join(held)), Record("Fee", members.fee(app.settings, held, rep=form.rep)),
            Record("Forward mail to", ", ".join(self.member.get("forwarding_addresses", [])) or "nobody: mail stays here"),
            *([("problem", "This person will not be a member this term.")] if str(terms.current(app.settings.time_zone)) not in held else []),
            "", *(("hint", f"• {check}") for check in _CHECKS if not (form.rep and "fee" in check))]
        super().__init__(app, self.lines, self._doing, question="Enter adds the account.", dry_run=dry_run_of(self._begin),
                         refused=form.refused, shown=_SHOWN)
        self._near: list[Json] | None = None
        self._differences = form.differences()

    def on_top(self) -> None:
        """Ask for the dry run, and look for lapsed members of the same or a near name; the first time."""
        super().on_top()
        if self._near is None and not self.app.standing.never("member.lapsed"):
            self.ask(lambda client: members.near(client, self.member["uid"], self.member["cn"]), self._found, lambda _: self._found([]))
        elif self._near is None:
            self._near = []

    def is_ready(self) -> bool:
        """The dry run, and whether somebody else may be meant."""
        return super().is_ready() and self._near is not None

    def warnings(self) -> list[Markup]:
        """What the university says otherwise, and lapsed members of a like name, too."""
        near = [f"  {row['uid']:<16} {row['cn']}, until {row['last_term'] or 'never'}" for row in (self._near or [])[:5]]
        question = [("problem", "Did you mean renew?  A lapsed member of a like name:")] if near else []
        others = [("problem", difference) for difference in self._differences]
        return [*others, *super().warnings(), *question, *near]

    def _found(self, near: list[Json]) -> None:
        self._near = near
        if near:
            uid = near[0]["uid"]
            self.bindings[keys.OPEN_INSTEAD] = lambda: self.app.replace(self, Person(self.app, uid))
            self.question = f"Enter adds the account all the same; Ctrl-O opens {uid} instead."
        self.go_on()

    def _begin(self, client: Client, key: str) -> Iterator[Event]:
        return client.add_member(self.member, key)

    def _doing(self) -> Doing:
        form, uid = self.form, self.member["uid"]

        def told(result: Json) -> Outcome:
            outcome = temporary_password(result, uid)
            return Outcome([("good", f"The account {uid} is ready."), *outcome.lines], outcome.secret, outcome.another)

        return Doing(self.app, f"Sign up {uid}", self._begin, told,
                     completed=self.app.back_to_first, refused=form.refused, draft=form.draft)


def _look_up(uid: str, client: Client) -> tuple[Json | None, Json]:
    """Who has the username already, and what the university says; a university that is silent keeps nobody from being signed up."""
    try:
        return client.member(uid), {}
    except NotFound:
        pass
    try:
        return None, members.look_up(client, uid)
    except BackendDown:
        return None, {}
