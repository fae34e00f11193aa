"""The menu's administration: what is done to many at once, transactions, the log, the hosts, an account examined."""

from __future__ import annotations

import re
import sqlite3
import time

from ceo_common.krb5.admin import Admin
from sandbox.club import BASE_DN, PASSWORD, host_place
from tests.club.adds import stuck
from tests.club.club import ADMIN, Club, until
from tests.club.menu import choose, opened
from tests.club.terminal import Open, password_in

HOST = f"{ADMIN}.csclub.internal"


def _give_up(club: Club, identifier: str, step: str) -> None:
    """As if ceod had tried a step for a week."""
    with sqlite3.connect(host_place(ADMIN) / "ceod/journal.db", timeout=10) as journal:
        journal.execute('UPDATE steps SET state = \'given_up\' WHERE "transaction" = ? AND name = ?', (identifier, step))


def _state(club: Club, identifier: str, step: str) -> str:
    steps = club.client("ctdalek").transaction(HOST, identifier)["steps"]
    return next(str(row["state"]) for row in steps if row["name"] == step)


def _expires(club: Club, uid: str) -> bool:
    (entry,) = club.entries(f"(uid={uid})").values()
    return "shadowExpire" in entry


def test_expiry_is_shown_and_done_only_for_the_count_that_is_typed(club: Club, terminal: Open) -> None:
    uid = club.add(terms=["f2013"], cn="Lapsed Person")["result"]["uid"]
    count = club.client("ctdalek").expiry()["count"]
    window = opened(terminal, "ctdalek")
    choose(window, "Expire accounts")
    window.see(uid, "Lapsed Person", "f2013", "due", "How many?", "to expire th")
    window.type(str(count + 1), "Enter")
    window.see(f"type {count}, or Esc")
    window.type("Backspace")
    window.miss(f"type {count}, or Esc")
    assert not _expires(club, uid)
    window.type("Ctrl-U", str(count), "Enter")
    window.see("✓ accounts", "✓ mailing list", f"{count} account", "expired", "Done in", seconds=60)
    assert _expires(club, uid) and club.principal(uid).expires and not club.on_list(uid)
    time.sleep(0.8)
    window.type("Enter")
    window.see("There is no account to expire now.")


def test_an_expiry_shows_who_is_left_out(club: Club, terminal: Open) -> None:
    locked, free = (club.add(terms=["f2013"])["result"]["uid"] for _ in range(2))
    with stuck(club, locked):
        count = club.client("ctdalek").expiry()["count"]
        window = opened(terminal, "ctdalek")
        choose(window, "Expire accounts")
        window.see(free, f"Left out, because they are being changed just now: {locked}")
        window.type(str(count), "Enter")
        window.see("left out, for another run", f"{locked}  ", "is being undone", seconds=60)
        assert _expires(club, free)
        assert not _expires(club, locked)
        time.sleep(0.8)
        window.type("Enter")
        window.see("All accounts that are due are being changed just now", locked)
    club.done(club.client("ctdalek").expire_members(1))


def test_programs_are_shown_before_they_are_changed_and_nobody_is_reminded(club: Club, terminal: Open) -> None:
    student = club.student()
    uid, new = student["uid"], student["program"]
    club.done(club.client("office1").add_member(club.member(uid, program="Undeclared")))
    window = opened(terminal, "ctdalek")
    choose(window, "Remind members")
    window.see("There is nobody to remind now.")
    window.type("Esc")
    window.see("Find somebody")
    choose(window, "Update programs")
    window.see(uid, "Undeclared", new[:20], "The university does not know")
    window.type("Enter")
    window.see("what the university says, as listed", "Enter changes")
    assert club.client("office1").member(uid)["program"] == "Undeclared"
    window.type("Enter")
    window.see("✓ programs", "updated.", "Done in")
    assert club.client("office1").member(uid)["program"] == new
    time.sleep(0.8)
    window.type("Enter")
    window.see("No program differs from the university's.")


def test_a_transaction_is_resumed_and_given_up_from_its_story(club: Club, terminal: Open) -> None:
    last = club.add()
    uid, identifier, step = last["result"]["uid"], last["transaction"], "mailing list"
    _give_up(club, identifier, step)
    window = opened(terminal, "ctdalek")
    choose(window, "Transactions")
    window.see(f"Sign-up of {uid}", "completed")
    window.type("Enter")
    text = window.see(f"Sign-up of {uid}", "Asked by office1", "✓ LDAP user done", "✗ mailing list given up")
    assert identifier not in text and "add_member" not in text
    window.type("Tab")
    window.see("Operation         add_member", "Asked from", identifier[:20])
    window.type("Tab")
    window.miss(identifier[:20])
    window.type("Enter")
    window.see("✓ mailing list done", "why nothing can be done")
    assert _state(club, identifier, step) == "done"
    _give_up(club, identifier, step)
    window.see("✗ mailing list given up", "to what can be done")  # by itself
    window.type("Enter", "a", "Enter")
    window.see("never tries it again", "Reason")
    window.type("9780131103627", "Enter")
    window.see("type the reason in words")
    window.type("Ctrl-U", "done by hand", "Enter")
    window.see("It is given up.", "What is left", "mailing list")
    window.type("Enter")
    window.see("mailing list not needed any more", "why nothing can be done")
    window.type("a")
    window.see("It can be abandoned only when it is stuck")
    assert _state(club, identifier, step) == "skipped"
    newest = club.client("ctdalek").log(HOST)["rows"][0]
    assert (newest["who"], newest["what"], newest["reason"]) == ("ctdalek", "abandon", "done by hand")
    assert newest["subject"] == uid
    window.type("Esc", "Esc")
    window.see("Find somebody")
    choose(window, "Audit log")
    window.see(f"{step} for {uid}", f"Abandoned: {uid}")


def test_what_one_did_stands_in_the_log_and_leads_to_its_story(club: Club, terminal: Open) -> None:
    uid = club.add()["result"]["uid"]
    window = opened(terminal, "office1")
    choose(window, "Audit log")
    window.see("office1", f"Sign-up of {uid}", "of yours")
    assert not re.search(r"[0-9]{2}:[0-9]{2}  +(ctdalek|regular1)", window.text), "what others did"
    window.type("Enter")
    text = window.see("Who did it", "Outcome", "completed", f"About {uid}")
    assert "remote" not in text and "add_member" not in text
    window.type("Tab")
    window.see("remote", "add_member")
    window.type("Enter")
    window.see(f"Sign-up of {uid}", "Right, or a first letter: why nothing can be done.")
    window.type("Right")
    window.see("No step of it waits")
    window.type("Esc", "Esc", "Esc")
    window.see("Find somebody")
    choose(window, "Audit log")
    window.see("of yours")
    window.type("v")  # not office's to verify
    window.see("of yours")
    window.type("Esc")
    window.see("Find somebody")
    choose(window, "Hosts")
    window.see("office1@CSCLUB.INTERNAL, for another 9 h", f"{HOST} ✓ name, port", "✓ kadmind", "✓ mailman", "✓ postgresql", "All is well")


def test_the_directory_is_examined(club: Club, terminal: Open) -> None:
    nobody = f"uid=nobody-at-all,ou=People,{BASE_DN}"
    change = (
        f"dn: cn=office,ou=Group,{BASE_DN}\nchangetype: modify\n"
        f"%s: uniqueMember\nuniqueMember: {nobody}\n"
    )
    assert club.run_as("ctdalek", "ldapmodify", "-Q", text=change % "add").returncode == 0
    try:
        window = opened(terminal, "office1")
        choose(window, "Hosts")
        window.see("D directory")
        window.type("d")
        window.see(
            "The directory",
            "✗ members",
            f"looked at: cn=office,ou=Group,{BASE_DN}",
            "names no account",
            "wrong.",
        )
    finally:
        assert club.run_as("ctdalek", "ldapmodify", "-Q", text=change % "delete").returncode == 0
    window.type("Ctrl-R")
    window.miss("nobody-at-all")
    member = opened(terminal, "regular1")
    choose(member, "Hosts")
    member.see("All is well")
    member.type("d")
    member.see("All is well")
    assert "D directory" not in member.text


def test_the_audit_log_is_verified(club: Club, terminal: Open) -> None:
    window = opened(terminal, "ctdalek")
    choose(window, "Audit log")
    window.see("of everybody", "V verify")
    window.type("v")
    window.see(HOST, "mail.csclub.internal", "coffee.csclub.internal", "Genuine:")


def test_an_account_is_examined_and_mended(club: Club, terminal: Open) -> None:
    uid = club.add()["result"]["uid"]
    Admin.with_password("sysadmin/admin", PASSWORD).delete(uid)
    windows = [opened(terminal, who) for who in ("office1", "ctdalek")]
    for window in windows:
        window.type("/", uid)
        window.see("1 found")
        window.type("Enter")
        window.see("Home directory", "Examine")
        window.type("e", "Enter")
        window.see("✗ Kerberos principal there is none", "→ make it, with a temporary password", "✓ LDAP user", "1 thing is wrong.")
    office, syscom = windows
    office.see("Only the systems committee may repair an account.")
    office.type("Enter")
    office.see("1 thing is wrong.")
    syscom.type("Enter")
    syscom.see("To be mended", "make it, with a temporary password", f"Enter mends the account {uid}")
    syscom.type("Enter")
    syscom.see("✓ Kerberos principal", "Mended: Kerberos principal.", "Temporary password")
    password = password_in(syscom.text)
    assert club.principal(uid) is not None
    time.sleep(0.8)
    syscom.type("Enter")
    syscom.see("✓ Kerberos principal", "All is well.")
    assert password not in syscom.text
    until(lambda: not [found for found in club.client("office1").examine(uid) if found["state"] != "ok"], 5)
