"""Who did what: the audit logs of all hosts, newest first."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ceo import transactions as work
from ceo.operation_words import operation_sentence
from ceo.tui import keys
from ceo.tui.app import App
from ceo.tui.screen import Screen
from ceo.tui.screens.of_all_hosts import OfAllHosts, newest
from ceo.tui.screens.rehearsal import counted
from ceo.tui.screens.story import Story
from ceo.tui.standing import short
from ceo.tui.widgets.page import Page, Record
from ceo.tui.widgets.safe import Markup
from ceo.tui.widgets.table import Column
from ceo_common.errors import CeoError
from ceo_common.permissions import Who

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]
# Of a row, with what it is called on the screen; the rest are details.
_LABELS = {"who": "Who did it", "subject": "About", "list": "Mailing list", "outcome": "Outcome", "error": "Error", "reason": "Reason",
           "step": "Step"}


def sentence(row: Json) -> str:
    """What a row tells, and whom or what it is about; of a mailing list, which one."""
    told = operation_sentence(row["what"], row.get("subject") or "")
    return f"{told}: {row['list']}" if row.get("list") else told


class Log(OfAllHosts):
    """One's own doings; for the systems committee everybody's."""

    title = "Audit log"
    about = "Who did what, to whom, on every host, and how it ended.  Enter shows the whole entry."
    columns = (Column("When", lambda row: work.when(row["at"])[:16], 16), Column("Who", lambda row: row["who"] or "", 12),
               Column("What", sentence),
               Column("Outcome", lambda row: row.get("outcome") or "", 12, least=70), Column("Host", lambda row: short(row["host"]), 15, least=100))

    def standing_told(self) -> None:
        """Only the systems committee may check the chain."""
        if not self.app.standing.never("log.verify"):
            self.bindings[keys.VERIFY] = lambda: self.app.push(Chains(self.app))

    def on_top(self) -> None:
        """Ask, and offer what one may do."""
        self.standing_told()
        super().on_top()

    def gather(self, client: Client) -> tuple[list[Json], dict[str, str]]:
        """Of every host."""
        rows, silent = work.audit(client, hosts=client.hosts.all(), limit=self.limit)
        return rows[:self.limit], silent

    def told(self, rows: list[Json]) -> str:
        """Whose."""
        whose = "of everybody" if self.app.standing.is_any_of(Who.SYSCOM) else "of yours"
        return f"{newest(len(rows))} {whose}." if rows else ""

    def open(self, row: Json) -> None:
        """The whole line."""
        self.app.push(Entry(self.app, row))


class Chains(Screen):
    """Whether the audit log of each host can be believed."""

    title = "Verify"
    about = "Each row's hash covers the row and the hash before it, so that a row that was changed, moved or taken out shows."

    def __init__(self, app: App) -> None:
        super().__init__(app)
        self.chains: dict[str, Json] = {}
        self.page = Page(["One moment ..."])
        self.body = self.page

    def on_top(self) -> None:
        """Ask every host by itself."""
        for host in self.app.settings.hosts.all():
            self.ask(partial(self._verify, host), self._show, partial(self._failed, host), about=host)

    def _verify(self, host: str, client: Client) -> Json:
        return work.verify(client, host)

    def _failed(self, host: str, error: CeoError) -> None:
        self._show({"host": host, "state": "unknown", "problem": error.message})

    def _show(self, chain: Json) -> None:
        self.chains[chain["host"]] = chain
        lines: list[Markup | Record] = []
        for host in self.app.settings.hosts.all():
            lines += [("heading", host), *_of_chain(self.chains.get(host)), ""]
        self.page.show(lines)
        self.app.redraw()


def _of_chain(chain: Json | None) -> list[Markup | Record]:
    if chain is None:
        return ["  One moment ..."]
    if chain["state"] == "unknown":
        return [("problem", f"  It could not be checked: {chain['problem']}")]
    if chain["state"] == "problem":
        return [("problem", f"  BROKEN: {chain['problem']}."), "  Keep a copy of ceod's state_dir there, and compare it with a backup."]
    erased = f", {chain['erased']} of them with values erased" if chain["erased"] else ""
    accepted: list[Markup | Record] = [("problem", f"  It is {chain['accepted']}.")] if chain["accepted"] else []
    newest = [f"  Hash: {chain['head']}"] if chain["head"] else []
    return [*accepted, ("good", f"  Genuine: {counted(chain['rows'], 'row', 'rows')}{erased}."), *newest]


class Entry(Screen):
    """One entry of the log, with all that it says."""

    title = "Entry"
    about = "What the log says of it.  Tab shows everything, as ceod wrote it."
    has_details = True

    def __init__(self, app: App, row: Json) -> None:
        super().__init__(app)
        self.row = row
        self.page = Page()
        self.body = self.page
        self.show_details()
        if identifier := row.get("transaction"):
            self.bindings = {keys.STORY: lambda: app.push(Story(app, row["host"], identifier))}

    def show_details(self) -> None:
        """What people read; with details, every other value under the name that ceod gives it."""
        row = self.row
        known = [Record(label, str(row[name])) for name, label in _LABELS.items() if row.get(name) not in (None, "")]
        names = sorted(row.keys() - {"at", *_LABELS}) if self.details else []
        others = [Record(name, str(row[name])) for name in names if row[name] not in (None, "")]
        self.page.show([("heading", sentence(row)), "", Record("When", work.when(row["at"])), *known, *others])
