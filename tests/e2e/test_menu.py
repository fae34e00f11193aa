"""The menu in a real terminal: keys typed, the screen read."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ceo_common.krb5 import tickets
from sandbox.club import PASSWORD, REALM
from tests.club.club import Club
from tests.club.terminal import Open, password_in


def test_sign_up_from_the_first_key_to_the_password(club: Club, terminal: Open) -> None:
    uid = club.name()
    window = terminal("office1", "ceo")
    window.see("Add member", "Display member", "office1", "ticket 9 h")
    window.type("a", "Enter")
    window.see("Username", "Full name", "Number of terms")
    window.type(uid, "Enter", "Menu Person", "Enter", "Pure Mathematics", "Enter", "2", "Enter", "m@example.org", "Enter")
    window.see("Review", "Menu Person", "$4", "photo ID", "m@example.org")
    window.type("Enter")
    window.see("is ready", "✓ LDAP user", "✓ mailing list", "Temporary password")
    password = password_in(window.text)
    with pytest.raises(tickets.PasswordExpired):
        tickets.initial(f"{uid}@{REALM}", password, "MEMORY:menu")
    time.sleep(0.8)  # a key counts only when the password could be seen
    window.type("Enter")
    window.see("Display member")
    assert password not in window.text
    club.whole(uid)
    window.type("d", "Enter")
    window.see("Username")
    window.type(uid, "Enter")
    window.see("Menu Person", "Pure Mathematics", "m@example.org")
    window.type("Esc")
    window.see("Enter show")
    window.type("Esc")
    window.see("Add member")
    window.type("Esc")
    assert window.ended() == 0


def test_every_problem_stands_at_its_field(club: Club, terminal: Open) -> None:
    window = terminal("office1", "ceo")
    window.see("Add member")
    window.type("Enter")
    window.see("Username")
    window.type("X!", "Enter", "abc", "Enter", "Enter", "Backspace", "0", "Enter", "|sh", "Enter")
    text = window.see("begins with a letter", "fewer than 4", "the program is empty", "a number of terms", "looks like")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for label, problem in (("Username", "begins with"), ("Full name", "fewer"), ("Program", "empty"), ("Number of terms", "number of terms from"),
                           ("Forward mail to", "looks like")):
        at = next(i for i, line in enumerate(lines) if line.startswith(label))
        assert problem in " ".join(lines[at + 1 : at + 3]), text
    assert "X!" in text and "abc" in text


def test_what_the_server_refuses_stands_at_its_field_too(club: Club, terminal: Open) -> None:
    window = terminal("office1", "ceo")
    window.see("Add member")
    window.type("Enter")
    window.see("Username")
    window.type("ctdalek", "Enter", "Somebody Else", "Enter", "Physics", "Enter", "Enter", "Enter")
    window.see("Review")
    window.type("Enter")
    window.see("there is an account ctdalek already", "Somebody Else", "Physics")


def test_tab_asks_the_university(club: Club, terminal: Open) -> None:
    window = terminal("office1", "ceo")
    window.see("Add member")
    window.type("Enter")
    window.see("Username")
    window.type("jdoe", "Tab")
    window.see("Jane Doe", "Computer Science")


def test_who_may_not_hears_the_rule(club: Club, terminal: Open) -> None:
    uid = club.name()
    window = terminal("regular1", "ceo")
    window.see("Add member")
    window.type("Enter")
    window.see("Username")
    window.type(uid, "Enter", "Some Person", "Enter", "Physics", "Enter", "Enter", "Enter")
    window.see("Review")
    window.type("Enter")
    window.see("Only office staff")
    club.nothing(uid)


def test_a_ticket_of_its_own(club: Club, terminal: Open) -> None:
    window = terminal("office1", "ceo", ticket=False)
    window.see("You have no Kerberos ticket", "Username", "office1")
    window.type("wrong", "Enter")
    window.see("the password is wrong")
    window.type(PASSWORD, "Enter")
    window.see("Add member", "ticket 9 h")
    window.type("d", "Enter")
    window.see("Username")
    window.type("ctdalek", "Enter")
    window.see("Calum Dalek")
    assert not list(Path("/users/office1").glob("ccache-*"))
    assert PASSWORD.encode() not in window.raw


def test_an_expired_password_is_changed(club: Club, terminal: Open) -> None:
    uid = club.name()
    password = club.add(uid=uid)["result"]["temporary_password"]
    window = terminal(uid, "ceo", ticket=False)
    window.see("You have no Kerberos ticket")
    window.type("Up", *["Backspace"] * 12, uid, "Enter", password, "Enter")
    window.see("has to be changed")
    window.type("one-choice-1", "Enter", "another-1", "Enter")
    window.see("not the same")
    window.type("Up", *["Backspace"] * 12, "one-choice-1", "Enter", *["Backspace"] * 12, "one-choice-1", "Enter")
    window.see("Add member", f"{uid}  |")


def test_three_wrong_passwords_end_it(club: Club, terminal: Open) -> None:
    window = terminal("office1", "ceo", ticket=False)
    window.see("You have no Kerberos ticket")
    for _ in range(3):
        window.type("wrong", "Enter")
        window.read(0.3)
    window.ended()


def test_resized_and_without_unicode(club: Club, terminal: Open) -> None:
    window = terminal("office1", "ceo", LANG="C", LC_ALL="C")
    window.see("Add member")
    window.resize(60, 20)
    window.type("Enter")
    window.see("Username", "Forward mail to")
    window.resize(120, 40)
    window.type("Esc")
    window.see("Display member")
    window.type("Ctrl-C")
    window.ended()
