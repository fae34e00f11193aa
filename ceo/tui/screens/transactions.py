"""What was asked of every host, newest first, what is stuck before all else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ceo import transactions as work
from ceo.operation_words import operation_sentence
from ceo.tui.screens.of_all_hosts import OfAllHosts, newest
from ceo.tui.screens.story import STATES, Story
from ceo.tui.standing import short
from ceo.tui.widgets.table import Column

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]


def _state(row: Json) -> str:
    """A word for a state; an exclamation mark where somebody is needed."""
    return ("! " if row.get("stuck") else "") + STATES.get(row["state"], str(row["state"]))


class Transactions(OfAllHosts):
    """The stuck ones stand first, however old: they hold their names until somebody resumes or abandons them."""

    title = "Transactions"
    about = ("Every change that somebody asked ceod for, on every host, and how it ended.  One with an exclamation mark is stuck: it could not be "
             "undone or done, or did not end within ten minutes.  Open it, then resume or abandon it.")
    columns = (Column("When", lambda row: work.when(row["created"])[:16], 16), Column("State", _state, 14),
               Column("What", lambda row: operation_sentence(row["operation"], row["subject"])),
               Column("By", lambda row: row["caller"], 10, least=84), Column("Host", lambda row: short(row["host"]), 15, least=100))

    def gather(self, client: Client) -> tuple[list[Json], dict[str, str]]:
        """The stuck ones and the newest ones."""
        newest, silent = work.listed(client, limit=self.limit)
        stuck, _ = work.listed(client, state="stuck", limit=self.limit)
        names = {row["transaction"] for row in stuck}
        others = [row for row in newest if row["transaction"] not in names]
        return [{**row, "stuck": True} for row in stuck] + others, silent

    def style(self, row: Json) -> str:
        """What needs somebody stands out."""
        return "problem" if row.get("stuck") else "choice"

    def told(self, rows: list[Json]) -> str:
        """How many need somebody."""
        if stuck := sum("stuck" in row for row in rows):
            return f"{stuck} stuck: open to resume or abandon."
        return f"{newest(len(rows))}; nothing is stuck." if rows else ""

    def open(self, row: Json) -> None:
        """Its story."""
        self.app.push(Story(self.app, row["host"], row["transaction"]))
