"""Names map exactly: one component of our realm, or a known ceod."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceo_common.config import Daemon, Hosts, Ldap
from ceo_common.errors import Forbidden
from ceod.auth.caller import identify

HOSTS = Hosts("pa.example.org", "mail.example.org", "db.example.org", "db.example.org")
CONFIG = Daemon(realm="CSCLUB.INTERNAL", domain="example.org", host="pa.example.org", roles=["admin"], hosts=HOSTS,
                ldap=Ldap("ldaps://pa.example.org", "dc=example,dc=org"))


def test_a_person() -> None:
    caller = identify("ctdalek@CSCLUB.INTERNAL", "127.0.0.1", CONFIG)
    assert (caller.uid, caller.host, caller.name) == ("ctdalek", None, "ctdalek")


def test_a_known_ceod() -> None:
    caller = identify("ceod/mail.example.org@CSCLUB.INTERNAL", "127.0.0.1", CONFIG)
    assert (caller.uid, caller.host, caller.name) == (None, "mail.example.org", "ceod/mail.example.org")


@given(st.text(max_size=40).filter(lambda text: not text.endswith("@CSCLUB.INTERNAL")))
def test_nothing_else_of_another_realm(name: str) -> None:
    with pytest.raises(Forbidden):
        identify(name, "127.0.0.1", CONFIG)


@given(st.text(alphabet="ab/@ \\\n", max_size=12).filter(lambda text: any(c in text for c in "/@ \\\n") or not text))
def test_no_name_of_more_than_one_component(name: str) -> None:
    with pytest.raises(Forbidden):
        identify(f"{name}@CSCLUB.INTERNAL", "127.0.0.1", CONFIG)
