"""Expiry, reminders and programs, as the systems committee and its timers run them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ceo_common.errors import Busy, Changed, Forbidden, NotFound
from sandbox.club import BASE_DN, host_place
from tests.club.adds import stuck
from tests.club.club import ADMIN, Club, until
from tests.commands.test_cli_words import _lost_command, _without_key


def _person(club: Club, uid: str) -> dict[str, Any]:
    (entry,) = club.entries(f"(uid={uid})").values()
    return entry


def test_expiry_is_rehearsed_counted_and_done(club: Club) -> None:
    """In the programs before, someone registered for a future term was mailed as expired."""
    syscom = club.client("ctdalek")
    lapsed = club.add(terms=["w2015"])["result"]["uid"]
    future = club.add(terms=["w2015", "w2028"])["result"]["uid"]
    rep = club.name()
    club.done(club.client("office1").add_member({"uid": rep, "cn": "Rep Person", "program": "x", "non_member_terms": ["w2015"]}))
    plan = syscom.expiry()
    listed = [member["uid"] for member in plan["members"]]
    assert plan["due"] == plan["count"] == len(listed) and {lapsed, rep} <= set(listed) and future not in listed
    assert listed == [member["uid"] for member in sorted(plan["members"], key=lambda m: (int(m["last_term"][1:]), "wsf".index(m["last_term"][0]), m["uid"]))]
    assert "shadowExpire" not in _person(club, lapsed)  # a rehearsal writes nothing

    with pytest.raises(Changed, match=f"{plan['count']} accounts would be expired, not {plan['count'] + 1}") as caught:
        list(syscom.expire_members(plan["count"] + 1))
    assert caught.value.more["count"] == plan["count"]

    result = club.done(syscom.expire_members(plan["count"]))
    today = int(time.time() // 86400)
    assert result["expired"] == plan["count"] - len(result["failed"]) and today - 1 <= result["day"] <= today
    for uid in (lapsed, rep):
        assert _person(club, uid)["shadowExpire"] == [str(result["day"]).encode()]
        assert club.principal(uid).expires == result["day"] * 86400
        assert not club.on_list(uid) and club.client("regular1").member(uid)["expired"]
    assert "shadowExpire" not in _person(club, future) and club.principal(future).expires == 0 and club.on_list(future)
    # Again there is nothing to do: neither in the rehearsal nor in fact.
    assert syscom.expiry()["due"] == 0
    with pytest.raises(NotFound, match="nobody is due"):
        list(syscom.expire_members(1))


def test_an_account_in_another_transaction_is_left_out_of_an_expiry(club: Club) -> None:
    """In the version before, one account in recovery kept everybody from being expired."""
    syscom = club.client("ctdalek")
    locked, free = (club.add(terms=["w2015"])["result"]["uid"] for _ in range(2))
    with stuck(club, locked) as transaction:
        left_out = {locked: f"transaction {transaction} is being undone"}
        plan = syscom.expiry()
        assert plan["left_out"] == left_out
        assert plan["due"] == plan["count"] + 1
        assert locked not in [member["uid"] for member in plan["members"]]
        shown = club.run_as("ctdalek", "ceo", "members", "expire", "--dry-run").stderr
        assert f"{locked}: left out, because transaction {transaction} is being undone" in shown

        done = club.run_as("ctdalek", "ceo", "members", "expire", "--yes")
        assert (
            f"{locked}: left out, because transaction {transaction} is being undone" in done.stdout
        )
        assert "shadowExpire" in _person(club, free)
        assert "shadowExpire" not in _person(club, locked)
        with pytest.raises(Busy, match="everybody who is due is in another transaction") as caught:
            list(syscom.expire_members(1))
        assert caught.value.more["left_out"] == left_out
    assert club.done(syscom.expire_members(1))["left_out"] == {}
    assert "shadowExpire" in _person(club, locked)


def test_the_count_allows_for_who_is_left_out_and_for_nobody_else(club: Club) -> None:
    syscom = club.client("ctdalek")
    locked, *_ = [club.add(terms=["w2015"])["result"]["uid"] for _ in range(3)]
    count = syscom.expiry()["count"]
    with stuck(club, locked):  # after the rehearsal
        for wrong in (count + 1, count - 2):
            with pytest.raises(Changed):
                list(syscom.expire_members(wrong))
        result = club.done(syscom.expire_members(count))
        assert result["expired"] == count - 1
        assert list(result["left_out"]) == [locked]
    club.done(syscom.expire_members(1))


def test_programs_leave_out_who_is_in_another_transaction(club: Club) -> None:
    syscom, students = club.client("ctdalek"), []
    for _ in range(2):
        student = club.student()
        students.append(student["uid"])
        club.done(
            club.client("office1").add_member(club.member(student["uid"], program="Undeclared"))
        )
    locked, free = students
    with stuck(club, locked) as transaction:
        left_out = {locked: f"transaction {transaction} is being undone"}
        assert syscom.programs(students)["left_out"] == left_out
        result = club.done(syscom.update_programs(students))
        assert (result["updated"], result["left_out"]) == (1, left_out)
        assert _person(club, locked)["program"] == [b"Undeclared"]
        assert _person(club, free)["program"] != [b"Undeclared"]
        with pytest.raises(Busy):
            list(syscom.update_programs(students))
    assert club.done(syscom.update_programs(students))["updated"] == 1


def test_who_may_expire_and_rehearse(club: Club) -> None:
    for who in ("office1", "regular1"):
        rule = "Only the systems committee and the club's nightly job may see which accounts would"
        with pytest.raises(Forbidden, match=rule):
            club.client(who).expiry()
        with pytest.raises(Forbidden, match="Only the systems committee may expire accounts"):
            list(club.client(who).expire_members(1))
        with pytest.raises(Forbidden):
            club.client(who).reminders()


def test_the_hosts_own_timer_rehearses_and_reminds_and_expires_nobody(club: Club) -> None:
    def as_timer(host: str, path: str) -> tuple[int, dict[str, Any]]:
        command = (f"kinit -c FILE:/tmp/cc-timer -k -t /etc/krb5.keytab ceod/{host}.csclub.internal && KRB5CCNAME=FILE:/tmp/cc-timer "
                   "curl -sS --cacert /etc/csc/ca.pem --negotiate -u : --service-name ceod -w '\\n%{http_code}' -X POST -d '{\"count\":1}' "
                   f"https://phosphoric-acid.csclub.internal:9987/api/{path}; rm -f /tmp/cc-timer")
        done = club.run_as("root", "sh", "-c", command, host=host)
        body, _, status = done.stdout.rpartition("\n")
        return int(status), json.loads(body.splitlines()[-1])

    assert as_timer("phosphoric-acid", "members/expire?dry_run")[0] == 200
    assert as_timer("phosphoric-acid", "members/remindexpire?dry_run")[0] == 200
    assert as_timer("phosphoric-acid", "members/expire")[0] == 403
    assert as_timer("mail", "members/expire?dry_run")[0] == 403  # a ceod of another host is no timer here
    assert as_timer("mail", "members/remindexpire")[0] == 403


def test_reminders_are_rehearsed(club: Club) -> None:
    """Who is reminded is told by test_crash_operations with a clock of January, and by tests/ceod/test_lapsed.py."""
    plan = club.client("ctdalek").reminders()
    assert plan["count"] == len(plan["members"]) <= plan["due"]


def test_programs_follow_the_university(club: Club) -> None:
    names = ["s0500uw", "s0501uw", "s9001uw", "s9002uw", "s9003uw"]
    syscom, office = club.client("ctdalek"), club.client("office1")
    university = {uid: office.uw_person(uid).get("program") for uid in names}
    stays = club.add()["result"]["uid"]  # whom the university does not know
    for uid in names:
        club.done(office.add_member(club.member(uid, program="Undeclared")))
    club.done(office.add_member(club.member("s0502uw", program=office.uw_person("s0502uw")["program"])))
    plan = syscom.programs([*names, stays, "s0502uw"])
    assert plan == {
        "changes": [
            {"what": "program", "of": uid, "uid": uid, "old": "Undeclared", "new": university[uid]}
            for uid in names[:2]
        ],
        "looked_at": 7,
        "unknown": 1,
        "left_out": {},
        "broken": 0,
    }
    assert _person(club, names[0])["program"] == [b"Undeclared"]
    assert club.done(syscom.update_programs([*names, stays])) == {
        "updated": 2,
        "failed": {},
        "left_out": {},
    }
    assert [_person(club, uid)["program"][0].decode() for uid in names] == [university[names[0]], university[names[1]], *["Undeclared"] * 3]
    with pytest.raises(NotFound, match="7 members were looked at, and no program changed"):
        list(syscom.update_programs([*names, stays, "s0502uw"]))
    with pytest.raises(NotFound, match="there is no account 'nobody-here'"):
        syscom.programs(["nobody-here"])
    with pytest.raises(Forbidden, match="Only the systems committee may update programs"):
        office.programs()
    # Those that were changed by the caller were changed with the caller's rights.
    log = club.log("phosphoric-acid.slapd")
    connection = log.split(f'MOD dn="uid={names[0]},ou=People,{BASE_DN}"')[0].rpartition("conn=")[2].split(" ")[0]
    assert f'conn={connection} op=2 BIND dn="uid=ctdalek,ou=people,{BASE_DN}"' in log


@pytest.fixture
def two_at_once(club: Club) -> Iterator[None]:
    """An expiry of two accounts a run; the workers read the configuration anew at HUP."""
    path = host_place(ADMIN) / "csc/ceod.toml"
    before = path.read_text()

    def reload(text: str) -> None:
        workers = club.both_workers()
        path.write_text(text)
        club.service(ADMIN, "signal", "ceod", signal="HUP")
        until(lambda: len(found := club.workers()) == 2 and not found & workers, 30, "new workers")
        club.settled()

    reload(before + "\n[members]\nexpire_at_once = 2\n")
    yield
    reload(before)


@pytest.mark.usefixtures("two_at_once")
def test_a_run_expires_no_more_than_its_share(club: Club) -> None:
    syscom, uids = club.client("ctdalek"), [club.add(terms=["w2014"])["result"]["uid"] for _ in range(3)]
    plan = syscom.expiry()
    assert plan["due"] >= 3 and plan["count"] == 2
    assert {member["uid"] for member in plan["members"]} <= set(uids)  # who lapsed first comes first
    assert club.done(syscom.expire_members(2))["expired"] == 2
    assert sorted("shadowExpire" in _person(club, uid) for uid in uids) == [False, True, True]
    with pytest.raises(Changed):
        list(syscom.expire_members(3))


def test_a_repeated_expiry_tells_the_first_result(club: Club) -> None:
    """Nobody is due any more, or others are: under its key the command is still the first one."""
    club.add(terms=["w2015"])
    command = _lost_command(club, "ctdalek", "expire_members", "members", "expire", "--yes")
    count = club.client("ctdalek").expiry()["count"]
    assert _without_key(command) == f"ceo members expire --key KEY --yes --count {count}"
    first = club.run_as("ctdalek", *command)
    assert (first.returncode, first.stdout) == (0, f"{count} expired.\n"), first
    assert club.run_as("ctdalek", *command).stdout == first.stdout
    later = club.add(terms=["w2015"])["result"]["uid"]
    assert club.run_as("ctdalek", *command).stdout == first.stdout
    assert not club.client("ctdalek").member(later)["expired"]
    none = club.run_as("ctdalek", "ceo", "members", "expire", "--yes", "--count", str(count + 1))
    assert none.returncode == 73, none
