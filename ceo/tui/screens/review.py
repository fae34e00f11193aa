"""Everything once more before it is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ceo.tui import keys
from ceo.tui.app import App
from ceo.tui.screen import Screen
from ceo.tui.widgets.page import Page, Record
from ceo.tui.widgets.safe import Markup


class Review(Screen):
    """Lines to read; Enter goes on to what `go` makes, in this one's place; Esc goes back to where it can be changed."""

    title = "Review"
    about = "Read it once more.  Nothing has been changed yet."

    def __init__(self, app: App, lines: Sequence[Markup | Record], go: Callable[[], Screen | None], *, role: str = "admin", question: str) -> None:
        super().__init__(app)
        self.role = role
        self.page = Page(lines)
        self.body = self.page
        self.question = question
        self.note = ("heading", question)
        self.go = go
        self.bindings = {keys.CONFIRM: self._confirm}

    def _confirm(self) -> None:
        if following := self.go():
            self.app.replace(self, following)
