"""What ceod asks slapd for: filters that cost what they find, and broken entries that keep their names."""

from __future__ import annotations

import re
from typing import Any, cast

from ceo_common.config import Ldap, Range
from ceod.services.directory import Directory
from ceod.services.ldap_connection import Entry

BASE = "dc=csclub,dc=internal"


class _Answers(Directory):
    """A directory whose slapd gives the same entries to every question, as one without indexes might."""

    def __init__(self, *entries: tuple[str, Entry]) -> None:
        super().__init__(Ldap("ldaps://x", BASE, "/ca"), cast(Any, None), None)
        self.entries = list(entries)
        self.filters: list[str] = []

    def search(
        self, base: str, filter_: str, attributes: list[str] | None = None, *, scope: int = 2
    ) -> list[tuple[str, Entry]]:
        self.filters.append(filter_)
        return self.entries


def _group(cn: str, number: str) -> tuple[str, Entry]:
    return f"cn={cn},ou=Group,{BASE}", {"cn": [cn], "gidNumber": [number]}


def test_shared_groups_are_found_without_a_range() -> None:
    """slapd looks up each number of a range by itself: a minute among twenty thousand groups."""
    directory = _Answers(
        _group("b", "10001"), _group("ada", "20001"), _group("a", "30001"), _group("bad", "x")
    )
    groups, broken = directory.shared_groups(Range(20001, 29999))
    assert [group.cn for group in groups] == ["a", "b"]
    assert broken == 1
    (filter_,) = directory.filters
    assert not re.search("[<>]=", filter_), filter_


def test_broken_entries_keep_their_names() -> None:
    """Who asks for names can say of each whether it is missing or broken, and by what."""
    account = {
        "objectClass": ["posixAccount", "member"],
        "uidNumber": ["20001"],
        "gidNumber": ["20001"],
    }
    directory = _Answers(
        (f"uid=ada,ou=People,{BASE}", account | {"uid": ["ada"]}),
        (f"uid=bo,ou=People,{BASE}", account | {"uid": ["bo"], "uidNumber": ["0"]}),
        (f"cn=ada,ou=People,{BASE}", account | {"uid": ["ada"]}),
    )
    named = directory.people_named(["ada", "bo", "cy"])
    assert list(named) == ["ada"]
    assert list(named.broken) == ["bo"]
    assert [named.fault(uid) for uid in ("ada", "cy")] == [None, None]
    assert "its uidNumber is 0" in (named.fault("bo") or "")


def test_the_members_of_many_groups_are_one_search() -> None:
    member = {"uniqueMember": [f"uid=ada,ou=People,{BASE}", f"uid=x,ou=Service,{BASE}"]}
    (dn, entry), empty = _group("chess", "30001"), _group("go", "30002")
    directory = _Answers((dn, entry | member), empty)
    assert directory.members_by_group(["chess", "go", "gone"]) == {"chess": ["ada"], "go": []}
    assert len(directory.filters) == 1
    assert directory.members_by_group([]) == {}
