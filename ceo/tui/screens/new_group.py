"""Making clubs and groups."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from ceo.tui.app import App
from ceo.tui.screen import Screen
from ceo.tui.screens.doing import Doing, Outcome
from ceo.tui.screens.groups import Group
from ceo.tui.screens.review import Review, dry_run_of
from ceo.tui.widgets.form import Field, Form
from ceo.tui.widgets.page import Record
from ceo_common.errors import CeoError, Deleted, Exists, Invalid, LeftBehind
from ceo_common.events import Event
from ceo_common.model import names

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]


class _New(Screen):
    """A form, a last look, the steps, and then the group's page.  The field `name` holds what the group will be called."""

    name = ""
    what = ""
    makes = ""  # what the last look says of it
    role = "admin"

    def __init__(self, app: App, fields: dict[str, Field]) -> None:
        super().__init__(app)
        self.draft = app.drafts.setdefault(self.title, {})
        self.form = Form(fields, self._accept, draft=self.draft)
        self.labels = {name: label for name, label in (("uid", "Username"), ("cn", "Name")) if name in fields}
        self.body = self.form
        self.tell("hint", "Enter goes on, to a last look.")

    def problems(self) -> dict[str, str | None]:
        """What is wrong with each field, or None."""
        raise NotImplementedError

    def begin(self, client: Client, texts: dict[str, str], key: str) -> Iterator[Event]:
        """Make it, as the form was at the last look."""
        raise NotImplementedError

    def _accept(self) -> None:
        problems = {field: problem for field, problem in self.problems().items() if problem}
        self.form.complain(problems)
        if not problems:
            texts = self.form.texts()
            lines = [*(Record(label, texts[name]) for name, label in self.labels.items()), "", self.makes]
            self.app.push(Review(self.app, lines, partial(self._doing, texts), question=f"Enter makes the {self.what} {texts[self.name]}.",
                                 dry_run=dry_run_of(lambda client, key: self.begin(client, texts, key)), refused=self._refused,
                                 shown=("full name",)))

    def _doing(self, texts: dict[str, str]) -> Doing:
        called = texts[self.name]
        ready = Outcome([("good", f"The {self.what} {called} is ready.")])
        return Doing(
            self.app, f"Make the {self.what} {called}", lambda client, key: self.begin(client, texts, key), lambda _: ready,
            completed=lambda: self._finish(called), refused=self._refused, draft=self.form.draft)

    def _refused(self, error: CeoError) -> bool:
        """The form shows what is wrong with its field."""
        if isinstance(error, Invalid | Exists | LeftBehind | Deleted):
            self.form.refuse(error)
            return True
        return False

    def _finish(self, called: str) -> None:
        self.app.remove(self)
        self.app.push(Group(self.app, called))


class NewClub(_New):
    """An account without a password, its group, and the right of the group's members to act as it."""

    title = "New club"
    about = "A club has an account without a password, and a group: whoever is in the group may act as the club.  Put its people in on the next page."
    name, what = "uid", "club"
    makes = "An account without a password, its group, and a home that the group shares.  Whoever is in the group may act as the club."

    def __init__(self, app: App) -> None:
        super().__init__(app, {"uid": Field("Username"), "cn": Field("Name")})

    def problems(self) -> dict[str, str | None]:
        """As for a person; the club's name is not its username."""
        uid, cn = self.form.text("uid"), self.form.text("cn")
        return {"uid": names.username_problem(uid), "cn": names.text_problem(cn, "the club's name") or names.full_name_problem(cn, uid)}

    def begin(self, client: Client, texts: dict[str, str], key: str) -> Iterator[Event]:
        """Make the club."""
        return client.add_club(texts, key)


class NewGroup(_New):
    """A group that is nobody's own."""

    title = "New group"
    about = "A group, with nobody in it at first.  A club that shall have an account of its own is made as a club."
    name, what = "cn", "group"
    makes = "Nobody is in it at first."

    def __init__(self, app: App) -> None:
        super().__init__(app, {"cn": Field("Name")})

    def problems(self) -> dict[str, str | None]:
        """A group's name is made as a username is."""
        cn = self.form.text("cn")
        problem = names.username_problem(cn)
        return {"cn": problem and problem.replace("a username is", "a group's name is")}

    def begin(self, client: Client, texts: dict[str, str], key: str) -> Iterator[Event]:
        """Make the group."""
        return client.add_group(texts["cn"], key)
