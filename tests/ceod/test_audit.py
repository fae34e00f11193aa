"""The audit log's chain."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from ceod.transaction import audit, tables
from ceod.transaction.journal import Journal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """A journal whose audit log has four rows."""
    made = Journal(tmp_path / "state")
    for name in ("one", "two", "three", "four"):
        made.write(partial(audit.add, who="me", what=name))
    yield made
    made.close()


def _breaks_at(journal: Journal) -> int | None:
    with journal.reading() as connection:
        return audit.breaks_at(connection)


def test_the_chain_shows_a_changed_and_a_missing_row(journal: Journal) -> None:
    t = tables.audit
    assert _breaks_at(journal) is None
    with journal.reading() as connection:
        number, head = audit.head(connection)
        row = audit.rows(connection, who=None, limit=1, before=3)[0]
    assert number == 4
    assert len(head) == 64
    changed = t.update().where(t.c.n == 2)
    journal.write(lambda c: c.execute(changed.values(row=row | {"who": "nobody"})))
    assert _breaks_at(journal) == 2
    journal.write(lambda c: c.execute(changed.values(row=row)))
    assert _breaks_at(journal) is None
    journal.write(lambda c: c.execute(t.delete().where(t.c.n == 3)))
    assert _breaks_at(journal) == 4
