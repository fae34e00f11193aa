"""The main menu."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ceo.tui.screen import Choice, Menu, Screen
from ceo.tui.screens.add_member import AddMember
from ceo.tui.screens.display_member import DisplayMember

if TYPE_CHECKING:
    from ceo.tui.app import App


class MainMenu(Screen):
    """What one can do."""

    hint = "Enter choose   first letter jumps   Esc leave"

    def __init__(self, app: App) -> None:
        super().__init__(app)
        self.body = Menu([
            Choice("Add member", lambda: app.push(AddMember(app))),
            Choice("Display member", lambda: app.push(DisplayMember(app))),
            Choice("Exit", app.pop),
        ])
