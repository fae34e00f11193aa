"""The club's LDAP directory: reads over kept connections as ceod/<fqdn>, writes as the caller or as ceod/admin."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gssapi
import ldap

from ceo_common.config import Ldap, Range
from ceo_common.errors import DelegationMismatch, NotFound
from ceo_common.terms import Term
from ceod.services import ldap_names as names
from ceod.services.ldap_connection import Change, Connection, CredentialRefused, Entry, Pool, bind

DELETED = "1"  # the shadowExpire of an account that was deleted: a day in 1970 that no expiry ever sets
_ONE_VALUE = ("shadowExpire", "loginShell", "program")
_AT_ONCE = 100  # names in one filter


@dataclass(frozen=True)
class Person:
    """An account's entry."""

    dn: str
    attributes: Entry

    def one(self, name: str) -> str:
        """The first value of an attribute, or an empty text."""
        return (self.attributes.get(name) or [""])[0]

    @property
    def uid(self) -> str:
        """The username."""
        return self.one("uid")

    @property
    def number(self) -> int:
        """The uidNumber."""
        return int(self.one("uidNumber"))

    @property
    def is_club(self) -> bool:
        """A club's account has no password and no terms."""
        return "club" in self.attributes.get("objectClass", [])

    @property
    def is_deleted(self) -> bool:
        """Deleted, and kept to be restored."""
        return self.one("shadowExpire") == DELETED

    @property
    def expires(self) -> int | None:
        """The day of the expiry, counted from 1970; None where there is none: 0 and less are no days (shadow(5))."""
        day = int(self.one("shadowExpire") or 0)
        return day if day > 0 else None

    def is_expired(self, now: float) -> bool:
        """Whether nobody can log in any more."""
        return self.expires is not None and self.expires * 86400 <= now

    @property
    def last_term(self) -> Term | None:
        """The last term of either kind; what is not a term does not count."""
        found = []
        for text in self.attributes.get("term", []) + self.attributes.get("nonMemberTerm", []):
            with contextlib.suppress(ValueError):
                found.append(Term.parse(text))
        return max(found, default=None)


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

    def ping(self) -> None:
        """One round trip.  Raises BackendDown."""
        self._own.read(lambda connection: connection.who_am_i())

    def person(self, uid: str) -> Person | None:
        """An account's entry."""
        found = self.search(self.people, names.equals("uid", uid), scope=ldap.SCOPE_ONELEVEL)
        return Person(*found[0]) if found else None

    def people_with(self, filter_: str, attributes: list[str] | None = None) -> list[Person]:
        """The accounts that a filter finds."""
        return [Person(dn, entry) for dn, entry in self.search(self.people, filter_, attributes, scope=ldap.SCOPE_ONELEVEL)]

    def people_named(self, uids: list[str], attributes: list[str] | None = None) -> dict[str, Person]:
        """Accounts by their names, as far as they are there."""
        found = []
        for start in range(0, len(uids), _AT_ONCE):
            found += self.people_with(names.any_of(*(names.equals("uid", uid) for uid in uids[start:start + _AT_ONCE])), attributes)
        return {person.uid: person for person in found}

    def people_pages(self, filter_: str) -> Iterator[list[Person]]:
        """The accounts that a filter finds, a page at a time and in the directory's own order."""
        with self._own.connection() as connection:
            for page in connection.pages(self.people, ldap.SCOPE_ONELEVEL, filter_):
                yield [Person(dn, entry) for dn, entry in page]

    def members_of(self, cn: str) -> list[str]:
        """The usernames in a group, none when it is not there."""
        group = self.group(cn)
        return self.uids_in(group) if group else []

    def uids_in(self, group: Entry) -> list[str]:
        """The usernames that a group's uniqueMember DNs name; what is no account's DN counts for nothing."""
        return sorted({uid for dn in group.get("uniqueMember", []) if (uid := names.child_value(dn, "uid", self.people))})

    def shared_groups(self, own: Range) -> list[Entry]:
        """The groups beside those that are one account's own, which have the numbers `own`."""
        filter_ = names.any_of(f"(gidNumber<={own.first - 1})", f"(gidNumber>={own.last + 1})")
        found = self.search(self.groups, filter_, scope=ldap.SCOPE_ONELEVEL)
        return sorted((entry for _, entry in found), key=lambda entry: entry["cn"][0])

    def group(self, cn: str) -> Entry | None:
        """A group's entry."""
        found = self.search(self.groups, names.equals("cn", cn), scope=ldap.SCOPE_ONELEVEL)
        return found[0][1] if found else None

    def groups_of(self, uid: str) -> list[str]:
        """The groups that an account is a member of, by name."""
        found = self.search(self.groups, names.equals("uniqueMember", self.person_dn(uid)), ["cn"], scope=ldap.SCOPE_ONELEVEL)
        return sorted(entry["cn"][0] for _, entry in found if entry.get("cn"))

    def entries_naming(self, person_dn: str) -> list[tuple[str, Entry]]:
        """The entries anywhere that have this DN as a uniqueMember."""
        return self.search(self.settings.base, names.equals("uniqueMember", person_dn), ["uniqueMember"])

    def exists(self, dn: str) -> bool:
        """Whether an entry is there."""
        return bool(self.search(dn, "(objectClass=*)", ["1.1"], scope=ldap.SCOPE_BASE))

    def pointers_to(self, uid: str) -> list[str]:
        """What in the directory still names an account: memberships, sudo roles, owners; as texts for a person."""
        return [f"{found} names it" for found in self.pointed_from(uid)]

    def pointed_from(self, uid: str) -> list[str]:
        """The DNs of what names an account: memberships, sudo roles, owners."""
        dn = self.person_dn(uid)
        group = f"%{uid}"  # as sudo names the group of that name, and its role
        points = names.any_of(names.equals("uniqueMember", dn), names.equals("memberUid", uid), names.equals("sudoUser", uid),
                              names.equals("sudoUser", group), names.equals("cn", group), names.equals("owner", dn))
        return [found for found, _ in self.search(self.settings.base, points, ["cn"])]

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
        return {int(value) for _, entry in [*people, *groups] for values in entry.values() for value in values}

    def counter(self, name: str) -> int:
        """The next number of a range.  Raises NotFound."""
        found = self.search(self.counters, names.equals("cn", name), ["uidNumber"], scope=ldap.SCOPE_ONELEVEL)
        if not found or not found[0][1].get("uidNumber"):
            raise NotFound(f"the directory has no counter cn={name},{self.counters}; etc/README.md says how to make it")
        return int(found[0][1]["uidNumber"][0])

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
        found = self.admin_read(lambda connection: connection.search(dn, ldap.SCOPE_BASE, "(objectClass=*)", wanted))
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
        found = self.admin_read(lambda connection: connection.search(dn, ldap.SCOPE_BASE, "(objectClass=*)", [attribute]))
        if not found:
            return None
        if found[0][1].get(attribute) != [value]:
            return False
        with self.as_admin() as connection, contextlib.suppress(NotFound):
            connection.delete(dn)
        return True

