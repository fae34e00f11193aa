"""Which connection is closed when there are too many."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ceod.server.connections import Connection, Connections


class _Task:
    """Remembers that it was cancelled."""

    def __init__(self) -> None:
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


def _connection(address: str) -> tuple[Connection, _Task]:
    task = _Task()
    return Connection(address, task), task  # type: ignore[arg-type]


def test_the_address_with_the_most_loses_its_oldest() -> None:
    table = Connections(capacity=3)
    made = [_connection(address) for address in ("a", "b", "b", "b")]
    for connection, _ in made:
        table.add(connection)
    assert [task.is_cancelled for _, task in made] == [False, True, False, False]


def test_whoever_answers_an_authenticated_request_is_never_closed() -> None:
    table = Connections(capacity=1)
    first, first_task = _connection("a")
    table.add(first)
    table.hold(first, "office1")
    for _ in range(5):
        table.add(_connection("a")[0])
    assert not first_task.is_cancelled
    assert table.in_flight["office1"] == 1
    table.close_waiting()
    assert not first_task.is_cancelled
    assert len(table) == 1


def test_after_its_request_a_connection_counts_again_as_the_newest() -> None:
    table = Connections(capacity=2)
    first, first_task = _connection("a")
    second, second_task = _connection("a")
    table.add(first)
    table.add(second)
    table.hold(first, "office1")
    table.release(first)
    assert not table.in_flight
    table.add(_connection("a")[0])
    assert (first_task.is_cancelled, second_task.is_cancelled) == (False, True)


def test_what_is_removed_counts_no_more() -> None:
    table = Connections(capacity=2)
    first, _ = _connection("a")
    held, _ = _connection("a")
    table.add(first)
    table.add(held)
    table.hold(held, "office1")
    table.remove(first)
    table.remove(held)
    assert len(table) == 0
    assert not table.in_flight


@given(st.lists(st.sampled_from("abcdef"), max_size=60), st.integers(1, 10))
def test_nobody_is_closed_for_what_others_hold(addresses: list[str], capacity: int) -> None:
    """There are never more than the capacity; and an address never loses one while another has two more."""
    table = Connections(capacity)
    live: list[tuple[Connection, _Task]] = []
    for address in addresses:
        live.append(_connection(address))
        before = [connection.address for connection, task in live if not task.is_cancelled]
        table.add(live[-1][0])
        after = [connection.address for connection, task in live if not task.is_cancelled]
        assert len(after) == min(len(before), capacity) == len(table)
        lost = [address for address in set(before) if after.count(address) < before.count(address)]
        assert all(before.count(address) == max(map(before.count, before)) for address in lost)
