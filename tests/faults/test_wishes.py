"""What waited for the mail host never undoes what was wished meanwhile."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from ceo_common.client import Client
from ceo_common.errors import BackendDown, Exists, WrongState
from tests.club.club import Club, until
from tests.e2e.test_members import _expire
from tests.faults.test_databases import _up

ADMIN, MAIL = "phosphoric-acid.csclub.internal", "mail.csclub.internal"


class Waiting:
    """Transactions whose list steps wait, by a name for each."""

    def __init__(self, club: Club) -> None:
        self.club = club
        self.syscom: Client = club.client("ctdalek")
        self.by_name: dict[str, tuple[str, list[str]]] = {}

    def begin(self, name: str, events: Any) -> None:
        *_, last = events
        assert last["status"] == "completed"
        assert last["waiting"], (name, last)
        self.by_name[name] = last["transaction"], last["waiting"]

    def resume(self) -> None:
        """Try all of them now."""
        for identifier, _ in self.by_name.values():
            with contextlib.suppress(WrongState):  # it was tried already, in its own time
                self.syscom.resume(ADMIN, identifier)

    def end(self, name: str) -> tuple[set[str], list[str]]:
        """How the steps that waited ended, and the warnings of the result."""
        identifier, names = self.by_name[name]
        until(lambda: not self._waits(self._show(identifier)), 30, name)
        told = self._show(identifier)
        states = {step["state"] for step in told["steps"] if step["name"] in names}
        return states, told["result"].get("warnings", [])

    def _show(self, identifier: str) -> dict[str, Any]:
        return self.syscom.transaction(ADMIN, identifier)

    def _waits(self, told: dict[str, Any]) -> bool:
        return any(step["state"] == "waiting" for step in told["steps"])


def test_a_waiting_step_never_overrides_a_newer_wish(club: Club) -> None:
    syscom, office, waiting = club.client("ctdalek"), club.client("office1"), Waiting(club)
    names = ["renewed", "back", "untold", "joined", "left", "reset"]
    uid = {name: club.name() for name in names}
    club.done(office.add_members([club.member(uid[name]) for name in names]))
    club.done(syscom.add_to_group("exec", uid["left"]))
    for name in ("renewed", "untold"):
        office.unsubscribe("csc-general", uid[name])
    new = {name: club.name() for name in ("expired", "deleted", "unwilling")}

    for server in ("mailman", "smtp"):
        club.service("mail", "stop", server)
    try:
        for name in ("renewed", "back", "untold"):
            waiting.begin(name, office.renew_member(uid[name], {"terms": ["w2027"]}))
        for name, name_uid in new.items():
            waiting.begin(name, office.add_member(club.member(name_uid)))
        _expire(club, new["expired"])
        waiting.begin("deletion", syscom.delete_member(new["deleted"]))
        # Whoever asks while Mailman is away is told that it was not done; their wish stands all the same.
        with pytest.raises(BackendDown):
            office.unsubscribe("csc-general", new["unwilling"])
        waiting.begin("reset", syscom.reset_password(uid["reset"]))
        waiting.begin("reset and deleted", syscom.delete_member(uid["reset"]))
        waiting.begin("join", syscom.add_to_group("exec", uid["joined"]))
        waiting.begin("join undone", syscom.remove_from_group("exec", uid["joined"]))
        waiting.begin("leave", syscom.remove_from_group("exec", uid["left"]))
        waiting.begin("leave undone", syscom.add_to_group("exec", uid["left"]))
    finally:
        for server in ("smtp", "mailman"):
            club.service("mail", "start", server)
    _up(club, MAIL, "mailman")
    _up(club, ADMIN, "smtp")

    # Since then by hand: off, and off and on again.
    for name in ("renewed", "back"):
        with contextlib.suppress(Exists):
            office.subscribe("csc-general", uid[name])
        office.unsubscribe("csc-general", uid[name])
    office.subscribe("csc-general", uid["back"])

    waiting.resume()
    ended = {name: waiting.end(name) for name in waiting.by_name}
    off = "was taken off the list csc-general later than this was wished"
    assert not club.on_list(uid["renewed"])
    skipped = ({"skipped"}, [f"{uid['renewed']} {off}"])
    assert ended["renewed"] in (skipped, ({"done"}, []))  # done, if it was tried before the wish
    assert club.on_list(uid["back"])
    assert ended["back"] == ({"done"}, [])
    assert club.on_list(uid["untold"])  # an older wish to be off it stops nobody's renewal
    assert not club.on_list(new["expired"])
    assert club.mails(f"{new['expired']}@csclub.internal") == []  # nobody is welcomed to what is over
    assert ended["reset"] == ({"skipped"}, [])
    assert not any("password was reset" in mail for mail in club.mails(f"{uid['reset']}@csclub.internal"))
    assert not club.on_list(new["deleted"])
    assert not club.on_list(new["unwilling"])
    assert ended["unwilling"][1] == [f"{new['unwilling']} {off}"]
    assert not club.on_list(uid["joined"], "exec")
    assert ended["join"] == ({"skipped"}, [f"{uid['joined']} was not put on the list exec: they are not in the group exec any more"])
    assert club.on_list(uid["left"], "exec")
    assert ended["leave"] == ({"skipped"}, [f"{uid['left']} stays on the list exec: they are in the group exec"])
    club.done(syscom.remove_from_group("exec", uid["left"]))
