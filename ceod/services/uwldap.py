"""The university's directory, read without a name."""

from __future__ import annotations

import contextlib
from typing import Any

import ldap

from ceo_common.config import UwLdap as Settings
from ceo_common.deadline import OPERATION_S
from ceo_common.errors import BackendDown
from ceod.services import ldap_names as names
from ceod.services.ldap_connection import open_connection

BACKEND = "uwldap"
_AT_ONCE = 100  # names in one filter
_AHEAD = 16  # searches sent before the first answer is read: slapd closes on who has more than 100 waiting
_WANTED = {"cn": "cn", "given_name": "givenName", "sn": "sn", "program": "ou"}


def _named(uids: list[str]) -> str:
    return names.any_of(*(names.equals("uid", uid) for uid in uids))


def _person(attributes: dict[str, list[bytes]]) -> dict[str, str]:
    return {ours: attributes[theirs][0].decode(errors="replace") for ours, theirs in _WANTED.items() if attributes.get(theirs)}


class UwLdap:
    """Looks people up."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def person(self, uid: str) -> dict[str, str] | None:
        """cn, given_name, sn and program of somebody, as far as the directory knows them.  Raises BackendDown."""
        return self.people([uid]).get(uid)

    def people(self, uids: list[str]) -> dict[str, dict[str, str]]:
        """The same of many, by their names; who is not known is left out.  Raises BackendDown."""
        raw = open_connection(self.settings.uri)
        found: list[Any] = []
        try:
            for start in range(0, len(uids), _AT_ONCE * _AHEAD):
                some = uids[start:start + _AT_ONCE * _AHEAD]
                sent = [raw.search_ext(self.settings.base, ldap.SCOPE_ONELEVEL, _named(some[i:i + _AT_ONCE]), ["uid", *_WANTED.values()])
                        for i in range(0, len(some), _AT_ONCE)]
                found += [item for number in sent for item in raw.result3(number, timeout=OPERATION_S)[1]]
        except ldap.NO_SUCH_OBJECT:
            found = []
        except ldap.LDAPError as error:
            raise BackendDown(f"the university's directory does not answer: {type(error).__name__}", backend=BACKEND) from None
        finally:
            with contextlib.suppress(ldap.LDAPError):
                raw.unbind_s()
        asked = {uid.lower(): uid for uid in uids}
        return {asked[name]: _person(attributes) for dn, attributes in found if dn is not None
                for uid in attributes.get("uid", []) if (name := uid.decode(errors="replace").lower()) in asked}

    def ping(self) -> None:
        """One round trip.  Raises BackendDown."""
        self.person("nobody-of-this-name")
