"""Putting somebody into a group and taking them out, with the groups and the lists that follow from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from ceo.tui.app import App
from ceo.tui.screen import Screen
from ceo.tui.screens.doing import Doing, Outcome
from ceo.tui.screens.review import Review, dry_run_of
from ceo.tui.widgets.form import Field, Form
from ceo.tui.widgets.menu import Choice, Menu
from ceo.tui.widgets.page import Record
from ceo.tui.widgets.safe import Markup
from ceo_common.errors import CeoError, Deleted, Exists, NotFound
from ceo_common.events import Event
from ceo_common.model import names

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]
_DONE = ("added", "removed")
_NEEDLESS = "nothing to do"


def put_in(app: App, cn: str, uid: str, *, completed: Callable[[], None] | None = None, refused: Callable[[CeoError], bool] | None = None,
           draft: dict[str, str] | None = None) -> Screen:
    """Asks once more, and does it."""
    def begin(client: Client, key: str) -> Iterator[Event]:
        return client.add_to_group(cn, uid, key)

    doing = partial(Doing, app, f"Put {uid} into {cn}", begin, outcome, completed=completed, refused=refused, draft=draft)
    lines = [Record("Username", uid), Record("Group", cn), "", "They also get what follows from it, groups and mailing lists."]
    return Review(app, lines, doing, question=f"Enter puts {uid} into {cn}.", dry_run=dry_run_of(begin), refused=refused)


def take_out(app: App, cn: str, uid: str, *, completed: Callable[[], None] | None = None) -> Screen:
    """Asks once more, and does it."""
    def begin(client: Client, key: str) -> Iterator[Event]:
        return client.remove_from_group(cn, uid, key)

    doing = partial(Doing, app, f"Take {uid} out of {cn}", begin, outcome, completed=completed)
    lines = [Record("Group", cn), Record("Username", uid), "", "They also lose what followed from this group alone: groups and mailing lists."]
    return Review(app, lines, doing, question=f"Enter takes {uid} out of {cn}.", dry_run=dry_run_of(begin))


def outcome(result: Json) -> Outcome:
    """What became of each group, a line each."""
    uid = result["uid"]
    return Outcome([_told(uid, group, told) for group, told in result["groups"].items()])


def _told(uid: str, group: str, told: str) -> Markup:
    style = "good" if told in _DONE else "hint" if told == _NEEDLESS else "problem"
    return (style, f"{uid}, {group}: {told}")


class AddSomebody(Screen):
    """One field: the username."""

    title = "Add somebody"
    about = "Type the username of the person to put into the group.  They also get the groups and mailing lists that follow from it."
    role = "admin"

    def __init__(self, app: App, cn: str) -> None:
        super().__init__(app)
        self.cn = cn
        self.draft = app.drafts.setdefault(f"add to {cn}", {})
        self.form = Form({"uid": Field("Username")}, self._accept, draft=self.draft, head=[("heading", f"Into the group {cn}")])
        self.body = self.form
        self.tell("hint", "Enter goes on, to a last look.")

    def _accept(self) -> None:
        uid = self.form.text("uid")
        if problem := names.username_problem(uid):
            self.form.complain({"uid": problem})
            return
        self.app.push(put_in(self.app, self.cn, uid, completed=lambda: self.app.remove(self), refused=self._refused, draft=self.draft))

    def _refused(self, error: CeoError) -> bool:
        if isinstance(error, NotFound | Exists | Deleted):
            self.form.complain({"uid": error.message})
            return True
        return False


class TakeSomebody(Screen):
    """Which member is to be taken out of a group."""

    title = "Take somebody out"
    about = "Choose the person to take out of the group.  Enter goes to a last look; nothing is changed before."
    role = "admin"

    def __init__(self, app: App, cn: str, members: list[str]) -> None:
        super().__init__(app)
        self.cn = cn
        self.body = Menu([f"Out of the group {cn}", *(
            Choice(uid, partial(self._take, uid), "Enter goes on, to a last look.") for uid in members)], self.tell)

    def _take(self, uid: str) -> None:
        self.app.push(take_out(self.app, self.cn, uid, completed=lambda: self.app.remove(self)))
