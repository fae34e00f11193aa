"""Ten thousand random keys: no crash, no stuck screen.  And on every screen: the ticket ends, Ctrl-C."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from sandbox.club import PASSWORD
from tests.club.club import Club
from tests.club.menu import SCREENS, choose, clock_file, opened, wait_until_known, wander
from tests.club.terminal import Open

_KEYS = 10_000
_PEOPLE = ("regular1", "office1", "ctdalek", "rep1")
_RUNS = 20


@pytest.mark.parametrize("seed", range(_RUNS))
def test_random_keys(club: Club, terminal: Open, seed: int) -> None:
    draw = random.Random(seed)
    window = opened(terminal, _PEOPLE[seed % len(_PEOPLE)])
    # Quit is one choice among others; whoever takes it opens the menu again.
    left = _KEYS // _RUNS
    while left:
        try:
            wander(window, draw, min(left, 100), PASSWORD)
            left -= min(left, 100)
        except AssertionError:
            if window.process.poll() != 0:
                raise
            window = opened(terminal, _PEOPLE[seed % len(_PEOPLE)])


@pytest.mark.parametrize("label", SCREENS)
def test_the_ticket_ends_on_every_screen_and_so_does_the_menu(club: Club, terminal: Open, tmp_path: Path, label: str) -> None:
    clock = clock_file(tmp_path)
    window = terminal("ctdalek", "bash", "-c", f"echo {PASSWORD} | kinit -l 2m >/dev/null && exec ceo", ticket=False, clock=clock)
    window.see("ticket 0 h 01 min")
    wait_until_known(window)
    choose(window, label)
    window.see(SCREENS[label])
    clock.write_text("+180s")
    window.see("The ticket of ctdalek has ended")
    window.type(PASSWORD, "Enter")
    window.see(SCREENS[label], "ticket 9 h")
    window.type("Ctrl-C")
    assert window.ended() == 0
