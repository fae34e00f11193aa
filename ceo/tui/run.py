"""Opening the menu."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from ceo.session import Session
from ceo.tui.app import App, Doors
from ceo.tui.screens.help import Help
from ceo.tui.screens.how_it_ended import how_it_ended
from ceo.tui.screens.main_menu import MainMenu
from ceo.tui.screens.people import People
from ceo.tui.screens.sign_in import Lock, SignIn
from ceo_common.client_config import Client as Settings
from ceo_common.text import shown


def run(settings: Settings) -> NoReturn:
    """Open it with the ticket that is there, else with one of its own that nobody else sees; it ends the process.  Raises Unauthenticated."""
    app = App(settings, Session(settings), Doors(people=People, help=Help, lock=Lock, sign_in=SignIn, welcome=how_it_ended))
    app.run(MainMenu(app))
    if app.turned_away:
        raise app.turned_away
    if app.running:
        titles = ", ".join(screen.title for screen in app.running)
        print(f"ceo: it goes on without you: {shown(titles)}.  The next start tells how it ended.", file=sys.stderr)
    # At once: a worker's thread may be inside libkrb5, which crashes when the interpreter is torn down around it.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
