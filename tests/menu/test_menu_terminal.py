"""What the menu does to its terminal, and what the terminal sends it: signals, pastes, letters, colours, the mouse."""

from __future__ import annotations

import os
import re
import signal
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ceo_common.errors import Internal
from sandbox.club import PASSWORD
from tests.club.club import Club
from tests.club.menu import opened, see_marked
from tests.club.terminal import Open, Terminal

# xterm, control sequences: the private modes that the menu turns on.  25 (the cursor) is the other way round.
_MODES = {b"1049", b"2004", b"1000", b"1002", b"1006"}
_SET = re.compile(rb"\x1b\[\?([0-9;]+)([hl])")
_FAULTY = """
import sys
from ceo.tui.widgets.page import Page
def render(*_, **__): raise ValueError("a fault")
Page.render = render
from ceo.cli import main
sys.argv = ["ceo"]
main()
"""


def _on(window: Terminal) -> set[bytes]:
    """The private modes that are on, as the program left them."""
    on: set[bytes] = set()
    for modes, letter in _SET.findall(window.raw):
        for mode in modes.split(b";"):
            (on.add if letter == b"h" else on.discard)(mode)
    return on


def _line_modes(window: Terminal) -> list[object]:
    """The terminal's line discipline, without its speeds."""
    return [value for i, value in enumerate(termios.tcgetattr(window.master)) if i not in (4, 5)]


def _as_before(window: Terminal, before: list[object]) -> None:
    window.read(0.5)
    assert not _on(window) & _MODES, _on(window)
    assert b"25" in _on(window) or b"\x1b[?25h" in window.raw[-400:]
    assert _line_modes(window) == before


def _pid(window: Terminal, file: Path) -> int:
    """Of the menu that wrote it into a file before it was there."""
    window.see("Sign up a member", "all hosts answer", seconds=40)
    return int(file.read_text())


_IN_SHELL = "sh -c 'echo $$ >$FILE; exec ceo'; echo left $?"


@pytest.fixture
def file() -> Iterator[Path]:
    """One that office1 writes."""
    path = Path("/users/office1/menu-pid")
    yield path
    path.unlink(missing_ok=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP, signal.SIGINT])
def test_a_signal_gives_the_terminal_back(terminal: Open, file: Path, number: signal.Signals) -> None:
    window = terminal("office1", "sh", "-c", _IN_SHELL, FILE=str(file))
    before = _line_modes(window)
    pid = _pid(window, file)
    assert _on(window) >= {b"1049", b"2004", b"1000"}
    assert _line_modes(window) != before
    os.kill(pid, number)
    status = 0 if number == signal.SIGINT else 128 + number
    window.see(f"left {status}")
    _as_before(window, before)
    assert "Traceback" not in window.text


def test_a_suspended_menu_gives_the_terminal_back_and_takes_it_again(terminal: Open) -> None:
    """Ctrl-Z, and `fg` in a shell with job control."""
    window = terminal("office1", "bash", "--norc", "-i", PS1="ready> ")
    window.see("ready>")
    window.type("bind 'set enable-bracketed-paste off'; echo bo''und\r")  # which is the shell's own
    window.see("bound")
    before = _line_modes(window)
    for _ in range(2):
        window.type("ceo\r" if not window.shows("Stopped") else "fg\r")
        window.see("Sign up a member", "all hosts answer", seconds=40)
        assert _on(window) >= {b"1049", b"2004", b"1000"}
        window.type("\x1a")
        window.see("Stopped")
        _as_before(window, before)
    window.type("fg\r")
    window.see("Sign up a member")
    window.type("Ctrl-C")
    window.see("ready>")
    _as_before(window, before)


def test_a_locked_menu_is_not_suspended_by_a_signal(terminal: Open, file: Path) -> None:
    window = terminal("office1", "sh", "-c", _IN_SHELL, FILE=str(file))
    pid = _pid(window, file)
    window.type("F9")
    window.see("Locked by office1")
    os.kill(pid, signal.SIGTSTP)
    window.type("wrong", "Enter")
    window.see("the password is wrong", "Locked by office1")


def test_a_fault_in_drawing_gives_the_terminal_back(terminal: Open) -> None:
    """With words and 70, not with a traceback on a screen that shows nothing."""
    window = terminal("office1", "sh", "-c", 'python -c "$FAULTY"; echo left $?', FAULTY=_FAULTY)
    before = _line_modes(window)
    window.see("Sign up a member", "all hosts answer", seconds=40)
    window.type("?")
    window.see(f"left {Internal.exit_status}", "the menu ended", "a fault")
    _as_before(window, before)
    assert "Traceback" not in window.text


# Pastes


def test_a_paste_of_a_password_with_its_line_end_signs_in(terminal: Open) -> None:
    window = terminal("office1", "ceo", ticket=False)
    window.see("You have no Kerberos ticket")
    window.type(f"\x1b[200~{PASSWORD}\r\x1b[201~")
    window.see("*" * len(PASSWORD))
    assert not window.shows("*" * (len(PASSWORD) + 1))
    window.type("Enter")
    window.see("Sign up a member", "all hosts answer", seconds=40)


def test_nothing_in_a_paste_acts(terminal: Open) -> None:
    window = opened(terminal)
    window.type("\x1b[200~l\r\x1b[B\x03/\x1b[201~")  # outside a field
    see_marked(window, "Sign up a member")
    window.type("Enter")
    window.see("Full name")
    window.type("abc", "Down", "\x1b[200~Jane\rDoe\x0e\x04\x03\x1b[A\x1bOP\r\n\x1b[201~")
    window.see("abc", "Jane Doe", "Enter next")
    window.type("Down", "\x1b[200~/home/x\x1b[201~")
    window.see("/home/x", "Jane Doe", "F2 find", "F1 help")
    window.type("\x1f")
    window.miss("/home/x")
    window.see("/ find", "? help")


@pytest.mark.parametrize("opens", ["", "Enter"])
def test_a_paste_whose_end_is_lost_ends_by_itself(terminal: Open, opens: str) -> None:
    window = opened(terminal)
    window.type(*([opens] if opens else []), "\x1b[200~abc")
    if opens:
        window.see("Full name", "abc")
        window.type("def")
        window.see("abcdef")
    window.type("Ctrl-C")
    assert window.ended() == 0


def test_a_megabyte_does_not_freeze(terminal: Open) -> None:
    window = opened(terminal)
    window.type("Enter")
    window.see("Full name")
    began = time.monotonic()
    os.set_blocking(window.master, False)
    data = b"\x1b[200~" + b"x" * 1_000_000 + b"\x1b[201~"
    while data:
        try:
            data = data[os.write(window.master, data[:4096]) :]
        except BlockingIOError:
            window.read(0.01)
    os.set_blocking(window.master, True)
    window.see("At most 1,000 characters: the rest of what was pasted is left out.")
    window.type("Down", "still alive")
    window.see("still alive")
    assert time.monotonic() - began < 20


# Letters


@pytest.mark.parametrize(
    "locale", [{"LANG": "C"}, {"LANG": "POSIX"}, {"LC_ALL": "C"}, {"LANG": "en_CA.ISO-8859-1"}, {"LANG": "C.UTF-8"}, {"LANG": ""}]
)
def test_a_name_is_what_was_typed(club: Club, terminal: Open, locale: dict[str, str]) -> None:
    uid = club.name()
    window = opened(terminal, **locale)
    window.type("Enter")
    window.see("Full name")
    os.write(window.master, uid.encode() + b"\r\x4a\x6f\x73\xc3\xa9 Quo\rPhysics\x04")
    window.see("Enter adds the account", "José Quo")  # drawn as what it is, too
    window.type("Enter")
    window.see(f"The account {uid} is ready", seconds=40)
    assert club.client("office1").member(uid)["cn"] == "José Quo"


def test_a_letter_that_is_no_utf_8_is_left_out_in_words(terminal: Open) -> None:
    window = opened(terminal, LANG="C")
    window.type("Enter")
    window.see("Full name")
    os.write(window.master, b"Jos\xe9 x")
    window.see("Jos x", "did not arrive as UTF-8")
    window.type("F2")
    window.see("Name or username")
    os.write(window.master, b"dal\xe9ek")
    window.see("1 found.", "Calum Dalek", "did not arrive as UTF-8")
    window.type("Ctrl-U")
    window.miss("did not arrive as UTF-8")


# Colours


def _grounds(window: Terminal) -> set[str]:
    """The backgrounds of the fields that are not in focus."""
    return {cell.bg for row in window.screen.buffer.values() for cell in row.values() if cell.underscore}


@pytest.mark.parametrize(("answer", "ground"), [("ffff/ffff/ffff", "eeeeee"), ("0000/0000/0000", "303030"), ("", "default")])
def test_the_terminal_is_asked_whether_it_is_light(terminal: Open, answer: str, ground: str) -> None:
    """What is typed before the answer is not lost, and an answer that does not come holds nothing up."""
    window = terminal("office1", "ceo")
    window.see("Sign up a member", "all hosts answer", seconds=40)
    assert window.raw.count(b"\x1b]11;?\x1b\\") == 1
    window.type("Enter")
    window.see("Full name")
    window.type("ab", f"\x1b]11;rgb:{answer}\x1b\\" if answer else "", "cd")
    window.see("abcd")
    for _ in range(50):
        if ground in _grounds(window):
            break
        window.read(0.1)
    assert _grounds(window) == {ground}


@pytest.mark.parametrize("look", [{"TERM": "linux"}, {"TERM": "xterm"}, {"COLORFGBG": "15;0"}, {"NO_COLOR": "1"}])
def test_a_terminal_whose_answer_changes_nothing_is_not_asked(terminal: Open, look: dict[str, str]) -> None:
    assert b"\x1b]11;" not in opened(terminal, **look).raw


# Hints, and the mouse


def test_hints_and_questions_can_be_clicked(club: Club, terminal: Open) -> None:
    uid = club.add(terms=["f2020"])["result"]["uid"]
    window = opened(terminal)
    window.click("? help")
    window.see("The keys of this screen")
    window.click("Esc back")
    window.see("Lock the screen", "Enter choose")
    window.click("/ find")
    window.see("At least 2 letters.")
    window.type(uid, "Enter")
    window.see("Renew as a member")
    window.type("Enter")
    window.see("Enter renews.")
    window.click("Esc goes to other terms")
    window.see("Enter go on")
    window.click("Enter go on")
    window.see("Enter renews.", "Enter do it")
    window.click("Enter renews.")
    window.see(f"{uid} is registered for", seconds=40)


def test_the_word_of_enter_is_there_at_60_columns(club: Club, terminal: Open) -> None:
    surname = f"Zw{club.name()}"
    there = club.add(cn=f"Odette {surname}", terms=["f2019"])["result"]["uid"]
    window = opened(terminal, columns=60, rows=20)
    window.type("Enter")
    window.see("Full name")
    window.type(club.name(), "Enter", f"Odete {surname}", "Enter", "Physics", "Ctrl-D")
    window.see(f"Ctrl-O opens {there} instead")
    line = window.text.splitlines()[-2]
    assert line.startswith(" Enter do it   Ctrl-O open it   Esc back"), line


def test_find_is_not_stacked_on_itself(terminal: Open) -> None:
    window = opened(terminal)
    for uid in ("office1", "regular1", "rep1", "ctdalek"):
        window.type("/", "Ctrl-U", uid)
        window.see("1 found")
        window.type("Enter")
        window.see("Home directory", f"Find somebody  ›  {uid}")
    window.see("– Password reset")  # office staff did not sign this one up
    window.type("p")
    window.see("You may reset it within an hour after you signed them up")
    assert not window.shows("Enter choose")
    window.type("/")
    window.see("Enter open")
    window.type("Esc")
    window.see("Lock the screen")


def test_more_is_offered_where_there_is_more(terminal: Open) -> None:
    window = opened(terminal, "ctdalek")
    window.type("/", "ctdalek")
    window.see("1 found")
    assert not window.shows("Ctrl-F")
    window.type("Ctrl-U", "m0")
    window.see("The first 50", "Ctrl-F more")
    window.type("Ctrl-F")
    window.miss("The first 50;")


def test_a_table_with_a_bar_shows_the_program(terminal: Open) -> None:
    window = opened(terminal)
    window.type("/", "math")
    text = window.see("Pure Mathematics", "█")
    head, first = text.splitlines()[4:6]
    assert head.index("Program") == first.index("Mathematics"), text


def test_home_and_end_go_to_the_first_and_the_last(terminal: Open) -> None:
    window = opened(terminal, columns=60, rows=20)
    for key, label in (("End", "Quit"), ("Home", "Find somebody")):
        window.type(key)
        see_marked(window, label)
    window.type("?")
    window.see("The keys of this screen")
    window.type("End")
    window.miss("Choose with the arrows")
    window.type("Home")
    window.see("Choose with the arrows")
