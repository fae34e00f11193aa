"""Signing somebody up: the form, the review, the steps, the result."""

from __future__ import annotations

import time
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any

import urwid

from ceo import members
from ceo.tui.keys import means
from ceo.tui.screen import Field, Form, Page, Screen
from ceo_common.errors import Aborted, CeoError, Exists, Invalid, LeftBehind, OutcomeUnknown
from ceo_common.events import Event
from ceo_common.text import shown

if TYPE_CHECKING:
    from ceo.tui.app import App

_SETTLE_S = 0.7
_TOLD = {"undone": "undone", "not_ours": "left as it is", "waiting": "waits for its server", "undo_failed": "could not be undone"}
_MARKS = {"started": "·", "done": "✓", "undone": "↶", "waiting": "…", "undo_failed": "✗", "queued": "…"}
_PLAIN = {"started": ".", "done": "+", "undone": "<", "waiting": "~", "undo_failed": "!", "queued": "~"}


class AddMember(Screen):
    """The form; what was typed stays until the account stands."""

    title = "Add member"
    hint = "Tab look up and next   Enter next, on the last: review   Esc back"

    def __init__(self, app: App) -> None:
        super().__init__(app)
        self.fields = {
            "uid": Field("Username"), "cn": Field("Full name"), "program": Field("Program"), "terms": Field("Number of terms", "1"),
            "forwarding_addresses": Field("Forward mail to"),
        }
        head = [urwid.Text(("hint", "Current students: their university userid.  Tab fills in what the university knows.")), urwid.Divider()]
        self.form = Form(self.fields, self.accept, self.leaving, head)
        self.body = self.form

    def text(self, name: str) -> str:
        """What a field holds, without blanks around it."""
        return self.fields[name].text.strip()

    def leaving(self, name: str) -> None:
        """Tab in the username: ask the university, fill in what is still empty."""
        if name == "uid" and (uid := self.text("uid")):
            self.fields["uid"].complain("looking up ...")
            self.app.work(partial(members.look_up, self.app.client, uid), partial(self._fill, uid), self._not_looked_up)

    def _fill(self, uid: str, known: dict[str, str]) -> None:
        if uid != self.text("uid"):
            return  # somebody else was typed meanwhile
        self.fields["uid"].complain("" if known else "the university does not know this userid")
        for name in ("cn", "program"):
            if known.get(name) and not self.text(name):
                self.fields[name].fill(known[name])

    def _not_looked_up(self, error: CeoError) -> None:
        self.fields["uid"].complain(f"not looked up: {error.message}")

    def accept(self) -> None:
        """Show every problem at its field, or go on to the review."""
        problems = members.form_problems(*(self.text(name) for name in self.fields))
        self.form.complain(problems)
        if not problems:
            self.app.push(Review(self.app, self))

    def member(self) -> dict[str, Any]:
        """The request."""
        return members.new_member(
            self.app.settings, uid=self.text("uid"), cn=self.text("cn"), program=self.text("program"), count=int(self.text("terms")),
            addresses=members.split(self.text("forwarding_addresses")),
        )


class Review(Screen):
    """Everything once more, and what the desk has to check."""

    title = "Review"
    hint = "Enter add the account   Esc back to the form"

    def __init__(self, app: App, form: AddMember) -> None:
        super().__init__(app)
        self.form = form
        self.member = form.member()
        held = self.member["terms"]
        rows = [("Username", self.member["uid"]), ("Full name", self.member["cn"]), ("Program", self.member["program"]),
                ("Terms", ", ".join(held)), ("Fee", f"${app.settings.fee_per_term * len(held)}"),
                ("Forward mail to", ", ".join(self.member.get("forwarding_addresses", [])) or "nowhere")]
        checks = ("Check a photo ID.", "The machine-usage policy is signed.", "The fee is paid.")
        self.body = Page([*(f"{label:<18}{shown(value)}" for label, value in rows), "", *(("hint", check) for check in checks)])

    def key(self, key: str) -> str | None:
        """Enter adds."""
        if means(key, "accept"):
            self.app.replace(Adding(self.app, self.form, self.member))
            return None
        return super().key(key)


class Adding(Screen):
    """The steps as they happen, then the result."""

    title = "Adding"
    hint = "one moment ..."

    def __init__(self, app: App, form: AddMember, member: dict[str, Any]) -> None:
        super().__init__(app)
        self.form = form
        self.member = member
        self.lines: dict[str, Any] = {}
        self.page = Page([f"Adding {shown(member['uid'])} ..."])
        self.body = self.page
        self.over_since: float | None = None
        self.account_stands = False
        self.marks = _MARKS if urwid.supports_unicode() else _PLAIN

    def on_top(self) -> None:
        """Begin."""
        key = str(uuid.uuid4())
        job = partial(members.create_member, self.app.client, self.member, lambda event: self.app.say(partial(self._step, event)), key)
        self.app.work(job, self._completed, self._failed)

    def _step(self, event: Event) -> None:
        if (state := event.get("state")) is None:
            return
        name = shown(event.get("operation", ""))
        took = f"{event['elapsed_ms']:>7} ms" if state == "done" and "elapsed_ms" in event else ""
        told = _TOLD.get(state, took)
        self.lines[name] = ("good" if state == "done" else "default", f" {self.marks.get(state, ' ')} {name:<20}{told}")
        self._show([])

    def _show(self, after: list[Any]) -> None:
        self.page.show([f"Adding {shown(self.member['uid'])}", "", *self.lines.values(), "", *after])

    def _end(self, hint: str, after: list[Any]) -> None:
        self.over_since = time.monotonic()
        self.hint = hint
        self._show(after)
        self.app.redraw()

    def _completed(self, last: Event) -> None:
        self.account_stands = True
        result = last.get("result", {})
        after: list[Any] = [("heading", f"The account {shown(result.get('uid', ''))} is ready.")]
        if result.get("temporary_password"):
            after += [["Temporary password: ", ("secret", f" {shown(result['temporary_password'])} "), "  (it is shown this once)"],
                      ("hint", "It has to be changed at the first login.")]
        else:
            after.append("The password was shown elsewhere; a reset gives another.")
        if waiting := last.get("waiting"):
            after.append(f"Done by itself later: {shown(', '.join(waiting))}")
        self._end("any key: back to the main menu", after)

    def _failed(self, error: CeoError) -> None:
        if isinstance(error, Invalid | Exists | LeftBehind) and not self.lines:
            # Refused before the first step: the form is where it is mended.
            problems = members.by_field(error) if isinstance(error, Invalid) else {}
            self.app.pop()
            self.form.form.complain(problems or {"uid": error.message})
            return
        told: list[Any] = [("problem", shown(error.message))]
        if isinstance(error, Aborted | OutcomeUnknown) and error.more.get("transaction"):
            told.append(f"The story: ceo transactions show {shown(error.more['transaction'])}")
        self._end("any key: back to the form, with all that was typed", told)

    def key(self, key: str) -> str | None:
        """Any key leaves when it is over, but not one that was typed before the password could be seen."""
        if self.over_since is not None and time.monotonic() - self.over_since > _SETTLE_S:
            if self.account_stands:
                self.app.back_to_first()
            else:
                self.app.pop()
        return None
