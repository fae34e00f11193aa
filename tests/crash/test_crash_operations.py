"""Every boundary of every operation: the process ends or the step fails there, and the world is as before or as
it should be.

Many accounts crash before one recovery, so that a case costs a fork.  How the world should be is what an undisturbed run makes of it.
"""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ceo_common.krb5.admin import Admin
from ceod.operations.registry import OPERATIONS
from sandbox.club import BASE_DN, PASSWORD
from tests.club.club import Club
from tests.club.crashes import Runner, boundaries

Task = dict[str, Any]
PEOPLE, GROUPS = f"ou=People,{BASE_DN}", f"ou=Group,{BASE_DN}"


MAILS = Path("/srv/sandbox/mail")


def worlds(club: Club, uids: list[str], old_mails: set[Path]) -> dict[str, str]:
    """Everything that every server holds of each name, as one text; what differs from name to name written alike."""
    wanted = "".join(f"(uid={uid})(cn={uid})(cn=%{uid})(uniqueMember=uid={uid},{PEOPLE})(memberUid={uid})(sudoUser={uid})" for uid in uids)
    entries = club.entries(f"(|{wanted})")
    lines = {dn: [f"{name}={value.decode(errors='replace')}" for name, values in entry.items() for value in values] for dn, entry in entries.items()}
    mails = [path.read_text() for path in sorted(set(MAILS.glob("*.eml")) - old_mails)]
    lists = club.rosters()
    archived = sorted(path.name for path in Path("/users/.archive").iterdir())
    found = {}
    for uid in uids:
        pattern = re.compile(rf"\b{uid}\b")
        near = [dn for dn in entries if uid in dn or any(uid in line for line in lines[dn])]  # many times quicker than the pattern
        own = {dn for dn in near if pattern.search(dn)}
        named = {dn: sorted(line for line in lines[dn] if dn in own or pattern.search(line)) for dn in near}
        named = {dn: found_lines for dn, found_lines in named.items() if dn in own or found_lines}
        principal = club.principal(uid)
        kept = [name for name in archived if name.startswith(f"{uid}.")]
        world = {
            "ldap": named, "principal": [principal.attributes, principal.expires] if principal else None,
            "home": club.home(uid), "archived": {name: club.home(f".archive/{name}") for name in kept},
            "mails": sorted({line for mail in mails if pattern.search(mail) for line in mail.splitlines() if line.startswith("Subject:")}),
            "lists": sorted(name for name, addresses in lists.items() if f"{uid}@csclub.internal" in addresses),
        }
        text = json.dumps(world, sort_keys=True, indent=1, default=str)
        numbers = {value.decode() for dn in own for value in entries[dn].get("gidNumber", [])}
        text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "TRANSACTION", pattern.sub("NAME", text))
        for number in numbers:
            text = re.sub(rf"\b{number}\b", "NUMBER", text)
        found[uid] = text
    return found


@dataclass(frozen=True)
class Case:
    """How an operation is asked for; `later` are its steps after the commit that have something to do, `notes` those that note facts."""

    operation: str
    subjects: Callable[[Club, Runner, int], list[str]]
    task: Callable[[Runner, str], Task]
    later: tuple[str, ...] = ()
    notes: tuple[tuple[str, str], ...] = ()
    one_at_a_time: bool = False  # what it locks is everybody's
    clean_up: Callable[[Runner, list[str]], None] = field(default=lambda _runner, _uids: None)

    def boundaries(self) -> list[tuple[bool, Task]]:
        """Whether the commit comes before it, and where to end or fail."""
        return boundaries(OPERATIONS[self.operation, 1], self.later, self.notes)


def _members(club: Club, _runner: Runner, count: int) -> list[str]:
    rows = [club.member(forwarding_addresses=["before@example.org"]) for _ in range(count)]
    *_, last = club.client("office1").add_members(rows)
    assert last["status"] == "completed", last
    return [row["uid"] for row in rows]


def _names(club: Club, _runner: Runner, count: int) -> list[str]:
    return [club.name() for _ in range(count)]


def _asked(operation: str, uid: str, arguments: Task, *names: str, who: str = "ctdalek", **more: Any) -> Task:
    return {"do": "run", "operation": operation, "as": who, "subject": uid, "names": [f"account:{uid}", *names], "arguments": arguments, **more}


def _prepared(runner: Runner, operation: str, **told: Any) -> Task:
    answer: Task = runner.ask(do="prepare", operation=operation, told=told)["last"]
    assert "status" not in answer, answer
    return answer


def _lapsed_reps(club: Club, _runner: Runner, count: int) -> list[str]:
    rows = [{"uid": club.name(), "cn": "Rep Person", "program": "x", "non_member_terms": ["w2020"]} for _ in range(count)]
    *_, last = club.client("office1").add_members(rows)
    assert last["status"] == "completed", last
    return [str(row["uid"]) for row in rows]


def _expired_reps(club: Club, runner: Runner, count: int) -> list[str]:
    uids = _lapsed_reps(club, runner, count)
    assert runner.ask(**_expire(uids))["last"]["result"] == {
        "expired": count,
        "failed": {},
        "left_out": {},
        "day": 20000,
    }
    return uids


def _expire(uids: list[str]) -> Task:
    return _asked("expire_members", uids[0], {"accounts": uids, "day": 20000, "now": 20000 * 86400.0 + 1e8})


def _renewal(_runner: Runner, uid: str) -> Task:
    told = {"uid": uid, "terms": ["f2026"], "non_member_terms": None, "list": "csc-general", "warnings": []}
    return _asked("renew_member", uid, told, who="office1")


def _deleted(club: Club, runner: Runner, count: int) -> list[str]:
    uids = _members(club, runner, count)
    change = f"dn: cn=staff,{GROUPS}\nchangetype: modify\nadd: uniqueMember\n" + "".join(f"uniqueMember: uid={uid},{PEOPLE}\n" for uid in uids)
    assert club.run_as("ctdalek", "ldapmodify", "-Q", text=change).returncode == 0
    for uid in uids:
        assert runner.ask(**_asked("delete_member", uid, {"uid": uid, "lists_to_join": {}}))["last"]["status"] == "completed"
    return uids


def _numbered(club: Club, task: Task) -> Task:
    """With the number that the account has."""
    if "uid_number" in task["arguments"]:
        (entry,) = club.entries(f"(uid={task['subject']})").values()
        task["arguments"]["uid_number"] = int(entry["uidNumber"][0])
    return task


def _restore(runner: Runner, uid: str) -> Task:
    return _asked("restore_member", uid, _prepared(runner, "restore_member", uid=uid))


def _group(runner: Runner, uid: str, *, join: bool) -> Task:
    return _asked("change_group", uid, _prepared(runner, "change_group", group="syscom", uid=uid, join=join), "group:syscom")


def _in_syscom(club: Club, runner: Runner, count: int) -> list[str]:
    uids = _members(club, runner, count)
    for uid in uids:
        assert runner.ask(**_group(runner, uid, join=True))["last"]["status"] == "completed"
    return uids


def _leave_syscom(runner: Runner, uids: list[str]) -> None:
    for uid in uids:
        told = runner.ask(do="prepare", operation="change_group", told={"group": "syscom", "uid": uid, "join": False})["last"]
        if "status" not in told:  # who is not in it needs not leave
            assert runner.ask(**_asked("change_group", uid, told, "group:syscom"))["last"]["status"] == "completed"


def _positions(runner: Runner, uid: str) -> Task:
    return _asked("set_positions", uid, _prepared(runner, "set_positions", positions=["librarian", "imapd"], add=uid), "positions")


def _nobody_holds_them(runner: Runner, uids: list[str]) -> None:
    told = _prepared(runner, "set_positions", positions=["librarian", "imapd"], add=None)
    assert runner.ask(**_asked("set_positions", uids[0], told, "positions"))["last"]["status"] == "completed"


def _rows(*uids: str) -> Task:
    rows = [{"uid": uid, "cn": "Test Person", "program": "x", "given_name": None, "sn": None, "terms": ["f2026"], "non_member_terms": None,
             "forwarding_addresses": []} for uid in uids]
    return _asked("add_members", uids[0], {"members": rows, "warnings": []}, passwords=dict.fromkeys(uids, "a-new-one-1234"))


def _programs(_runner: Runner, uid: str) -> Task:
    return _asked("update_programs", uid, {"changes": [{"uid": uid, "old": "Mathematics", "new": "Études"}]})


def _reminder(_runner: Runner, uid: str) -> Task:
    account = {"uid": uid, "cn": "Test Person", "last_term": "f2026", "is_rep": False, "expires_on": "2027-02-01"}
    return _asked("remind_members", uid, {"now": 1_800_000_000.0, "accounts": [account]})


def _add(_runner: Runner, uid: str) -> Task:
    told = {"uid": uid, "cn": "Test Person", "program": "x", "given_name": None, "sn": None, "terms": ["f2026"], "non_member_terms": None,
            "forwarding_addresses": ["a@example.org"], "warnings": []}
    return _asked("add_member", uid, told, who="office1", passwords={uid: "a-new-one-1234"})


def _broken(club: Club, runner: Runner, count: int) -> list[str]:
    """Expired, still on the list, without group, principal and home."""
    uids = _members(club, runner, count)
    change = "".join(f"dn: uid={uid},{PEOPLE}\nchangetype: modify\nadd: shadowExpire\nshadowExpire: 20000\n\n"
                     f"dn: cn={uid},{GROUPS}\nchangetype: delete\n\n" for uid in uids)
    assert club.run_as("ctdalek", "ldapmodify", "-Q", text=change).returncode == 0
    kadmin = Admin.with_password("sysadmin/admin", PASSWORD)
    for uid in uids:
        kadmin.delete(uid)
        shutil.rmtree(f"/users/{uid}")
    return uids


def _mending(runner: Runner, uid: str) -> Task:
    told = _prepared(runner, "mend_account", uid=uid)
    assert told["group"] and told["principal"] and told["home"] == "build" and told["lists"]
    return _asked(
        "mend_account", uid, told | {"counter": ["members", told["number"] + 1]}, f"group:{uid}"
    )


CASES = [
    Case("add_member", _names, _add, later=("welcome mail", "mailing list", "announcement"), notes=(("do", "user number"), ("do", "home directory"))),
    Case("add_members", _names, lambda _, uid: _rows(uid, f"{uid}z"), later=("welcome mail", "mailing list", "announcement"),
         notes=(("do", "user number"), ("do", "home directory"))),
    Case("renew_member", _expired_reps, _renewal, later=("mailing lists",)),
    Case("modify_member", _members, lambda _, uid: _asked("modify_member", uid, {
        "uid": uid, "login_shell": "/bin/sh", "forwarding_addresses": ["after@example.org"]})),
    Case("reset_password", _members, lambda _, uid: _asked("reset_password", uid, {"uid": uid}, passwords={uid: "a-new-one-1234"}), later=("mail",)),
    Case("delete_member", _members, lambda _, uid: _asked("delete_member", uid, {"uid": uid, "lists_to_join": {}}), later=("mailing lists",),
         notes=(("later", "mailing lists"),)),
    Case("restore_member", _deleted, _restore, later=("mailing lists",)),
    Case("purge_member", _members, lambda _, uid: _asked("purge_member", uid, {"uid": uid, "uid_number": 0}),
         later=("Kerberos principal", "groups", "mailing lists", "home directory", "LDAP user")),
    Case("add_club", _names, lambda _, uid: _asked("add_club", uid, {"uid": uid, "cn": "A Club"}),
         notes=(("do", "user number"), ("do", "home directory"))),
    Case("add_group", _names, lambda _, uid: _asked("add_group", uid, {"uid": uid}), notes=(("do", "user number"),)),
    Case("change_group", _members, lambda runner, uid: _group(runner, uid, join=True), later=("mailing lists",), one_at_a_time=True,
         clean_up=_leave_syscom),
    Case("change_group", _in_syscom, lambda runner, uid: _group(runner, uid, join=False), later=("mailing lists left",), one_at_a_time=True,
         clean_up=_leave_syscom),
    Case("set_positions", _members, _positions, later=("mailing lists",), one_at_a_time=True, clean_up=_nobody_holds_them),
    Case("mend_account", _broken, _mending, later=("mailing lists",), notes=(("do", "home directory"),)),
    Case("expire_members", _lapsed_reps, lambda _, uid: _expire([uid]), later=("accounts", "mailing list")),
    Case("update_programs", _members, _programs, later=("programs",)),
    Case("remind_members", _members, _reminder, later=("reminders",)),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.operation}-{case.later[-1] if case.later else 'all'}".replace(" ", "_"))
def test_killed_at_every_boundary(club: Club, runner: Runner, case: Case) -> None:
    old_mails = set(MAILS.glob("*.eml"))
    cases = case.boundaries()
    reference, *uids = case.subjects(club, runner, len(cases) + 1)
    before = worlds(club, [reference, *uids], old_mails)
    last = runner.ask(**_numbered(club, case.task(runner, reference)))["last"]
    assert last["status"] == "completed" and not last["waiting"], last
    for uid, (_, crash) in zip(uids, cases, strict=True):
        assert runner.ask(**_numbered(club, case.task(runner, uid)), **crash)["signal"] == (9 if "end" in crash else 0), crash
        if case.one_at_a_time:
            assert runner.ask(do="recover")["last"] == {"status": "recovered"}, crash
    assert runner.ask(do="recover")["last"] == {"status": "recovered"}
    states = {uid: runner.states(uid)[0] for uid in uids}
    after = worlds(club, [reference, *uids], old_mails)
    case.clean_up(runner, [reference, *uids])
    assert after[reference] != before[reference]
    for uid, (committed, crash) in zip(uids, cases, strict=True):
        assert after[uid] == (after[reference] if committed else before[uid]), crash
        assert states[uid] == ("completed" if committed else "aborted"), crash
    assert club.leftovers() == []


def test_a_row_that_is_refused_in_the_middle_takes_all_of_them_back(club: Club, runner: Runner) -> None:
    """A group that somebody makes between the check and the step."""
    uids = [club.name() for _ in range(3)]
    group = f"dn: cn={uids[1]},{GROUPS}\n"
    number = 29000 + int(uids[1].rpartition("x")[2])
    text = f"{group}changetype: add\nobjectClass: top\nobjectClass: group\nobjectClass: posixGroup\ncn: {uids[1]}\ngidNumber: {number}\n"
    assert club.run_as("ctdalek", "ldapmodify", "-Q", text=text).returncode == 0
    last = runner.ask(**_rows(*uids))["last"]
    assert last["status"] == "aborted" and uids[1] in last["error"]["error"], last
    assert runner.ask(do="recover")["last"] == {"status": "recovered"}
    assert list(club.entries(f"(cn={uids[1]})")) == [f"cn={uids[1]},{GROUPS}"]  # it is not ours
    assert club.run_as("ctdalek", "ldapmodify", "-Q", text=f"{group}changetype: delete\n").returncode == 0
    for uid in uids:
        club.nothing(uid)


def test_expiring_many_goes_on_after_a_crash_and_does_each_once(club: Club, runner: Runner) -> None:
    """Killed after each of two batches: the third try ends it.  One has a day that is none (shadow(5))."""
    uids = _lapsed_reps(club, runner, 130)
    text = f"dn: uid={uids[0]},{PEOPLE}\nchangetype: modify\nadd: shadowExpire\nshadowExpire: 0\n"
    assert club.run_as("ctdalek", "ldapmodify", "-Q", text=text).returncode == 0
    task = _expire(uids)
    assert runner.ask(**task, end=["note", "later", "accounts"])["signal"] == 9
    assert runner.ask(do="recover", end=["note", "later", "accounts"])["signal"] == 9
    assert runner.ask(do="recover")["last"] == {"status": "recovered"}
    entries = {entry["uid"][0].decode(): entry for entry in club.entries("(shadowExpire=20000)").values()}
    assert set(uids) <= set(entries)
    assert {club.principal(uid).expires for uid in uids} == {20000 * 86400}
    assert not club.rosters().get("csc-general", set()) & {
        f"{uid}@csclub.internal" for uid in uids
    }
    log = club.log("phosphoric-acid.slapd")
    modified = Counter(re.findall(r'MOD dn="uid=([^,]+),', log))
    assert {uid: modified[uid] for uid in uids} == dict.fromkeys(uids, 1) | {uids[0]: 2}
    assert runner.states(uids[0])[0] == "completed"


def test_a_purged_number_is_never_given_again(club: Club, runner: Runner) -> None:
    added = club.add()["result"]
    told = {"uid": added["uid"], "uid_number": added["uid_number"]}
    assert runner.ask(**_asked("purge_member", added["uid"], told))["last"]["status"] == "completed"
    assert club.entries(f"(|(uid={added['uid']})(cn={added['uid']}))") == {} and club.principal(added["uid"]) is None
    assert club.add(uid=added["uid"])["result"]["uid_number"] > added["uid_number"]


def test_reminders_go_once_to_those_in_their_grace_month(club: Club, runner: Runner) -> None:
    """Told with the clock of January 2027, when f2026 is over and its grace month is not."""
    january = 1_800_000_000.0  # 15 January 2027
    ending, renewed, lapsed = (club.add(terms=terms)["result"]["uid"] for terms in (["f2026"], ["f2026", "w2027"], ["s2026"]))

    def remind() -> list[str]:
        told = _prepared(runner, "remind_members", now=january)
        runner.ask(**_asked("remind_members", "members", told))
        return [account["uid"] for account in told["accounts"]]

    everybody: list[str] = []
    while uids := remind():  # two hundred a day at most
        assert len(uids) <= 200 and not set(uids) & set(everybody)
        everybody += uids
    assert ending in everybody and renewed not in everybody and lapsed not in everybody
    (mail,) = [mail for mail in club.mails(f"{ending}@csclub.internal") if "Your membership" in mail]
    assert "f2026" in mail and "2027-02-01" in mail
    assert not [mail for mail in club.mails(f"{renewed}@csclub.internal") if "Your membership" in mail]


def test_a_restore_without_a_record_says_what_is_missing(club: Club, runner: Runner) -> None:
    """The deletion stands in another journal: what the directory, the KDC and the archive remember is enough for a login."""
    uid = club.add()["result"]["uid"]
    assert runner.ask(**_asked("delete_member", uid, {"uid": uid, "lists_to_join": {}}))["last"]["status"] == "completed"
    result = club.done(club.client("ctdalek").restore_member(uid))
    assert "no record of the deletion" in result["warnings"][0]
    assert club.home(uid) and club.client("ctdalek").member(uid)["login_shell"] == "/bin/bash"
    assert not club.client("ctdalek").member(uid)["deleted"]


def test_a_restore_joins_what_the_deletion_left_meanwhile(club: Club, runner: Runner) -> None:
    """The deletion's last step runs after the restore was checked and before the account is open."""
    uid = club.add()["result"]["uid"]
    deletion = _asked("delete_member", uid, {"uid": uid, "lists_to_join": {}})
    runner.ask(**deletion, end=["intent", "later", "mailing lists"])
    restore = _restore(runner, uid)
    assert club.on_list(uid)
    assert runner.ask(do="recover")["last"]["status"] == "recovered"
    assert not club.on_list(uid)
    last = runner.ask(**restore)["last"]
    assert last["status"] == "completed"
    assert last["result"]["lists"] == ["csc-general"]
    assert club.on_list(uid)


def test_side_groups_are_not_half_applied(club: Club, runner: Runner) -> None:
    """A group that vanishes between the plan and the step takes the others with it."""
    uid = club.add()["result"]["uid"]
    told = _prepared(runner, "change_group", group="office", uid=uid, join=True)
    (entry,) = club.entries("(&(cn=video)(objectClass=group))").values()
    assert club.run_as("ctdalek", "ldapmodify", "-Q", text=f"dn: cn=video,{GROUPS}\nchangetype: delete\n").returncode == 0
    try:
        last = runner.ask(**_asked("change_group", uid, told, "group:office"))["last"]
    finally:
        text = "".join(f"{name}: {value.decode()}\n" for name, values in entry.items() for value in values)
        assert club.run_as("ctdalek", "ldapadd", "-Q", text=f"dn: cn=video,{GROUPS}\n{text}").returncode == 0
    assert (last["status"], last["error"]["code"], last["undone"]) == ("aborted", "not_found", ["groups"]), last
    assert club.entries(f"(uniqueMember=uid={uid},ou=People,{BASE_DN})") == {}


def _a_directory(home: Path) -> None:
    (home / ".forward").unlink()
    (home / ".forward").mkdir()


def _another_text(home: Path) -> None:
    (home / ".forward").write_text("mine@example.org\n")


FORWARDS: dict[str, Callable[[Path], None]] = {
    "a directory": _a_directory,
    "another text": _another_text,
    "a home that takes no file": lambda home: home.chmod(0o500),
    "a home that is closed": lambda home: home.chmod(0),
    "a temporary name": lambda home: (home / ".forward.ceo-new").mkdir(),
}


def test_what_an_owner_puts_there_before_the_undo_is_left_and_locks_nothing(
    club: Club, runner: Runner
) -> None:
    """Killed between the step and its undo; the owner is quicker than recovery."""
    uids = dict(zip(FORWARDS, _members(club, runner, len(FORWARDS)), strict=True))
    change = {"login_shell": None, "forwarding_addresses": ["after@example.org"]}
    for uid in uids.values():
        crash = ["effect", "do", "forwarding"]
        assert (
            runner.ask(**_asked("modify_member", uid, {"uid": uid, **change}), end=crash)["signal"]
            == 9
        )
    for obstacle, uid in uids.items():
        FORWARDS[obstacle](Path(f"/users/{uid}"))
    last = runner.ask(do="recover")["last"]
    errors = club.journal(
        'SELECT t.subject, s.error FROM steps s JOIN transactions t ON t.id = s."transaction" WHERE s.error IS NOT NULL',
        state_dir=runner.state_dir,
    )
    assert last == {"status": "recovered"}, (uids, errors)
    for obstacle, uid in uids.items():
        state, steps = runner.states(uid)
        assert state == "aborted", obstacle
        assert steps["forwarding"] == (
            "undone" if obstacle == "a temporary name" else "not_ours"
        ), obstacle
        Path(f"/users/{uid}").chmod(0o711)
        if obstacle == "a directory":
            Path(f"/users/{uid}/.forward").rmdir()
        assert (
            runner.ask(**_asked("modify_member", uid, {"uid": uid, **change}))["last"]["status"]
            == "completed"
        ), obstacle
