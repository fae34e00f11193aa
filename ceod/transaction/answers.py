"""Answers to changes that are no transactions, kept under the client's Idempotency-Key.

Whoever sends the same request again gets the answer of the first one, and nothing is done twice.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ceo_common.errors import Busy, KeyReused, OutcomeUnknown
from ceod.transaction.journal import Journal
from ceod.transaction.owners import Owner
from ceod.transaction.record import KEY_KEPT_S
from ceod.transaction.tables import answers

Json = dict[str, Any]

_RETRY_S = 2


@dataclass(frozen=True)
class KeyedRequest:
    """Who asked for what, under which key; `digest` stands for the whole request."""

    caller: str
    operation: str
    key: str
    digest: str


class Answers:
    """The answers that the journal keeps, for one request: `owner` lives as long as it is at work."""

    def __init__(self, journal: Journal, owner: Owner) -> None:
        self._journal = journal
        self._owner = owner

    def begin(self, request: KeyedRequest) -> Json | None:
        """The answer that the same request got before; None where it is new, and noted from now on.

        Raises KeyReused (another request had this key), Busy (the first one is at work),
        OutcomeUnknown (the first one never came to its end), JournalFull, JournalUntrusted.
        """

        def note(connection: Connection) -> Json | None:
            now = time.time()
            connection.execute(answers.delete().where(answers.c.at < now - KEY_KEPT_S))
            row = connection.execute(sa.select(answers).where(_is(request))).first()
            if row is None:
                values = {"caller": request.caller, "operation": request.operation}
                values |= {"key": request.key, "digest": request.digest, "owner": self._owner.id}
                connection.execute(answers.insert().values(at=now, **values))
                return None
            if row.digest != request.digest:
                raise KeyReused("this Idempotency-Key came before with another request")
            if row.answer is not None:
                return dict(row.answer)
            if not self._owner.is_dead(row.owner):
                message = "the first request with this Idempotency-Key is at work: ask again"
                raise Busy(message, retry_after=_RETRY_S)
            raise OutcomeUnknown(
                "the first request with this Idempotency-Key began, and ceod ended before it was"
                " done or refused: look whether it was done before you ask again without the key"
            )

        return self._journal.write(note)

    def keep(self, request: KeyedRequest, answer: Json) -> None:
        """It is done.  Raises JournalFull, JournalUntrusted."""
        self._journal.write(
            lambda connection: connection.execute(
                answers.update().where(_is(request)).values(answer=answer)
            )
        )

    def forget(self, request: KeyedRequest) -> None:
        """It was refused: the same request is a new one.  Raises JournalFull, JournalUntrusted."""
        self._journal.write(
            lambda connection: connection.execute(answers.delete().where(_is(request)))
        )


def _is(request: KeyedRequest) -> sa.ColumnElement[bool]:
    return sa.and_(
        answers.c.caller == request.caller,
        answers.c.operation == request.operation,
        answers.c.key == request.key,
    )
