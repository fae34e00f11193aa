"""The audit log: a chain of rows in the journal's database, in which each hash covers the row and the hash before it."""

from __future__ import annotations

import hashlib
import json
import time
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ceod.transaction.tables import audit

_HEAD = sa.select(audit.c.n, audit.c.hash).order_by(audit.c.n.desc()).limit(1)


def add(connection: Connection, **row: Any) -> None:
    """Add a row to the chain, in the caller's database transaction."""
    number, before = head(connection)
    full = {"n": number + 1, "at": time.time(), **row}
    connection.execute(
        audit.insert(), {"n": number + 1, "row": full, "hash": chain_hash(before, full)}
    )


def rows(connection: Connection, *, who: str | None, limit: int, before: int) -> list[dict[str, Any]]:
    """The newest rows below a number, of one person or of all."""
    query = sa.select(audit.c.row).where(audit.c.n < before).order_by(audit.c.n.desc()).limit(limit)
    if who is not None:
        query = query.where(audit.c.row["who"].as_string() == who)
    return [row.row for row in connection.execute(query)]


def head(connection: Connection) -> tuple[int, str]:
    """The newest row's number and hash; outside the database they show that a tail was cut off."""
    last = connection.execute(_HEAD).first()
    return (last.n, last.hash) if last else (0, "")


def breaks_at(connection: Connection) -> int | None:
    """The number of the first row whose hash does not fit, or None."""
    before, expected = "", 1
    query = sa.select(audit.c.n, audit.c.row, audit.c.hash).order_by(audit.c.n)
    for n, row, stored in connection.execute(query):
        if n != expected or stored != chain_hash(before, row):
            return int(n)
        before, expected = stored, expected + 1
    return None


def chain_hash(before: str, row: dict[str, Any]) -> str:
    """SHA-256 over the hash before and the row's canonical JSON."""
    return hashlib.sha256(before.encode() + canonical(row)).hexdigest()


def canonical(value: Any) -> bytes:
    """The one JSON text of a value: sorted keys, no blanks, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
