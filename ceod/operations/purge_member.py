"""Remove every trace of an account, in development only: there is no way back, so all of it stands behind the commit."""

from __future__ import annotations

from ceo_common.errors import NotFound
from ceod.operations.lists import mail_host
from ceod.operations.private import Private
from ceod.services import mailman
from ceod.services.all import Services
from ceod.services.ldap_connection import Change
from ceod.transaction.step import Json, Later, Operation, Turn


class _Purge(Later[Services]):
    def wanted(self, turn: Turn[Services]) -> bool:
        """Until the name is somebody else's."""
        person = turn.tools.directory.person(turn.facts["uid"])
        return person is None or person.number == turn.facts["uid_number"]


class PurgePrincipal(_Purge):
    """The principal first: nobody logs in to what is being taken apart."""

    name = "Kerberos principal"

    def do(self, turn: Turn[Services]) -> None:
        """Delete it."""
        turn.tools.admin_host.kadmin.delete(turn.facts["uid"])


class PurgeMemberships(_Purge):
    """Every entry that names it."""

    name = "groups"

    def do(self, turn: Turn[Services]) -> None:
        """Take the values out."""
        directory = turn.tools.directory
        person_dn = directory.person_dn(turn.facts["uid"])
        for dn, values in directory.entries_naming(person_dn):
            with directory.as_admin() as connection:
                connection.change(dn, Change("uniqueMember", remove=tuple(values)))


class PurgeLists(_Purge):
    """Every mailing list."""

    name, backend = "mailing lists", mailman.BACKEND

    def do(self, turn: Turn[Services]) -> None:
        """Leave them."""
        uid, peers = turn.facts["uid"], turn.tools.peers
        with mail_host(turn.tools):
            names = peers.lists_of(uid)["lists"]
        for name in names:
            try:
                with mail_host(turn.tools):
                    peers.unsubscribe(name, uid)
            except NotFound:
                continue


class PurgeHome(_Purge):
    """The home and what is archived of it."""

    name = "home directory"

    def do(self, turn: Turn[Services]) -> None:
        """Remove them."""
        homes, uid = turn.tools.admin_host.homes, turn.facts["uid"]
        homes.remove(uid)
        for archived in [*homes.archived_of(uid), *homes.undone_of(uid)]:
            homes.remove_archived(archived)


class PurgeEntries(_Purge):
    """A club's sudo role, the LDAP group and, last of all, the LDAP user: until then the name is taken."""

    name = "LDAP user"

    def do(self, turn: Turn[Services]) -> None:
        """Delete those that have the account's number."""
        directory, uid, number = turn.tools.directory, turn.facts["uid"], str(turn.facts["uid_number"])
        directory.delete_if(directory.sudo_role_dn(uid), "sudoUser", f"%{uid}")
        directory.delete_if(directory.group_dn(uid), "gidNumber", number)
        directory.delete_if(directory.person_dn(uid), "uidNumber", number)


def _result(facts: Json) -> Json:
    return {"uid": facts["uid"]}


PURGE_MEMBER: Operation[Services, Private] = Operation(
    name="purge_member", version=1, before=(), bulk=True, result=_result,
    after=(PurgePrincipal(), PurgeMemberships(), PurgeLists(), PurgeHome(), PurgeEntries()),
)
