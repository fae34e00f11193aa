"""ceo log --verify over hosts of which each has its own trouble."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from ceo import transactions
from ceo_common.client import Client
from ceo_common.errors import (
    BackendDown,
    CeoError,
    Forbidden,
    Internal,
    JournalUntrusted,
    Unauthenticated,
    Unreachable,
)
from ceod.transaction import audit, tables
from ceod.transaction.accept import accept
from ceod.transaction.journal import Journal, audit_accepted_to


class Hosts:
    """Answers in the place of a client: each host with its error."""

    def __init__(self, error: CeoError) -> None:
        self.error = error

    def verify_log(self, host: str, *, after: int = 0) -> Any:
        raise self.error


def _verify(error: CeoError) -> Any:
    return transactions.verify(cast(Client, Hosts(error)), "mail")


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (JournalUntrusted("the journal is damaged", reason="damaged"), "problem"),
        (Unreachable("no answer"), "unknown"),
        (BackendDown("no answer", backend="ldap"), "unknown"),
        (Internal("unforeseen"), "unknown"),
    ],
)
def test_a_host_in_trouble_hides_no_other(error: CeoError, state: str) -> None:
    chain = _verify(error)
    assert (chain["host"], chain["state"], chain["problem"]) == ("mail", state, error.message)


class Log:
    """A host's audit log, in a journal of its own; answers as the route does."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    def verify_log(self, host: str, *, after: int = 0) -> Any:
        with self.journal.reading() as connection:
            stretch = audit.check(connection, after=after, limit=2)
            accepted_to = audit_accepted_to(connection)
        return {
            **asdict(stretch),
            "host": host,
            "rows": stretch.rows,
            "accepted_to": accepted_to,
            "is_newest": True,
        }


def _change(journal: Journal, number: int) -> None:
    row = tables.audit.update().where(tables.audit.c.n == number).values(row={"n": number})
    journal.write(lambda connection: connection.execute(row))


def test_behind_a_broken_row_that_was_accepted_the_chain_is_checked_on(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "state")
    for name in ("one", "two", "three", "four", "five"):
        journal.write(partial(audit.add, who="me", remote="", what=name))

    def verified() -> Any:
        return transactions.verify(cast(Client, Log(journal)), "mail")

    assert (verified()["state"], verified()["accepted"], verified()["rows"]) == ("ok", "", 5)
    _change(journal, 3)
    assert (verified()["state"], verified()["accepted"]) == ("problem", "")
    accept(journal, {}, [], "it was changed", "root", audit_as_it_is=True)
    chain = verified()
    assert (chain["state"], chain["rows"]) == ("ok", 3)
    assert chain["accepted"] == "broken at row 3, which was accepted; checked since row 5"
    journal.write(partial(audit.add, who="me", remote="", what="six"))
    assert verified()["state"] == "ok"
    _change(journal, 7)
    assert verified()["state"] == "problem"
    assert "row 7" in verified()["problem"]
    journal.close()


@pytest.mark.parametrize("error", [Forbidden("no"), Unauthenticated("no")])
def test_who_may_not_verify_hears_it(error: CeoError) -> None:
    with pytest.raises(type(error)):
        _verify(error)
