"""Taking over what the university's directory says of members' programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ceo.tui.screens.doing import Outcome
from ceo.tui.screens.rehearsal import Rehearsal, counted, left_out, outcome_of
from ceo.tui.widgets.table import Column

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ceo.tui.widgets.page import Record
    from ceo.tui.widgets.safe import Markup
    from ceo_common.client import Client
    from ceo_common.events import Event

Json = dict[str, Any]


class Programs(Rehearsal):
    """Of all members at once."""

    title = "Update programs"
    about = ("Members who have another program at the university.  Where the university knows no program, nothing is changed here.")
    columns = (Column("Username", lambda row: row["uid"], 16), Column("Here", lambda row: row["old"] or "none"),
               Column("At the university", lambda row: row["new"]))
    empty = "No program differs from the university's."

    def rehearse(self, client: Client) -> Json:
        """Whose program differs."""
        return client.programs()

    def rows(self, plan: Json) -> list[Json]:
        """The changes."""
        return list(plan["changes"])

    def told(self, rows: list[Json]) -> str:
        """How many, of how many."""
        return (f"{len(rows)} of {counted(self.plan['looked_at'], 'program', 'programs')} {'differs' if len(rows) == 1 else 'differ'}.  "
                f"The university does not know the programs of {self.plan['unknown']}.{left_out(self.plan)}")

    def last_look(self) -> tuple[Sequence[Markup | Record], str]:
        """How many change."""
        count = len(self.plan["changes"])
        return ([f"{counted(count, 'program becomes', 'programs become')} what the university says, as listed."],
                f"Enter changes {counted(count, 'program', 'programs')}.")

    def begin(self, client: Client, key: str) -> Iterator[Event]:
        """Change those that were shown."""
        return client.update_programs([change["uid"] for change in self.plan["changes"]], key)

    def outcome(self, result: Json) -> Outcome:
        """How many, and who was not."""
        return outcome_of(result, "updated")
