"""Groups: all of them, and the page of one."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import urwid

from ceo.tui.app import App
from ceo.tui.screens.group_members import AddSomebody, TakeSomebody
from ceo.tui.screens.group_table import GroupTable
from ceo.tui.screens.offering import Offering
from ceo.tui.screens.person import Person
from ceo.tui.widgets.menu import Choice
from ceo.tui.widgets.page import Page, Record
from ceo.tui.widgets.sides import Sides

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]


class Groups(GroupTable):
    """Enter opens the page of one."""

    about = "Type a part of a group's name; Enter opens the one that is marked.  The groups that are one member's own are left out."

    def open(self, row: Json) -> None:
        """The group's page."""
        self.app.push(Group(self.app, row["cn"]))


class Group(Offering[Json]):
    """Who is in it, what follows from it, and what can be done."""

    about = ("What is known of a group, and beside it what can be done, and who is in it.  Enter on a member opens their page.  What is grey you may "
             "not do; mark it and the reason stands beneath.")
    role = "admin"
    has_details = True

    def __init__(self, app: App, cn: str) -> None:
        super().__init__(app)
        self.cn = self.title = cn
        self.page = Page()
        self.sides = Sides(self.page, self.menu)

    def fetch(self, client: Client) -> Json:
        """The group."""
        return client.group(self.cn)

    def rows(self, told: Json) -> list[Choice | str]:
        """What can be done, and the members."""
        app, cn, members = self.app, self.cn, told["members"]
        never = app.standing.never("group.change")
        return [
            Choice("Add somebody", lambda: app.push(AddSomebody(app, cn)), f"Put somebody into {cn}.", never),
            Choice("Take somebody out", lambda: app.push(TakeSomebody(app, cn, members)), f"Out of {cn}, after a last look.",
                   never or ("" if members else "Nobody is in it.")),
            "", f"Members: {len(members)}" if members else "Nobody is in it.",
            *(Choice(uid, partial(self._open, uid), f"The page of {uid}.") for uid in members)]

    def arranged(self, told: Json) -> urwid.Widget:
        """The choices beside what is known."""
        number = str(told["gid_number"] or "") if self.details else ""
        rows = [("Group", self.cn), ("Group number", number), ("Lists following", ", ".join(told["lists"])),
                ("Groups following", ", ".join(told["implies"]))]
        self.page.show([Record(label, value) for label, value in rows if value])
        return self.sides

    def show_details(self) -> None:
        """With the group number, or without."""
        self.standing_told()

    def _open(self, uid: str) -> None:
        self.app.push(Person(self.app, uid))
