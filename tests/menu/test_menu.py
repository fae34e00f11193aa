"""The menu in a real terminal: keys typed, the screen read."""

from __future__ import annotations

import base64
import os
import random
import re
import time
from pathlib import Path

import pytest

from ceo_common.krb5 import tickets
from sandbox.club import BASE_DN, PASSWORD, REALM
from tests.club.club import Club
from tests.club.menu import choose, clock_file, lines, opened, wander
from tests.club.terminal import Open, Terminal, password_in

_SETTLED_S = 0.8  # a key takes the end away only when it could be seen


def _see_the_end(window: Terminal, *texts: str, secret: bool = False) -> str:
    text = window.see("then press Enter" if secret else "Done in", *texts)
    time.sleep(_SETTLED_S)
    return text


# Few keys: what is pressed beyond the text itself, from the main menu to the result.


def test_a_sign_up_takes_six_keys_at_most(club: Club, terminal: Open) -> None:
    student = club.student()
    uid = student["uid"]
    window = opened(terminal)
    window.press("Enter")
    window.see("Full name", "Forward mail to", "f2026   $2")
    window.type(uid)
    window.press("Tab")
    window.see(student["cn"], student["program"])
    window.press("Enter", "Enter")
    window.see(student["cn"], "f2026", "$2", "photo ID", "Mailing list", "csc-general", "Enter adds the account")
    window.press("Enter")
    text = _see_the_end(window, "is ready", "✓ LDAP user", "✓ mailing list", "Temporary password", secret=True)
    assert len(window.pressed) <= 6, window.pressed
    with pytest.raises(tickets.PasswordExpired):
        tickets.initial(f"{uid}@{REALM}", password_in(text), "MEMORY:menu")
    window.type("Enter")
    window.see("Sign up a club rep")
    assert password_in(text) not in window.text
    club.whole(uid)


def test_a_renewal_takes_four_keys_at_most_and_a_look_up_three(club: Club, terminal: Open) -> None:
    uid = club.add(cn="Renewal Person", terms=["f2020"])["result"]["uid"]
    window = opened(terminal)
    window.press("/")
    window.type(uid)
    window.press("Enter")
    window.see("Renewal Person", "Mathematics", "f2020", "Renew as a member")
    assert len(window.pressed) <= 3, window.pressed
    window.press("Enter")
    window.see("Terms held", "f2020", "Enter renews", "$2")
    window.type("Esc")
    window.see("Terms held: f2020", "f2026   $2")
    window.type("Enter")
    window.see("Enter renews.", "$2")
    window.type("9780201835953\r")
    window.see("A scan was ignored")
    window.read(0.6)  # an Enter right behind a scan is its end
    assert club.client("office1").member(uid)["terms"] == ["f2020"]
    window.press("Enter")
    _see_the_end(window, f"{uid} is registered for f2026")
    assert len(window.pressed) <= 4, window.pressed
    assert club.client("office1").member(uid)["terms"] == ["f2020", "f2026"]
    window.type("Enter")
    window.see("f2020, f2026", "Right, or a first letter")
    window.type(*["Enter"] * 6)  # too many, which renew nothing more
    window.see("f2020, f2026", "Right, or a first letter")
    assert club.client("office1").member(uid)["terms"] == ["f2020", "f2026"]
    window.type("Right")
    window.see(f"Register {uid} for more terms.")
    window.type("Enter")
    registered = f"{uid} is a member until f2026 already; this adds w2027."
    window.see("Terms held: f2020, f2026", registered, "w2027   $2")
    window.type("f2026")
    window.see("held already: f2026")
    window.type("Ctrl-U", "1", "Enter")
    window.see("Enter renews", "Terms held", f"Note: {registered}")


# The sign-up form


def test_every_problem_stands_at_its_field_and_nothing_typed_is_lost(club: Club, terminal: Open) -> None:
    window = opened(terminal)
    window.type("Enter")
    window.see("Username")
    window.type("9783403410515", "Tab")
    window.see("begins with a letter")  # before the form is done
    window.type("Up", "Ctrl-U", "X!", "Enter")
    window.see("begins with a letter")
    window.type("a", "Enter", "Enter", "2abc")
    window.see("or how many terms, such as 2")
    window.type("Ctrl-U", "0", "Enter", "|sh", "Enter")
    text = window.see("begins with a letter", "one character alone", "the program is empty", "a number of terms", "looks like")
    shown = list(lines(window))
    for label, problem in (("Username", "begins with"), ("Full name", "one character"), ("Program", "empty"), ("Terms", "a number of terms from"),
                           ("Forward mail to", "looks like")):
        at = next(i for i, line in enumerate(shown) if line.startswith(label))
        assert problem in " ".join(shown[at + 1 : at + 3]), text
    window.type("Esc")
    window.see("Sign up a club rep")
    window.type("Enter")
    window.see("X!", "|sh")
    window.type("Ctrl-N")
    window.miss("X!", "|sh")


def test_an_account_that_is_there_and_a_near_name_lead_to_renewal(club: Club, terminal: Open) -> None:
    surname = f"Zq{club.name()}"
    there = club.add(cn=f"Odette {surname}", terms=["f2019"])["result"]["uid"]
    window = opened(terminal)
    window.type("Enter")
    window.see("Username")
    window.type(there, "Tab")
    window.see(f"{there} has an account: Odette {surname}, until f2019", "open it")
    window.type("Esc")
    window.see("Sign up a club rep")
    window.type("Enter")
    window.see(f"{there} has an account: Odette {surname}, until f2019", "open it")
    window.type("Ctrl-D")
    window.see("has an account already")
    window.type("Ctrl-O")
    window.see("Renew as a member", f"Odette {surname}")
    window.type("Esc")
    window.see("has an account already")
    window.type("Up", "Up", "Up", "Up", "Ctrl-U", club.name(), "Enter", f"Odete {surname}", "Enter", "Physics", "Ctrl-D")
    window.see("Did you mean renew?", f"Odette {surname}, until f2019", f"Ctrl-O opens {there} instead")
    window.type("Ctrl-O")
    window.see("Renew as a member", f"Odette {surname}")
    window.type("Esc")
    window.see(f"Odete {surname}", "Physics")


def test_what_the_server_refuses_stands_at_its_field_too(club: Club, terminal: Open) -> None:
    """The group of that name is seen by the server alone."""
    window = opened(terminal)
    window.type("Enter")
    window.see("Username")
    window.type("syscom", "Enter", "Somebody Else", "Enter", "Physics", "Enter", "Enter", "Enter")
    window.see("Enter adds the account")
    window.type("Enter")
    window.see("Current students", "group", "Somebody Else", "Physics", "syscom")  # the form again, with what was typed
    assert not club.entries("(uid=syscom)") and club.principal("syscom") is None


def test_what_one_may_not_do_is_grey_with_the_reason(club: Club, terminal: Open) -> None:
    window = opened(terminal, "regular1")
    window.see("What you may do for yourself")  # where the mark begins
    window.type("s")
    window.see("Only office staff and the systems committee may add a member", "– Sign up a member")
    window.type("Enter")
    window.read(0.3)
    assert window.shows("Sign up a club rep") and not window.shows("Full name")
    window.type("/", "ctdalek", "Enter")
    window.see("Calum Dalek", "– Renew as a member")
    assert not window.shows("Forwarding  "), "a member sees nobody else's forwarding"
    choose_action(window, "Password reset", "Only the systems committee")


def choose_action(window: Terminal, label: str, note: str) -> None:
    """Jump to an action of a person's page, and read what is said of it."""
    window.type(label[0].lower())
    for _ in range(15):
        window.read(0.05)
        if window.shows(note):
            return
        window.type("Down")
    raise AssertionError(f"{label}: {note} not on the screen:\n{window.text}")


# A person's page


def test_one_changes_ones_own_shell_and_forwarding(club: Club, terminal: Open) -> None:
    uid = club.add()["result"]["uid"]
    club.has_password(uid)
    window = opened(terminal, uid)
    choose(window, "My own account")
    window.see("Home directory", f"/users/{uid}", "Login shell", "/bin/bash")
    window.type("s")
    window.see("Change the login shell")
    window.type("Enter")
    window.see("The login shell of", "/bin/dash")
    window.type("/", "Esc")
    window.see("/bin/dash")
    window.type("Down", "Enter")
    while "/bin/bash becomes /bin/dash" not in window.see("Enter changes the login shell"):
        window.type("Esc")
        window.see("The login shell of")
        window.type("Down", "Enter")
    window.see(f"Enter changes the login shell of {uid}.")
    assert club.client(uid).member(uid)["login_shell"] == "/bin/bash"
    window.type("Enter")
    _see_the_end(window, f"The login shell of {uid} is /bin/dash.")
    window.type("Enter")
    window.see("Forwarding")
    window.type("f")
    window.type("Enter")
    window.see("Forward mail to")
    window.type("|sh", "Enter")
    window.see("looks like name@example.org", "|sh")
    window.type("Ctrl-U", "me@example.org", "Enter")
    window.see("Mail now", "stays here", "Mail from then on", "me@example.org", f"Enter changes where mail to {uid} goes.")
    window.type("Enter")
    _see_the_end(window, f"Mail to {uid} goes to me@example.org")
    window.type("Enter")
    window.see("me@example.org", "Renew as a member")
    told = club.client(uid).member(uid)
    assert told["forwarding_addresses"] == ["me@example.org"] and told["login_shell"] != "/bin/bash"


def test_a_reset_a_deletion_and_its_undoing(club: Club, terminal: Open) -> None:
    uid = club.add(cn="Going Person")["result"]["uid"]
    window = opened(terminal, "ctdalek")
    window.type("/", uid, "Enter")
    window.see("Going Person")
    window.type("p")
    window.see("A temporary password, shown once")
    window.type("Enter")
    window.see("Enter resets the password")
    window.type("Enter")
    text = _see_the_end(window, f"The password of {uid} is reset", "Temporary password", secret=True)
    with pytest.raises(tickets.PasswordExpired):
        tickets.initial(f"{uid}@{REALM}", password_in(text), "MEMORY:menu")
    window.type("Enter")
    window.see("Home directory", "Right, or a first letter")
    assert password_in(text) not in window.text
    window.type(*["Enter"] * 4)  # too many, which reset nothing more
    window.see("Home directory", "Right, or a first letter")
    choose_action(window, "Delete", "it is kept and can be restored")
    window.type("Enter")
    window.see("Type the username to confirm")
    window.type("Enter")
    window.see(f"type {uid} to delete the account")
    window.type(uid, "Enter")
    _see_the_end(window, f"{uid} is deleted")
    window.type("Enter")
    window.see("deleted", "Restore")
    choose_action(window, "Restore", "Bring the account back")
    window.type("Enter")
    window.see("Enter restores")
    window.type("Enter")
    _see_the_end(window, f"{uid} is back")
    window.type("Enter")
    window.see("Delete")
    assert not club.client("ctdalek").member(uid)["deleted"]


# Finding people


def test_people_are_found_while_one_types(club: Club, terminal: Open) -> None:
    """By a part of the name, by how it sounds, by username and by program; lapsed ones too, each marked as such."""
    surname = f"Q{club.name()}"
    uid = club.add(cn=f"Phil {surname}", program=f"Zymurgy {surname}", terms=["f2018"])["result"]["uid"]
    window = opened(terminal)
    window.type("/")
    window.see("At least 2 letters")
    window.type("z")
    window.see("At least 2 letters")
    assert not window.shows("Enter open"), "there is nothing to open yet"
    for text in (surname[2:], uid[1:], f"Zymurgy {surname}", f"Fill {surname}"):
        window.type("Ctrl-U", text)
        window.see(f"Phil {surname}", "f2018", "lapsed", "1 found")
    assert window.shows("Enter open")
    window.type("Ctrl-U", f"group:syscom {surname}")
    window.see("No match.")
    assert not window.shows("Enter open")
    window.type("Ctrl-U", f"f2018 {surname}")
    window.see(f"Phil {surname}", "found")
    window.type("Ctrl-U", "group:syscom")
    window.see("Calum Dalek")
    window.type("Ctrl-U", "no such person")
    window.see("No match.")
    window.type("Ctrl-U", f"{surname} Phil")  # as it stands on a card
    window.see(f"Phil {surname}", "found")


def test_hostile_text_from_the_directory_moves_nothing(club: Club, terminal: Open) -> None:
    """Escapes, a bidi override, wide and combining letters, put past ceod into the entry: each row begins and ends where it should."""
    uid = club.add()["result"]["uid"]
    evil = "\x1b[2J\x1b[31mEvil\x07\x08\u202eName\r\n漢字仮名交じり文漢字仮名交じり文 e\u0301"
    _replace(club, uid, cn=evil, program="漢" * 60 + "\x1b]0;owned\x07")
    window = opened(terminal)
    window.type("/", uid)
    window.see("1 found", "\\x1b[2J")
    at = window.text.index("漢")
    row = window.text[window.text.rindex("\n", 0, at) + 1 :].partition("\n")[0]
    assert row.startswith(f"  {uid}") and "f2026" in row
    window.type("Enter")
    window.see("\\x1b[2J\\x1b[31mEvil\\x07\\x08", "u202eName\\x0d\\x0a漢字仮名", "\\x1b]0;owned\\x07", "Renew as a member")
    assert window.text.splitlines()[0].strip() and window.text.splitlines()[-1].startswith(" office1")
    assert b"\x1b[31mEvil" not in window.raw and b"owned\x07" not in window.raw and "\u202e".encode() not in window.raw


def _replace(club: Club, uid: str, **values: str) -> None:
    change = f"dn: uid={uid},ou=People,{BASE_DN}\nchangetype: modify\n"
    change += "-\n".join(f"replace: {name}\n{name}:: {base64.b64encode(value.encode()).decode()}\n" for name, value in values.items())
    assert club.run_as("ctdalek", "ldapmodify", "-Q", text=change).returncode == 0


# Tickets and the lock


def test_a_ticket_of_its_own(club: Club, terminal: Open) -> None:
    window = terminal("office1", "ceo", ticket=False)
    window.see("You have no Kerberos ticket", "Username", "office1")
    window.type("wrong", "Enter")
    window.see("the password is wrong")
    window.type(PASSWORD, "Enter")
    window.see("Sign up a member", "ticket 9 h")
    window.type("/", "ctdalek", "Enter")
    window.see("Calum Dalek")
    assert not list(Path("/users/office1").glob("ccache-*"))
    assert PASSWORD.encode() not in window.raw


def test_an_expired_password_is_changed(club: Club, terminal: Open) -> None:
    uid = club.name()
    password = club.add(uid=uid)["result"]["temporary_password"]
    window = terminal(uid, "ceo", ticket=False)
    window.see("You have no Kerberos ticket")
    window.type("Up", "Ctrl-U", uid, "Enter", password, "Enter")
    window.see("has to be changed")
    window.type("one-choice-1", "Enter", "another-1", "Enter")
    window.see("not the same")
    window.type("Up", "Ctrl-U", "one-choice-1", "Enter", "Ctrl-U", "one-choice-1", "Enter")
    window.see("Sign up a member", f"{uid}  |  ticket", "What you may do for yourself")


def test_three_wrong_passwords_end_it(club: Club, terminal: Open) -> None:
    window = terminal("office1", "ceo", ticket=False)
    window.see("You have no Kerberos ticket")
    for number in range(3):
        window.type("wrong", "Enter")
        if number < 2:
            window.see("the password is wrong")
            window.type("x", "Backspace")
            window.miss("the password is wrong")
    window.ended()


def test_a_ticket_that_ends_in_the_middle(club: Club, terminal: Open, tmp_path: Path) -> None:
    """The box comes by itself; after the password one is where one was, with what was typed."""
    clock = clock_file(tmp_path)
    window = terminal("office1", "bash", "-c", f"echo {PASSWORD} | kinit -l 2m >/dev/null && exec ceo", ticket=False, clock=clock)
    window.see("Sign up a member", "ticket 0 h 01 min", "all hosts answer", seconds=60)  # a moved clock is a slow one
    window.type("Enter")
    window.see("Full name")
    window.type("half", "Enter", "Half Typed", "Enter", "Phy")
    window.see("half", "Half Typed", "Phy")
    clock.write_text("+180s")
    window.see("The ticket of office1 has ended", "Password")
    assert not window.shows("Half Typed")
    window.type("wrong", "Enter")
    window.see("the password is wrong")
    window.type(PASSWORD, "Enter")
    window.see("half", "Half Typed", "Phy", "ticket 9 h")
    window.type("sics")
    window.see("Physics")


def test_the_lock(club: Club, terminal: Open, tmp_path: Path) -> None:
    """After a time without a key, or at once; neither Ctrl-C, Ctrl-Z nor Esc opens it."""
    settings = Path("/etc/csc/ceo.toml").read_text()
    config = tmp_path / "ceo.toml"
    config.write_text("lock_after_min = 1\n" + settings)
    clock = clock_file(tmp_path)
    window = opened(terminal, clock=clock, CEO_CONFIG=str(config))
    window.type("/", "ctdalek", "Enter")
    window.see("Calum Dalek")
    clock.write_text("+70s")
    window.see("Locked by office1", "Password")
    assert not window.shows("Dalek") and not window.shows("ctdalek")
    window.type("Ctrl-C", "Ctrl-Z", "Esc", "/", "?", "Ctrl-U", "wrong", "Enter")
    window.see("the password is wrong", "Locked by office1")
    window.type(PASSWORD, "Enter")
    window.see("Calum Dalek", "Renew as a member")
    window.type("F9")
    window.see("Locked by office1")
    window.type(PASSWORD, "Enter")
    window.see("Calum Dalek")
    assert PASSWORD.encode() not in window.raw


def test_a_temporary_password_is_hidden_after_a_minute(club: Club, terminal: Open, tmp_path: Path) -> None:
    """And is never written outside the alternate screen, which no scrollback keeps."""
    uid = club.add()["result"]["uid"]
    clock = clock_file(tmp_path)
    window = opened(terminal, "ctdalek", clock=clock)
    window.type("/", uid, "Enter")
    window.see("Home directory")
    window.type("p", "Enter")
    window.see("Enter resets")
    window.type("Enter")
    password = password_in(window.see("Temporary password", "then press Enter"))
    clock.write_text("+50s")
    _see_seconds(window, range(1, 13))
    window.type("x")
    _see_seconds(window, range(50, 61))
    assert password in window.text
    clock.write_text("+120s")
    window.see("The password is hidden now.", f"Password reset, on the page of {uid}, gives another.")
    assert password not in window.text
    window.type("Ctrl-C")
    window.ended()
    inside = window.raw[window.raw.index(b"\x1b[?1049h") : window.raw.rindex(b"\x1b[?1049l")]
    assert password.encode() in inside and password.encode() not in window.raw.replace(inside, b"")


def _see_seconds(window: Terminal, wanted: range) -> None:
    """Wait until the countdown is there."""
    end = time.monotonic() + 15
    while not ((shown := re.search(r"Hidden in (\d+) s", window.text)) and int(shown[1]) in wanted):
        assert time.monotonic() < end, f"no countdown in {wanted}:\n{window.text}"
        window.read(0.1)


def _reset_password(window: Terminal, uid: str) -> str:
    """Reset a password from its page; the password, which stays on the screen."""
    window.type("/", uid, "Enter")
    window.see("Home directory")
    window.type("p", "Enter")
    window.see(f"Enter resets the password of {uid}.")
    window.type("Enter")
    return password_in(_see_the_end(window, "Temporary password", f"Password reset, on the page of {uid}, gives another.", secret=True))


def test_a_temporary_password_stays_until_enter(club: Club, terminal: Open) -> None:
    """No other key takes it away: neither one that leaves elsewhere, nor a paste, a click, a smaller window, or a lock."""
    uid = club.add()["result"]["uid"]
    window = opened(terminal, "ctdalek")
    password = _reset_password(window, uid)
    assert not window.shows("Esc back")
    for key in ("x", " ", "Esc", "/", "?", "F1", "F2", "F5", "Down", "Page-Down", "Home", "Left", "Ctrl-D", "Ctrl-N", "Ctrl-R", "Ctrl-L",
                "Backspace", "\x1b[200~\r\x1b[201~", "\x1b[<0;12;7M", "\x1b[<64;9;9M", "é", "Ctrl-C", "x"):
        window.type(key)
        window.read(0.2)
        assert window.shows(password), f"{key!r} took the password away:\n{window.text}"
    for columns, rows in ((60, 20), (120, 40), (80, 24)):
        window.resize(columns, rows)
        window.read(0.3)
        assert password in window.see("Write it down, then press Enter.")
    window.type("Tab")
    window.see(" ms", password)
    window.type("F9")
    window.see("Locked by ctdalek")
    assert not window.shows(password)
    window.type(PASSWORD, "Enter")
    window.see(password, "then press Enter")
    time.sleep(_SETTLED_S)  # an Enter that was meant for the lock takes no password away
    window.type("Enter")
    window.see("Home directory")
    assert not window.shows(password)


@pytest.mark.parametrize("how", ["Ctrl-C", "SIGKILL"])
def test_a_password_that_nobody_confirmed_is_reset_with_one_key(club: Club, terminal: Open, how: str) -> None:
    """Of a reset as of a sign-up; the menu that is left so says it, and the next start offers another password."""
    uid = club.add()["result"]["uid"]
    state = f"/users/ctdalek/state-{uid}"
    window = opened(terminal, "ctdalek", XDG_STATE_HOME=state)
    first = _reset_password(window, uid)
    if how == "Ctrl-C":
        window.type("Ctrl-C")
        window.see("Ctrl-C again leaves without it.", first)
        window.type("Ctrl-C")
        window.ended()
        window.see("nobody confirmed the password of: Reset the password of")
    else:
        window.process.kill()
        window.ended()
    again = terminal("ctdalek", "ceo", XDG_STATE_HOME=state)
    again.see("While you were away", "Nobody confirmed", f"R resets the password of {uid}.")
    again.type("r")
    again.see(f"Enter resets the password of {uid}.")
    again.type("Enter")
    second = password_in(_see_the_end(again, "Temporary password", secret=True))
    assert second != first
    with pytest.raises(tickets.PasswordExpired):
        tickets.initial(f"{uid}@{REALM}", second, "MEMORY:menu")
    again.type("Enter")
    again.see("Sign up a club rep", "Lock the screen")
    again.type("Ctrl-C")
    again.ended()
    once_more = opened(terminal, "ctdalek", XDG_STATE_HOME=state)
    assert not once_more.shows("While you were away")


def test_random_keys_neither_crash_it_nor_lead_into_a_dead_end(club: Club, terminal: Open) -> None:
    """A hundred here, as somebody who can break little; ten thousand in make soak."""
    window = opened(terminal, "regular1")
    try:
        wander(window, random.Random(0), 100, PASSWORD)
    except AssertionError:
        if window.process.poll() != 0:  # one may take Quit
            raise


def test_a_forward_file_of_more_than_addresses_is_replaced_after_a_question(club: Club, terminal: Open) -> None:
    uid = club.add()["result"]["uid"]
    path = Path("/users") / uid / ".forward"
    text = '"|/usr/bin/vacation"\na@example.org\n'
    path.write_text(text)
    os.chown(path, path.parent.stat().st_uid, -1)
    window = opened(terminal)
    window.type("/", uid)
    window.see(f"{uid} ")
    window.type("Enter")
    window.see("Forwarding")
    window.type("f", "Enter")
    window.see("Forward mail to")
    window.type("Ctrl-U", "b@example.org", "Enter")
    window.see("They are lost", '"|/usr/bin/vacation"', f"Enter changes where mail to {uid} goes.")
    assert path.read_text() == text
    window.type("Enter")
    _see_the_end(window, f"Mail to {uid} goes to b@example.org.")
    assert path.read_text() == "b@example.org\n"
