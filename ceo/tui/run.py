"""Opening the menu."""

from __future__ import annotations

from ceo.session import Session
from ceo.tui.app import App
from ceo.tui.screens.login import Login
from ceo.tui.screens.main_menu import MainMenu
from ceo_common.client_config import Client as Settings

OWN_CCACHE = "MEMORY:ceo-menu"


def run(settings: Settings) -> None:
    """Open it with the ticket that is there, else with one of its own that nobody else sees."""
    session = Session(settings)
    there = session.find()
    if not there:
        session.ccache = OWN_CCACHE
    app = App(settings, session)
    app.run(MainMenu(app) if there else Login(app, MainMenu(app)))
