"""slapd answers each write of the table as it has to, whoever asks and whatever ceod would have said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gssapi
import ldap3
import pytest

from sandbox.club import BASE_DN
from tests.club.club import Club
from tests.club.directory_writes import (
    ADMIN,
    ANYBODY,
    DELETED,
    EXPIRED,
    HOST,
    RELAX,
    SERVICE,
    WRITES,
    Request,
    user,
)

# RFC 4511: undefinedAttributeType, constraintViolation, invalidAttributeSyntax, invalidDNSyntax, insufficientAccessRights, namingViolation,
# objectClassViolation, affectsMultipleDSAs.  Whoever has no name is told strongerAuthRequired.  Not among them is what would hide a
# right, such as noSuchObject or attributeOrValueExists.
REFUSALS = {17, 19, 21, 34, 50, 64, 65, 71}
ANONYMOUS_REFUSALS = {*REFUSALS, 8}

Entry = dict[str, list[bytes]]


class Writers:
    """A connection for each who writes, and the directory as ceod/admin sees it."""

    def __init__(self, club: Club) -> None:
        self._club = club
        self._connections: dict[str, ldap3.Connection] = {}

    def connection(self, who: str) -> ldap3.Connection:
        """Somebody's, made once."""
        if who not in self._connections:
            self._connections[who] = self._club.ldap_as(self._credential(who))
        return self._connections[who]

    def _credential(self, who: str) -> gssapi.Credentials | None:
        if who == ANYBODY:
            return None
        if who == ADMIN:
            return self._club.key("ceod/admin")
        if who == HOST:
            return self._club.key("ceod/mail.csclub.internal", "mail")
        return gssapi.Credentials(usage="initiate", store={"ccache": self._club.ccache(who)})

    def send(self, who: str, request: Request) -> int:
        """The code of slapd's answer."""
        connection, controls = (
            self.connection(who),
            [(oid, True, None) for oid in request.controls] or None,
        )
        if request.values is not None:
            connection.add(request.dn, attributes=request.values, controls=controls)
        elif request.changes is not None:
            connection.modify(request.dn, request.changes, controls=controls)
        elif request.rdn:
            connection.modify_dn(
                request.dn, request.rdn, new_superior=request.superior, controls=controls
            )
        else:
            connection.delete(request.dn, controls=controls)
        return int(connection.result["result"])

    def entry(self, dn: str) -> Entry:
        """What an entry holds, beside what slapd itself writes."""
        connection = self.connection(ADMIN)
        connection.search(dn, "(objectClass=*)", search_scope=ldap3.BASE, attributes=["*"])
        return dict(connection.response[0]["raw_attributes"]) if connection.response else {}

    def everything(self) -> dict[str, Entry]:
        """The whole directory."""
        connection = self.connection(ADMIN)
        connection.search(BASE_DN, "(objectClass=*)", attributes=["*"])
        return {entry["dn"]: dict(entry["raw_attributes"]) for entry in connection.response}

    def take_back(self, request: Request, before: Entry) -> None:
        """What slapd did."""
        if request.rdn:
            parent = request.superior or request.dn.partition(",")[2]
            assert self.send(ADMIN, Request(f"{request.rdn},{parent}")) == 0, request
        self.put_back(request.dn, before)

    def put_back(self, dn: str, before: Entry) -> None:
        """An entry as it was, whatever was done to it: not even a value that no constraint allows is in the way."""
        now, admin = self.entry(dn), "ctdalek" if SERVICE in dn else ADMIN
        names = [
            name
            for name in {**before, **now}
            if sorted(before.get(name, [])) != sorted(now.get(name, []))
        ]
        changes: Any = {name: [("MODIFY_REPLACE", before.get(name, []))] for name in names}
        if not before:
            request = Request(dn)
        elif not now:
            request = Request(dn, values=dict[str, Any](before))
        elif changes:
            request = Request(dn, changes=changes, controls=(RELAX,))
        else:
            return
        assert self.send(admin, request) == 0, request


@pytest.fixture
def writers(club: Club) -> Iterator[Writers]:
    """One member is marked as deleted and one is expired for as long as the test runs."""
    made = Writers(club)
    marked = {DELETED: ("1", "/usr/sbin/nologin"), EXPIRED: ("19000", "/bin/bash")}
    before = {uid: made.entry(user(uid)) for uid in marked}
    for uid, (day, shell) in marked.items():
        made.connection(uid)  # a ticket from before
        values: Any = {
            "shadowExpire": [("MODIFY_REPLACE", [day])],
            "loginShell": [("MODIFY_REPLACE", [shell])],
        }
        assert made.send(ADMIN, Request(user(uid), changes=values)) == 0
    yield made
    for uid, entry in before.items():
        made.put_back(user(uid), entry)


def test_every_write_gets_its_answer(writers: Writers) -> None:
    assert len(WRITES) >= 344
    before, wrong = writers.everything(), list[str]()
    for write in WRITES:
        code = writers.send(write.who, write.request)
        refusals = ANONYMOUS_REFUSALS if write.who == ANYBODY else REFUSALS
        if code not in ({0} if write.is_allowed else refusals):
            wrong.append(f"{'refused' if write.is_allowed else 'not refused'} ({code}): {write}")
        if code == 0:
            writers.take_back(write.request, before.get(write.request.dn, {}))
    assert not wrong, f"{len(wrong)} of {len(WRITES)}:\n" + "\n".join(wrong)
    assert writers.everything() == before
