from __future__ import annotations

from ceod.auth.crash_sources import KEPT_S, LIMIT, CrashSources


def test_an_address_is_known_for_ten_minutes_after_its_last_crash() -> None:
    now = [0.0]
    sources = CrashSources(lambda: now[0])
    assert not sources.has("192.0.2.1")
    sources.add("192.0.2.1")
    assert sources.has("192.0.2.1")
    assert not sources.has("192.0.2.2")
    now[0] = KEPT_S
    sources.add("192.0.2.1")
    now[0] = 2 * KEPT_S
    assert sources.has("192.0.2.1")
    now[0] += 1
    assert not sources.has("192.0.2.1")
    assert len(sources) == 0


def test_many_addresses_take_no_more_memory_and_the_latest_stay() -> None:
    sources = CrashSources()
    for number in range(3 * LIMIT):
        sources.add("192.0.2.1")
        sources.add(f"2001:db8::{number:x}")
    assert len(sources) == LIMIT
    assert sources.has("192.0.2.1")
    assert not sources.has("2001:db8::0")
