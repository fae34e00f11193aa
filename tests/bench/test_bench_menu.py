"""How long the menu takes to its first picture, and to draw a key while a search over twenty thousand members runs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from sandbox.club import PYTHON
from tests.bench.table import row, shown
from tests.club.club import Club
from tests.club.crowd import Crowd
from tests.club.menu import opened
from tests.club.terminal import Open, Terminal

_STARTS = 9
_KEYS = 60
# urwid with one line of text: what Python and the library take before anything of ours.
_BARE = """
import urwid
urwid.command_map["ctrl u"] = "delete to start of line"
urwid.MainLoop(urwid.Filler(urwid.Edit("first picture "))).run()
"""


def _until_drawn(window: Terminal, text: str) -> float:
    began = time.perf_counter()
    while text not in window.text:
        window.read(0.001)
        assert time.perf_counter() - began < 20, window.text
    return time.perf_counter() - began


def _start(terminal: Open, *argv: str, shows: str) -> float:
    window = terminal("office1", *argv)
    took = _until_drawn(window, shows)
    window.close()
    return took


def test_the_first_picture(club: Club, terminal: Open, tmp_path: Path) -> None:
    ours, bare = [], []
    for _ in range(_STARTS):
        ours.append(_start(terminal, "ceo", shows="Sign up a member"))
        bare.append(_start(terminal, str(PYTHON), "-c", _BARE, shows="first picture"))
    row("the menu's first picture", median(ours), median(bare), "bare urwid with one line; entering the sandbox counts in both; aim: 200 ms")


def _typed(window: Terminal) -> str:
    """The line with the cursor."""
    return str(window.screen.display[window.screen.cursor.y])


def _key_times(window: Terminal, begin: Callable[[], object]) -> list[float]:
    """From each key to its letter on the screen; `begin` comes before every ten."""
    took = []
    for number in range(_KEYS):
        if number % 10 == 0:
            window.type("Ctrl-U")
            begin()
        letter = "bcdfghjkpq"[number % 10]
        before = _typed(window).count(letter)
        began = time.perf_counter()
        os.write(window.master, letter.encode())
        while _typed(window).count(letter) <= before:
            window.read(0.001)
            assert time.perf_counter() - began < 10, window.text
        took.append(time.perf_counter() - began)
    return took


def test_a_key_while_a_search_runs(club: Club, crowd: Crowd, terminal: Open) -> None:
    """It begins with two letters that thousands have in their names."""
    window = opened(terminal)
    window.type("/")
    window.see("Name or username")

    def search() -> None:
        window.type("an")  # each key after it begins another search

    ours = _key_times(window, search)
    bare = terminal("office1", str(PYTHON), "-c", _BARE)
    _until_drawn(bare, "first picture")
    floor = _key_times(bare, lambda: None)
    row("a key drawn while a search runs", median(ours), median(floor), f"bare urwid; the slowest of {_KEYS} {shown(max(ours))}; aim: 30 ms")
