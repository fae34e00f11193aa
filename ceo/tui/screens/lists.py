"""The mailing lists that an account is on."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import urwid

from ceo.tui.app import App
from ceo.tui.screen import Screen
from ceo.tui.screens.offering import Offering
from ceo.tui.screens.review import Review
from ceo.tui.widgets.form import Field, Form
from ceo.tui.widgets.menu import Choice
from ceo.tui.widgets.page import Record
from ceo.tui.widgets.safe import Markup, safe
from ceo_common.errors import CeoError, Exists, Invalid, NotFound, WrongState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ceo_common.client import Client

Json = dict[str, Any]
_TO_LAST_LOOK = "Enter goes on, to a last look."


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
        self.known = urwid.Text("")  # which lists there are
        head = [("heading", f"Put {self.uid} on a list"), self.known]
        self.form = Form({"list": Field("List")}, self._accept, draft=self.draft, head=head)
        self.body = self.form
        self.tell("hint", _TO_LAST_LOOK)

    def on_top(self) -> None:
        """Ask which lists there are: nobody knows them all."""
        self.ask(lambda client: client.lists(), self._found, lambda _: None)

    def _found(self, lists: list[Json]) -> None:
        names = ", ".join(row["list"] for row in lists)
        self.known.set_text(safe(("hint", f"There are: {names}" if names else "")))

    def _accept(self) -> None:
        name = self.form.text("list")
        if not name:
            self.form.complain({"list": "type the name of the list"})
        else:
            self.app.push(PutOn(self, name))

    def refused(self, error: CeoError) -> bool:
        """The form shows what is wrong with the list."""
        if isinstance(error, Invalid | NotFound | Exists | WrongState):
            self.form.complain({"list": next((problem["message"] for problem in error.problems), error.message)})
            self.tell("hint", _TO_LAST_LOOK)
            return True
        return False


class _Change(Review):
    """The last look before a change of one step; `doing` says in words what goes on."""

    doing = ""

    def __init__(self, lists: Lists, lines: Sequence[Markup | Record], question: str, *,
                 refused: Callable[[CeoError], bool] | None = None) -> None:
        self.lists, self.uid = lists, lists.uid
        super().__init__(lists.app, lines, self._go, role="mail", question=question, dry_run=self.change, refused=refused,
                         shown=("mailing list",))

    def change(self, client: Client) -> Json:
        """Ask for it."""
        raise NotImplementedError

    def done(self, answer: Json) -> tuple[str, str]:
        """What the page of the lists says of it."""
        raise NotImplementedError

    def _go(self) -> None:
        self.write(self.doing, self.change, self._done, self._failed)

    def _done(self, answer: Json) -> None:
        self.lists.outcome = self.done(answer)
        self.app.remove(self)
        self.lists.after_write()

    def _failed(self, error: CeoError) -> None:
        if self._refused and self._refused(error):
            self.app.remove(self)
        else:
            self.tell("problem", f"{error.message}  Enter asks again, Esc goes back.")


class PutOn(_Change):
    """An account joins a list."""

    def __init__(self, form: Subscribe, name: str) -> None:
        self.form, self.name = form, name
        self.doing = f"Putting {form.uid} on {name}"
        lines = [Record("Username", form.uid), Record("List", name)]
        super().__init__(form.lists, lines, f"Enter puts {form.uid} on {name}.", refused=form.refused)

    def change(self, client: Client) -> Json:
        """Subscribe the account."""
        return client.subscribe(self.name, self.uid)

    def done(self, answer: Json) -> tuple[str, str]:
        """It is on the list, or its moderator is asked; the form has done its work."""
        self.form.draft.clear()
        self.app.remove(self.form)
        if answer["held"]:
            return "heading", f"The moderator of {self.name} is asked whether {self.uid} may join."
        return "good", f"{self.uid} is on {self.name}."


class TakeOff(_Change):
    """An account leaves a list."""

    def __init__(self, lists: Lists, name: str) -> None:
        self.name = name
        self.doing = f"Taking {lists.uid} off {name}"
        lines = [Record("Username", lists.uid), Record("List", name), "", "Mail to the list no longer reaches them."]
        super().__init__(lists, lines, f"Enter takes {lists.uid} off {name}.")

    def change(self, client: Client) -> Json:
        """Unsubscribe the account."""
        return client.unsubscribe(self.name, self.uid)

    def done(self, answer: Json) -> tuple[str, str]:
        """It is off the list."""
        return "good", f"{self.uid} is off {self.name}."
