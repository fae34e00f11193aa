"""Who borrows a book: their name is shown before anything is lent to them."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import urwid

from ceo import members
from ceo.tui.app import App
from ceo.tui.screen import message_of
from ceo.tui.screens.loan import WithLoans
from ceo.tui.screens.people_search import PeopleSearch
from ceo.tui.widgets.form import Field
from ceo_common import terms
from ceo_common.errors import BackendDown, CeoError, NotFound, Unreachable
from ceo_common.model import names

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]
_COUNT = 50
_READ_S = 0.3  # nobody reads a name faster; some scanners send two line ends


class Borrower:
    """The field for a username, and whose it is.

    The first Enter asks who that is, and whether the book may be lent to them.  The name stands
    below the field until something else is typed, and the next Enter lends.  A part of a name
    opens those whom it fits.  `enter` is what Enter does in the field.
    """

    def __init__(self, screen: WithLoans, field: Field, enter: Callable[[], None]) -> None:
        self.screen, self.field, self.enter = screen, field, enter
        self.uid = ""  # who is asked about, or named
        self.name = ""  # that is shown
        self._shown_at = 0.0  # time.monotonic()
        self._has_opened = False
        urwid.connect_signal(field.edit, "postchange", lambda *_: self._changed())

    def on_top(self, *, takes_found: bool) -> None:
        """Take over whom somebody went to find, where nobody is named yet."""
        found, self.screen.app.found = self.screen.app.found, ""
        if found and takes_found and self._has_opened and not self.name:
            self.pick(found)
        self._has_opened = True

    def pick(self, uid: str) -> None:
        """As if they were typed."""
        self.field.fill(uid)
        self.enter()

    def is_named(self, uid: str) -> bool:
        """Whether their name is shown, for long enough to be read."""
        is_shown = bool(self.name) and uid == self.uid
        return is_shown and time.monotonic() - self._shown_at >= _READ_S

    def ask(self, book: int, uid: str) -> None:
        """Ask who that is, once."""
        if uid == self.uid:
            return
        self.uid = uid
        self.field.under("hint", "One moment ...")
        found, refused = partial(self._found, uid), partial(self._refused, uid)
        self.screen.ask(partial(self._look_up, book, uid), found, refused, about="borrower")

    def _look_up(self, book: int, uid: str, client: Client) -> Json | list[Json]:
        """The account, to which the book may be lent; where there is none, those whose name fits.

        Raises CeoError.
        """
        if names.username_problem(uid):
            return members.search(client, uid, _COUNT)[0]
        try:
            member = client.member(uid)
        except NotFound:
            return members.search(client, uid, _COUNT)[0]
        except (BackendDown, Unreachable):
            member = {"uid": uid}  # the library's host may answer all the same
        self.screen.app.dry_run_client().lend(book, uid)
        return member

    def _found(self, uid: str, answer: Json | list[Json]) -> None:
        if uid != self.uid:
            return  # somebody else was typed meanwhile
        if not isinstance(answer, list):
            self._show(answer)
            return
        self.uid = ""
        nobody = f"there is no account '{uid}'"
        if answer:
            self.field.under("problem", f"{nobody}; F2 finds people by name")
            self.screen.go_to(Borrowers(self.screen.app, uid, self.pick))
        else:
            self.field.under("problem", f"{nobody}, and nobody has such a name")

    def _refused(self, uid: str, error: CeoError) -> None:
        if uid == self.uid:
            self.uid = ""
            self.field.under("problem", message_of(error))

    def _show(self, member: Json) -> None:
        uid = member["uid"]
        self.field.fill(uid, typed=False)  # a scan takes its place
        self.uid, self.name, self._shown_at = uid, member.get("cn") or uid, time.monotonic()
        if "cn" in member:
            now = terms.current(self.screen.app.settings.time_zone)
            self.field.under("heading", f"{self.name} ({uid}), {_state(member, now)}: Enter lends.")
        else:
            self.field.under("problem", f"Whose {uid} is could not be asked: Enter lends.")
        self.screen.tell("heading", "Compare the name with their card.")

    def _changed(self) -> None:
        was_shown, self.uid, self.name = bool(self.name), "", ""
        self.field.under("", "")
        if was_shown:
            self.screen.menu.moved()


class Borrowers(PeopleSearch):
    """Those whom a part of a name fits; Enter picks one."""

    title = "Who borrows it?"
    about = "Enter picks the person that is marked, and leads back; nothing is lent yet."

    def __init__(self, app: App, text: str, picked: Callable[[str], None]) -> None:
        super().__init__(app)
        self.picked = picked
        self.field.fill(text)

    def open(self, row: Json) -> None:
        """Back, with the username."""
        self.app.remove(self)
        self.picked(row["uid"])


def _state(member: Json, now: terms.Term) -> str:
    """Until when somebody is a member, and what is unusual about them."""
    last = members.last_term(member)
    kind = "club rep" if members.is_rep(member) else "member"
    until = f"{kind} until {last}" if last else "no member"
    unusual = members.standing_of(member, now)
    return f"{unusual}, {until}" if unusual else until
