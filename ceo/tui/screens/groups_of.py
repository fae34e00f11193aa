"""The groups that somebody is in."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ceo.tui.app import App
from ceo.tui.screens.group_members import put_in, take_out
from ceo.tui.screens.group_table import GroupTable
from ceo.tui.screens.offering import Offering
from ceo.tui.widgets.menu import Choice

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]


class GroupsOf(Offering[list[str]]):
    """Enter on a group takes them out of it, after a last look."""

    about = "The groups somebody is in.  Enter on one takes them out of it, after a last look; the first line puts them into another."
    role = "admin"

    def __init__(self, app: App, uid: str) -> None:
        super().__init__(app)
        self.uid, self.title = uid, f"Groups of {uid}"

    def fetch(self, client: Client) -> list[str]:
        """The names of the groups."""
        return list(client.member(self.uid)["groups"])

    def rows(self, told: list[str]) -> list[Choice | str]:
        """Another group, and those that there are."""
        app, uid, never = self.app, self.uid, self.app.standing.never("group.change")
        return [
            Choice("Put into another group", lambda: app.push(AnotherGroup(app, uid, told)), f"Choose a group for {uid}.", never),
            "", f"{uid} is in" if told else f"{uid} is in no group.",
            *(Choice(cn, partial(self._take, cn), f"Enter takes {uid} out of {cn}, after a last look.", never) for cn in told)]

    def _take(self, cn: str) -> None:
        self.app.push(take_out(self.app, cn, self.uid))


class AnotherGroup(GroupTable):
    """Enter puts somebody into the marked group, after a last look; those that they are in are left out."""

    title = "Another group"
    about = "Type a part of a group's name; Enter goes on with the one that is marked, to a last look."

    def __init__(self, app: App, uid: str, held: list[str]) -> None:
        super().__init__(app)
        self.uid, self.held = uid, held

    def fetch(self, client: Client) -> list[Json]:
        """The other groups."""
        return [row for row in client.groups() if row["cn"] not in self.held]

    def open(self, row: Json) -> None:
        """Ask once more: a row is taken by an Enter too many."""
        app = self.app
        app.push(put_in(app, row["cn"], self.uid, completed=lambda: app.remove(self)))
