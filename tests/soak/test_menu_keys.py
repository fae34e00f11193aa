"""Ten thousand random keys: no crash, no stuck screen.  And on every screen: the ticket ends, Ctrl-C."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sandbox.club import PASSWORD
from tests.club.club import Club
from tests.club.menu import SCREENS, choose, clock_file, opened, wait_until_known, wander
from tests.club.terminal import Open

_KEYS = 10_000
_PEOPLE = ("regular1", "office1", "ctdalek", "rep1")
_RUNS = 5
_AT_ONCE = 6  # so many times the screens of the menu, a few each


def _wandered(terminal: Open, who: str, seed: int) -> None:
    """So many keys of one person; whoever takes Quit, a choice among others, opens the menu again."""
    draw, left = random.Random(seed), _KEYS // _RUNS // len(_PEOPLE)
    window = opened(terminal, who)
    while left:
        try:
            wander(window, draw, min(left, 100), PASSWORD)
            left -= min(left, 100)
        except AssertionError:
            if window.process.poll() != 0:
                raise
            window = opened(terminal, who)


@pytest.mark.parametrize("run", range(_RUNS))
def test_random_keys(club: Club, terminal: Open, run: int) -> None:
    """Four people at once, each at a terminal of their own: most of the time is waiting."""
    with ThreadPoolExecutor(len(_PEOPLE)) as pool:
        wandering = [
            pool.submit(_wandered, terminal, who, run * len(_PEOPLE) + number)
            for number, who in enumerate(_PEOPLE)
        ]
        for each in wandering:
            each.result()


@pytest.mark.parametrize("first", range(_AT_ONCE))
def test_the_ticket_ends_on_every_screen_and_so_does_the_menu(
    club: Club, terminal: Open, tmp_path: Path, first: int
) -> None:
    """Several screens at once, each in a menu of its own."""
    labels = list(SCREENS)[first::_AT_ONCE]
    tmp_path.chmod(0o755)  # the menus read their clocks below it
    with ThreadPoolExecutor(len(labels)) as pool:
        list(pool.map(lambda label: _ticket_ends(terminal, tmp_path / label, label), labels))


def _ticket_ends(terminal: Open, folder: Path, label: str) -> None:
    folder.mkdir()
    clock = clock_file(folder)
    words = f"echo {PASSWORD} | kinit -l 2m >/dev/null && exec ceo"
    window = terminal("ctdalek", "bash", "-c", words, ticket=False, clock=clock)
    window.see("ticket 0 h 01 min", seconds=60)  # several start at once, each with a moved clock
    wait_until_known(window)
    choose(window, label)
    window.see(SCREENS[label])
    clock.write_text("+180s")
    window.see("The ticket of ctdalek has ended")
    window.type(PASSWORD, "Enter")
    window.see(SCREENS[label], "ticket 9 h")
    window.type("Ctrl-C")
    assert window.ended() == 0
