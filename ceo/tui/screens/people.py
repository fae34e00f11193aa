"""Finding somebody: search as you type, over name, username and program, lapsed members too."""

from __future__ import annotations

from typing import Any

from ceo.tui.screens.people_search import PeopleSearch
from ceo.tui.screens.person import Person

Json = dict[str, Any]


class People(PeopleSearch):
    """Enter opens somebody's page."""

    title = "Find somebody"
    about = ("Type a part of a name, of a username or of a program; names are also found by how they sound.  A term such as f2026, group:office, "
             "position:librarian or program:math narrows it.  Enter opens the person that is marked, with everything about them and all that "
             "you may do for them.")
    finds_people = True

    def open(self, row: Json) -> None:
        """The person's page; whoever asked for a borrower learns who it was."""
        self.app.found = row["uid"]
        self.app.push(Person(self.app, row["uid"]))
