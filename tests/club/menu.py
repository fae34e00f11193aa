"""The menu as tests drive it: opened until it knows who is there, walked screen by screen."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

from tests.club.terminal import Open, Terminal

# Every choice of the main menu but those that leave it, with what its screen shows of itself.
SCREENS = {
    "Find somebody": "Name or username", "Sign up a member": "Full name", "Sign up a club rep": "Full name", "My own account": "Home directory",
    "Groups": "Which group?", "New club": "Username", "New group": "Name", "Positions": "president", "Databases": "Username", "Mailing lists": "Username",
    "Library desk": "Lend to", "Book search": "Which book?", "Books on loan": "Books on loan", "Overdue books": "Overdue", "Add a book": "ISBN", "Expire accounts": "Expire", "Expired accounts": "Expired accounts", "Inactive members": "Inactive", "Remind members": "Remind",
    "Update programs": "Update", "Transactions": "Transactions", "Audit log": "Audit", "Hosts": "coffee",
}


def opened(terminal: Open, who: str = "office1", **how: object) -> Terminal:
    """The menu with the answers of the hosts there: what is greyed stays as it is."""
    window = terminal(who, "ceo", **how)
    window.see(who, seconds=60)
    wait_until_known(window)
    return window


def wait_until_known(window: Terminal) -> None:
    """Until the hosts have answered who one is: what is greyed stays as it is."""
    window.see("Sign up a member", "all hosts answer", seconds=60)  # under a moved clock it is slow


def choose(window: Terminal, label: str) -> None:
    """Mark a choice of the main menu and take it."""
    mark(window, label)
    window.type("Enter")


def mark(window: Terminal, label: str) -> None:
    """Jump by the first letter until the choice is marked."""
    letter = label[0].lower()
    stays = marked(window).lstrip("– ").lower().startswith(letter)  # then its first press leaves the mark where it is
    for _ in range(len(SCREENS)):
        before = marked(window)
        if before == label:
            return
        window.type(*[letter] * (1 + stays))
        stays = False
        end = time.monotonic() + 10
        while marked(window) == before:
            assert time.monotonic() < end, f"{label} can't be marked:\n{window.text}"
            window.read(0.05)
    raise AssertionError(f"{label} can't be marked:\n{window.text}")


def see_marked(window: Terminal, label: str, seconds: float = 10) -> None:
    """Wait until a choice is marked."""
    end = time.monotonic() + seconds
    while marked(window) != label:
        assert time.monotonic() < end, f"{label} is not marked:\n{window.text}"
        window.read(0.05)


def marked(window: Terminal) -> str:
    """The text under the mark: the only cells with the background of the focus."""
    cells = [(window.screen.buffer[row][column], row) for row in range(1, window.screen.lines - 3) for column in range(window.screen.columns)]
    return "".join(cell.data for cell, _ in cells if is_marked(cell)).strip()


def is_marked(cell: object) -> bool:
    """Whether a cell has a background of its own, or is reversed."""
    return bool(getattr(cell, "reverse", False)) or getattr(cell, "bg", "default") != "default"


def lines(window: Terminal) -> Iterator[str]:
    """The screen's lines that hold anything."""
    return (line.strip() for line in window.text.splitlines() if line.strip())


_WANDER = ["Enter"] * 6 + ["Tab", "Down", "Down", "Up", "Esc", "Esc", "Right", "Left", "Home", "End", "Page-Down", "Page-Up", "Backspace", "Ctrl-D", "Ctrl-N",
                           "Ctrl-R", "Ctrl-U", "/", "?", "F1", "F2", "F5", "F9", "Ctrl-L", " ", "Shift-Tab", "\x1b[<0;12;7M", "\x1b[<64;9;9M", "é", "漢", "\x1bx"] + list("abdegilmoprs123")


_TRIES = 20  # to open a lock


def wander(window: Terminal, draw: random.Random, count: int, password: str) -> None:
    """Type so many keys drawn at random; whatever opens, the menu is there, and so many Esc lead back to the main menu."""
    for number in range(count):
        if number % 97 == 96:
            window.resize(*draw.choice(((60, 20), (80, 24), (120, 40), (61, 21), (20, 6), (80, 24))))
        window.type(draw.choice(_WANDER))
        if number % 20 == 19:
            alive(window, password)
    window.resize(80, 24)
    for _ in range(30):
        window.read(0.2)
        alive(window, password)
        if window.shows("Sign up a club rep") and window.shows("Lock the screen"):
            return
        window.type("Esc")
    raise AssertionError(f"stuck:\n{window.text}")


def alive(window: Terminal, password: str) -> None:
    """It runs; a lock that was hit on the way is opened."""
    if window.process.poll() is not None:
        window.read(0.5)
        raise AssertionError(f"it ended with {window.process.returncode}:\n{window.text}")
    for _ in range(_TRIES):
        if not window.shows("Locked by"):
            return
        window.type("Ctrl-U", password, "Enter")
        window.read(0.5)
    raise AssertionError(f"the password does not open it:\n{window.text}")


def clock_file(folder: Path) -> Path:
    """A clock that a test moves (sandbox.processes.movable_clock)."""
    folder.chmod(0o755)
    file = folder / "clock"
    file.write_text("+0s")
    file.chmod(0o644)
    return file
