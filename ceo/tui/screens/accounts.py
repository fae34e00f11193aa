"""Asking whose account is meant, before a page that is about one."""

from __future__ import annotations

from collections.abc import Callable

from ceo.tui.app import App
from ceo.tui.screen import Screen
from ceo.tui.widgets.form import Field, Form
from ceo_common.model import names


class Whose(Screen):
    """One field, one's own account suggested."""

    about = "The username of a member or of a club.  To search for one by name, leave with Esc and press /."

    def __init__(self, app: App, title: str, role: str, then: Callable[[App, str], Screen]) -> None:
        super().__init__(app)
        self.title, self.role, self.then = title, role, then
        self.field = Field("Username", app.standing.uid)
        self.form = Form({"uid": self.field}, self._accept, draft=app.drafts.setdefault(title, {}))
        self.body = self.form
        self.tell("hint", "Type the username of the account.  Enter goes on.")

    def _accept(self) -> None:
        uid = self.field.text
        if problem := names.username_problem(uid):
            self.form.complain({"uid": problem})
            return
        self.form.draft.clear()
        self.field.fill(uid, typed=False)
        self.app.push(self.then(self.app, uid))
