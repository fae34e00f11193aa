"""The menu's administration while a host is frozen or away."""

from __future__ import annotations

from tests.club.adds import ended, held
from tests.club.club import ADMIN, Club, until
from tests.club.menu import choose, opened
from tests.club.terminal import Open


def test_a_frozen_host_does_not_hold_up_the_others(club: Club, terminal: Open) -> None:
    """Nor the list of transactions for long; and when it is back the screen says so by itself."""
    window = opened(terminal, "ctdalek", rows=40)  # what coffee lacks stands last
    with club.frozen("coffee", "ceod"):
        choose(window, "Hosts")
        window.see("phosphoric-acid.csclub.internal ✓", "✓ kadmind", "✓ mailman", "One moment", seconds=2.5)
        window.see("✗ TLS", "it does not answer as ceod does", "→ on coffee.csclub.internal", "wrong, ")
        window.type("Esc")
        window.see("Find somebody")
        choose(window, "Transactions")
        window.see("Without coffee: no answer", seconds=20)
        window.type("Esc")
        window.see("Find somebody")
        choose(window, "Hosts")
        window.see("✗ TLS")
    window.see("All is well", "✓ postgresql", seconds=30)


def test_what_waits_for_a_host_is_resumed_when_it_is_back(club: Club, terminal: Open) -> None:
    uid, syscom = club.add()["result"]["uid"], club.client("ctdalek")
    window = opened(terminal, "ctdalek")
    club.service("mail", "stop", "ceod")
    try:
        *_, last = syscom.delete_member(uid)
        assert last["waiting"] == ["mailing lists"]
        choose(window, "Hosts")
        window.see("mail.csclub.internal ✓ name", "✗ port", "it does not answer", "systemctl status ceod")
        window.type("Esc")
        window.see("Find somebody")
        choose(window, "Transactions")
        window.see(f"Deletion of {uid}", "Without mail: no answer")
        window.type("Enter")
        window.see(f"Deletion of {uid}", "… mailing lists waits after", "next on")
        assert club.on_list(uid)
    finally:
        club.service("mail", "start", "ceod")
    club.settled()
    window.type("Enter")
    window.see("✓ mailing lists done", seconds=20)
    assert not club.on_list(uid)
    club.done(syscom.restore_member(uid))


def test_a_transaction_under_way_is_followed_to_its_end(club: Club, terminal: Open) -> None:
    window = opened(terminal, "ctdalek")
    with held(club, 1) as (add,):
        choose(window, "Transactions")
        window.see(f"Sign-up of {add.uid}", "under way")
        window.type("Enter")
        window.see(f"Sign-up of {add.uid}", "✓ LDAP user done", "· Kerberos principal was begun")
        window.type("f", "Enter")
        window.see(f"Sign-up of {add.uid}", "✓ LDAP user", "· Kerberos principal")
        window.see("Waiting for phosphoric-acid,", "You may leave with Esc: it goes on.", "waiting for phosphoric-acid,")
    window.see("✓ Kerberos principal", "✓ announcement", "It is completed.")
    until(lambda: ended(club, add.uid), 20)
    club.whole(add.uid)


def test_a_menu_that_was_opened_while_ceod_was_down_soon_knows_who_uses_it(
    club: Club, terminal: Open
) -> None:
    club.service(ADMIN, "stop", "ceod")
    try:
        window = terminal("office1", "ceo")
        window.see("phosphoric-acid silent")
    finally:
        club.service(ADMIN, "start", "ceod")
    window.see("all hosts answer", seconds=10)
