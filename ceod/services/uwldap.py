"""The university's directory, read without a name."""

from __future__ import annotations

import contextlib

import ldap

from ceo_common.config import UwLdap as Settings
from ceo_common.errors import BackendDown
from ceod.services import ldap_names as names
from ceod.services.directory import open_connection

BACKEND = "uwldap"


class UwLdap:
    """Looks people up."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def person(self, uid: str) -> dict[str, str] | None:
        """cn, given_name, sn and program of somebody, as far as the directory knows them.  Raises BackendDown."""
        raw = open_connection(self.settings.uri)
        try:
            found = raw.search_s(self.settings.base, ldap.SCOPE_ONELEVEL, names.equals("uid", uid), ["cn", "givenName", "sn", "ou"])
        except ldap.NO_SUCH_OBJECT:
            found = []
        except ldap.LDAPError as error:
            raise BackendDown(f"the university's directory does not answer: {type(error).__name__}", backend=BACKEND) from None
        finally:
            with contextlib.suppress(ldap.LDAPError):
                raw.unbind_s()
        for dn, attributes in found:
            if dn is not None:
                wanted = {"cn": "cn", "given_name": "givenName", "sn": "sn", "program": "ou"}
                return {ours: attributes[theirs][0].decode(errors="replace") for ours, theirs in wanted.items() if attributes.get(theirs)}
        return None

    def ping(self) -> None:
        """One round trip.  Raises BackendDown."""
        self.person("nobody-of-this-name")
