"""ceo log --verify over hosts of which each has its own trouble."""

from __future__ import annotations

from typing import Any, cast

import pytest

from ceo import transactions
from ceo_common.client import Client
from ceo_common.errors import BackendDown, CeoError, Forbidden, Internal, JournalUntrusted, Unauthenticated, Unreachable


class Hosts:
    """Answers in the place of a client: each host with its error."""

    def __init__(self, error: CeoError) -> None:
        self.error = error

    def verify_log(self, host: str, *, after: int = 0) -> Any:
        raise self.error


def _verify(error: CeoError) -> Any:
    return transactions.verify(cast(Client, Hosts(error)), "mail")


@pytest.mark.parametrize(("error", "state"), [
    (JournalUntrusted("the journal is damaged", reason="damaged"), "problem"),
    (Unreachable("no answer"), "unknown"),
    (BackendDown("no answer", backend="ldap"), "unknown"),
    (Internal("unforeseen"), "unknown"),
])
def test_a_host_in_trouble_hides_no_other(error: CeoError, state: str) -> None:
    chain = _verify(error)
    assert (chain["host"], chain["state"], chain["problem"]) == ("mail", state, error.message)


@pytest.mark.parametrize("error", [Forbidden("no"), Unauthenticated("no")])
def test_who_may_not_verify_hears_it(error: CeoError) -> None:
    with pytest.raises(type(error)):
        _verify(error)
