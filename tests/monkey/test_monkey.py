"""Six clients do what they like while things break; at the end what they were told is so."""

from __future__ import annotations

import contextlib
import time
from collections import Counter

import pytest

from ceo_common.errors import CeoError
from sandbox.club import DOMAIN
from tests.club.club import Club, until
from tests.club.report import LINES
from tests.monkey import reading
from tests.monkey.comparison import Comparison
from tests.monkey.faults import HOSTS, Faults, small_disks
from tests.monkey.operations import GROUPS, LIST, OFFICE, SYSCOM, Actor, Shared

_SHARED = 10
_BOOKS = 8
_RECOVERY_S = 240
_SHOWN = 25
# Nobody waits longer for an answer than one stream's silence and one repetition of it.
_LAST_ANSWER_S = 120


def _prepared(club: Club, seed: int) -> Shared:
    """Small disks, a list and a group, and the people and books that all clients work on."""
    small_disks(club)
    club.settled()
    done = club.run_as(
        "root", "/opt/mailman3/bin/mailman", "create", "--quiet", f"{LIST}@{DOMAIN}", host="mail"
    )
    assert done.returncode == 0, done
    syscom, office = club.client("ctdalek"), club.client("office1")
    club.done(syscom.add_group(GROUPS[0]))
    uids = [f"mk{seed}shared{number}" for number in range(_SHARED)]
    members = [
        {"uid": uid, "cn": "Shared Person", "program": "Mathematics", "terms": ["f2026"]}
        for uid in uids
    ]
    club.done(syscom.add_members(members))
    books = [
        office.add_book({"title": f"Monkey book {number}", "authors": ["Ann Author"]})["book"]
        for number in range(_BOOKS)
    ]
    return Shared(club, seed, uids, books)


def _is_quiet(club: Club) -> bool:
    """Nothing is under way or locked in any journal; what waits for its time is resumed."""
    quiet = True
    for host in HOSTS:
        journal = reading.journal(host)
        for transaction in journal.waiting():
            with contextlib.suppress(CeoError):
                club.client("ctdalek").resume(f"{host}.{DOMAIN}", transaction)
        failed = [state for _, _, state in journal.open_ if state != "undo_failed"]
        quiet = quiet and not (failed or journal.waiting() or (journal.locks and not journal.open_))
    time.sleep(0.5)
    return quiet


def test_what_clients_were_told_is_so(club: Club, request: pytest.FixtureRequest) -> None:
    seed, seconds = request.config.getoption("--seed"), request.config.getoption("--seconds")
    shared = _prepared(club, seed)
    before = reading.read(club)
    actors = [
        Actor(shared, number, *who)
        for number, who in enumerate([("ctdalek", SYSCOM)] * 4 + [("office1", OFFICE)] * 2)
    ]
    faults = Faults(shared)
    began = time.time()
    for thread in (*actors, faults):
        thread.start()
    shared.over.wait(seconds)
    shared.over.set()
    faults.join(_LAST_ANSWER_S)
    faults.all_back()
    for actor in actors:
        actor.join(_LAST_ANSWER_S)
    stuck = [actor.name for actor in actors if actor.is_alive()]
    ended = time.time()
    recovered = True
    try:
        club.settled()
        until(lambda: _is_quiet(club), _RECOVERY_S, "all journals quiet")
    except AssertionError as error:
        recovered = False
        shared.broken.append(f"not recovered: {error}")
    comparison = Comparison(club, before, reading.read(club), shared.attempts, shared.lost)
    differences = comparison.differences()
    _report(
        shared,
        faults,
        comparison,
        f"seed {seed}: {ended - began:.0f} s, recovered after {time.time() - ended:.0f} s",
    )
    for difference in differences[:_SHOWN]:
        LINES.append(comparison.told_of(difference))
    LINES.extend(shared.broken)
    LINES.extend(faults.failures)
    assert recovered
    assert not stuck
    assert not faults.failures
    assert not shared.broken
    assert not differences, f"{len(differences)} differences"


def _report(shared: Shared, faults: Faults, comparison: Comparison, first: str) -> None:
    """What was done, and how it ended."""
    LINES.append(first)
    kinds: dict[str, Counter[str]] = {}
    for attempt in comparison.attempts:
        kinds.setdefault(attempt.kind, Counter())[attempt.outcome] += 1
    LINES.append(
        f"{len(comparison.attempts)} operations: {_counted(_by(comparison, 'outcome'))}; "
        f"{sum(a.code == 'cancelled' for a in shared.attempts)} cancelled by the client, "
        f"{shared.repeated} repeated under their key"
    )
    LINES.extend(f"  {kind}: {_counted(outcomes)}" for kind, outcomes in sorted(kinds.items()))
    LINES.append(f"refusals: {_counted(_by(comparison, 'code', 'refused'))}")
    LINES.append(f"{sum(faults.counts.values())} faults: {_counted(faults.counts)}")
    for began, ended, what in sorted(faults.log, key=lambda fault: fault[0] - fault[1])[:3]:
        LINES.append(f"  {what}: {ended - began:.1f} s from {began:.2f} on")


def _by(comparison: Comparison, field: str, outcome: str = "") -> Counter[str]:
    """How many attempts have each value of a field."""
    attempts = [each for each in comparison.attempts if outcome in ("", each.outcome)]
    return Counter(getattr(each, field) for each in attempts)


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common())
