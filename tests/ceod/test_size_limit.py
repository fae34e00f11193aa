"""A limit of slapd on how many entries may be read is told as that, in the middle of a list too."""

from __future__ import annotations

import json
from collections.abc import Iterator

import ldap
import pytest

from ceo_common.errors import BackendDown
from ceod.api.search import _lines
from ceod.services.entry import People
from ceod.services.ldap_connection import _AsErrors


@pytest.mark.parametrize("kind", [ldap.SIZELIMIT_EXCEEDED, ldap.ADMINLIMIT_EXCEEDED])
def test_a_list_ends_with_the_reason(kind: type[ldap.LDAPError]) -> None:
    def pages() -> Iterator[People]:
        yield People()
        with _AsErrors("search"):
            raise kind({"desc": "Size limit exceeded"})

    with pytest.raises(BackendDown, match="limits how many entries"):
        list(pages())
    *_, last = _lines(pages(), None)
    body = json.loads(last)
    assert body["code"] == "backend_down"
    assert "raise the size limit of slapd" in body["error"]
    assert "complete" not in body
