"""Registering somebody for more terms."""

from __future__ import annotations

from functools import partial
from typing import Any

from ceo import members
from ceo.tui.app import App
from ceo.tui.screen import Screen
from ceo.tui.screens.doing import Begin, Doing, Outcome
from ceo.tui.screens.review import Review, dry_run_of
from ceo.tui.widgets.form import Field, Form
from ceo.tui.widgets.page import Record
from ceo_common import terms
from ceo_common.errors import CeoError, Exists, Invalid

Json = dict[str, Any]


class Renew(Screen):
    """One field: how many terms, or which.

    For a lapsed member, who nearly always pays for one term, the last look opens at once; Esc leads
    from there to the field.
    """

    title = "Renew"
    about = ("Type how many terms: they are counted from the current term on, and terms that the member has already are left out.  Or type the terms "
             "themselves, such as w2027 s2027.  An account that has expired opens again.")
    role = "admin"

    def __init__(self, app: App, member: Json, *, rep: bool) -> None:
        super().__init__(app)
        self.member, self.rep = member, rep
        self.kind = "non_member_terms" if rep else "terms"
        self.draft = app.drafts.setdefault(f"renew {member['uid']} {rep}", {})
        self.field = Field("Terms", "1")
        self.held = ", ".join([*member["terms"], *member["non_member_terms"]]) or "none"
        self.as_rep = " as a club representative" if rep else ""
        heading = ("heading", f"{member['cn']} ({member['uid']}){',' if rep else ''}{self.as_rep}")
        head = [heading, "", f"Terms held: {self.held}"]
        self.form = Form(
            {"terms": self.field}, self._accept, draft=self.draft, changed=self._hint, head=head
        )
        self.body = self.form
        self._is_usual = not rep and not self.draft and not self._registered([])
        self._hint()

    def on_top(self) -> None:
        """The usual case needs no form."""
        is_usual, self._is_usual = self._is_usual, False
        if is_usual:
            self._accept(is_first=True)

    def _hint(self) -> None:
        try:
            wanted = members.wanted_terms(self.app.settings, self.field.text, self.member)
        except ValueError as error:
            self.field.under("hint", str(error))
            return
        told = f"{', '.join(wanted)}   {members.fee(self.app.settings, wanted, rep=self.rep)}"
        problem = self._held(wanted) or self._over(wanted) or self._registered(wanted)
        self.field.under("problem" if problem else "hint", f"{told}   {problem}".rstrip())

    def _held(self, wanted: list[str]) -> str:
        held = [term for term in wanted if term in self.member[self.kind]]
        return f"held already: {', '.join(held)}" if held else ""

    def _over(self, wanted: list[str]) -> str:
        now = terms.current(self.app.settings.time_zone)
        is_over = all(terms.Term.parse(term) < now for term in wanted)
        return "this is over already" if is_over else ""

    def _registered(self, wanted: list[str]) -> str:
        return members.registered_note(self.app.settings, self.member, wanted)

    def _accept(self, *, is_first: bool = False) -> None:
        try:
            wanted = members.wanted_terms(self.app.settings, self.field.text, self.member)
        except ValueError as error:
            self.form.complain({"terms": str(error)})
            return
        if held := self._held(wanted):
            self.form.complain({"terms": held})
            return
        name = f"{self.member['cn']} ({self.member['uid']})"
        lines = [
            Record("Club rep" if self.rep else "Member", name),
            Record("Terms held", self.held),
            Record("Terms", ", ".join(wanted)),
            Record("Fee", members.fee(self.app.settings, wanted, rep=self.rep)),
        ]
        registered = self._registered(wanted)
        way_back = "  Esc goes to other terms." if is_first else ""
        review = Review(
            self.app, lines, partial(self._doing, wanted),
            question=f"Enter renews{self.as_rep}.{way_back}",
            dry_run=dry_run_of(self._begin(wanted)), refused=self._refused,
            shown=("member term", "rep term"), noted=[registered] if registered else [])
        if is_first:
            review.hold()
        self.app.push(review)

    def _begin(self, wanted: list[str]) -> Begin:
        uid, kind = self.member["uid"], self.kind
        return lambda client, key: client.renew_member(uid, {kind: wanted}, key)

    def _doing(self, wanted: list[str]) -> Doing:
        uid, held = self.member["uid"], ", ".join(wanted)
        return Doing(
            self.app, f"Renew {uid}", self._begin(wanted),
            lambda _: Outcome([("good", f"{uid} is registered for {held}{self.as_rep}.")]),
            completed=lambda: self.app.remove(self), refused=self._refused, draft=self.draft)

    def _refused(self, error: CeoError) -> bool:
        """The form shows what is wrong with its field."""
        if isinstance(error, Invalid | Exists):
            self.form.refuse(error)
            return True
        return False
