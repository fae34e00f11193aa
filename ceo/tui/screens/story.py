"""The story of one transaction, told anew for as long as it is looked at, and what can be done about it."""

from __future__ import annotations

import time
from typing import Any

from ceo import transactions as work
from ceo.operation_words import operation_sentence
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

    has_details = True

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
        self.body: Sides = Sides(self.page, self.menu)

    def show_details(self) -> None:
        """With numbers and internal names, or without."""
        if self.story:
            self.page.show(_lines(self.story, details=self.details))

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
        self.page.show(_lines(story, details=self.details))
        choices = self._choices()
        if [choice.never for choice in choices] != [row.never for row in self.menu.data if isinstance(row, Choice)]:
            self._show_choices(choices)
        self.app.redraw()

    def _show_choices(self, choices: list[Choice]) -> None:
        """Mark one that may be taken; where there is none, the cursor goes to the text."""
        marked = self.menu.marked.label if self.menu.places else ""
        labels = [choice.label for choice in choices if not choice.never]
        self.menu.show(choices, marked if marked in labels else next(iter(labels), ""))
        if not labels:
            self.body.to_page()
        self._tell_where_choices_are()

    def after_write(self) -> None:
        """No choice is marked, because the next Enter would do the same once more."""
        self.body.to_page()
        self._tell_where_choices_are()

    def _tell_where_choices_are(self) -> None:
        if self.body.on_menu:
            return
        can = any(isinstance(row, Choice) and not row.never for row in self.menu.data)
        hint = "to what can be done" if can else "why nothing can be done"
        self.tell("hint", f"Right, or a first letter: {hint}.")

    def _failed(self, error: CeoError) -> None:
        self._asking = False
        if not self.story:
            self.page.show([("problem", error.message)])
        self.tell("problem", error.message if self.story else "Ctrl-R asks again.")

    def _choices(self) -> list[Choice]:
        story, never = self.story, self.app.standing.never
        states = [step["state"] for step in story["steps"]]
        ended = "" if story["state"] in _UNDER_WAY else "It has ended."
        nothing = "" if {"waiting", "given_up", "undo_failed"} & set(states) else "No step of it waits, and none is left to undo."
        is_late = story["state"] in _UNDER_WAY and story["created"] < time.time() - _LATE_S
        is_stuck = is_late or story["state"] == "undo_failed" or "given_up" in states
        whole = "" if is_stuck else "It can be abandoned only when it is stuck: a step could not be undone, was given up, or does not end."
        return [
            Choice("Resume", self._resume, "Try what waits or could not be undone, now.", nothing or never("transactions.resume", story["caller"])),
            Choice("Abandon", lambda: self.app.push(Abandon(self.app, self.story)), "Give up what is left, with a reason that stays on record.",
                   whole or never("transactions.abandon")),
            Choice("Follow", self._follow, "Each step as it happens.", ended),
        ]

    def _resume(self) -> None:
        self.write("Resuming", lambda client: client.resume(self.host, self.identifier), self._resumed)

    def _resumed(self, _told: Json) -> None:
        self.after_write()
        self.tell("good", "It is tried again now.")
        self.look()

    def _follow(self) -> None:
        title = operation_sentence(self.story["operation"], self.story["subject"])
        self.app.push(Doing(self.app, title, lambda client, _key: client.events(self.host, self.identifier),
                            lambda _: Outcome([("good", "It is completed.")]), begun=True))


def _lines(story: Json, *, details: bool) -> list[Markup | Record]:
    """Who, what, when, and each step; the details are for who looks further on the hosts."""
    state: str = story["state"]
    style = "problem" if state == "undo_failed" else "good" if state == "completed" else "choice"
    waits = state == "completed" and any(step["state"] in ("waiting", "given_up") for step in story["steps"])
    ended = [STATES.get(state, state), *(["except for a step that waits"] if waits else [])]
    lines: list[Markup | Record] = [
        ("heading", operation_sentence(story["operation"], story["subject"])), (style, ", ".join(ended)), "",
        f"Asked by {story['caller']}, {work.when(story['created'])}", "", *(_details(story) if details else []),
        *(_step(step) for step in story["steps"])]
    if story["error"]:
        lines += ["", ("problem", f"Why: {story['error'].get('error', '')}")]
    if story["reason"]:
        lines += ["", f"Given up because: {story['reason']}"]
    return lines


def _details(story: Json) -> list[Markup | Record]:
    rows = {"Operation": "operation", "Asked from": "remote", "Host": "host", "Transaction": "transaction"}
    return [*(Record(label, story[name]) for label, name in rows.items()), ""]


def _step(step: Json) -> Record:
    return Record(f"{_MARKS.get(step['state'], ' ')} {step['name']}", (_STYLES.get(step["state"], "choice"), work.step_told(step)), WIDTH)
