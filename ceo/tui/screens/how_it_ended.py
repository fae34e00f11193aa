"""How transactions ended whose menu was gone before anybody saw their end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ceo.tui import keys
from ceo.tui.app import App
from ceo.tui.screen import Screen
from ceo.tui.screens.change_account import reset
from ceo.tui.widgets.page import Page, Record
from ceo.tui.widgets.safe import Markup
from ceo.under_way import Begun, forget, left_behind
from ceo_common.errors import BackendDown, CeoError, NotFound, Unreachable

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]
Ended = tuple[Begun, Path, Json | CeoError | None]
_INDENT = 2
_AROUND_S = 120.0  # between the note and the transaction: a slow answer, and clocks that differ
_LOOK_BACK = 200
_GOES_ON = ("checking", "queued", "running", "undoing")
_HAVE_ENDED = ("completed", "committed")
_RESETTABLE = ("add_member", "reset_password")  # whose password the menu's Password reset replaces
_DATABASES = ("create_", "reset_mysql", "reset_postgresql")
_NOT_KNOWN = (
    "Nobody knows whether it began.  Before you do it again, look at the account and under"
    " Transactions."
)


def how_it_ended(app: App) -> HowItEnded | None:
    """The screen, where there is anything to tell."""
    left = list(left_behind(app.operator))
    return HowItEnded(app, left) if left else None


class HowItEnded(Screen):
    """Shown at the start; what was seen is not shown again, but for what could not be asked."""

    title = "While you were away"
    about = (
        "The menu was closed, or its connection lost, before you saw the end of these.  Where nobody"
        " saw the temporary password, R gives another one."
    )
    role = "admin"

    def __init__(self, app: App, left: list[tuple[Begun, Path]]) -> None:
        super().__init__(app)
        self.left_behind = left
        self.page = Page(["One moment ..."])
        self.body = self.page
        self.bindings = {keys.GO_ON: self._go_on}
        self.seen: list[Path] = []  # the notes of those that need no second look
        self.lost: list[tuple[str, Path]] = []  # whose password nobody saw, and the note that says so

    def on_top(self) -> None:
        """Ask the hosts."""
        self.ask(self._look, self._show)

    def _look(self, client: Client) -> list[Ended]:
        return [(begun, path, _story(client, begun)) for begun, path in self.left_behind]

    def _show(self, ended: list[Ended]) -> None:
        lines: list[Markup | Record] = []
        self.seen, self.lost = [], []
        for begun, path, story in ended:
            style, sentence = _ended(story)
            lines += [("heading", begun.title), Record("", (style, sentence), _INDENT), ""]
            goes_on = isinstance(story, dict) and story["state"] in _GOES_ON
            if not goes_on and not isinstance(story, BackendDown | Unreachable):
                self.seen.append(path)
            if isinstance(story, dict) and _is_lost(story):
                self.lost.append((story["subject"], path))
        self.page.show(lines)
        self.bindings = {keys.GO_ON: self._go_on}
        offer = ""
        if self.lost:
            self.bindings[keys.RESET] = self._reset
            offer = f"R resets the password of {self.lost[0][0]}.  "
        self.tell("hint", f"{offer}Enter goes on to the main menu.")

    def _reset(self) -> None:
        """One after the other; what is reset needs no second look."""
        uid, path = self.lost[0]

        def completed() -> None:
            forget(path)
            self.left_behind = [left for left in self.left_behind if left[1] != path]
            if self.left_behind:
                self.on_top()  # the answer to the question before may still name this one
            else:
                self.app.remove(self)

        self.app.push(reset(self.app, uid, completed=completed))

    def _go_on(self) -> None:
        for path in self.seen:
            forget(path)
        self.app.remove(self)


def _story(client: Client, begun: Begun) -> Json | CeoError | None:
    """The transaction, why it can't be known, or None where there is none that could be it."""
    try:
        identifier = begun.transaction or next(
            (
                row["transaction"]
                for row in client.transactions(begun.host, limit=_LOOK_BACK)
                if row["caller"] == begun.operator
                and abs(row["created"] - begun.began) < _AROUND_S
                and row["subject"] in begun.title.split()
            ),
            "",
        )
        return client.transaction(begun.host, identifier) if identifier else None
    except NotFound:
        return None
    except CeoError as error:
        return error


def _is_lost(story: Json) -> bool:
    """Whether it gave an account a temporary password that nobody confirmed to have seen."""
    made_one = story["operation"] in _RESETTABLE or (
        story["operation"] == "mend_account"
        and bool((story["result"] or {}).get("temporary_password_lost"))
    )
    return made_one and story["state"] in _HAVE_ENDED


def _password(story: Json) -> str:
    """What to say of its password."""
    if _is_lost(story):
        return "  Nobody confirmed that they have its temporary password: R gives another one."
    if story["operation"].startswith(_DATABASES):
        return "  Nobody confirmed that they have its password: Databases gives another one."
    return ""


def _ended(story: Json | CeoError | None) -> tuple[str, str]:
    """A style and what to say."""
    if story is None:
        return "problem", _NOT_KNOWN
    if isinstance(story, CeoError):
        return "problem", f"Its end is not known: {story.message}"
    error, password = (story["error"] or {}).get("error", ""), _password(story)
    later = "The rest is done by itself when its server answers again."
    return {
        "completed": ("good", f"It is completed.{password}"),
        "committed": ("good", f"It is completed, except for some steps.  {later}{password}"),
        "aborted": ("problem", f"It failed and was undone: {error}"),
        "abandoned": ("problem", f"Somebody gave it up: {story['reason']}"),
        "undo_failed": (
            "problem",
            f"It failed, and not all of it could be undone: {error}  Look under Transactions.",
        ),
    }.get(story["state"], ("hint", f"It is still under way ({story['state']})."))
