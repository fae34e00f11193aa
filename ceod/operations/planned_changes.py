"""What each operation would change: the values that ?dry_run shows, old and new.

Each function gets the arguments that the transaction would start with, and only reads.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from ceo_common.errors import CeoError
from ceo_common.model.change import Change, added, changed, removed
from ceo_common.terms import in_order
from ceod.operations.accounts import accounts
from ceod.operations.create_database import TITLES
from ceod.operations.expire_members import DAY_S
from ceod.operations.forwarding import lost_lines
from ceod.operations.restore_member import lists_of
from ceod.operations.set_positions import holders
from ceod.services.all import Services
from ceod.services.directory import Directory
from ceod.services.entry import Person
from ceod.services.homes import Forward, forward_text
from ceod.services.ldap_names import first_value
from ceod.transaction.step import Json

Changes = Iterator[Change]

_AT_ONCE = 1000  # accounts that the mail host is asked about in one request

NEXT_NUMBER = "the next free number"
CURRENT = "the current one"
TEMPORARY = "a temporary one, shown once"
NEW = "a new one, shown once"
OPEN, DISABLED = "open", "disabled"
UNKNOWN_LISTS = "each that it is on; the mail host does not say which"
FROM_SKELETON = "made from the skeleton"


def planned_changes(operation: str, services: Services, arguments: Json) -> list[Change]:
    """What the operation would change.  Raises BackendDown."""
    return list(_PLANNERS[operation](services, arguments))


def day_text(day: int) -> str:
    """A day counted from 1970 (shadow(5)) as a date."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)).date().isoformat()


def expiry_changes(services: Services, uids: list[str], day: int) -> Changes:
    """Each account expires that day, and leaves the members' mailing list if it is on it."""
    list_name = services.config.members.list
    leaving = _accounts_on(services, list_name, uids)
    for uid in uids:
        yield changed("expiry", uid, None, day_text(day))
        yield from removed("mailing list", uid, [list_name] if uid in leaving else [])


def reminder_changes(services: Services, uids: list[str]) -> Changes:
    """Each gets a mail."""
    for uid in uids:
        yield _mail(services, uid, "reminder to renew")


def new_account_changes(account: Json) -> Changes:
    """One line for each of many new accounts."""
    terms = " ".join(account.get("terms") or account["non_member_terms"])
    yield changed("account", account["uid"], None, f"{account['cn']}, {account['program']}, {terms}")


def _add_member(services: Services, arguments: Json) -> Changes:
    uid, config = arguments["uid"], services.config
    yield changed("full name", uid, None, arguments["cn"])
    yield from added("given name", uid, [arguments["given_name"]])
    yield from added("surname", uid, [arguments["sn"]])
    yield changed("program", uid, None, arguments["program"])
    yield from _terms(arguments)
    yield changed("user number", uid, None, NEXT_NUMBER)
    yield changed("login shell", uid, None, config.members.login_shell)
    yield changed("home directory", uid, None, services.admin_host.homes.path(uid))
    yield from added("forwarding address", uid, arguments["forwarding_addresses"])
    yield changed("password", uid, None, TEMPORARY)
    yield from added("mailing list", uid, _not_on(services, uid, [config.members.list]))
    yield _mail(services, uid, "welcome")
    yield _mail(services, config.members.announce_to, f"announcement of {uid}")


def _add_members(services: Services, arguments: Json) -> Changes:
    for account in accounts(arguments):
        yield from new_account_changes(account)


def _add_club(services: Services, arguments: Json) -> Changes:
    uid = arguments["uid"]
    yield changed("full name", uid, None, arguments["cn"])
    yield changed("user number", uid, None, NEXT_NUMBER)
    yield changed("login shell", uid, None, services.config.members.login_shell)
    yield changed("home directory", uid, None, services.admin_host.homes.path(uid))
    yield changed("who may act as it", uid, None, f"members of the group {uid}")


def _add_group(services: Services, arguments: Json) -> Changes:
    yield changed("group number", arguments["uid"], None, NEXT_NUMBER)


def _terms(arguments: Json) -> Changes:
    uid = arguments["uid"]
    yield from added("member term", uid, in_order(arguments["terms"] or []))
    yield from added("rep term", uid, in_order(arguments["non_member_terms"] or []))


def _renew_member(services: Services, arguments: Json) -> Changes:
    uid = arguments["uid"]
    yield from _terms(arguments)
    person = services.directory.person(uid)
    if person and person.one("shadowExpire"):
        yield changed("expiry", uid, _expiry(person), None)
    yield from added("mailing list", uid, _not_on(services, uid, [arguments["list"]]))


def _expiry(person: Person) -> str:
    """The day of it, or the directory's value where that is no day."""
    return day_text(person.expires) if person.expires else person.one("shadowExpire")


def _modify_member(services: Services, arguments: Json) -> Changes:
    uid = arguments["uid"]
    person, shell = services.directory.person(uid), arguments["login_shell"]
    if person and shell is not None and person.one("loginShell") != shell:
        yield changed("login shell", uid, person.one("loginShell"), shell)
    if arguments["forwarding_addresses"] is not None:
        now = services.admin_host.homes.forward(uid)
        yield from _forwarding(uid, now, Forward(forward_text(arguments["forwarding_addresses"])))
        comments = [line for line in lost_lines(now) if line not in now.addresses]
        yield from removed("line of ~/.forward", uid, comments)


def _forwarding(uid: str, now: Forward, then: Forward) -> Changes:
    """The lines that go and those that come; one that takes the place of another is one change."""
    gone = [line for line in now.addresses if line not in then.addresses]
    new = [line for line in then.addresses if line not in now.addresses]
    if len(gone) == len(new) == 1:
        yield changed("forwarding address", uid, gone[0], new[0])
        return
    yield from removed("forwarding address", uid, gone)
    yield from added("forwarding address", uid, new)


def _reset_password(services: Services, arguments: Json) -> Changes:
    uid = arguments["uid"]
    yield changed("password", uid, CURRENT, TEMPORARY)
    yield _mail(services, uid, "your password was reset")


def _change_group(services: Services, arguments: Json) -> Changes:
    uid, act = arguments["uid"], added if arguments["join"] else removed
    groups = [name for name, outcome in arguments["groups"].items() if outcome == "to do"]
    yield from act("group", uid, groups)
    lists = (_not_on if arguments["join"] else _on)(services, uid, arguments["lists"])
    yield from act("mailing list", uid, lists)


def _set_positions(services: Services, arguments: Json) -> Changes:
    for uid, positions in arguments["changes"].items():
        yield from removed("position", uid, positions["remove"])
        yield from added("position", uid, positions["put"])
    group, lists = arguments["group"], arguments["lists"]
    if services.directory.group(group) is None:
        return
    joining, leaving = _executive(services, arguments)
    for uid in joining:
        yield from added("group", uid, [group])
        yield from added("mailing list", uid, _not_on(services, uid, lists))
    for uid in leaving:
        yield from removed("group", uid, [group])
        yield from removed("mailing list", uid, _on(services, uid, lists))


def _executive(services: Services, arguments: Json) -> tuple[list[str], list[str]]:
    """Who joins the executive's group and who leaves it, once the positions are changed."""
    directory, concerned = services.directory, sorted(arguments["changes"])
    positions = holders(directory, services.config.positions) | arguments["wanted"]
    holding = {uid for uids in positions.values() for uid in uids}
    inside = {uid for uid in concerned if directory.is_in(arguments["group"], uid)}
    joining = [uid for uid in concerned if uid in holding and uid not in inside]
    leaving = [uid for uid in concerned if uid not in holding and uid in inside]
    return joining, leaving


def _delete_member(services: Services, arguments: Json) -> Changes:
    uid, homes = arguments["uid"], services.admin_host.homes
    person = services.directory.person(uid)
    if person:
        state = "expired" if person.is_expired(time.time()) else "open"
        yield changed("account", uid, state, "deleted")
        if person.one("shadowExpire"):
            yield changed("expiry", uid, _expiry(person), None)
        shell = services.config.members.deleted_shell
        yield changed("login shell", uid, person.one("loginShell"), shell)
    principal = services.admin_host.kadmin.get(uid)
    if principal and not principal.disabled:
        yield changed("Kerberos principal", uid, OPEN, DISABLED)
    if homes.identity(uid):
        archive = f"the archive {homes.settings.archive}"
        yield changed("home directory", uid, homes.path(uid), archive)
    yield from removed("group", uid, _groups_naming(services.directory, uid))
    yield from removed("mailing list", uid, _lists_to_leave(services, uid))


def _groups_naming(directory: Directory, uid: str) -> list[str]:
    naming = directory.entries_naming(directory.person_dn(uid))
    return sorted(first_value(dn) for dn, _ in naming)


def _restore_member(services: Services, arguments: Json) -> Changes:
    uid, directory = arguments["uid"], services.directory
    expires = arguments.get("expires")
    day = day_text(int(expires)) if expires and expires.isdigit() else expires
    yield changed("account", uid, "deleted", "expired" if day else "open")
    yield from added("expiry", uid, [day] if day else [])
    person, shell = directory.person(uid), arguments["login_shell"]
    if person and person.one("loginShell") != shell:
        yield changed("login shell", uid, person.one("loginShell"), shell)
    principal = services.admin_host.kadmin.get(uid)
    disabled_before, _ = arguments.get("principal") or (False, 0)
    if principal and principal.disabled and not disabled_before:
        yield changed("Kerberos principal", uid, DISABLED, OPEN)
    if archived := arguments["home_archived"]:
        homes = services.admin_host.homes
        yield changed("home directory", uid, f"{homes.settings.archive}/{archived}", homes.path(uid))
    already = _groups_naming(directory, uid)
    groups = sorted(first_value(dn) for dn in arguments["groups"])
    yield from added("group", uid, (name for name in groups if name not in already))
    yield from added("mailing list", uid, _not_on(services, uid, lists_of(arguments)))


def _purge_member(services: Services, arguments: Json) -> Changes:
    uid, homes = arguments["uid"], services.admin_host.homes
    yield changed("account", uid, f"number {arguments['uid_number']}", None)
    if principal := services.admin_host.kadmin.get(uid):
        yield changed("Kerberos principal", uid, DISABLED if principal.disabled else OPEN, None)
    yield from removed("group", uid, _groups_naming(services.directory, uid))
    yield from removed("mailing list", uid, _lists_to_leave(services, uid))
    if homes.identity(uid):
        yield changed("home directory", uid, homes.path(uid), None)
    for name in [*homes.archived_of(uid), *homes.undone_of(uid)]:
        yield changed("archived home", uid, f"{homes.settings.archive}/{name}", None)


def _create_database(services: Services, arguments: Json) -> Changes:
    uid, kind = arguments["uid"], arguments["kind"]
    yield changed(f"{TITLES[kind]} database", uid, None, f"{uid} on {arguments['host']}")
    yield changed(f"{TITLES[kind]} password", uid, None, NEW)
    yield _info_file(arguments)


def _reset_database(services: Services, arguments: Json) -> Changes:
    uid, kind = arguments["uid"], arguments["kind"]
    yield changed(f"{TITLES[kind]} password", uid, CURRENT, NEW)
    yield _info_file(arguments)


def _info_file(arguments: Json) -> Change:
    name = f"~/ceo-{arguments['kind']}-info"
    return changed("info file", arguments["uid"], None, f"{name}, with the new password")


def _expire_members(services: Services, arguments: Json) -> Changes:
    return expiry_changes(services, arguments["accounts"], arguments["day"])


def _remind_members(services: Services, arguments: Json) -> Changes:
    return reminder_changes(services, [item["uid"] for item in arguments["accounts"]])


def _update_programs(services: Services, arguments: Json) -> Changes:
    for item in arguments["changes"]:
        yield changed("program", item["uid"], item["old"], item["new"])


def _mend_account(services: Services, arguments: Json) -> Changes:
    uid, homes = arguments["uid"], services.admin_host.homes
    if arguments["counter"]:
        name, number = arguments["counter"]
        now = str(services.directory.counter(name))
        yield changed(f"counter of {name}", "the directory", now, str(number))
    if arguments["group"]:
        yield changed("group number", uid, None, str(arguments["number"]))
    if arguments["principal"]:
        yield changed("password", uid, None, TEMPORARY)
        if arguments["expires"]:
            day = day_text(arguments["expires"] // DAY_S)
            yield changed("Kerberos expiry", uid, None, day)
    if arguments["home"] == "build":
        yield changed("home directory", uid, None, f"{homes.path(uid)}, {FROM_SKELETON}")
    if arguments["home"] == "own":
        owner = f"user {arguments['wrong'][0]}"
        yield changed(f"owner of {homes.path(uid)}", uid, owner, f"user {arguments['number']}")
    yield from removed("mailing list", uid, arguments["lists"])


def _mail(services: Services, name: str, about: str) -> Change:
    return changed("mail", f"{name}@{services.config.domain}", None, about)


def _lists_of(services: Services, uid: str) -> list[str] | None:
    """The mailing lists that an account is on; None where the mail host does not say in time."""
    try:
        host = services.config.hosts.mail
        answer = services.slow_hosts.ask(host, lambda: services.peers.lists_of(uid))
    except CeoError:
        return None
    return list(answer["lists"])


def _lists_to_leave(services: Services, uid: str) -> list[str]:
    """The mailing lists that an account is on, in words where the mail host does not say which."""
    lists = _lists_of(services, uid)
    return [UNKNOWN_LISTS] if lists is None else lists


def _not_on(services: Services, uid: str, lists: list[str]) -> list[str]:
    """Those of the lists that the account is not on, as far as the mail host says."""
    now = _lists_of(services, uid) if lists else None
    return [name for name in lists if name not in (now or [])]


def _on(services: Services, uid: str, lists: list[str]) -> list[str]:
    """Those of the lists that the account is on; all of them where the mail host does not say."""
    now = _lists_of(services, uid) if lists else None
    return [name for name in lists if now is None or name in now]


def _accounts_on(services: Services, list_name: str, uids: list[str]) -> set[str]:
    """Those of the accounts that are on a list; all of them where the mail host does not say."""
    on_it = set[str]()
    try:
        for start in range(0, len(uids), _AT_ONCE):
            on_it |= services.peers.accounts_on(list_name, uids[start : start + _AT_ONCE])
    except CeoError:
        return set(uids)
    return on_it


_PLANNERS: dict[str, Callable[[Services, Json], Changes]] = {
    "add_member": _add_member,
    "add_members": _add_members,
    "add_club": _add_club,
    "add_group": _add_group,
    "renew_member": _renew_member,
    "modify_member": _modify_member,
    "reset_password": _reset_password,
    "change_group": _change_group,
    "set_positions": _set_positions,
    "delete_member": _delete_member,
    "restore_member": _restore_member,
    "purge_member": _purge_member,
    "create_mysql_database": _create_database,
    "create_postgresql_database": _create_database,
    "reset_mysql_password": _reset_database,
    "reset_postgresql_password": _reset_database,
    "expire_members": _expire_members,
    "remind_members": _remind_members,
    "update_programs": _update_programs,
    "mend_account": _mend_account,
}
