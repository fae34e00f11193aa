"""Refusals in the audit log: no flood of them, and no answer that waits for a disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ceo_common.errors import JournalFull
from ceod.auth.refusals import EACH, PENDING, PERIOD_S, Refusals
from ceod.transaction import audit
from ceod.transaction.journal import Journal
from ceod.transaction.record import Record


class Written:
    """Where rows go, and whether it takes any; a clock that is moved."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.writes = 0
        self.is_full = False
        self.now = 1000.0
        self.refusals = Refusals(self.write, lambda: self.now)

    def write(self, rows: list[dict[str, Any]]) -> None:
        if self.is_full:
            raise JournalFull("full")
        self.writes += 1
        self.rows += rows

    def refuse(self, who: str, times: int = 1) -> None:
        for _ in range(times):
            self.refusals.note(who, remote="192.0.2.1", what="GET /api/thing")

    def of(self, who: str) -> list[Any]:
        """For each row of a person, how many it stands for."""
        return [row.get("times", 1) for row in self.rows if row["who"] == who]


@pytest.fixture
def written() -> Iterator[Written]:
    made = Written()
    yield made
    made.is_full = False


def test_some_of_each_person_and_then_how_many_more(written: Written) -> None:
    written.refuse("loud", 500)
    written.refuse("quiet")
    written.refusals.flush()
    assert written.of("loud") == [1] * EACH
    assert written.of("quiet") == [1]
    assert written.writes == 1  # all of them together
    written.now += PERIOD_S
    written.refusals.flush()
    assert written.of("loud") == [*[1] * EACH, 500 - EACH]
    assert written.of("quiet") == [1]
    written.refuse("loud")
    written.refusals.flush()
    assert sum(written.of("loud")) == 501
    assert all(row["outcome"] == "refused" for row in written.rows)


def test_a_full_journal_keeps_no_answer_waiting_and_loses_nothing(written: Written) -> None:
    written.is_full = True
    for number in range(PENDING):
        written.refuse(f"person{number}", 3)
        if number % 100 == 0:
            written.refusals.flush()
    assert len(written.refusals._pending) <= PENDING
    for _ in range(3):
        written.now += PERIOD_S
        written.refusals.flush()
        assert len(written.refusals._pending) <= PENDING, "nor do rows with how many more add to it"
    written.refuse("person0")
    written.now += PERIOD_S
    written.is_full = False
    while written.refusals.flush():
        pass
    assert sum(row.get("times", 1) for row in written.rows) == 3 * PENDING + 1
    assert not written.refusals._of


def test_a_journal_that_takes_nothing_is_logged_when_that_begins_and_ends(
    written: Written, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ceod.request")
    for _ in range(2):
        written.is_full = True
        written.refuse("somebody")
        for _ in range(5):
            written.refusals.flush()
        written.is_full = False
        written.refusals.flush()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"] * 2


def test_what_is_left_is_written_at_the_end(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "state")
    refusals = Refusals(Record(journal).audit_many)
    refusals.start()
    for _ in range(EACH + 5):
        refusals.note(
            "somebody",
            remote="192.0.2.1",
            what="GET /api/thing",
            subject="me",
            error="forbidden",
            rule="thing",
        )
    refusals.stop()
    with journal.reading() as connection:
        rows = audit.rows(connection, who="somebody", limit=99, before=1 << 40)
        assert audit.breaks_at(connection) is None
    assert [row.get("times", 1) for row in rows] == [5, *[1] * EACH]
    journal.close()
