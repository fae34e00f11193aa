"""Which accounts are named where nobody has the username that was typed; no server is asked."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ceo.cli.near import add_near, is_near
from ceo_common.errors import BackendDown, Forbidden, NotFound

CHLOE = {
    "uid": "cdubois",
    "cn": "Chloé Dubois",
    "uid_number": 20101,
    "program": "Pure Mathematics",
    "terms": ["f2026"],
    "non_member_terms": ["s2025"],
}


@pytest.mark.parametrize("typed", ["dubios", "Chloé Dub", "chloe dub", "CDUB", "cdubios"])
def test_names_are_near(typed: str) -> None:
    assert is_near(CHLOE, typed)


@pytest.mark.parametrize("typed", ["f2026", "s2025", "F2026", "math", "Pure", "20101", "lapsed"])
def test_only_names_and_usernames_are_near(typed: str) -> None:
    assert not is_near(CHLOE, typed)
    assert is_near(CHLOE | {"cn": f"Chloé {typed}"}, typed)
    assert is_near(CHLOE | {"uid": f"{typed.lower()}1"}, typed)


@pytest.mark.parametrize("failure", [Forbidden("no"), BackendDown("away", backend="ldap")])
def test_a_search_that_fails_adds_nothing(failure: Exception) -> None:
    def members(**query: Any) -> None:
        raise failure

    error = NotFound("there is no account 'x'", uid="x", state="missing")
    before = error.as_json()
    context = SimpleNamespace(client=SimpleNamespace(members=members))
    add_near(error, context)  # type: ignore[arg-type]
    assert error.as_json() == before


def test_what_else_is_not_found_is_left_alone() -> None:
    """No client is made, which would ask for a ticket."""
    error = NotFound("there is no group 'x'")
    add_near(error, SimpleNamespace())  # type: ignore[arg-type]
    assert error.more == {}


def test_names_from_the_directory_are_made_safe() -> None:
    members = [CHLOE | {"cn": "Chloé\nDubois\x1b"}]
    client = SimpleNamespace(members=lambda **query: {"members": members})
    context = SimpleNamespace(client=client)
    error = NotFound("there is no account 'dubios'", uid="dubios", state="missing")
    add_near(error, context)  # type: ignore[arg-type]
    says = r"there is no account 'dubios'; did you mean cdubois (Chloé\x0aDubois\x1b)?"
    assert error.message == says
