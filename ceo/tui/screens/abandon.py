"""Giving up what could not be undone or done, with the reason."""

from __future__ import annotations

from typing import Any

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
    about = "For what can't be undone: it is left as it is, its name is free again, and your reason stays on record."

    def __init__(self, app: App, story: Json) -> None:
        super().__init__(app)
        self.story = story
        self.draft = app.drafts.setdefault(f"abandon {story['transaction']}", {})
        self.form = Form({"reason": Field("Reason")}, self._accept, draft=self.draft, writes=True, head=[
            ("heading", f"{story['operation']} of {story['subject']}"),
            "", "It is never tried again: what is left has to be put right by hand.", "Say why it is given up; Enter does it."])
        self.body = self.form

    def _accept(self) -> None:
        reason = self.form.text("reason")
        if not reason:
            self.form.complain({"reason": "say why; it stays on record"})
            return
        self.write("Abandoning", lambda client: client.abandon(self.story["host"], self.story["transaction"], reason), self._done, self._refused,
                   draft=self.draft)

    def _refused(self, error: CeoError) -> None:
        self.form.complain({"reason": error.message})
        self.tell("", "")

    def _done(self, told: Json) -> None:
        left = [Record(item["step"], ", ".join(f"{name}: {value}" for name, value in item["facts"].items()), WIDTH) for item in told["left"]]
        self.body = Page([("good", "It is given up."), *(["", "What is left:", *left] if left else ["Nothing is left."])])
        self.bindings = {keys.GO_ON: lambda: self.app.remove(self)}
        self.tell("hint", "Enter goes on.")
