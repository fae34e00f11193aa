"""Lists of people for whoever keeps the membership in order: those who are expired, those who are inactive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ceo.tui.app import App
from ceo.tui.screen import Screen
from ceo.tui.screens.listing import Listing
from ceo.tui.screens.person import Person
from ceo.tui.screens.rehearsal import WHO, counted
from ceo.tui.widgets.form import Field, Form

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]
_MOST_TERMS = 99


class Expired(Listing):
    """Enter opens somebody's page, where they are renewed."""

    title = "Expired accounts"
    about = "Accounts that have expired.  Enter opens the page of one; a renewal there opens the account again."
    role = "admin"
    columns = WHO
    empty = "No account has expired.  Whose membership is over stands under Inactive members."

    def fetch(self, client: Client) -> list[Json]:
        """Those who are expired."""
        return client.expired()

    def told(self, rows: list[Json]) -> str:
        """How many."""
        return counted(len(rows), "account is expired.", "accounts are expired.") if rows else ""

    def open(self, row: Json) -> None:
        """Their page."""
        self.app.push(Person(self.app, row["uid"]))


class Inactive(Expired):
    """Those who have been no members for so many terms."""

    about = "People who have not been members for so many terms.  Enter opens the page of one."
    empty = "Nobody has been away for so long."

    def __init__(self, app: App, terms: int) -> None:
        super().__init__(app)
        self.terms = terms
        self.title = f"{counted(terms, 'term', 'terms')} or more"

    def fetch(self, client: Client) -> list[Json]:
        """Those who are inactive."""
        return client.inactive(self.terms)

    def told(self, rows: list[Json]) -> str:
        """How many."""
        return f"{counted(len(rows), 'has', 'have')} not been a member for {counted(self.terms, 'term', 'terms')} or more."


class HowInactive(Screen):
    """For how many terms."""

    title = "Inactive members"
    about = "Type a number: people who have not been members for so many terms are listed."
    role = "admin"

    def __init__(self, app: App) -> None:
        super().__init__(app)
        self.form = Form({"terms": Field("How many terms", "3")}, self._accept)
        self.body = self.form

    def _accept(self) -> None:
        typed = self.form.text("terms")
        if not (typed.isascii() and typed.isdigit() and 1 <= int(typed[:3]) <= _MOST_TERMS):
            self.form.complain({"terms": f"a number of terms from 1 to {_MOST_TERMS}"})
            return
        self.app.push(Inactive(self.app, int(typed)))
