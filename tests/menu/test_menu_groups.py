"""Groups, clubs and positions in the menu: keys typed, the screen read, the servers looked at."""

from __future__ import annotations

import time

import pytest

from tests.club.club import Club
from tests.club.menu import opened
from tests.club.terminal import Open, Terminal
from tests.e2e.test_groups import _inside, positions

__all__ = ["positions"]

_SETTLE_S = 0.8  # a key counts only when the end could be seen


def _go_on(window: Terminal) -> None:
    """Leave the end of a transaction."""
    window.see("Done in")
    time.sleep(_SETTLE_S)
    window.type("Enter")


def test_a_group_from_its_own_page_and_from_somebodys(club: Club, terminal: Open) -> None:
    uid, follow = club.add()["result"]["uid"], ["cdrom", "audio", "video", "www"]
    before = len(club.client("ctdalek").group("office")["members"])
    window = opened(terminal, "ctdalek")
    window.type("g", "Enter")
    window.see("Which group?", "syscom", "go-club")
    window.type("off")
    assert "syscom" not in window.see("1 group.")
    window.type("Esc")
    window.see("Sign up a member")
    window.type("\roff\r")  # faster than the groups are told
    window.see("Groups following", "cdrom, audio, video, www", f"Members: {before}", "office1")
    window.type("Enter")
    window.see("Into the group office")
    window.type("no-such", "Enter")
    window.see("there is no account 'no-such'")
    window.type("Ctrl-U", uid, "Enter")
    window.see(f"Enter puts {uid} into office.", *follow)
    assert uid not in _inside(club, "office")
    window.type("Enter")
    window.see(*(f"{uid}, {group}: added" for group in ["office", *follow]))
    assert all(uid in _inside(club, group) for group in ["office", *follow])
    _go_on(window)
    window.see(f"Members: {before + 1}", uid, "Down, or a first letter")
    window.type(*["Enter"] * 3, "a", "Enter")  # too many, which begin nothing
    window.see("Into the group office")
    window.type(uid, "Enter")
    window.see(f"{uid} is in office already")  # at the field, which keeps what was typed
    window.type("Esc")
    window.see(f"Members: {before + 1}")

    window.type("t", "Enter")
    window.see("Out of the group office")
    window.type("t", "Enter")
    window.see(f"Enter takes {uid} out of office.")
    assert uid in _inside(club, "office")
    window.type("Enter")
    window.see(f"{uid}, office: removed", f"{uid}, www: removed")
    assert not any(uid in _inside(club, group) for group in ["office", *follow])
    _go_on(window)
    window.see(f"Members: {before}")
    window.type("c", "Enter")
    window.see("Calum Dalek")

    window.type("/", uid)
    window.see("1 found.")
    window.type("Enter")
    window.see("Home directory", uid)
    window.type("g", "Enter")
    window.see(f"{uid} is in no group.")
    window.type("Enter")
    window.see("Which group?", "syscom")
    window.type("adm", "Enter")
    window.see(f"Enter puts {uid} into adm.")
    window.type("Enter")
    window.see(f"{uid}, adm: added")
    _go_on(window)
    window.see(f"{uid} is in adm")
    window.type(*["Enter"] * 3)
    assert uid in _inside(club, "adm")
    window.type("a", "Enter")
    window.see(f"Enter takes {uid} out of adm.")
    window.type("Enter")
    window.see(f"{uid}, adm: removed")
    _go_on(window)
    window.see(f"{uid} is in no group.")
    assert uid not in _inside(club, "adm")


def test_a_club_and_a_group_are_made_and_open_their_page(club: Club, terminal: Open) -> None:
    uid, cn = club.name(), club.name()
    window = opened(terminal, "ctdalek")
    window.type("n", "Enter")
    window.see("New club", "Username", "Name")
    window.type("X!", "Enter", "a", "Enter")
    window.see("begins with a letter", "one character alone")
    window.type("Ctrl-U", "go-club", "Enter", "Ctrl-U", "Pottery Club", "Enter")
    window.see("there is an account go-club already", "Pottery Club")
    assert not window.shows("Enter makes"), "refused before the last look"
    window.type("Ctrl-U", uid, "Ctrl-D")
    window.see(f"Enter makes the club {uid}.")
    assert not club.entries(f"(cn={uid})")
    window.type("Enter")
    window.see(f"The club {uid} is ready.", "✓ sudo role")
    _go_on(window)
    window.see("Add somebody", "Nobody is in it.")
    (person,) = club.entries(f"(uid={uid})").values()
    assert person["cn"] == [b"Pottery Club"] and b"club" in person["objectClass"] and club.entries(f"(cn=%{uid})")

    window.type("Esc")
    window.see("Sign up a member")
    window.type("n", "n", "Enter")
    window.see("New group", "Name")
    window.type(cn, "Enter")
    window.see(f"Enter makes the group {cn}.")
    window.type("Enter")
    window.see(f"The group {cn} is ready.")
    _go_on(window)
    window.see("Add somebody", "Nobody is in it.")
    assert not window.shows("Group number")
    window.type("Tab")
    window.see("Group number")
    assert _inside(club, cn) == []


@pytest.mark.usefixtures("positions")
def test_positions_are_one_form_whose_differences_are_shown_and_written(club: Club, terminal: Open) -> None:
    one, two, syscom = club.add()["result"]["uid"], club.add()["result"]["uid"], club.client("ctdalek")
    window = opened(terminal, "ctdalek")
    window.type("p", "Enter")
    window.see("president *", "vice-president *", "treasurer", "offsck")
    window.type("Ctrl-D")
    window.see("somebody has to be president", "somebody has to be sysadmin")
    window.type(one, "Enter", two, "Enter", "Enter", "Enter", "nobody-here", "Tab")
    window.see("there is no account")  # before the form is done
    window.type("Up", "Esc")
    window.see("Sign up a member")
    window.type("Enter")
    window.see(one, two, "nobody-here")  # as it was left
    window.type("Ctrl-D")
    window.see("there is no account nobody-here")
    assert not window.shows("Enter changes"), "refused before the last look"
    window.type("Ctrl-U", "ctdalek", "Ctrl-D")
    window.see("ctdalek comes", "Enter changes 3 positions.")
    window.miss("It is being checked")

    club.done(syscom.set_positions({"president": [two], "vice-president": [two], "sysadmin": ["ctdalek"], "webmaster": [one]}))
    window.type("Enter")
    text = window.see("changed by somebody else meanwhile", f"to {two}; what stands here would replace that")
    assert text.count("meanwhile, to") == 1, text  # vice-president and sysadmin are as they shall be
    assert syscom.positions()["positions"]["president"] == [two]
    window.type("Ctrl-D")
    text = window.see(f"{two} leaves; {one} comes", "Enter changes 1 position.")
    assert "webmaster" not in text
    window.type("Enter")
    window.see(f"president: {one}")
    _go_on(window)
    window.see("Sign up a member")
    held = {name: uids for name, uids in syscom.positions()["positions"].items() if uids}
    assert held == {"president": [one], "vice-president": [two], "sysadmin": ["ctdalek"], "webmaster": [one]}
    assert _inside(club, "exec") == sorted(["ctdalek", one, two])


def test_who_may_not_is_told_the_rule(club: Club, terminal: Open) -> None:
    window = opened(terminal, "regular1")
    window.type("p", "Enter")
    window.see("president *", "nobody", "Only the systems committee may change who holds which position.")
    window.type("Esc")
    window.see("Sign up a member")
    window.type("n", "Enter")
    window.see("Only the systems committee may create a club.")
    window.type("g", "Enter")
    window.see("Which group?", "go-club")
    window.type("go-", "Enter")
    window.see("Members: 1", "rep1", "Only the systems committee may change who is in a group.")
    window.type("r", "Enter")
    window.see("Home directory", "/users/rep1")
