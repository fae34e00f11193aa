"""How transactions ended whose menu was gone before they did."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ceo.tui import keys
from ceo.tui.app import App
from ceo.tui.screen import Screen
from ceo.tui.widgets.page import Page, Record
from ceo.tui.widgets.safe import Markup
from ceo.under_way import Begun, forget, left_behind
from ceo_common.errors import BackendDown, CeoError, NotFound, Unreachable

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]
_AROUND_S = 120.0  # between the note and the transaction: a slow answer, and clocks that differ
_LOOK_BACK = 200
_GOES_ON = ("checking", "queued", "running", "undoing")
_GIVE_A_PASSWORD = ("add_member", "reset_", "create_")  # create_mysql and the like


def how_it_ended(app: App) -> HowItEnded | None:
    """The screen, where there is anything to tell."""
    left = list(left_behind(app.operator))
    return HowItEnded(app, left) if left else None


class HowItEnded(Screen):
    """Shown at the start; what was told is not told again, but for what could not be asked."""

    title = "While you were away"
    about = "The menu was closed, or its connection lost, before these ended."

    def __init__(self, app: App, left: list[tuple[Begun, Path]]) -> None:
        super().__init__(app)
        self.left_behind = left
        self.page = Page(["One moment ..."])
        self.body = self.page
        self.bindings = {keys.GO_ON: self._seen}
        self.told: list[Path] = []

    def on_top(self) -> None:
        """Ask the hosts."""
        self.ask(self._look, self._show)

    def _look(self, client: Client) -> list[tuple[Begun, Path, Json | CeoError | None]]:
        return [(begun, path, _story(client, begun)) for begun, path in self.left_behind]

    def _show(self, found: list[tuple[Begun, Path, Json | CeoError | None]]) -> None:
        lines: list[Markup | Record] = []
        self.told = []
        for begun, path, story in found:
            style, told = _ended(story)
            lines += [("heading", begun.title), (style, f"  {told}"), ""]
            goes_on = isinstance(story, dict) and story["state"] in _GOES_ON
            if not goes_on and not isinstance(story, BackendDown | Unreachable):
                self.told.append(path)
        self.page.show(lines)
        self.tell("hint", "Enter goes on to the main menu.")

    def _seen(self) -> None:
        for path in self.told:
            forget(path)
        self.app.remove(self)


def _story(client: Client, begun: Begun) -> Json | CeoError | None:
    """The transaction, why it can't be known, or None where there is none that could be it."""
    try:
        identifier = begun.transaction or next(
            (row["transaction"] for row in client.transactions(begun.host, limit=_LOOK_BACK)
             if row["caller"] == begun.operator and abs(row["created"] - begun.began) < _AROUND_S and row["subject"] in begun.title.split()), "")
        return client.transaction(begun.host, identifier) if identifier else None
    except NotFound:
        return None
    except CeoError as error:
        return error


def _ended(story: Json | CeoError | None) -> tuple[str, str]:
    """A style and what to say."""
    if story is None:
        return "problem", "It is not known whether it began: look at what it was about, and under Transactions, before you do it again."
    if isinstance(story, CeoError):
        return "problem", f"It can't be looked at: {story.message}"
    error = (story["error"] or {}).get("error", "")
    password = "  Its password was shown to nobody: a reset gives another." if story["operation"].startswith(_GIVE_A_PASSWORD) else ""
    return {
        "completed": ("good", f"It was completed.{password}"),
        "committed": ("good", f"It was completed, but for what waits for a server and is done by itself.{password}"),
        "aborted": ("problem", f"It failed and was undone: {error}"),
        "abandoned": ("problem", f"It was given up: {story['reason']}"),
        "undo_failed": ("problem", f"It failed, and not all of it could be undone: {error}  Look under Transactions."),
    }.get(story["state"], ("hint", f"It is still under way ({story['state']})."))
