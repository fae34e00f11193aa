"""Temporary homes that were left: shown, unless a transaction or somebody else is at work."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ceo_common.errors import BackendDown
from ceod.operations.left_homes import left_homes
from ceod.transaction.journal import Journal
from ceod.transaction.record import STUCK_S, Record
from tests.ceod.test_engine import _request

UNKNOWN = "6a204bd8-9f3f-4e8e-8a3f-6d1a6ab5d008"


def test_what_no_transaction_works_on_is_told_of(tmp_path: Path) -> None:
    journal, root = Journal(tmp_path / "state"), tmp_path / "homes"
    record = Record(journal)
    at_work, ended, failed = (
        record.begin(_request(name), "nobody")[0] for name in ("one", "two", "three")
    )
    record.end(ended, "aborted", {"status": "aborted"})
    record.state(failed, "undo_failed", owner=None)
    old = time.time() - STUCK_S - 1
    names = {
        f".ceo-{UNKNOWN}-somebody": old,
        f".ceo-{ended}-.ceo-x\n-y": old,
        f".ceo-{UNKNOWN}-new": time.time(),  # another ceod's, perhaps
        f".ceo-{at_work}-somebody": old,
        f".ceo-{failed}-somebody": old,
        ".ceo-": old,
        f".ceo-{UNKNOWN[:-1]}-short": old,
        f"ceo-{UNKNOWN}-no-point": old,
        "somebody": old,
    }
    for name, changed in names.items():
        (root / name).mkdir(parents=True)
        os.utime(root / name, (changed, changed))
    left = left_homes(str(root), record)
    assert {(home.transaction, home.uid) for home in left} == {
        (UNKNOWN, "somebody"),
        (ended, ".ceo-x\n-y"),
    }
    assert len(list(root.iterdir())) == len(names)  # nothing is removed
    journal.close()


def test_a_tree_that_cannot_be_read(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "state")
    (tmp_path / "file").touch()
    for name in ("none", "file"):
        with pytest.raises(BackendDown, match="can't be read"):
            left_homes(str(tmp_path / name), Record(journal))
    journal.close()
