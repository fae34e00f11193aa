"""Mailing lists and databases in the menu: keys typed, the screen read, the servers looked at."""

from __future__ import annotations

import re
import time

from ceo_common.errors import CeoError
from tests.club.club import Club, until
from tests.club.databases import query
from tests.club.menu import opened
from tests.club.terminal import Open, Terminal
from tests.e2e.test_mailman import moderated

__all__ = ["moderated"]

_SETTLE_S = 0.8  # a key counts only when the end could be seen


def _answers(club: Club, host: str) -> bool:
    try:
        club.client("regular1").ping(f"{host}.csclub.internal")
    except CeoError:
        return False
    return True


def _go_on(window: Terminal) -> None:
    """Leave the end of a transaction whose password is shown."""
    window.see("then press Enter")
    time.sleep(_SETTLE_S)
    window.type("Enter")


def _password(text: str) -> str:
    found = re.search(r"[a-z2-9]{4}(-[a-z2-9]{4}){4}", text)
    assert found, text
    return found[0]


def test_ones_own_lists(club: Club, terminal: Open, moderated: str) -> None:
    window = opened(terminal, "regular1")
    window.type("mm", "Enter")
    window.see("Type the username", "regular1")
    window.type("Enter")
    window.see("Put on a list", "regular1 is on")
    window.type("Enter")
    window.see("There are: csc-general, events")
    window.type("no-such", "Enter")
    window.see("there is no list no-such")
    window.type("Ctrl-U", "syscom", "Enter")
    window.see("the list syscom belongs to the group syscom")
    window.type("Ctrl-U", "events", "Enter")
    window.see("Enter puts regular1 on events.")
    assert not club.on_list("regular1", "events")
    window.type("Enter")
    window.see("regular1 is on events.", "Put on a list")
    assert club.on_list("regular1", "events")
    window.type(*["Enter"] * 4)  # too many, which put nobody on or off
    window.see("regular1 is on events.  Down, or a first letter")
    window.type("Home", "Enter", "events", "Enter")
    window.see("is on the list events already")
    window.type("Ctrl-U", moderated, "Enter")
    window.see(f"Enter puts regular1 on {moderated}.")
    window.type("Enter")
    window.see(f"The moderator of {moderated} is asked whether regular1 may join.")
    assert not club.on_list("regular1", moderated)
    window.type("e", "Enter")
    window.see("Enter takes regular1 off events.")
    assert club.on_list("regular1", "events")
    window.type("Enter")
    window.see("regular1 is off events.")
    assert not club.on_list("regular1", "events")


def test_databases_are_made_and_their_passwords_shown_once(club: Club, terminal: Open) -> None:
    uid = club.add()["result"]["uid"]
    window = opened(terminal, "ctdalek")
    window.type("d", "Enter")
    window.see("Type the username")
    window.type(uid, "Enter")
    window.see(f"MySQL: {uid} has no database", f"PostgreSQL: {uid} has no database")
    window.type("Enter")
    window.see(f"Enter creates the MySQL database of {uid}.")
    window.type("Enter")
    window.see("✓ MySQL user", "coffee.csclub.internal", f"it is in the file /users/{uid}/ceo-mysql-info too.")
    first = _password(window.text)
    _go_on(window)
    window.see(f"MySQL: {uid} has a database", "Reset the MySQL password")
    window.type(*["Enter"] * 4)  # too many, which make no other password
    window.see("Down, or a first letter: to what can be done.")
    assert first not in window.text and query(club, "mysql", uid, first, "SELECT 1").stdout.strip() == "1"
    window.type("r", "Enter")
    window.see("The old password stops working at once", f"Enter resets the MySQL password of {uid}.")
    window.type("Enter")
    window.see("✓ password", "not shown again")
    second = _password(window.text)
    assert query(club, "mysql", uid, first, "SELECT 1").returncode and query(club, "mysql", uid, second, "SELECT 1").stdout.strip() == "1"
    _go_on(window)
    window.see("Reset the MySQL password")
    window.type("c", "Enter")
    window.see(f"Enter creates the PostgreSQL database of {uid}.")
    window.type("Enter")
    window.see("✓ PostgreSQL database", "/ceo-postgresql-info too.")
    assert query(club, "postgresql", uid, _password(window.text), "SELECT 1").stdout.strip() == "1"


def test_whose_database_it_is_not_is_told_the_rule(club: Club, terminal: Open) -> None:
    """Office staff see what there is; the club's members may do it for their club."""
    window = opened(terminal, "office1")
    window.type("d", "Enter")
    window.see("Type the username")
    window.type("go-club", "Enter")
    window.see("go-club has", "Only the account's owner, the club's own members and the systems committee may create a database")
    window = opened(terminal, "rep1")
    window.type("d", "Enter")
    window.see("Type the username")
    window.type("go-club", "Enter")
    window.see("MySQL: go-club has")
    assert "Only" not in window.text
    window.type("Esc")
    window.see("Type the username")
    window.type("Ctrl-U", "regular1", "Enter")
    window.see("Only the account's owner, the club's own members, office staff")


def test_a_host_that_is_away_is_named_and_asked_again(club: Club, terminal: Open) -> None:
    window = terminal("regular1", "ceo")
    window.see("Services")
    for host, keys, found in (("mail", "mm", "Put on a list"), ("coffee", "d", "PostgreSQL: regular1 has")):
        club.service(host, "stop", "ceod")
        try:
            window.see("Services")
            window.type(keys, "Enter")
            window.see("Type the username")
            window.type("Enter")
            window.see(f"{host}.csclub.internal does not answer on port 9987", "Ctrl-R asks again.")
        finally:
            club.service(host, "start", "ceod")
            until(lambda host=host: _answers(club, host))  # type: ignore[misc]
        window.type("Ctrl-R")
        window.see(found)
        window.type("Esc")
        window.see("Type the username")
        window.type("Esc")
    club.settled()
