"""Every screen at three sizes, with and without colour and Unicode: the frame stands, nothing is cut off in the middle of a word of ours."""

from __future__ import annotations

import re

import pytest

from tests.club.club import Club
from tests.club.menu import SCREENS, choose, opened, see_marked
from tests.club.terminal import Open, Terminal

_SIZES = ((60, 20), (120, 40), (80, 24))
_LOOKS = {
    "colour and Unicode": {"TERM": "xterm-256color", "LANG": "C.UTF-8"},
    "no colour, no Unicode": {"TERM": "vt100", "NO_COLOR": "1", "LANG": "C", "LC_ALL": "C"},
}
_COLOURS = {*range(30, 39), *range(40, 49), *range(90, 108)}  # ECMA-48, 8.3.117, and what xterm adds


def _frame(window: Terminal, crumb: str, who: str) -> str:
    """The title above, who one is and the keys below; the screen's text between them."""
    columns, rows = window.screen.columns, window.screen.lines
    window.see(crumb)
    for _ in range(50):
        lines = window.text.splitlines()
        named = "Office" in lines[0] or "Outpost" in lines[0]
        if len(lines) == rows and named and not lines[1].strip() and lines[-1].startswith(f" {who}") and "? help" in lines[-2]:
            break
        window.read(0.1)
    else:
        raise AssertionError(f"no frame at {columns}x{rows}:\n{window.text}")
    is_main_menu = not re.search("[›>]", lines[0])
    assert ("Esc back" in lines[-2]) is not is_main_menu, window.text
    assert "Traceback" not in window.text
    return window.text


@pytest.mark.parametrize("look", _LOOKS)
def test_every_screen(club: Club, terminal: Open, look: str) -> None:
    window = opened(terminal, "ctdalek", **_LOOKS[look])
    for label, shows in SCREENS.items():
        choose(window, label)
        window.see(shows)
        for columns, rows in _SIZES:
            window.resize(columns, rows)
            window.read(0.05)
            text = _frame(window, shows, "ctdalek")
            if look.startswith("no colour"):
                assert text.isascii(), text
        window.type("F1")
        window.see("Help", "Back to where you came from")
        window.type("Esc")
        window.miss("The keys of the screen", "Back to where you came from")
        window.type("Esc")
        window.see("Lock the screen")
    if look.startswith("no colour"):
        sent = {int(code) for codes in re.findall(rb"\x1b\[([0-9;]+)m", window.raw) for code in codes.split(b";")}
        assert not sent & _COLOURS, sent


def test_the_main_menu_at_each_size(club: Club, terminal: Open) -> None:
    """In two columns, or in one that scrolls; the mark stays on the same choice.  With sixteen colours on a light ground."""
    window = opened(terminal, "ctdalek", TERM="xterm", COLORFGBG="0;15")
    window.type("l")
    for columns, rows in _SIZES * 2:
        window.resize(columns, rows)
        _frame(window, "Library desk", "ctdalek")
        see_marked(window, "Library desk")
        assert window.shows("Scan books; lend them, take them back.")
    window.type("Left")
    see_marked(window, "Find somebody")


def test_the_mouse(club: Club, terminal: Open) -> None:
    window = opened(terminal)
    window.click("Sign up a member")
    window.see("Full name")
    window.click("Program")
    window.type("Esc")
    window.see("Sign up a club rep")
    window.click("Find somebody")
    window.see("Name or username")
    window.type("dalek")
    window.see("1 found")
    window.click("Calum Dalek")
    window.see("Home directory")


def test_a_paste_presses_no_enter(club: Club, terminal: Open) -> None:
    """A line end within a bracketed paste is a blank (xterm, control sequences: bracketed paste mode)."""
    window = opened(terminal)
    window.type("Enter")
    window.see("Full name")
    window.type("Down", "\x1b[200~Ada\rLovelace\t\x1b[201~", "!")
    window.see("Ada Lovelace !")


def test_help_shows_the_keys_that_are_bound(club: Club, terminal: Open) -> None:
    """What help says is drawn from the table; that the table is what drives the code is shown by pressing each key it names."""
    window = opened(terminal, columns=120, rows=40)
    window.type("?")
    text = window.see("Leave at once", "A page down.")
    for label in ("Right, Left, Tab", "Enter, Space", "Up", "Down", "Home", "End", "Page-Up", "Page-Down", "Esc", "/, F2", "?, F1", "F9", "Ctrl-L", "Ctrl-C"):
        assert label in text, label
    window.type("Esc")
    window.see("Sign up a member")
    for keys, result in ((("End",), "Quit"), (("Up",), "Lock the screen"), (("Home",), "Find somebody"), (("Up",), "Mailing lists"), (("Up",), "Databases"),
                         (("Home",), "Find somebody"), (("Down",), "Sign up a member"), (("Right",), "Lock the screen"), (("Page-Down",), "Quit"), (("Page-Up",), "Library desk"), (("Tab",), "Sign up a member"), (("Esc",), "Quit")):
        window.type(*keys)
        see_marked(window, result)
    for key, result in (("F1", "The keys of this screen"), ("/", "Name or username"), ("F2", "Name or username")):
        window.type(key)
        window.see(result)
        window.type("Esc")
        window.see("Library desk")
    window.type("Ctrl-L", "Ctrl-C")
    assert window.ended() == 0
