"""A whole class signs up at once while others look people up: nobody is refused, and nobody who looks waits."""

from __future__ import annotations

import statistics

from tests.club import rush
from tests.club.club import Club
from tests.club.report import LINES

SIGN_UPS = 350
READERS = 20


def test_many_sign_ups_at_once_with_readers(club: Club) -> None:
    uids = [club.name() for _ in range(SIGN_UPS)]
    readers = rush.start("readers", club.ccache("regular1"), str(READERS))
    assert readers.stdout and readers.stdout.readline() == "ready\n"
    ended = rush.said(rush.start("signups", club.ccache("office1"), *uids))["ended"]
    seen = rush.said(readers)
    refused = [outcome for outcome, _ in ended if outcome != "completed"]
    reads, health = sorted(seen["reads"]), sorted(seen["health"])
    p99 = reads[int(len(reads) * 0.99)]
    LINES.append(
        f"{SIGN_UPS} sign-ups at once: {len(ended) - len(refused)} completed, the last after {max(took for _, took in ended):.0f} s; "
        f"{READERS} readers meanwhile: {len(reads)} look-ups, median {statistics.median(reads) * 1000:.0f} ms, "
        f"p99 {p99 * 1000:.0f} ms, worst {reads[-1] * 1000:.0f} ms; "
        f"health {len(health)} times, median {statistics.median(health) * 1000:.0f} ms, worst {health[-1] * 1000:.0f} ms")
    assert refused == []
    assert seen["failures"] == []
    assert p99 < 1
    assert health[-1] < 1
    people = club.entries("(&(objectClass=member)(cn=Rush Person))")
    assert {entry["uid"][0].decode() for entry in people.values()} == set(uids)
