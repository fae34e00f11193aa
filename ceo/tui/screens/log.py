"""Who did what: the audit logs of all hosts, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ceo import transactions as work
from ceo.tui import keys
from ceo.tui.app import App
from ceo.tui.screen import Screen
from ceo.tui.screens.of_all_hosts import OfAllHosts
from ceo.tui.screens.story import Story
from ceo.tui.standing import short
from ceo.tui.widgets.page import Page, Record
from ceo.tui.widgets.table import Column
from ceo_common.permissions import Who

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]
_FIRST = ("who", "remote", "what", "subject", "outcome", "error", "host")


class Log(OfAllHosts):
    """One's own doings; for the systems committee everybody's."""

    title = "Audit log"
    about = "Who did what, on every host, and what came of it.  Enter shows a line whole."
    columns = (Column("When", lambda row: work.when(row["at"])[:16], 16), Column("Who", lambda row: row["who"], 12),
               Column("What", lambda row: row["what"]), Column("Of", lambda row: row.get("subject") or ""),
               Column("Outcome", lambda row: row.get("outcome") or "", 12, least=70), Column("Host", lambda row: short(row["host"]), 15, least=100))

    def gather(self, client: Client) -> tuple[list[Json], dict[str, str]]:
        """Of every host."""
        rows, silent = work.audit(client, hosts=client.hosts.all(), limit=self.limit)
        return rows[:self.limit], silent

    def told(self, rows: list[Json]) -> str:
        """Whose."""
        whose = "of everybody" if self.app.standing.is_any_of(Who.SYSCOM) else "of yours"
        return f"The newest {len(rows)} {whose}." if rows else ""

    def open(self, row: Json) -> None:
        """The whole line."""
        self.app.push(Entry(self.app, row))


class Entry(Screen):
    """One line of the log, with all that it says."""

    title = "Line"
    about = "Everything that the log says of it."

    def __init__(self, app: App, row: Json) -> None:
        super().__init__(app)
        others = sorted(row.keys() - {"at", *_FIRST})
        told = [(name, row[name]) for name in (*_FIRST, *others) if row.get(name) not in (None, "")]
        self.body = Page([Record("when", work.when(row["at"])), *(Record(name, str(value)) for name, value in told)])
        if identifier := row.get("transaction"):
            self.bindings = {keys.STORY: lambda: app.push(Story(app, row["host"], identifier))}
