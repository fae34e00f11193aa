"""Opening the menu."""

from __future__ import annotations

import contextlib
import curses
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


def terminal_problem() -> str:
    """Why the menu cannot be shown here, and what to do; nothing where it can."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return "The menu needs a terminal.  The commands do not: ceo --help"
    name = os.environ.get("TERM", "")
    if _can_move_cursor(name):
        return ""
    what = f"The terminal {shown(name)} (TERM)" if name else "A terminal without a name (TERM)"
    return f"{what} cannot show the menu.\nIf yours can, name it: TERM=xterm-256color ceo"


def _can_move_cursor(name: str) -> bool:
    """Whether terminfo(5) knows the terminal, and a way to put its cursor anywhere."""
    try:
        curses.setupterm(name, sys.stdout.fileno())
    except curses.error:
        return False
    return curses.tigetstr("cup") is not None


def run(settings: Settings) -> NoReturn:
    """Open it with the ticket that is there, else with one of its own that nobody else sees.

    It ends the process.  Raises Unauthenticated.
    """
    app = App(settings, Session(settings), Doors(people=People, help=Help, lock=Lock, sign_in=SignIn, welcome=how_it_ended))
    app.run(MainMenu(app))
    if app.turned_away:
        raise app.turned_away
    with contextlib.suppress(OSError):  # the terminal may be gone
        if app.running:
            titles = ", ".join(screen.title for screen in app.running)
            print(f"ceo: it goes on without you: {shown(titles)}.  The next start tells how it ended.", file=sys.stderr)
        if app.unconfirmed:
            titles = ", ".join(screen.title for screen in app.unconfirmed)
            print(f"ceo: nobody confirmed the password of: {shown(titles)}.  The next start of the menu offers another.", file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
    # At once: a worker's thread may be inside libkrb5, which crashes when the interpreter is torn down around it.
    os._exit(128 + app.ended_by if app.ended_by else 0)
