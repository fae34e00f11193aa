"""What Kerberos says of a password, in the command and in the menu: each with what to do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ceo_common.krb5 import tickets
from ceo_common.krb5.admin import DISALLOW_ALL, Admin
from ceo_common.krb5.errors import Krb5Error
from sandbox.club import PASSWORD, REALM
from tests.club.club import ADMIN, Club
from tests.club.terminal import Open

CACHE = "MEMORY:test-passwords"
ENGLISH = "letters, digits and signs of an English keyboard"


def _admin() -> Admin:
    return Admin.with_password("sysadmin/admin", PASSWORD)


def _new(club: Club) -> tuple[str, str]:
    """A new member, and the temporary password."""
    result = club.add()["result"]
    return result["uid"], result["temporary_password"]


def test_a_first_login_in_the_command(club: Club, terminal: Open) -> None:
    uid, password = _new(club)
    window = terminal(uid, "ceo", "whoami", ticket=False, USER=uid)
    window.see(f"Password for {uid}")
    window.type("not-the-one", "Enter")
    window.see("the password is wrong Password for")
    window.read(0.3)  # the echo goes off after the prompt is drawn
    window.type(password, "Enter")
    window.see("New password")
    window.read(0.3)
    window.type("Größe-123456", "Enter")
    window.see("Repeat for confirmation")
    window.type("Größe-123456", "Enter")
    window.see("ceo: a new password may have only the letters")
    window.read(0.3)
    window.type("their-own-choice-3", "Enter", "their-own-choice-3", "Enter")
    window.see(f"{uid}@{REALM}")
    assert window.ended() == 0


def test_a_first_login_in_the_menu(club: Club, terminal: Open) -> None:
    uid, password = _new(club)
    window = terminal(uid, "ceo", ticket=False)
    window.see("You have no Kerberos ticket")
    window.type("Up", "Ctrl-U", uid, "Enter", "not-the-one", "Enter")
    window.see("the password is wrong")
    window.type(password, "Enter")
    window.see("has to be changed")
    window.type("Größe-123456", "Enter", "Größe-123456", "Enter")
    window.see(ENGLISH)
    _admin().set_password(uid, "another", needchange=True)
    for field in ("Ctrl-U", "their-own-choice-3", "Enter"), ("Ctrl-U", "their-own-choice-3", "Enter"):
        window.type(*field)
    window.see("the password is wrong")


def test_new_passwords_are_ascii_and_old_ones_are_sent_as_typed(club: Club) -> None:
    uid, password = _new(club)
    for new in ("Größe", "pass\tword", "naïve", "\udcff", "пароль"):
        with pytest.raises(tickets.PasswordRefused, match=ENGLISH):
            tickets.change_password(f"{uid}@{REALM}", password, new)
    _admin().set_password(uid, "Größe")
    tickets.initial(f"{uid}@{REALM}", "Größe", CACHE)
    tickets.initial(f"{uid}@{REALM}", "Gr\udcc3\udcb6\udcc3\udc9fe", CACHE)
    with pytest.raises(tickets.WrongPassword):
        tickets.initial(f"{uid}@{REALM}", "Gro\u0308ße", CACHE)


def test_an_account_that_gets_no_ticket(club: Club, terminal: Open) -> None:
    locked, over, principal = club.name(), club.name(), _admin()
    for uid in (locked, over):
        club.add(uid=uid)
        club.has_password(uid)
    principal.modify(locked, set_attributes=DISALLOW_ALL)
    principal.modify(over, expires=1)
    for uid, words in ((locked, "is locked; ask the systems"), (over, "is over; ask the office")):
        with pytest.raises(tickets.NotAdmitted, match=f"the account {uid} {words}"):
            tickets.initial(f"{uid}@{REALM}", PASSWORD, CACHE)
        window = terminal(uid, "ceo", "whoami", ticket=False, USER=uid)
        window.see(f"Password for {uid}")
        window.type(PASSWORD, "Enter")
        window.see(f"ceo: the account {uid} {words}")
        assert window.ended() == 77


def test_a_policy_says_what_it_wants(club: Club) -> None:
    uid, password = _new(club)
    for words in ("addpol -minlength 20 long", f"modprinc -policy long {uid}"):
        done = club.run_as("root", "kadmin.local", "-q", words, host=ADMIN)
        assert done.returncode == 0
    try:
        with pytest.raises(tickets.PasswordRefused, match=r"(?s)the KDC refused.*20 char"):
            tickets.change_password(f"{uid}@{REALM}", password, "short-1")
    finally:
        for words in (f"modprinc -clearpolicy {uid}", "delpol -force long"):
            club.run_as("root", "kadmin.local", "-q", words, host=ADMIN)


def test_no_kdc(club: Club, terminal: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    krb5 = club.folder / "krb5-nowhere.conf"
    text = Path("/etc/krb5.conf").read_text()
    krb5.write_text(re.sub(r"^(\s*kdc) = .*", r"\1 = 127.0.0.1:1", text, flags=re.MULTILINE))
    assert "127.0.0.1:1" in krb5.read_text()
    monkeypatch.setenv("KRB5_CONFIG", str(krb5))
    with pytest.raises(Krb5Error, match="no KDC of the realm answers"):
        tickets.initial(f"office1@{REALM}", PASSWORD, CACHE)


def test_a_clock_that_is_wrong(club: Club) -> None:
    for offset in ("-10 minutes", "-3 hours", "+10 minutes"):
        done = club.run_as("office1", "faketime", offset, "ceo", "whoami")
        assert done.returncode == 77
        assert "the clocks differ by more than five minutes" in done.stderr
