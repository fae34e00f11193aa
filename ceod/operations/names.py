"""Whether a name may become an account: not taken by anything, and nothing left that would make its new owner somebody."""

from __future__ import annotations

import grp
import pwd

from ceo_common.errors import CeoError, Deleted, Exists, Invalid, LeftBehind
from ceod.operations.create_database import TITLES
from ceod.operations.reserved_names import is_reserved
from ceod.services.all import Services
from ceod.transaction.record import Record

DELETIONS = ("delete_member", "restore_member", "purge_member")  # the newest of them tells how it stands with a name


def databases(services: Services) -> tuple[dict[str, list[str]], list[str]]:
    """The names that have a database or a role, by the server; and a warning when the database host could not be asked.

    It being away keeps nobody from being signed up.
    """
    try:
        return {TITLES[kind]: names for kind, names in services.peers.all_databases().items()}, []
    except CeoError as error:
        return {}, [f"whether a database has the name could not be asked: {error.message}"]


def check_free(uid: str, services: Services, record: Record, taken: dict[str, list[str]], *, field: str = "uid") -> None:
    """Raises Invalid (a reserved name), Exists, Deleted, LeftBehind (something still points at it), BackendDown.

    `uid` is the name of a member, a club or a group, and `field` what the request calls it.  `taken` is what databases() found.
    Asks every server that adding an account needs, so that one that is down shows before the first step.
    """
    if is_reserved(uid):
        message = f"{uid} is a reserved name: the system, its servers, Kerberos or mail use it. Choose another name."
        raise Invalid(message, problems=[{"field": field, "message": message}])
    directory, admin = services.directory, services.admin_host
    admin.homes.ping()
    if person := directory.person(uid):
        if person.is_deleted:
            raise Deleted(f"{uid} was deleted and is kept: restore it with ceo members restore {uid}, or choose another name", uid=uid)
        raise Exists(f"there is an account {uid} already", uid=uid)
    if directory.group(uid):
        raise Exists(f"there is a group {uid} already", uid=uid)
    if admin.kadmin.get(uid):
        raise Exists(f"there is a Kerberos principal {uid} already", uid=uid)
    if kind := _system_kind(uid):
        raise Exists(f"{uid} is {kind} of the operating system. Choose another name.", uid=uid)
    deleted = record.newest_of(DELETIONS, uid)
    if deleted is not None and deleted.operation != "purge_member":
        raise LeftBehind(f"{uid} was somebody else's before: transaction {deleted.id} ({deleted.operation}) has the record. Choose another name.",
                         uid=uid, pointers=[deleted.id])
    if undone := [f"{admin.homes.settings.archive}/{name}" for name in admin.homes.undone_of(uid)]:
        raise LeftBehind(
            f"a sign-up of {uid} was undone, and what somebody had put into its home by then was"
            f" kept: {', '.join(undone)}. Look whose it is and move it away, or choose another name.",
            uid=uid,
            pointers=undone,
        )
    pointers = directory.pointers_to(uid) + [f"{path} is there" for path in admin.homes.left_behind(uid)]
    pointers += [f"a {server} database or user has the name" for server, names in taken.items() if uid in names]
    if pointers:
        raise LeftBehind(f"{uid} was somebody else's before, and these still refer to it: {'; '.join(pointers)}. "
                         "Remove that first, or choose another name.", uid=uid, pointers=pointers)


def _system_kind(name: str) -> str | None:
    """What this machine has by that name: "an account", "a group" or None.  An account and a group share each name that ceod gives."""
    try:
        if pwd.getpwnam(name).pw_name == name:
            return "an account"
    except KeyError:
        pass
    try:
        return "a group" if grp.getgrnam(name).gr_name == name else None
    except KeyError:
        return None
