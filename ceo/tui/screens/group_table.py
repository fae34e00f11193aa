"""All groups, narrowed by what is typed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import urwid

from ceo.tui import keys
from ceo.tui.app import App
from ceo.tui.screen import Screen
from ceo.tui.widgets.form import Field
from ceo.tui.widgets.search import Search
from ceo.tui.widgets.table import Column, Table
from ceo_common.errors import CeoError

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]
_COLUMNS = (Column("Group", lambda row: row["cn"]), Column("Members", lambda row: f"{row['members']:>7}", 7))


class GroupTable(Screen):
    """A field and, beneath it, the groups that have its text in their name; subclasses say what Enter does with the marked one."""

    title = "Groups"
    role = "admin"

    def __init__(self, app: App) -> None:
        super().__init__(app)
        self.field = Field("Which group?")
        self.table = Table(_COLUMNS, self.open)
        self.groups: list[Json] | None = None  # None: not told yet
        self._wanted = False  # whether Enter came before the groups
        self.bindings = {keys.AGAIN: self.load}
        urwid.connect_signal(self.field.edit, "postchange", lambda *_: self._narrow())
        self.body = Search(self.field, self.table, self._enter)
        self.tell("hint", "One moment ...")

    def on_top(self) -> None:
        """Ask; what was done above may have changed it."""
        self.load()

    def load(self) -> None:
        """Ask for all of them: they are few."""
        self.ask(self.fetch, self._found, self._failed)

    def fetch(self, client: Client) -> list[Json]:
        """The groups to choose from; in a worker's thread."""
        return client.groups()

    def open(self, row: Json) -> None:
        """Enter on a row."""
        raise NotImplementedError

    def _found(self, groups: list[Json]) -> None:
        at = self.table.at if self.table.data else None
        self.groups = groups
        self._narrow(at)
        if self._wanted and self.in_sight:
            self._enter()

    def _failed(self, error: CeoError) -> None:
        self.tell("problem", f"{error.message}  Ctrl-R asks again.")

    def _narrow(self, at: int | None = None) -> None:
        if self.groups is None:
            return
        wanted = self.field.text.lower()
        rows = [row for row in self.groups if wanted in row["cn"].lower()]
        rows.sort(key=lambda row: (row["cn"].lower() != wanted, not row["cn"].lower().startswith(wanted), row["cn"].lower()))
        self.table.show(rows, at)
        self.tell("hint", f"{len(rows)} {'group' if len(rows) == 1 else 'groups'}.  Type a part of the name." if rows or not wanted else
                  "No group has that in its name.")

    def _enter(self) -> None:
        self._wanted = self.groups is None
        if self.table.data:
            self.open(self.table.marked)
