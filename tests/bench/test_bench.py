"""ceod over HTTPS beside bare libldap and libkadm5clnt doing the same.  No limit on any time: what fails is what was not done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from statistics import median

import ldap
import pytest

from ceo_common.events import Event
from ceo_common.terms import Term, current
from ceod.operations.add_member import ADD_MEMBER
from ceod.services.search import Question
from sandbox.club import BASE_DN
from tests.bench.bare import Bare, Changes
from tests.bench.table import by_turns, row, seconds, shown
from tests.club.club import Club
from tests.club.crowd import DAY_S, FEW, PEOPLE, SIZE, Crowd

PAGE = 50
SEARCHES, BULKS, ADDS = 15, 3, 9
# In no range, where ceod's counter would be below it, and yet one that slapo-constraint takes.
NUMBER = b"20000"

# What is asked, and how many it finds at least.  Below four letters in the middle of a word slapd has no index.
QUESTIONS = [
    ("term and name", {"name": "Hopper", "term": str(Term(current("America/Toronto").year - 14, 0))}, 30),
    ("part of a username", {"uid": "grachopp"}, 20),
    ("three letters of a username", {"uid": "hop"}, 500),
    ("program", {"program": "Mathematics"}, 3000),
    ("nothing at all", {}, SIZE),
]


@dataclass
class Heard:
    """What a stream told, and when it began to."""

    events: list[Event]
    first: float
    all: float

    @property
    def progress(self) -> int:
        return sum(event.get("state") == "progress" for event in self.events)

    def step(self, *names: str) -> float:
        """How long some steps took, in ceod's own words."""
        return sum(event["elapsed_ms"] for event in self.events if event.get("operation") in names and "elapsed_ms" in event) / 1000


def hear(stream: Callable[[], Iterator[Event]]) -> Heard:
    """Ask and listen to the end, which has to be a good one."""
    began, first, events = time.perf_counter(), 0.0, []
    for event in stream():
        first = first or time.perf_counter() - began
        events.append(event)
    took, last = time.perf_counter() - began, events[-1]
    assert last["status"] == "completed" and not last["waiting"] and not last["result"].get("failed"), last
    return Heard(events, first, took)


def heard(runs: list[Heard], what: Callable[[Heard], float]) -> float:
    """The median over the runs."""
    return median(what(run) for run in runs)


def test_what_a_request_costs_that_does_nothing(club: Club, crowd: Crowd) -> None:
    client, bare = club.client("regular1"), Bare(club, "regular1")
    assert client.whoami()["uid"] == "regular1" and bare.raw.whoami_s() == f"dn:uid=regular1,{PEOPLE}".lower()
    ours, floor = by_turns(SEARCHES, client.whoami, bare.raw.whoami_s)
    row("whoami", ours, floor, "what HTTP, TLS and SPNEGO cost each request; bare, LDAP's own whoami")


@pytest.mark.parametrize(("name", "query", "least"), QUESTIONS, ids=[name.replace(" ", "_") for name, _, _ in QUESTIONS])
def test_a_page_of_a_search(club: Club, crowd: Crowd, name: str, query: dict[str, str], least: int) -> None:
    client, bare, filter_ = club.client("regular1"), Bare(club, "regular1"), Question(**query).filter()
    answer, uids = client.members(size=PAGE, **query), sorted(bare.usernames(filter_))
    assert answer["found"] == len(uids) >= least
    assert [member["uid"] for member in answer["members"]] == uids[:PAGE]
    assert bare.page(filter_, PAGE) == min(PAGE, len(uids))
    ours, nothing, floor, keys = by_turns(SEARCHES, partial(client.members, size=PAGE, **query), client.whoami,
                                          partial(bare.page, filter_, PAGE), partial(bare.usernames, filter_))
    row(f"search by {name}, {len(uids)} found", ours, floor,
        f"less whoami {shown(ours - nothing)}; bare, the usernames of all found {shown(keys)}")


def test_listing_groups(club: Club, crowd: Crowd) -> None:
    """The crowd's numbers are in no range, so that each of their groups is a shared one."""
    client, bare = club.client("office1"), Bare(club, "office1")
    listed = client.groups()
    assert {member.uid for member in crowd.members} <= {group["cn"] for group in listed}
    ours, floor = by_turns(BULKS, client.groups, bare.groups)
    row(f"{len(listed)} groups", ours, floor, "bare, all groups with their members")


def test_updating_programs(club: Club, crowd: Crowd) -> None:
    client, bare = club.client("ctdalek"), Bare(club, "ctdalek")
    before, university = crowd.values("program"), {member.uid: member.program_at_university for member in crowd.moved}
    there: list[tuple[str, Changes]] = [_program(m.dn, m.program, m.program_at_university) for m in crowd.moved]
    back: list[tuple[str, Changes]] = [_program(m.dn, m.program_at_university, m.program) for m in crowd.moved]
    ours, floors = [], []
    for _ in range(BULKS):
        ours.append(hear(client.update_programs))
        assert crowd.values("program") == before | university
        bare.modify_all(back)
        floors.append(seconds(partial(bare.modify_all, there)))
        bare.modify_all(back)
    assert crowd.values("program") == before
    row(f"{FEW} programs", heard(ours, lambda run: run.all), median(floors),
        f"{ours[-1].progress} progress events, the first event after {shown(heard(ours, lambda run: run.first))}")


def _program(dn: str, old: str, new: str) -> tuple[str, Changes]:
    return dn, [(ldap.MOD_DELETE, "program", old.encode()), (ldap.MOD_ADD, "program", new.encode())]


def test_expiring_accounts(club: Club, crowd: Crowd) -> None:
    client, bare, before = club.client("ctdalek"), Bare(club, "ctdalek"), crowd.values("shadowExpire")
    uids, day = [member.uid for member in crowd.lapsed], int(time.time() // DAY_S)
    there: list[tuple[str, Changes]] = [(m.dn, [(ldap.MOD_ADD, "shadowExpire", str(day).encode())]) for m in crowd.lapsed]
    back: list[tuple[str, Changes]] = [(m.dn, [(ldap.MOD_DELETE, "shadowExpire", None)]) for m in crowd.lapsed]
    ours, in_ldap, in_kdc = [], [], []
    for _ in range(BULKS):
        ours.append(hear(partial(client.expire_members, FEW)))
        assert crowd.expired(before) == FEW
        bare.modify_all(back)
        bare.expire_all(uids, 0)
        in_ldap.append(seconds(partial(bare.modify_all, there)))
        in_kdc.append(seconds(partial(bare.expire_all, uids, day * DAY_S)))
        bare.modify_all(back)
        bare.expire_all(uids, 0)
    assert crowd.values("shadowExpire") == before and set(crowd.principal_expiries().values()) == {0}
    everything = heard(ours, lambda run: run.all)
    row(f"{FEW} expiries, beside LDAP alone", everything, median(in_ldap),
        f"{ours[-1].progress} progress events, the first event after {shown(heard(ours, lambda run: run.first))}")
    row(f"{FEW} expiries, beside LDAP and kadm5", everything, median(map(sum, zip(in_ldap, in_kdc, strict=True))),
        f"of ours {shown(heard(ours, lambda run: run.step('accounts')))} for the accounts, "
        f"{shown(heard(ours, lambda run: run.step('mailing list')))} for the mailing list")


def test_adding_a_member(club: Club, crowd: Crowd) -> None:
    client, bare, later = club.client("office1"), Bare(club, "ctdalek"), [step.name for step in ADD_MEMBER.after]
    ours, floors = [], []
    for _ in range(ADDS):
        uid, other = club.name(), club.name()
        ours.append(hear(partial(client.add_member, club.member(uid))))
        club.whole(uid)
        floors.append(seconds(partial(_add, bare, other)))
        assert len(club.entries(f"(|(uid={other})(cn={other}))")) == 2 and club.principal(other)
        _remove(bare, other)
    row("adding a member", heard(ours, lambda run: run.all), median(floors),
        f"of ours {shown(heard(ours, lambda run: run.all - run.step(*later)))} before the commit, {_steps(ours, later)}")


def _steps(runs: list[Heard], names: list[str]) -> str:
    return ", ".join(f"{shown(median(run.step(name) for run in runs))} {name}" for name in names)


def _add(bare: Bare, uid: str) -> None:
    """Two entries and a principal, like ceod's."""
    name = uid.encode()
    bare.raw.add_s(f"uid={uid},{PEOPLE}", [
        ("objectClass", [b"top", b"account", b"posixAccount", b"shadowAccount", b"member"]), ("uid", [name]), ("cn", [b"Test Person"]),
        ("uidNumber", [NUMBER]), ("gidNumber", [NUMBER]), ("homeDirectory", [b"/users/" + name]), ("loginShell", [b"/bin/bash"]),
        ("program", [b"Mathematics"]), ("term", [b"f2026"]),
    ])
    bare.raw.add_s(f"cn={uid},ou=Group,{BASE_DN}", [
        ("objectClass", [b"top", b"group", b"posixGroup"]), ("cn", [name]), ("gidNumber", [NUMBER])])
    bare.admin.create(uid, "a-new-one-1234", needchange=True)


def _remove(bare: Bare, uid: str) -> None:
    bare.raw.delete_s(f"uid={uid},{PEOPLE}")
    bare.raw.delete_s(f"cn={uid},ou=Group,{BASE_DN}")
    bare.admin.delete(uid)
