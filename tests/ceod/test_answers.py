"""What is answered to a request that comes again with its key."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ceo_common.errors import Busy, KeyReused, OutcomeUnknown
from ceod.transaction.answers import Answers, KeyedRequest
from ceod.transaction.journal import Journal
from ceod.transaction.owners import Owner
from ceod.transaction.record import KEY_KEPT_S

_REQUEST = KeyedRequest("office1", "library.add", "00000000-0000-4000-8000-000000000001", "digest")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path)
    yield journal
    journal.close()


@pytest.fixture
def answers(journal: Journal) -> Iterator[Answers]:
    with contextlib.closing(Owner(journal.state_dir)) as owner:
        yield Answers(journal, owner)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    seconds = [time.time()]
    monkeypatch.setattr(time, "time", lambda: seconds[0])
    return seconds


def test_the_same_again_gets_the_first_answer(answers: Answers) -> None:
    assert answers.begin(_REQUEST) is None
    answers.keep(_REQUEST, {"book": 7})
    assert answers.begin(_REQUEST) == {"book": 7}


@pytest.mark.parametrize("other", [{"caller": "office2"}, {"operation": "library.lend"}, {"key": "another"}])
def test_another_request_is_a_new_one(answers: Answers, other: dict[str, str]) -> None:
    answers.begin(_REQUEST)
    assert answers.begin(replace(_REQUEST, **other)) is None


def test_another_body_under_the_same_key_is_refused(answers: Answers) -> None:
    answers.begin(_REQUEST)
    answers.keep(_REQUEST, {})
    with pytest.raises(KeyReused):
        answers.begin(replace(_REQUEST, digest="another"))


def test_what_was_refused_may_be_asked_again(answers: Answers) -> None:
    answers.begin(_REQUEST)
    answers.forget(_REQUEST)
    assert answers.begin(_REQUEST) is None


def test_one_that_is_at_work_is_not_done_twice(
    journal: Journal, answers: Answers, clock: list[float]
) -> None:
    """However long it takes: hundreds of mails take more than a minute."""
    with contextlib.closing(Owner(journal.state_dir)) as first:
        Answers(journal, first).begin(_REQUEST)
        for seconds in (0, 3600):
            clock[0] += seconds
            with pytest.raises(Busy) as caught:
                answers.begin(_REQUEST)
            assert caught.value.more["retry_after"]
    with pytest.raises(OutcomeUnknown, match="look whether it was done"):
        answers.begin(_REQUEST)


def test_a_key_is_kept_for_a_week(answers: Answers, clock: list[float]) -> None:
    answers.begin(_REQUEST)
    answers.keep(_REQUEST, {"book": 7})
    clock[0] += KEY_KEPT_S - 1
    assert answers.begin(_REQUEST) == {"book": 7}
    clock[0] += 2
    assert answers.begin(_REQUEST) is None
