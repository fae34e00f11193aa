"""Looking somebody up."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ceo.members import described
from ceo.tui.screen import Field, Form, Page, Screen
from ceo_common.errors import CeoError
from ceo_common.text import shown

if TYPE_CHECKING:
    from ceo.tui.app import App


class DisplayMember(Screen):
    """Asks whom."""

    title = "Display member"
    hint = "Enter show   Esc back"

    def __init__(self, app: App) -> None:
        super().__init__(app)
        self.field = Field("Username")
        self.form = Form({"uid": self.field}, self.accept)
        self.body = self.form

    def accept(self) -> None:
        """Ask ceod."""
        uid = self.field.text.strip()
        if not uid:
            self.field.complain("whom?")
            return
        self.field.complain("looking up ...")
        self.app.work(partial(self.app.client.member, uid), self._found, self._failed)

    def _found(self, member: dict[str, Any]) -> None:
        self.field.complain("")
        if self.app.stack[-1] is self:
            self.app.push(Details(self.app, member))

    def _failed(self, error: CeoError) -> None:
        self.field.complain(error.message)


class Details(Screen):
    """Everything about somebody."""

    title = "Details"
    hint = "Esc back"

    def __init__(self, app: App, member: dict[str, Any]) -> None:
        super().__init__(app)
        self.body = Page([f"{label:<18}{shown(value)}" for label, value in described(member)])
