"""The story of one transaction, told anew for as long as it is looked at, and what can be done about it."""

from __future__ import annotations

import time
from typing import Any

from ceo import transactions as work
from ceo.tui.app import App
from ceo.tui.screens.abandon import Abandon
from ceo.tui.screens.doing import Doing, Outcome
from ceo.tui.screens.findings import WIDTH
from ceo.tui.screens.watching import Watching
from ceo.tui.widgets.menu import Choice, Menu
from ceo.tui.widgets.page import Page, Record
from ceo.tui.widgets.safe import Markup
from ceo.tui.widgets.sides import Sides
from ceo_common.errors import CeoError

Json = dict[str, Any]

STATES = {"checking": "being checked", "queued": "queued", "running": "under way", "undoing": "being undone", "committed": "nearly done",
          "completed": "completed", "aborted": "failed, undone", "undo_failed": "NOT UNDONE", "abandoned": "given up"}
_UNDER_WAY = ("checking", "queued", "running", "undoing", "committed")
_LATE_S = 600.0  # ceod lets nobody abandon what it may still bring to its end
_MARKS = {"intent": "·", "done": "✓", "undone": "↶", "not_ours": "↶", "undo_failed": "✗", "waiting": "…", "given_up": "✗"}
_STYLES = {"done": "good", "undo_failed": "problem", "given_up": "problem"}


class Story(Watching):
    """Who asked, each step, how it ended; beside it following, resuming and abandoning."""

    title = "Story"
    about = ("Who asked for it, each step with its state and error, and how it ended.  What waits is done by itself when its server is back; "
             "resuming tries it now.  Abandoning is for what can't be undone: somebody has put it right by hand.")
    every_s = 3.0

    def __init__(self, app: App, host: str, identifier: str) -> None:
        super().__init__(app)
        self.host, self.identifier = host, identifier
        self.story: Json = {}
        self._asking = False
        self.page = Page(["One moment ..."])
        self.menu = Menu([], self.tell)
        self.body = Sides(self.page, self.menu)

    def standing_told(self) -> None:
        """Grey what one may not do."""
        if self.story:
            self._found(self.story)

    def look(self) -> None:
        """Ask its host, unless the answer to the question before is still to come."""
        if self._asking:
            return
        self._asking = True
        self.ask(lambda client: client.transaction(self.host, self.identifier), self._found, self._failed)

    def _found(self, story: Json) -> None:
        self.story, self._asking = story, False
        self.page.show(_lines(story))
        choices = self._choices()
        if [choice.never for choice in choices] != [row.never for row in self.menu.data if isinstance(row, Choice)]:
            self.menu.show(choices)
        self.app.redraw()

    def _failed(self, error: CeoError) -> None:
        self._asking = False
        if not self.story:
            self.page.show([("problem", error.message)])
        self.tell("problem", error.message if self.story else "Ctrl-R asks again.")

    def _choices(self) -> list[Choice]:
        story, never = self.story, self.app.standing.never
        states = [step["state"] for step in story["steps"]]
        ended = "" if story["state"] in _UNDER_WAY else "It has ended."
        nothing = "" if {"waiting", "given_up", "undo_failed"} & set(states) else "Nothing of it waits or could not be undone."
        is_late = story["state"] in _UNDER_WAY and story["created"] < time.time() - _LATE_S
        is_stuck = is_late or story["state"] == "undo_failed" or "given_up" in states
        whole = "" if is_stuck else "Only what could not be undone, was given up, or does not end is abandoned."
        return [
            Choice("Resume", self._resume, "Try what waits or could not be undone, now.", nothing or never("transactions.resume", story["caller"])),
            Choice("Abandon", lambda: self.app.push(Abandon(self.app, self.story)), "Give up what is left, with a reason that stays on record.",
                   whole or never("transactions.abandon")),
            Choice("Follow", self._follow, "Each step as it happens.", ended),
        ]

    def _resume(self) -> None:
        self.write("Resuming", lambda client: client.resume(self.host, self.identifier), self._resumed)

    def _resumed(self, _told: Json) -> None:
        self.tell("good", "It is tried again now.")
        self.look()

    def _follow(self) -> None:
        title = f"{self.story['operation']} of {self.story['subject']}"
        self.app.push(Doing(self.app, title, lambda client, _key: client.events(self.host, self.identifier),
                            lambda _: Outcome([("good", "It is completed.")]), begun=True))


def _lines(story: Json) -> list[Markup | Record]:
    """Who, what, when, and each step."""
    state: str = story["state"]
    style = "problem" if state == "undo_failed" else "good" if state == "completed" else "choice"
    waits = state == "completed" and any(step["state"] in ("waiting", "given_up") for step in story["steps"])
    ended = [STATES.get(state, state), *(["but for a step that waits"] if waits else [])]
    lines: list[Markup | Record] = [
        ("heading", f"{story['operation']} of {story['subject']}"), (style, ", ".join(ended)), "",
        f"Asked by {story['caller']} from {story['remote']}, {work.when(story['created'])}", "", *(_step(step) for step in story["steps"])]
    if story["error"]:
        lines += ["", ("problem", f"Why: {story['error'].get('error', '')}")]
    if story["reason"]:
        lines += ["", f"Given up because: {story['reason']}"]
    return [*lines, "", ("hint", f"{story['host']}"), ("hint", story["transaction"])]


def _step(step: Json) -> Record:
    return Record(f"{_MARKS.get(step['state'], ' ')} {step['name']}", (_STYLES.get(step["state"], "choice"), work.step_told(step)), WIDTH)
