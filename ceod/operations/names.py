"""Whether a name may become an account: not taken by anything, and nothing left that would make its new owner somebody."""

from __future__ import annotations

import grp
import pwd

from ceo_common.config import Daemon
from ceo_common.errors import Deleted, Exists, Invalid, LeftBehind
from ceod.operations.create_database import TITLES
from ceod.operations.reserved_names import is_reserved
from ceod.services.all import Services
from ceod.services.names_elsewhere import TakenElsewhere
from ceod.transaction.record import Record

DELETIONS = ("delete_member", "restore_member", "purge_member")  # the newest of them tells how it stands with a name


def mail_reason(name: str, config: Daemon, taken: TakenElsewhere, *, is_group: bool) -> str | None:
    """What mail knows by this name, or None.

    The lists in the configuration count also while the mail host is away.  A group may have the
    name of a list that follows from it.
    """
    followed = config.groups.lists
    if name in config.positions.available:
        return f"{name} is a position of the club, and mail to it goes to whoever holds it"
    lists = {config.members.list, *taken.lists, *(name for group in followed.values() for name in group)}
    if name in lists and not (is_group and name in followed.get(name, [])):
        return f"{name} is a mailing list of the club, and mail to it goes to everybody on the list"
    if name in taken.aliases:
        return f"{name} is an alias of the mail server, and mail to it goes to somebody else"
    return None


def check_free(uid: str, services: Services, record: Record, taken: TakenElsewhere, *, field: str = "uid") -> None:
    """Raises Invalid (a reserved name), Exists, Deleted, LeftBehind (something still points at it), BackendDown.

    `uid` is the name of a member, a club or a group, and `field` what the request calls it: cn, of
    a group.
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
    if reason := mail_reason(uid, services.config, taken, is_group=field == "cn"):
        raise Exists(f"{reason}. Choose another name.", uid=uid)
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
    pointers += [
        f"a {TITLES[kind]} database or user has the name"
        for kind, names in taken.databases.items()
        if uid in names
    ]
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
