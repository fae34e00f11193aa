"""Temporary homes that no transaction of this host's journal works on any more.

They are told of, and never removed: a ceod of role admin on another host has a journal of its own,
and may be at work on one that this journal does not know.
"""

from __future__ import annotations

import time

from ceod.services.left_homes import TemporaryHome, temporary_homes
from ceod.transaction.record import STUCK_S, UNFINISHED, Record

_AT_WORK = (*UNFINISHED, "undo_failed")


def left_homes(root: str, record: Record) -> list[TemporaryHome]:
    """Those that nobody has changed for STUCK_S.  Raises BackendDown."""
    late = [home for home in temporary_homes(root) if home.changed < time.time() - STUCK_S]
    return [home for home in late if not _is_at_work(record, home.transaction)]


def _is_at_work(record: Record, transaction: str) -> bool:
    row = record.transaction(transaction)
    return row is not None and row.state in _AT_WORK
