"""Giving up what could not be undone or done, with the reason."""

from __future__ import annotations

from typing import Any

from ceo.operation_words import operation_sentence
from ceo.tui import keys
from ceo.tui.app import App
from ceo.tui.screen import Screen
from ceo.tui.screens.findings import WIDTH
from ceo.tui.widgets.form import Field, Form
from ceo.tui.widgets.page import Page, Record
from ceo_common.errors import CeoError

Json = dict[str, Any]


class Abandon(Screen):
    """One field; afterwards what is left, and where."""

    title = "Abandon"
    about = "Abandon what ceo can't undo: everything is left as it is, the username is free again, and your reason stays in the audit log."

    def __init__(self, app: App, story: Json) -> None:
        super().__init__(app)
        self.story = story
        self.draft = app.drafts.setdefault(f"abandon {story['transaction']}", {})
        self.form = Form({"reason": Field("Reason")}, self._accept, draft=self.draft, writes=True, head=[
            ("heading", operation_sentence(story["operation"], story["subject"])),
            "", "ceo never tries it again: somebody has to put right by hand what is left.", "Type why you abandon it; Enter does it."])
        self.body = self.form

    def _accept(self) -> None:
        reason = self.form.text("reason")
        if not any(letter.isalpha() for letter in reason):  # a scan is none
            self.form.complain({"reason": "type the reason in words; it stays in the audit log"})
            return
        self.write("Abandoning", lambda client: client.abandon(self.story["host"], self.story["transaction"], reason), self._done, self._refused,
                   draft=self.draft)

    def _refused(self, error: CeoError) -> None:
        self.form.complain({"reason": error.message})
        self.tell("", "")

    def _done(self, told: Json) -> None:
        left = [Record(item["step"], ", ".join(f"{name}: {value}" for name, value in item["facts"].items()), WIDTH) for item in told["left"]]
        self.body = Page([("good", "It is given up."), *(["", "What is left:", *left] if left else ["Nothing is left."])])
        self.bindings = {keys.GO_ON: self._go_on}
        self.tell("hint", "Enter goes on.")

    def _go_on(self) -> None:
        self.app.remove(self)
        self.app.stack[-1].after_write()
