"""The floor: nothing but libldap and libkadm5clnt, each with one kept session, doing what ceod is measured at."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterable
from typing import Any

import gssapi
import ldap
from ldap.controls.libldap import SimplePagedResultsControl

from ceo_common.config import Ldap
from ceo_common.krb5.admin import Admin
from ceod.services.ldap_connection import bind
from sandbox.club import BASE_DN, PASSWORD
from tests.club.club import CA, Club
from tests.club.crowd import PEOPLE

_IN_FLIGHT = 100
_KEYS_A_PAGE = 400  # as ceod asks

Changes = list[tuple[int, str, bytes | None]]


class Bare:
    """python-ldap bound with GSSAPI as somebody, and a kadmin session."""

    def __init__(self, club: Club, who: str) -> None:
        # Bound by ceod's own hand, which takes a credential; libsasl's takes the process's default ccache.
        credential = gssapi.Credentials(usage="initiate", store={"ccache": club.ccache(who)})
        self.raw: Any = bind(Ldap("ldaps://phosphoric-acid.csclub.internal", BASE_DN, CA), credential)._raw
        self.admin = Admin.with_password("sysadmin/admin", PASSWORD)

    def page(self, filter_: str, size: int) -> int:
        """The first page, whole entries in no order; how many came."""
        return len(self._page(filter_, None, SimplePagedResultsControl(True, size, "")))

    def usernames(self, filter_: str) -> list[str]:
        """Who fits, and nothing else of them."""
        control, found = SimplePagedResultsControl(True, _KEYS_A_PAGE, ""), []
        while True:
            found += [attributes["uid"][0].decode() for _, attributes in self._page(filter_, ["uid"], control)]
            if not control.cookie:
                return found

    def _page(self, filter_: str, attributes: list[str] | None, control: SimplePagedResultsControl) -> list[Any]:
        number = self.raw.search_ext(PEOPLE, ldap.SCOPE_ONELEVEL, filter_, attributes, serverctrls=[control])
        _, found, _, controls = self.raw.result3(number)
        control.cookie = controls[0].cookie
        return list(found)

    def groups(self) -> int:
        """All groups with their members; how many came."""
        return len(
            self.raw.search_s(
                f"ou=Group,{BASE_DN}",
                ldap.SCOPE_ONELEVEL,
                "(objectClass=posixGroup)",
                ["cn", "gidNumber", "uniqueMember"],
            )
        )

    def modify_all(self, changes: Iterable[tuple[str, Changes]]) -> None:
        """Modify entries, so many at once under way.  Raises ldap.LDAPError."""
        sent: deque[int] = deque()
        for dn, values in changes:
            while len(sent) == _IN_FLIGHT or not self._sent(sent, dn, values):
                self.raw.result3(sent.popleft())
        while sent:
            self.raw.result3(sent.popleft())

    def _sent(self, sent: deque[int], dn: str, values: Changes) -> bool:
        """Whether there was room: libldap says BUSY when the socket, which never blocks, takes no more."""
        with contextlib.suppress(ldap.BUSY):
            sent.append(self.raw.modify_ext(dn, values))
            return True
        return False

    def expire_all(self, uids: Iterable[str], when: int) -> None:
        """Let principals end at a time, in seconds since the epoch; 0 is never."""
        for uid in uids:
            self.admin.modify(uid, expires=when)
