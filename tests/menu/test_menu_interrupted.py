"""The menu while hosts are cut off, ceods stopped, and when it is itself killed in the middle."""

from __future__ import annotations

import os
import signal
import time

import pytest

from sandbox.club import PASSWORD
from tests.club.adds import is_held, pid_of
from tests.club.club import Club, until
from tests.club.menu import SCREENS, choose, opened
from tests.club.terminal import Open, Terminal

_HOSTS = ("phosphoric-acid", "mail", "coffee")
_BEGUN = ("running", "committed", "completed")


def _fill_in(window: Terminal, uid: str) -> None:
    window.type("Enter")
    window.see("Full name")
    window.type(uid, "Enter", "Interrupted Person", "Enter", "Physics", "Ctrl-D")
    window.see("Enter adds the account", "csc-general")  # ceod has answered the dry run
    time.sleep(0.8)  # an Enter just after a warning counts for nothing


def test_the_screen_goes_on_while_the_host_is_away(club: Club, terminal: Open) -> None:
    window = opened(terminal)
    window.type("/")
    club.state.call("desk", do="cut", host="phosphoric-acid")
    try:
        window.type("ctdalek")
        window.see("Searching", seconds=2)
        window.type("x")
        window.see("ctdalekx", seconds=2)  # a key is drawn while the answer is waited for
        window.see("does not answer on port 9987", seconds=20)
    finally:
        club.state.call("desk", do="join", host="phosphoric-acid")
    window.type("Ctrl-U", "ctdalek", "Enter")
    window.see("Calum Dalek", "Home directory")


def test_every_screen_says_that_its_host_is_down(club: Club, terminal: Open) -> None:
    """Before its form is filled in; nothing is stuck, and when the host is back one goes on."""
    for host in _HOSTS:
        club.service(host, "stop", "ceod")
    try:
        window = terminal("ctdalek", "ceo")
        window.see("Sign up a member", "phosphoric-acid, mail, coffee silent")
        for label in SCREENS:
            choose(window, label)
            window.see("no answer" if label in ("Transactions", "Audit log") else "does not answer")
            window.type("Esc")
            window.see("Sign up a club rep", "Lock the screen")
    finally:
        for host in _HOSTS:
            club.service(host, "start", "ceod")
    club.settled()
    choose(window, "My own account")
    window.see("Home directory")


@pytest.mark.parametrize("how", ["Ctrl-C", "SIGHUP", "SIGKILL"])
def test_the_menu_ended_in_the_middle_tells_at_its_next_start(club: Club, terminal: Open, how: str) -> None:
    uid = club.name()
    state = f"/users/office1/state-{uid}"
    window = opened(terminal, XDG_STATE_HOME=state)
    _fill_in(window, uid)
    with club.frozen("mail", "mailman"):
        window.type("Enter")
        window.see("✓ welcome mail")
        if how == "Ctrl-C":
            window.type("Ctrl-C")
        else:
            window.process.send_signal(getattr(signal, how))
        window.ended()
        if how == "Ctrl-C":
            window.see("it goes on without you", f"Sign up {uid}")
    until(lambda: club.transaction_of(uid)[1] == "completed", 60)
    club.whole(uid)
    again = terminal("office1", "ceo", XDG_STATE_HOME=state)
    again.see("While you were away", f"Sign up {uid}", "It is completed", "R gives another one", f"R resets the password of {uid}")
    again.type("Enter")
    again.see("Sign up a club rep", "Lock the screen")
    again.type("Ctrl-C")
    again.ended()
    once_more = terminal("office1", "ceo", XDG_STATE_HOME=state)
    once_more.see("Sign up a member", "all hosts answer")
    assert not once_more.shows("While you were away")


def test_one_that_is_left_to_itself_goes_on_and_is_looked_at_later(club: Club, terminal: Open) -> None:
    """Esc leaves a transaction that waits; its end, the password included, is kept for whoever comes back to it."""
    uid = club.name()
    window = opened(terminal)
    _fill_in(window, uid)
    with club.frozen("mail", "mailman"):
        window.type("Enter")
        window.see("✓ welcome mail")
        window.type("Esc")
        window.see("Interrupted Person")  # the form, as it was left
        window.type("Esc")
        window.see(f"Back to: Sign up {uid}")
    until(lambda: club.transaction_of(uid)[1] == "completed", 60)
    window.see("it has ended; look in the main menu")
    window.type("?", "Esc")
    window.see(f"Back to: Sign up {uid} (ended)")
    window.type("Home", "Enter")
    window.see("Temporary password", f"The account {uid} is ready")
    time.sleep(0.8)
    window.type("Enter")
    window.see("Sign up a club rep")
    assert not window.shows("Back to:")


def test_no_answer_that_comes_opens_the_lock_or_goes_on_behind_it(club: Club, terminal: Open) -> None:
    """Enter was pressed while ceod checked the sign-up, and the screen locked before the answer."""
    uid = club.name()
    window = opened(terminal)
    window.type("Enter")
    window.see("Full name")
    window.type(uid, "Enter", "Interrupted Person", "Enter", "Physics")
    window.see("Physics")
    with club.frozen("phosphoric-acid", "slapd"):
        window.type("Ctrl-D")
        window.see("Enter adds the account")
        window.type("Enter")
        window.see("It goes on by itself as soon as it is checked.")
        window.type("F9")
        window.see("Locked by office1")
    window.type("wrong", "Enter")
    window.see("the password is wrong", "Locked by office1")
    assert not window.shows("Interrupted")
    window.type(PASSWORD, "Enter")
    window.see("Interrupted Person", "Esc back")
    club.nothing(uid)


def test_a_step_that_fails_is_named_with_what_was_undone(club: Club, terminal: Open) -> None:
    kadmind = pid_of("kadmind")
    window = opened(terminal)
    for _ in range(20):
        uid = club.name()
        _fill_in(window, uid)
        window.type("Enter")
        # A quick one is over when it is looked at: then the next is tried.
        until(lambda uid=uid: club.transaction_of(uid)[1] in _BEGUN)  # type: ignore[misc]
        os.kill(kadmind, signal.SIGSTOP)
        try:
            while not is_held(club, uid) and not window.shows("then press Enter"):
                window.read(0.01)
            time.sleep(0.2)  # what kadmind had answered before it was frozen is noted by then
            if is_held(club, uid):
                window.see("Kerberos principal failed", "kadmind", "LDAP user", "Enter goes back", seconds=40)
                break
        finally:
            os.kill(kadmind, signal.SIGCONT)
        time.sleep(0.8)
        window.type("Enter")
        window.see("Sign up a club rep")
    else:
        pytest.fail("the sign-up could not be caught in the middle")
    time.sleep(0.8)
    window.type("Enter")
    window.see("Interrupted Person", "Physics", uid)
    until(lambda: club.transaction_of(uid)[1] == "aborted", 60)
    club.nothing(uid)
    club.settled()
