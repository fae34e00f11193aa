"""The audit log: a chain of rows in the journal's database, in which each hash covers the row and the hash before it.

Of a personal field the hash covers only a digest, made with a salt of its own that stands beside it.
Without value and salt the digest says nothing about anybody, and the chain still holds: so a field
can be erased, and not changed.  A row that has no `seals` is covered as it is.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ceod.transaction.tables import audit

Json = dict[str, Any]

# What says nothing about a person.  Every other field of a row is sealed, so that none is forgotten.
PUBLIC = frozenset(
    (
        "n",
        "at",
        "what",
        "outcome",
        "error",
        "transaction",
        "step",
        "rule",
        "code",
        "times",
        "kind",
        "list",
        "book",
        "books",
        "copy",
        "due_on",
    )
)
SALT_BYTES = 16
CHECKED_AT_ONCE = 5000  # rows: less than half a second

_HEAD = sa.select(audit.c.n, audit.c.hash).order_by(audit.c.n.desc()).limit(1)
# As bytes: a text that is damaged must neither stop its reader nor hide the rows around it.
_ROW = sa.cast(audit.c.row, sa.LargeBinary).label("row")
_STORED = sa.cast(audit.c.hash, sa.LargeBinary).label("stored")


def add(connection: Connection, **fields: Any) -> None:
    """Add a row to the chain, in the caller's database transaction."""
    number, before = head(connection)
    row = _sealed({"n": number + 1, "at": time.time(), **fields})
    values = {"n": number + 1, "row": row, "hash": chain_hash(before, row)}
    connection.execute(audit.insert(), values)


def rows(connection: Connection, *, who: str | None, limit: int, before: int) -> list[Json]:
    """The newest rows below a number, of one person or of all; a field that was erased is None.

    Of a row that can't be read the number is left.
    """
    query = (
        sa.select(audit.c.n, _ROW).where(audit.c.n < before).order_by(audit.c.n.desc()).limit(limit)
    )
    if who is not None:
        is_readable = sa.func.json_valid(audit.c.row) == 1
        query = query.where(sa.case((is_readable, audit.c.row["who"].as_string())) == who)
    return [_shown(n, _parsed(content)) for n, content in connection.execute(query)]


def erase(connection: Connection, number: int, names: Iterable[str]) -> None:
    """Erase personal fields of a row: value and salt.  Raises KeyError: it has no such sealed field.

    The connection's secure_delete overwrites them in the database; the WAL holds them until SQLite's
    next checkpoint, and copies of the journal for good.
    """
    row = connection.execute(sa.select(audit.c.row).where(audit.c.n == number)).scalar_one()
    for name in names:
        row["seals"][name].pop("salt", None)
        row.pop(name, None)
    connection.execute(audit.update().where(audit.c.n == number).values(row=row))


def head(connection: Connection) -> tuple[int, str]:
    """The newest row's number and hash; outside the database they show that a tail was cut off."""
    last = connection.execute(_HEAD).first()
    return (last.n, last.hash) if last else (0, "")


# Checking


@dataclass(frozen=True)
class Stretch:
    """Some rows of the chain, checked: how many hold, and the hashes of the row before and the last one."""

    after: int
    after_hash: str
    last: int
    last_hash: str
    erased: int  # rows of which a field was erased
    breaks_at: int | None
    is_end: bool

    @property
    def rows(self) -> int:
        """How many hold."""
        return self.last - self.after


def check(connection: Connection, *, after: int = 0, limit: int = CHECKED_AT_ONCE) -> Stretch:
    """Check up to `limit` rows behind number `after`, which must be there unless it is 0.

    A row that can't be read breaks the chain as one that was changed.
    """
    after_hash = hash_of(connection, after)
    if after_hash is None:
        return Stretch(after, "", after, "", 0, breaks_at=after, is_end=True)
    columns = (audit.c.n, _ROW, _STORED)
    query = sa.select(*columns).where(audit.c.n > after).order_by(audit.c.n).limit(limit)
    number, before, erased, seen = after, after_hash, 0, 0
    for n, content, stored in connection.execute(query):
        seen += 1
        row = _parsed(content)
        if n != number + 1 or not _is_whole(row) or stored != chain_hash(before, row).encode():
            return Stretch(after, after_hash, number, before, erased, breaks_at=n, is_end=True)
        number, before = n, stored.decode()
        erased += any("salt" not in seal for seal in row.get("seals", {}).values())
    return Stretch(after, after_hash, number, before, erased, None, is_end=seen < limit)


def hash_of(connection: Connection, number: int) -> str | None:
    """The hash of a row; empty before the first, None where there is no such row."""
    if number == 0:
        return ""
    stored = connection.execute(sa.select(_STORED).where(audit.c.n == number)).scalar()
    return None if stored is None else str(stored, "ascii", "replace")


def breaks_at(connection: Connection, after: int = 0) -> int | None:
    """The number of the first row whose hash does not fit, or None."""
    while True:
        stretch = check(connection, after=after)
        if stretch.is_end:
            return stretch.breaks_at
        after = stretch.last


def chain_hash(before: str, row: Json) -> str:
    """SHA-256 over the hash before and the canonical JSON of what the chain covers of a row."""
    return hashlib.sha256(before.encode() + canonical(_covered(row))).hexdigest()


def canonical(value: Any) -> bytes:
    """The one JSON text of a value: sorted keys, no blanks, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def _sealed(row: Json) -> Json:
    salts = {name: secrets.token_hex(SALT_BYTES) for name in row if name not in PUBLIC}
    seals = {
        name: {"salt": salt, "digest": _digest(salt, row[name])} for name, salt in salts.items()
    }
    return row | {"seals": seals}


def _digest(salt: str, value: Any) -> str:
    return hashlib.sha256(salt.encode() + canonical(value)).hexdigest()


def _covered(row: Json) -> Json:
    """The row with its digests in place of the fields that are sealed."""
    if "seals" not in row:
        return row
    seals = row["seals"]
    public = {name: value for name, value in row.items() if name not in seals and name != "seals"}
    return public | {"seals": {name: seal["digest"] for name, seal in seals.items()}}


def _is_whole(row: Any) -> bool:
    """Whether each sealed field is the one that was sealed, or erased with its salt."""
    if not isinstance(row, dict):
        return False
    seals = row.get("seals", {})
    return isinstance(seals, dict) and all(_fits(row, name, seal) for name, seal in seals.items())


def _fits(row: Json, name: str, seal: Any) -> bool:
    if not isinstance(seal, dict) or not isinstance(seal.get("digest"), str):
        return False
    if seal.keys() == {"digest"}:
        return name not in row
    is_there = seal.keys() == {"digest", "salt"} and isinstance(seal["salt"], str) and name in row
    return is_there and _digest(seal["salt"], row[name]) == seal["digest"]


def _parsed(content: bytes) -> Any:
    """The row that a stored text means; None, which is no row, where it means nothing."""
    try:
        return json.loads(content.decode())
    except (ValueError, RecursionError):
        return None


def _shown(number: int, row: Any) -> Json:
    if not _is_whole(row):
        return {"n": number}
    seals = row.get("seals", {})
    fields = {name: value for name, value in row.items() if name != "seals"}
    return dict.fromkeys(seals) | fields
