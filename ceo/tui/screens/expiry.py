"""Expiring the accounts of those whose membership is over: rehearsed first, and confirmed by typing how many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import urwid

from ceo.tui import keys
from ceo.tui.app import App
from ceo.tui.screens.doing import Doing, Outcome
from ceo.tui.screens.rehearsal import WHO, Rehearsal, counted, left_out, outcome_of
from ceo.tui.widgets.form import Field
from ceo.tui.widgets.search import Search
from ceo_common.errors import CeoError, Changed

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]


class Expiry(Rehearsal):
    """The count is typed, so that nobody expires more than they looked at."""

    title = "Expire accounts"
    about = ("Members whose last term is over, and the month after it too; the oldest first.  Up and Down move in the list; the cursor "
             "stays in the field.  An expired account keeps everything it has, and a renewal opens it again.")
    columns = WHO
    empty = "There is no account to expire now."

    def __init__(self, app: App) -> None:
        super().__init__(app)
        self.field = Field("How many?")
        urwid.connect_signal(self.field.edit, "postchange", lambda *_: self.field.under("", ""))

    def after_write(self) -> None:
        """Enter does nothing until the count is typed anew."""

    def rehearse(self, client: Client) -> Json:
        """Who is due."""
        return client.expiry()

    def told(self, rows: list[Json]) -> str:
        """How many, of how many."""
        missing = left_out(self.plan)
        if not rows:
            return missing.strip()
        more = f", {self.plan['count']} of them in this run" if self.plan["due"] > self.plan["count"] else ""
        due, count = counted(self.plan["due"], "account is", "accounts are"), self.plan["count"]
        these = "this account" if count == 1 else f"these {count} accounts"
        return f"{due} due{more}.  Type {count} to expire {these}.{missing}"

    def filled(self) -> urwid.Widget:
        """The table, and beneath it the field with the cursor."""
        return Search(self.field, self.table, below=True)

    def ready(self) -> None:
        """The count can be typed."""
        self.bindings[keys.CONFIRM] = self._confirmed

    def outcome(self, result: Json) -> Outcome:
        """How many, and who was not."""
        return outcome_of(result, "expired")

    def _confirmed(self) -> None:
        count = self.plan["count"]
        if self.field.text != str(count):
            self.field.under("problem", f"{count} are in this run: type {count}, or Esc to leave it")
            return
        self.field.fill("")
        self.field.under("", "")
        self.app.push(Doing(self.app, self.title, lambda client, key: client.expire_members(count, key), self.outcome, refused=self._refused))

    def _refused(self, error: CeoError) -> bool:
        """Somebody renewed, or became due, since the rehearsal."""
        if isinstance(error, Changed):
            self.field.under("problem", "It is not as it was: look again, then type the new count.")
        return isinstance(error, Changed)
