"""Searching people as one types; subclasses say what Enter does with the one that is marked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ceo.members import last_term, search, standing_of
from ceo.tui import keys
from ceo.tui.app import App
from ceo.tui.screens.searching import Searching
from ceo.tui.widgets.table import Column
from ceo_common import terms

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]


class PeopleSearch(Searching):
    """Whoever fits, each with a word for what is unusual about them."""

    role = "admin"
    none = "No match."

    def __init__(self, app: App) -> None:
        now = terms.current(app.settings.time_zone)
        super().__init__(app, "Name or username", [
            Column("Username", lambda row: row["uid"], 12), Column("Name", lambda row: row["cn"]),
            Column("Program", lambda row: row["program"] or "", least=74),
            Column("Until", last_term, 6), Column("", lambda row: standing_of(row, now), 8)])
        self.bindings[keys.PEOPLE] = lambda: None  # one is there already

    def search(self, client: Client, text: str, count: int) -> tuple[list[Json], bool]:
        """By name, username and program."""
        return search(client, text, count)
