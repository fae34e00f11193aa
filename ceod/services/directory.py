"""The club's LDAP directory: reads over kept connections as ceod/<fqdn>, writes as the caller or as ceod/admin."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import gssapi
import ldap

from ceo_common.config import Ldap, Range
from ceo_common.errors import BrokenEntry, DelegationMismatch, NotFound
from ceod.services import ldap_names as names
from ceod.services.entry import (
    JUDGED,
    Group,
    NamedPeople,
    People,
    Person,
    groups_in,
    number_in,
    numbers_in,
    people_in,
)
from ceod.services.ldap_connection import Change, Connection, CredentialRefused, Entry, Pool, bind

_ANY = "(objectClass=*)"
_ONE_VALUE = ("shadowExpire", "loginShell", "program")
_AT_ONCE = 100  # names in one filter


def _judged(attributes: list[str] | None) -> list[str] | None:
    """These attributes, and those that tell whether an entry is an account."""
    return None if attributes is None else list(dict.fromkeys([*attributes, *JUDGED]))


class Directory:
    """What ceod asks of the directory."""

    def __init__(self, settings: Ldap, own: Callable[[], gssapi.Credentials], admin: Callable[[], gssapi.Credentials] | None) -> None:
        self.settings = settings
        self.people = f"ou=People,{settings.base}"
        self.groups = f"ou=Group,{settings.base}"
        self.sudoers = f"ou=SUDOers,{settings.base}"
        self.counters = f"ou=UidCounters,{settings.base}"
        self._own = Pool(settings, own)
        self._admin = Pool(settings, admin) if admin else None

    def close(self) -> None:
        """Close the kept connections."""
        self._own.drop()
        if self._admin:
            self._admin.drop()

    def person_dn(self, uid: str) -> str:
        """Where an account's entry is."""
        return names.child("uid", uid, self.people)

    def group_dn(self, cn: str) -> str:
        """Where a group's entry is."""
        return names.child("cn", cn, self.groups)

    def sudo_role_dn(self, cn: str) -> str:
        """Where the sudo role of a group is."""
        return names.child("cn", f"%{cn}", self.sudoers)

    # Reading, as ceod/<fqdn>

    def search(self, base: str, filter_: str, attributes: list[str] | None = None, *, scope: int = ldap.SCOPE_SUBTREE) -> list[tuple[str, Entry]]:
        """A search as ceod/<fqdn>."""
        found: list[tuple[str, Entry]] = self._own.read(lambda connection: connection.search(base, scope, filter_, attributes))
        return found

    def everything_below(self, place: str) -> list[tuple[str, Entry]]:
        """Every entry below `place`, attributes with options among theirs: to be examined."""
        entries: list[tuple[str, Entry]] = self._own.read(
            lambda connection: connection.search(place, ldap.SCOPE_SUBTREE, _ANY, options=True)
        )
        return [(dn, entry) for dn, entry in entries if not names.same(dn, place)]

    def context_csns(self) -> list[str]:
        """The newest change of each server (contextCSN); empty where slapd keeps none."""
        attribute = "contextCSN"
        entries = self.search(self.settings.base, _ANY, [attribute], scope=ldap.SCOPE_BASE)
        return [value for _, entry in entries for value in entry.get(attribute, [])]

    def ping(self) -> None:
        """One round trip.  Raises BackendDown."""
        self._own.read(lambda connection: connection.who_am_i())

    def person(self, uid: str) -> Person | None:
        """An account's entry.  Raises BrokenEntry."""
        person = self.person_unchecked(uid)
        if person:
            person.check()
        return person

    def person_unchecked(self, uid: str) -> Person | None:
        """An account's entry, whatever it is like: for those who look for what is wrong with it."""
        entries = self.search(self.person_dn(uid), _ANY, scope=ldap.SCOPE_BASE)
        people = [
            Person(dn, names.child_value(dn, "uid", self.people), entry) for dn, entry in entries
        ]
        return next((person for person in people if person.uid == uid), None)

    def people_with(self, filter_: str, attributes: list[str] | None = None) -> People:
        """The accounts that a filter finds."""
        return people_in(
            self.search(self.people, filter_, _judged(attributes), scope=ldap.SCOPE_ONELEVEL),
            self.people,
        )

    def people_named(self, uids: list[str], attributes: list[str] | None = None) -> NamedPeople:
        """Accounts by their names, as far as they are there; those that are broken are apart."""
        people, wanted = People(), set(uids)
        for start in range(0, len(uids), _AT_ONCE):
            some = names.any_of(*(names.equals("uid", uid) for uid in uids[start:start + _AT_ONCE]))
            page = self.people_with(some, attributes)
            people += page
            people.broken += page.broken
        named = NamedPeople((person.uid, person) for person in people if person.uid in wanted)
        named.broken = {person.uid: person for person in people.broken if person.uid in wanted}
        return named

    def people_pages(self, filter_: str) -> Iterator[People]:
        """The accounts that a filter finds, a page at a time and in the directory's own order."""
        with self._own.connection() as connection:
            for page in connection.pages(self.people, ldap.SCOPE_ONELEVEL, filter_):
                yield people_in(page, self.people)

    def members_of(self, cn: str) -> list[str]:
        """The usernames in a group, none when it is not there."""
        group = self.group(cn)
        return self.uids_in(group) if group else []

    def is_in(self, cn: str, uid: str) -> bool:
        """Whether slapd takes an account for a member of a group, and no second value for it.

        By slapd's rules: letter case does not count.
        """
        group, dn = self.group(cn), self.person_dn(uid)
        return group is not None and any(
            names.same(value, dn) for value in group.attributes.get("uniqueMember", [])
        )

    def uids_in(self, group: Group) -> list[str]:
        """The usernames that a group's uniqueMember DNs name; what is no account's DN counts for nothing."""
        return group.uids(self.people)

    def shared_groups(self, own: Range) -> tuple[list[Group], int]:
        """The groups beside those that are one account's own, and how many are broken.

        Accounts' own groups have the numbers `own`.
        """
        # All of them, and no filter by range: see numbers_in_use().
        entries = self.search(
            self.groups,
            "(objectClass=posixGroup)",
            ["cn", "gidNumber", "uniqueMember"],
            scope=ldap.SCOPE_ONELEVEL,
        )
        beside = [
            (dn, entry)
            for dn, entry in entries
            if not any(
                own.first <= number <= own.last for number in numbers_in(entry.get("gidNumber", []))
            )
        ]
        shared = [group for group in groups_in(beside, self.groups) if group.number is not None]
        return sorted(shared, key=lambda group: group.cn), len(beside) - len(shared)

    def group(self, cn: str) -> Group | None:
        """A group's entry."""
        found = groups_in(self.search(self.group_dn(cn), _ANY, scope=ldap.SCOPE_BASE), self.groups)
        return next((group for group in found if group.cn == cn), None)

    def members_by_group(self, cns: list[str]) -> dict[str, list[str]]:
        """The usernames in groups, by the group's name; a group that is not there is left out."""
        attributes, members = ["cn", "uniqueMember"], dict[str, list[str]]()
        for start in range(0, len(cns), _AT_ONCE):
            named = names.any_of(*(names.equals("cn", cn) for cn in cns[start : start + _AT_ONCE]))
            entries = self.search(self.groups, named, attributes, scope=ldap.SCOPE_ONELEVEL)
            members |= {group.cn: self.uids_in(group) for group in groups_in(entries, self.groups)}
        return members

    def groups_of(self, uid: str) -> list[str]:
        """The groups that an account is a member of, by name."""
        naming = names.equals("uniqueMember", self.person_dn(uid))
        found = groups_in(
            self.search(self.groups, naming, ["cn", "uniqueMember"], scope=ldap.SCOPE_ONELEVEL),
            self.groups,
        )
        return sorted(group.cn for group in found if uid in group.uids(self.people))

    def entries_naming(self, person_dn: str) -> list[tuple[str, list[str]]]:
        """The DNs of the entries anywhere that name this DN, each with its values that do.

        By slapd's rules: letter case does not count.
        """
        entries = self.search(
            self.settings.base, names.equals("uniqueMember", person_dn), ["uniqueMember"]
        )
        naming = [
            (dn, [value for value in entry.get("uniqueMember", []) if names.same(value, person_dn)])
            for dn, entry in entries
        ]
        return [(dn, values) for dn, values in naming if values]

    def exists(self, dn: str) -> bool:
        """Whether an entry is there."""
        return bool(self.search(dn, _ANY, ["1.1"], scope=ldap.SCOPE_BASE))

    def pointers_to(self, uid: str) -> list[str]:
        """What in the directory still names an account: memberships, sudo roles, owners; as texts for a person."""
        return [f"{found} names it" for found in self.pointed_from(uid)]

    def pointed_from(self, uid: str) -> list[str]:
        """The DNs of what names an account: memberships, sudo roles, owners, look-alikes.

        By slapd's rules and not byte for byte: whoever gets the name would get what they point at.
        """
        dn = self.person_dn(uid)
        group = f"%{uid}"  # as sudo names the group of that name, and its role
        a_group = names.any_of("(objectClass=group)", "(objectClass=posixGroup)")
        points = names.any_of(
            names.equals("uniqueMember", dn),
            names.equals("memberUid", uid),
            names.equals("sudoUser", uid),
            names.equals("sudoUser", group),
            names.equals("cn", group),
            names.equals("owner", dn),
            names.equals("uid", uid),
            names.all_of(a_group, names.equals("cn", uid)),
        )
        entries = self.search(self.settings.base, points, ["uniqueMember", "memberUid"])
        return [dn for dn, entry in entries if not self._is_own(uid, dn, entry)]

    def _is_own(self, uid: str, dn: str, entry: Entry) -> bool:
        """Whether this is the account's user, or its group with nobody of its name in it."""
        if names.child_value(dn, "uid", self.people) == uid:
            return True
        if names.child_value(dn, "cn", self.groups) != uid:
            return False
        members = entry.get("uniqueMember", [])
        return uid not in entry.get("memberUid", []) and not any(
            names.same(value, self.person_dn(uid)) for value in members
        )

    def number_in_use(self, number: int) -> bool:
        """Whether any entry has this uidNumber or gidNumber."""
        return bool(self.entries_with_number(number))

    def entries_with_number(self, number: int) -> list[str]:
        """The DNs of the accounts and groups that have this uidNumber or gidNumber."""
        value = str(number)
        used = names.any_of(names.equals("uidNumber", value), names.equals("gidNumber", value))
        return [dn for place in (self.people, self.groups) for dn, _ in self.search(place, used, ["cn"])]

    def numbers_in_use(self) -> set[int]:
        """Every uidNumber and gidNumber.  Not range by range: slapd puts a range together number by number, which grows with the square."""
        people = self.search(self.people, "(objectClass=posixAccount)", ["uidNumber"])
        groups = self.search(self.groups, "(objectClass=posixGroup)", ["gidNumber"])
        return {
            number
            for _, entry in [*people, *groups]
            for values in entry.values()
            for number in numbers_in(values)
        }

    def counter(self, name: str) -> int:
        """The next number of a range.  Raises NotFound (no such entry), BrokenEntry (no number)."""
        dn = names.child("cn", name, self.counters)
        entries = self.search(dn, _ANY, ["uidNumber"], scope=ldap.SCOPE_BASE)
        if not entries:
            raise NotFound(f"the directory has no counter {dn}; etc/README.md says how to make it")
        values = entries[0][1].get("uidNumber", [])
        following = number_in(values)
        if following is None:
            raise BrokenEntry(
                f"the uidNumber of the counter {dn} is {', '.join(sorted(values)) or 'missing'}:"
                " it has to be one number, the next to give"
            )
        return following

    # Writing

    def change_as_host(self, dn: str, *changes: Change) -> None:
        """Change an entry as ceod/<fqdn>.  Raises Changed, NotFound, Forbidden, BackendDown."""
        self.ping()  # a dead kept connection shows here, before the write
        with self._own.connection() as connection:
            connection.change(dn, *changes)

    def connect_as(self, credential: gssapi.Credentials) -> Connection:
        """A connection bound as a caller.  Raises DelegationMismatch, BackendDown, Forbidden."""
        try:
            return bind(self.settings, credential)
        except CredentialRefused as error:
            raise DelegationMismatch(
                f"the forwarded ticket can't be used: {error.message};"
                " get a new ticket (kinit) and forward that one"
            ) from None

    @contextlib.contextmanager
    def as_admin(self) -> Iterator[Connection]:
        """A connection bound as ceod/admin."""
        assert self._admin is not None, "only the admin host has ceod/admin"
        with self._admin.connection() as connection:
            yield connection

    def admin_read(self, action: Callable[[Connection], Any]) -> Any:
        """A read as ceod/admin, retried once on a dead kept connection."""
        assert self._admin is not None, "only the admin host has ceod/admin"
        return self._admin.read(action)

    def take_number(self, counter: str) -> int:
        """The next number of a range, given to nobody else ever."""
        self.admin_read(lambda connection: connection.who_am_i())  # a dead kept connection shows here, before the write
        with self.as_admin() as connection:
            return connection.increment(names.child("cn", counter, self.counters), "uidNumber") - 1

    def raise_counter(self, counter: str, number: int) -> None:
        """Let the next number of a range be this one or a greater one.  Raises Changed (somebody took a number at that moment)."""
        found = self.counter(counter)
        if found < number:
            with self.as_admin() as connection:
                connection.change(names.child("cn", counter, self.counters), Change("uidNumber", (str(found),), (str(number),)))

    @contextlib.contextmanager
    def writing(self, caller: Connection | None) -> Iterator[Connection]:
        """The caller's connection while there is one, else ceod/admin's: recovery has no caller."""
        if caller:
            yield caller
        else:
            with self.as_admin() as connection:
                yield connection

    def take_back(self, dn: str, *changes: Change) -> bool | None:
        """Put values back as they were before these changes, as ceod/admin.

        True when something was put back, False when somebody changed it since (that stays), None when there is nothing to put back.
        """
        wanted = [change.attribute for change in changes]
        found = self.admin_read(
            lambda connection: connection.search(dn, ldap.SCOPE_BASE, _ANY, wanted)
        )
        if not found:
            return None
        back, foreign = [], False
        for change in changes:
            have = {value.lower() for value in found[0][1].get(change.attribute, [])}
            ours = tuple(value for value in change.put if value.lower() in have)
            missing = tuple(value for value in change.remove if value.lower() not in have)
            if missing and change.attribute in _ONE_VALUE and have - {value.lower() for value in ours}:
                foreign = True
            elif ours or missing:
                back.append(Change(change.attribute, ours, missing))
        if back:
            with self.as_admin() as connection:
                connection.change(dn, *back)
            return True
        return False if foreign else None

    def delete_if(self, dn: str, attribute: str, value: str) -> bool | None:
        """Delete an entry if it has this value: True when deleted, False when it has another, None when it is not there."""
        found = self.admin_read(
            lambda connection: connection.search(dn, ldap.SCOPE_BASE, _ANY, [attribute])
        )
        if not found:
            return None
        if found[0][1].get(attribute) != [value]:
            return False
        with self.as_admin() as connection, contextlib.suppress(NotFound):
            connection.delete(dn)
        return True

