"""The mailing lists that an account is on."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ceo.tui.app import App
from ceo.tui.screen import Screen
from ceo.tui.screens.offering import Offering
from ceo.tui.screens.review import Review
from ceo.tui.widgets.form import Field, Form
from ceo.tui.widgets.menu import Choice
from ceo.tui.widgets.page import Record
from ceo_common.errors import CeoError, Exists, Invalid, NotFound, WrongState

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]


class Lists(Offering[list[str]]):
    """Enter on a list takes the account off it, after a last look."""

    about = "The lists an account's address is on.  Enter on one takes it off, after a last look; the first line puts it on another."
    role = "mail"

    def __init__(self, app: App, uid: str) -> None:
        super().__init__(app)
        self.uid, self.title = uid, f"Lists of {uid}"

    def fetch(self, client: Client) -> list[str]:
        """The names of the lists."""
        return list(client.lists_of(self.uid)["lists"])

    def rows(self, told: list[str]) -> list[Choice | str]:
        """Another list, and those that there are."""
        app, uid, never = self.app, self.uid, self.app.standing.never
        return [
            Choice("Put on a list", lambda: app.push(Subscribe(self)), f"Put {uid} on a list.", never("mailman.subscribe", uid)),
            "", f"{uid} is on" if told else f"{uid} is on no list.",
            *(Choice(name, partial(self._take, name), f"Enter takes {uid} off {name}, after a last look.", never("mailman.unsubscribe", uid))
              for name in told)]

    def _take(self, name: str) -> None:
        self.app.push(TakeOff(self, name))


class Subscribe(Screen):
    """One field: which list."""

    title = "Put on a list"
    about = "The list's name, which is what stands before the @ of its address.  A list may ask its moderator first."
    role = "mail"

    def __init__(self, lists: Lists) -> None:
        super().__init__(lists.app)
        self.lists, self.uid = lists, lists.uid
        self.draft = self.app.drafts.setdefault(f"subscribe {self.uid}", {})
        self.form = Form({"list": Field("List")}, self._accept, draft=self.draft, head=[("heading", f"Put {self.uid} on a list")],
                         writes=True)
        self.body = self.form
        self.tell("hint", "Enter puts them on it.")

    def _accept(self) -> None:
        name = self.form.text("list")
        if not name:
            self.form.complain({"list": "which list?"})
        else:
            self.write(f"Putting {self.uid} on {name}", lambda client: client.subscribe(name, self.uid), self._done, self._failed, draft=self.draft)

    def _done(self, told: Json) -> None:
        name, uid = told["list"], told["uid"]
        held = ("heading", f"The moderator of {name} is asked whether {uid} may join.")
        self.lists.outcome = held if told["held"] else ("good", f"{uid} is on {name}.")
        self.app.remove(self)

    def _failed(self, error: CeoError) -> None:
        if isinstance(error, Invalid | NotFound | Exists | WrongState):
            self.form.complain({"list": next((problem["message"] for problem in error.problems), error.message)})
            self.tell("hint", "Enter puts them on it.")
        else:
            self.tell("problem", f"{error.message}  Enter asks again.")


class TakeOff(Review):
    """The last look before an account leaves a list."""

    def __init__(self, lists: Lists, name: str) -> None:
        self.lists, self.name = lists, name
        lines = [Record("Username", lists.uid), Record("List", name), "", "Mail to the list no longer reaches them."]
        super().__init__(lists.app, lines, self._go, role="mail", question=f"Enter takes {lists.uid} off {name}.")

    def _go(self) -> None:
        self.write(f"Taking {self.lists.uid} off {self.name}", lambda client: client.unsubscribe(self.name, self.lists.uid), self._done, self._failed)

    def _done(self, _told: Json) -> None:
        self.lists.outcome = ("good", f"{self.lists.uid} is off {self.name}.")
        self.app.remove(self)

    def _failed(self, error: CeoError) -> None:
        self.tell("problem", f"{error.message}  Enter asks again, Esc goes back.")
