"""Who wished last."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import time_machine

from ceod.operations.wishes import Wishes
from ceod.transaction.journal import Journal


@pytest.fixture
def wishes(tmp_path: Path) -> Iterator[Wishes]:
    journal = Journal(tmp_path)
    yield Wishes(journal)
    journal.close()


def test_the_newest_wish_of_each_stands(wishes: Wishes) -> None:
    now = time.time()
    assert wishes.make("l", ["a", "b"], joins=True, at=now - 20).uids == ["a", "b"]
    assert wishes.make("l", ["a"], joins=False, at=now - 10).uids == ["a"]
    late = wishes.make("l", ["a", "b", "c"], joins=True, at=now - 15)
    assert (late.uids, late.overtaken) == (["b", "c"], ["a"])
    # Lists are apart, and the same wish again is the same.
    assert wishes.make("m", ["a"], joins=True, at=now - 15).uids == ["a"]
    assert wishes.make("l", ["a"], joins=False, at=now - 10).uids == ["a"]


def test_a_wish_of_now_is_newer_than_all_others(wishes: Wishes) -> None:
    # Also than that of a host whose clock is ahead.
    wishes.make("l", ["a"], joins=True, at=time.time() + 3600)
    first = wishes.make("l", ["a"], joins=False, at=None)
    second = wishes.make("l", ["a"], joins=True, at=None)
    assert first.uids == second.uids == ["a"]
    assert second.at > first.at
    assert wishes.make("l", ["a"], joins=False, at=first.at).overtaken == ["a"]


def test_an_older_wish_of_the_same_kind_leaves_the_newer_moment(wishes: Wishes) -> None:
    now = time.time()
    wishes.make("l", ["a"], joins=True, at=now - 10)
    assert wishes.make("l", ["a"], joins=True, at=now - 30).uids == ["a"]
    assert wishes.make("l", ["a"], joins=False, at=now - 20).overtaken == ["a"]


def test_what_was_refused_is_taken_back(wishes: Wishes) -> None:
    now = time.time()
    wishes.make("l", ["a"], joins=True, at=now - 10)
    refused = wishes.make("l", ["a", "b"], joins=False, at=None)
    wishes.take_back(refused)
    assert wishes.make("l", ["a", "b"], joins=True, at=now - 20).overtaken == []
    assert wishes.make("l", ["a"], joins=False, at=now - 15).overtaken == ["a"]


def test_what_was_wished_meanwhile_is_seen_and_not_taken_back(wishes: Wishes) -> None:
    slow = wishes.make("l", ["a", "b"], joins=True, at=None)
    assert not wishes.overtaken(slow)
    quick = wishes.make("l", ["b"], joins=False, at=None)
    assert list(wishes.overtaken(slow)) == ["b"]
    wishes.take_back(slow)
    assert wishes.make("l", ["b"], joins=True, at=slow.at).overtaken == ["b"]
    assert not wishes.overtaken(quick)


def test_a_clock_that_was_ahead_counts_once_and_no_longer(wishes: Wishes) -> None:
    with time_machine.travel(time.time() + 3600):
        wishes.make("l", ["a"], joins=True, at=None)
    # When it was is not known any more: it is taken for one of now, and the next wish is newer.
    assert wishes.make("l", ["a"], joins=False, at=time.time() - 10).overtaken == ["a"]
    assert wishes.make("l", ["a"], joins=False, at=time.time()).uids == ["a"]


@pytest.mark.parametrize("approved", [True, False])
def test_it_is_known_whether_the_newest_was_approved(wishes: Wishes, approved: bool) -> None:
    leaving = wishes.make("l", ["a"], joins=False, at=None)
    joining = wishes.make("l", ["a"], joins=True, at=None, approved=approved)
    # An older one of the same kind changes nothing.
    wishes.make("l", ["a"], joins=True, at=joining.at - 10, approved=not approved)
    assert wishes.overtaken(leaving)["a"].approved is approved


@pytest.mark.parametrize("joins", [True, False])
def test_a_dry_run_says_who_is_overtaken(wishes: Wishes, joins: bool) -> None:
    now = time.time()
    wishes.make("l", ["a"], joins=not joins, at=now - 10)
    for at, newer in ((now - 20, ["a"]), (now - 5, []), (None, [])):
        assert wishes.newer("l", ["a", "b"], joins=joins, at=at) == newer
    assert wishes.make("l", ["a", "b"], joins=joins, at=now - 20).overtaken == ["a"]
