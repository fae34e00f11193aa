"""What was asked of every host, newest first, what is stuck before all else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ceo import transactions as work
from ceo.tui.screens.of_all_hosts import OfAllHosts
from ceo.tui.screens.story import STATES, Story
from ceo.tui.standing import short
from ceo.tui.widgets.table import Column

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]
_STUCK = "undo_failed"


class Transactions(OfAllHosts):
    """Those that could not be undone stand first, however old: they hold their names until somebody resumes or abandons them."""

    title = "Transactions"
    about = ("What was asked of ceod, on every host, and what came of it.  What is marked with an exclamation mark could not be undone and needs "
             "somebody: open it, then resume or abandon it.")
    columns = (Column("When", lambda row: work.when(row["created"])[:16], 16), Column("State", lambda row: told_state(row["state"]), 14),
               Column("What", lambda row: row["operation"]), Column("Of", lambda row: row["subject"]),
               Column("By", lambda row: row["caller"], 10, least=84), Column("Host", lambda row: short(row["host"]), 15, least=100))

    def gather(self, client: Client) -> tuple[list[Json], dict[str, str]]:
        """The stuck ones and the newest ones."""
        newest, silent = work.listed(client, limit=self.limit)
        stuck, _ = work.listed(client, state=_STUCK, limit=self.limit)
        return stuck + [row for row in newest if row["state"] != _STUCK], silent

    def style(self, row: Json) -> str:
        """What needs somebody stands out."""
        return "problem" if row["state"] == _STUCK else "choice"

    def told(self, rows: list[Json]) -> str:
        """How many need somebody."""
        stuck = sum(row["state"] == _STUCK for row in rows)
        return f"{stuck} could not be undone: open to resume or abandon." if stuck else f"The newest {len(rows)}; nothing is stuck." if rows else ""

    def open(self, row: Json) -> None:
        """Its story."""
        self.app.push(Story(self.app, row["host"], row["transaction"]))


def told_state(state: str) -> str:
    """A word for a state; an exclamation mark where somebody is needed."""
    return ("! " if state == _STUCK else "") + STATES.get(state, state)
