"""What waited for the mail host never undoes what was wished meanwhile."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import time_machine

from ceo_common.client import Client
from ceo_common.errors import BackendDown, Exists, NotFound, WrongState
from ceod.operations.wishes import Wishes
from ceod.transaction.journal import Journal
from sandbox.club import host_place
from tests.club import foreign
from tests.club.club import Club, until
from tests.e2e.test_mailman import _rest
from tests.e2e.test_members import _expire
from tests.faults.test_databases import _up

ADMIN, MAIL = "phosphoric-acid.csclub.internal", "mail.csclub.internal"
_JOBS = "lists/jobs.csclub.internal/"
_NOTED = "SELECT 1 FROM list_wishes WHERE list = 'jobs' AND uid = ? AND joins = 0"


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
    off = "was taken off the list csc-general after this was asked for"
    assert not club.on_list(uid["renewed"])
    skipped = ({"skipped"}, [f"{uid['renewed']} {off}"])
    assert ended["renewed"] in (skipped, ({"done"}, []))  # done, if it was tried before the wish
    assert club.on_list(uid["back"])
    assert ended["back"] == ({"done"}, [])
    assert club.on_list(uid["untold"])  # an older wish to be off it stops nobody's renewal
    assert not club.on_list(new["expired"])
    assert (
        club.mails(f"{new['expired']}@csclub.internal") == []
    )  # nobody is welcomed to what is over
    assert ended["reset"] == ({"skipped"}, [])
    assert not any(
        "password was reset" in mail for mail in club.mails(f"{uid['reset']}@csclub.internal")
    )
    assert not club.on_list(new["deleted"])
    assert not club.on_list(new["unwilling"])
    assert f"{new['unwilling']} {off}" in ended["unwilling"][1]
    assert not club.on_list(uid["joined"], "exec")
    assert ended["join"] == (
        {"skipped"},
        [f"{uid['joined']} was not put on the list exec: they are not in the group exec any more"],
    )
    assert club.on_list(uid["left"], "exec")
    assert ended["leave"] == (
        {"skipped"},
        [f"{uid['left']} stays on the list exec: they are in the group exec"],
    )
    club.done(syscom.remove_from_group("exec", uid["left"]))


def test_a_restore_joins_the_lists_that_were_still_to_be_joined(club: Club) -> None:
    """What a sign-up or a renewal had not done yet when its account was deleted is part of it."""
    syscom, office, waiting = club.client("ctdalek"), club.client("office1"), Waiting(club)
    names = ["alone", "of many", "unwilling", "back", "early"]
    uid = {name: club.name() for name in names}
    club.done(office.add_member(club.member(uid["back"])))
    office.unsubscribe("csc-general", uid["back"])  # an older wish, and the renewal's is newer
    club.service("mail", "stop", "mailman")
    try:
        for name in ("alone", "unwilling", "early"):
            waiting.begin(name, office.add_member(club.member(uid[name])))
        waiting.begin("of many", office.add_members([club.member(uid["of many"])]))
        waiting.begin("back", office.renew_member(uid["back"], {"terms": ["w2027"]}))
        with pytest.raises(BackendDown):
            office.unsubscribe("csc-general", uid["unwilling"])
        for name in names:
            waiting.begin(f"deletion of {name}", syscom.delete_member(uid[name]))
        waiting.resume()  # the account is over: a sign-up's step has nothing to do any more
        waiting.end("early")
        waiting.begin("restore of early", syscom.restore_member(uid["early"]))
    finally:
        club.service("mail", "start", "mailman")
    _up(club, MAIL, "mailman")
    waiting.resume()
    for name in waiting.by_name:
        waiting.end(name)
    results = {
        name: club.done(syscom.restore_member(uid[name])) for name in names if name != "early"
    }
    assert all(result["lists"] == ["csc-general"] for result in results.values())
    assert {name: club.on_list(uid[name]) for name in names} == {
        "alone": True,
        "of many": True,
        "unwilling": False,
        "back": True,
        "early": True,
    }
    assert "was taken off the list csc-general after this was asked for" in results["unwilling"]["warnings"][-1]


def _shadow_expire(club: Club, uid: str, change: str) -> None:
    dn = f"uid={uid},{foreign.PEOPLE}"
    foreign.write(club, f"dn: {dn}\nchangetype: modify\n{change}\n")


def test_a_broken_entry_is_waited_for_or_named(club: Club) -> None:
    """It was taken for an account that is not open any more, and never put on its list."""
    office, waiting = club.client("office1"), Waiting(club)
    uid = {"renewed": club.add()["result"]["uid"], "added": club.name()}
    office.unsubscribe("csc-general", uid["renewed"])
    club.service("mail", "stop", "mailman")
    try:
        waiting.begin("renewed", office.renew_member(uid["renewed"], {"terms": ["w2027"]}))
        waiting.begin("added", office.add_member(club.member(uid["added"])))
        for name in uid.values():
            _shadow_expire(club, name, "add: shadowExpire\nshadowExpire: 999999999999")
    finally:
        club.service("mail", "start", "mailman")
    _up(club, MAIL, "mailman")
    waiting.resume()
    *_, warning = waiting.end("added")[1]
    assert warning.startswith(
        f"{uid['added']} was not put on the list csc-general: the entry of {uid['added']}"
        " in the directory is broken: its shadowExpire is 999999999999"
    )
    renewed = waiting.by_name["renewed"][0]

    def is_named() -> bool:
        steps = waiting.syscom.transaction(ADMIN, renewed)["steps"]
        return {"broken_entry"} == {
            step["error"]["code"] for step in steps if step["state"] == "waiting"
        }

    until(is_named, 20)
    for name in uid.values():
        _shadow_expire(club, name, "delete: shadowExpire")
    waiting.resume()
    assert waiting.end("renewed") == ({"done"}, [])
    assert club.on_list(uid["renewed"])


def test_the_undoing_of_a_leave_asks_the_moderator_as_the_wish_would(club: Club) -> None:
    """A member joined a moderated list by leaving it while they asked to join."""
    approved, unapproved = (club.add()["result"]["uid"] for _ in range(2))
    uids = {approved: True, unapproved: False}
    office = club.client("office1")
    journal = Journal(host_place("mail") / "ceod")
    _rest(club, _JOBS + "config", "-X", "PATCH", "-d", "subscription_policy=moderate")
    try:
        with club.frozen("mail", "mailman"), ThreadPoolExecutor(2) as pool:
            leaves = [pool.submit(office.unsubscribe, "jobs", uid) for uid in uids]
            for uid, is_approved in uids.items():
                # The leave is noted and waits for Mailman; now the other request comes.
                until(lambda uid=uid: club.journal(_NOTED, uid, state_dir=journal.state_dir), 10)  # type: ignore[misc]
                wishes = Wishes(journal)
                wishes.make("jobs", [uid], joins=True, at=None, approved=is_approved)
            club.service("mail", "signal", "mailman", signal="CONT", group=True)
            for leave in leaves:
                with pytest.raises(NotFound):
                    leave.result(30)
        assert club.on_list(approved, "jobs")
        assert not club.on_list(unapproved, "jobs")
        requests = _rest(club, _JOBS + "requests")["entries"]
        assert [asked["email"] for asked in requests] == [f"{unapproved}@csclub.internal"]
    finally:
        for asked in (_rest(club, _JOBS + "requests") or {}).get("entries", []):
            _rest(club, f"{_JOBS}requests/{asked['token']}", "-d", "action=discard")
        _rest(club, _JOBS + "config", "-X", "PATCH", "-d", "subscription_policy=confirm")
        journal.close()
    office.unsubscribe("jobs", approved)


def test_an_account_that_is_over_leaves_whatever_a_clock_said(club: Club) -> None:
    """The mail host's clock was once an hour ahead, when somebody was put on a list."""
    syscom = club.client("ctdalek")
    uid = {name: club.name() for name in ("deleted", "expired")}
    club.done(
        club.client("office1").add_members([club.member(u, terms=["w2015"]) for u in uid.values()])
    )
    journal = Journal(host_place("mail") / "ceod")
    with time_machine.travel(time.time() + 3600):
        Wishes(journal).make("csc-general", list(uid.values()), joins=True, at=None)
    journal.close()
    assert club.done(syscom.delete_member(uid["deleted"]))
    assert not club.on_list(uid["deleted"])
    club.done(syscom.expire_members(syscom.expiry()["count"]))
    assert not club.on_list(uid["expired"])
