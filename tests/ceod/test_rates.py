"""How often one person may write."""

from __future__ import annotations

from ceod.auth.rates import Rates


class _Clock:
    """Moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_so_many_within_the_period_and_then_the_oldest_is_waited_for() -> None:
    clock = _Clock()
    rates = Rates(writes=3, period_s=60, clock=clock)
    for _ in range(3):
        assert rates.count("a") is None
        clock.now += 10
    assert rates.count("a") == 30
    clock.now += 29.5
    assert rates.count("a") == 1
    clock.now += 0.5
    assert rates.count("a") is None
    assert rates.count("a") == 10


def test_what_is_refused_does_not_count() -> None:
    clock = _Clock()
    rates = Rates(writes=1, period_s=60, clock=clock)
    assert rates.count("a") is None
    for _ in range(5):
        assert rates.count("a") == 60
    clock.now += 60
    assert rates.count("a") is None


def test_each_has_a_count_of_their_own_and_none_is_kept_for_ever() -> None:
    clock = _Clock()
    rates = Rates(writes=1, period_s=60, clock=clock)
    assert [rates.count(name) for name in "abc"] == [None, None, None]
    clock.now += 61
    assert rates.count("d") is None
    assert set(rates._of) == {"d"}
