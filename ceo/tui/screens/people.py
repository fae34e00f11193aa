"""Finding somebody: search as you type, over name, username and program, lapsed members too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ceo.members import last_term, search, standing_of
from ceo.tui import keys
from ceo.tui.app import App
from ceo.tui.screens.person import Person
from ceo.tui.screens.searching import Searching
from ceo.tui.widgets.table import Column
from ceo_common import terms

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]


class People(Searching):
    """Whoever fits, each with a word for what is unusual about them."""

    title = "Find somebody"
    about = ("Type a part of a name, of a username or of a program; names are also found by how they sound.  A term such as f2026, group:office, "
             "position:librarian or program:math narrows it.  Enter opens the person that is marked, with everything about them and all that "
             "you may do for them.")
    role = "admin"
    none = "No match."
    finds_people = True

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

    def open(self, row: Json) -> None:
        """The person's page."""
        self.app.push(Person(self.app, row["uid"]))
