"""The journal's tables.  Times are seconds since the epoch; JSON columns hold no secret, ever."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, Float, ForeignKey, Index, Integer, MetaData, String, Table, Text

metadata = MetaData()

transactions = Table(
    "transactions", metadata,
    Column("id", String(36), primary_key=True),
    Column("operation", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("caller", String(256), nullable=False),
    Column("remote", String(64), nullable=False),
    Column("key", String(64)),
    Column("body_hash", String(64), nullable=False),
    Column("arguments", JSON, nullable=False),
    Column("subject", String(64), nullable=False),
    # checking, queued, running, undoing, committed -> completed | aborted | undo_failed | abandoned
    Column("state", String(16), nullable=False, index=True),
    Column("owner", String(36)),
    Column("created", Float, nullable=False, index=True),
    Column("committed", Float),
    Column("ended", Float),
    Column("result", JSON),
    Column("error", JSON),
    Column("reason", Text),  # why it was abandoned
)
Index("by_subject", transactions.c.subject, transactions.c.operation)
Index("one_key", transactions.c.caller, transactions.c.operation, transactions.c.key, unique=True)

steps = Table(
    "steps", metadata,
    Column("transaction", String(36), ForeignKey("transactions.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("name", String(64), nullable=False),
    # before the commit: intent, done -> undone, not_ours, undo_failed; after it: pending, waiting -> done, skipped, given_up
    Column("state", String(16), nullable=False, index=True),
    Column("intent", JSON, nullable=False),
    Column("error", JSON),
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_at", Float),
    Column("looked_at", Float),  # when an undo of an unknown outcome first found nothing
    Column("began", Float, nullable=False),
    Column("ended", Float),
)

events = Table(
    "events", metadata,
    Column("transaction", String(36), ForeignKey("transactions.id"), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("event", JSON, nullable=False),
)

locks = Table(
    "locks", metadata,
    Column("name", String(128), primary_key=True),
    Column("transaction", String(36), ForeignKey("transactions.id"), nullable=False),
)

audit = Table(
    "audit", metadata,
    Column("n", Integer, primary_key=True),
    Column("row", JSON, nullable=False),
    Column("hash", String(64), nullable=False),
)

# On the mail host: of each account and list, what was wished last.
wishes = Table(
    "list_wishes", metadata,
    Column("list", String(64), primary_key=True),
    Column("uid", String(32), primary_key=True),
    Column("joins", Boolean, nullable=False),
    Column("at", Float, nullable=False),
    # Whether it needs no word of a moderator; of a wish to be off a list it says nothing.
    Column("approved", Boolean, nullable=False),
)

# Of changes that are no transactions: what was answered, by the client's Idempotency-Key.
answers = Table(
    "answers", metadata,
    Column("caller", String(256), primary_key=True),
    Column("operation", String(64), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("digest", String(64), nullable=False),  # of the request
    Column("at", Float, nullable=False, index=True),
    Column("owner", String(36), nullable=False),  # see owners.py: dead as soon as nobody works on it
    Column("answer", JSON(none_as_null=True)),  # null until it is done
)

# Which journal this is.  The one row without `accepted` is its own; the others are of journals that an
# administrator gave up for this one, with the highest count that was known of each.
journals = Table(
    "journals", metadata,
    Column("id", String(36), primary_key=True),
    Column("counted", Integer, nullable=False),  # see fingerprint.py
    Column("began", Float, nullable=False),
    Column("accepted", Float),
    # The audit log's row up to which a broken chain was accepted as it is.
    Column("audit_from", Integer, nullable=False, default=0),
)
