"""Accounts and groups as the directory has them: whose an entry is, and what is wrong with it.

slapd decides that two names are equal by rules of its own: letter case and compatibility characters
do not count (caseIgnoreMatch, RFC 4518), any of several values does, and so does a value with an
option (`uid;lang-en`, RFC 4512, 2.5.2).  So its answer to a filter is a list of candidates, and
this module decides: an entry's name is the value in its DN, byte for byte.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ceo_common.errors import BrokenEntry
from ceo_common.model.names import username_problem
from ceo_common.terms import Term
from ceo_common.text import is_unsafe
from ceod.services import ldap_names as names
from ceod.services.ldap_connection import Entry

DELETED = (
    "1"  # the shadowExpire of an account that was deleted: a day in 1970 that no expiry ever sets
)

#: slapd lets nobody else change the entry of a deleted account (etc/slapd-acl.conf).
AS_ADMIN = "as ceod/admin, because the account is deleted: on the admin host, kinit -k -t KEYTAB ceod/admin"

_FIRST_NUMBER = 1000  # below are the operating system's (Debian policy, 9.2.2)
_LAST_NUMBER = 2**31 - 1
_LAST_DAY = 2**32 // 86400  # Kerberos counts seconds since 1970 in 32 bits
_NUMBER = re.compile(r"[1-9][0-9]{0,9}")
_DAY = re.compile(r"-?[0-9]{1,6}")


def numbers_in(values: Iterable[str]) -> list[int]:
    """The user or group numbers among the values of an attribute."""
    return [
        number
        for value in values
        if _NUMBER.fullmatch(value) and (number := int(value)) <= _LAST_NUMBER
    ]


def number_in(values: list[str], *, least: int = 1) -> int | None:
    """The user or group number of an attribute; None where it is not one, from `least` on."""
    numbers = numbers_in(values)
    return numbers[0] if len(numbers) == len(values) == 1 and numbers[0] >= least else None


@dataclass(frozen=True)
class Person:
    """An account's entry."""

    dn: str
    uid: str
    attributes: Entry

    def one(self, name: str) -> str:
        """The first value of an attribute, or an empty text."""
        return (self.attributes.get(name) or [""])[0]

    @property
    def number(self) -> int:
        """The uidNumber.  Raises BrokenEntry."""
        return self._number("uidNumber")

    @property
    def group_number(self) -> int:
        """The gidNumber.  Raises BrokenEntry."""
        return self._number("gidNumber")

    def _number(self, name: str) -> int:
        number = number_in(self.attributes.get(name, []), least=_FIRST_NUMBER)
        if number is None:
            self.check()
            raise AssertionError(f"{name} was not read")
        return number

    @property
    def classes(self) -> set[str]:
        """The object classes, in lower case: the directory keeps them as somebody wrote them."""
        return {value.lower() for value in self.attributes.get("objectClass", [])}

    @property
    def shell_fault(self) -> str | None:
        """What is wrong with the login shell's characters; slapd's pattern ends at a NUL."""
        shells = self.attributes.get("loginShell", [])
        if any(is_unsafe(character) for shell in shells for character in shell):
            return f"its loginShell is {', '.join(map(ascii, shells))}: no program has such a path"
        return None

    @property
    def is_club(self) -> bool:
        """A club's account has no password and no terms."""
        return "club" in self.classes

    @property
    def is_deleted(self) -> bool:
        """Deleted, and kept to be restored."""
        return self.one("shadowExpire") == DELETED

    @property
    def as_whom(self) -> str:
        """With whose ticket the entry is changed by hand, where it is not the committee's own."""
        return f", {AS_ADMIN}" if self.is_deleted else ""

    @property
    def expires(self) -> int | None:
        """The day of the expiry, counted from 1970, or None: 0 and less are no days (shadow(5))."""
        text = self.one("shadowExpire")
        day = int(text) if _DAY.fullmatch(text) else 0
        return day if day > 0 else None

    def is_expired(self, now: float) -> bool:
        """Whether nobody can log in any more."""
        return self.expires is not None and self.expires * 86400 <= now

    @property
    def last_term(self) -> Term | None:
        """The last term of either kind; what is not a term does not count."""
        terms = []
        for text in self.attributes.get("term", []) + self.attributes.get("nonMemberTerm", []):
            with contextlib.suppress(ValueError):
                terms.append(Term.parse(text))
        return max(terms, default=None)

    def faults(self) -> list[str]:
        """Why nobody can work with this entry.  Its attributes JUDGED have to be read."""
        attributes = self.attributes
        faults = []
        if problem := username_problem(self.uid):
            faults.append(f"the name in its DN is {self.uid!r}: {problem}")
        if self.uid not in attributes.get("uid", []):
            faults.append(f"the name in its DN, {self.uid}, is no uid of it")
        if "posixaccount" not in self.classes:
            faults.append("it is no posixAccount")
        for name in ("uidNumber", "gidNumber"):
            if number_in(attributes.get(name, []), least=_FIRST_NUMBER) is None:
                faults.append(
                    f"its {name} is {_listed(attributes.get(name, []))}:"
                    f" it has to be one number from {_FIRST_NUMBER} on"
                )
        expiry = attributes.get("shadowExpire", [])
        if (
            any(not _DAY.fullmatch(day) or int(day) > _LAST_DAY for day in expiry)
            or len(expiry) > 1
        ):
            faults.append(
                f"its shadowExpire is {_listed(expiry)}: it has to be one day, up to {_LAST_DAY}"
            )
        return faults

    @property
    def fault(self) -> str | None:
        """All of that as a sentence; None where nothing is wrong."""
        faults = self.faults()
        if not faults:
            return None
        return (
            f"the entry of {self.uid} in the directory is broken: {'; '.join(faults)}."
            f" The systems committee has to repair {self.dn}{self.as_whom}"
        )

    def check(self) -> None:
        """Raises BrokenEntry with what is wrong."""
        if fault := self.fault:
            raise BrokenEntry(fault, uid=self.uid, faults=self.faults())


#: What Person.faults() looks at.
JUDGED = ("uid", "objectClass", "uidNumber", "gidNumber", "shadowExpire")


class People(list[Person]):
    """Accounts, and the entries among them that are too broken to be one.

    A broken entry whose DN is not uid=NAME has an empty `uid`.
    """

    def __init__(self, accounts: Iterable[Person] = (), broken: Iterable[Person] = ()) -> None:
        super().__init__(accounts)
        self.broken = list(broken)

    def those(self, are_meant: Callable[[Person], bool]) -> People:
        """Some of them."""
        return People(filter(are_meant, self), self.broken)


def people_in(entries: Iterable[tuple[str, Entry]], place: str) -> People:
    """The accounts among the entries right below `place`."""
    people = People()
    for dn, attributes in entries:
        person = Person(dn, names.child_value(dn, "uid", place), attributes)
        if person.uid and not person.faults():
            people.append(person)
        else:
            people.broken.append(person)
    return people


class NamedPeople(dict[str, Person]):
    """Accounts by their names, and the broken entries among those that were asked for."""

    def __init__(self, accounts: Iterable[tuple[str, Person]] = ()) -> None:
        super().__init__(accounts)
        self.broken: dict[str, Person] = {}

    def fault(self, uid: str) -> str | None:
        """Why nobody can work with a name's entry; None where there is no entry or a whole one."""
        return self.broken[uid].fault if uid in self.broken else None


@dataclass(frozen=True)
class Group:
    """A group's entry."""

    dn: str
    cn: str
    attributes: Entry

    @property
    def number(self) -> int | None:
        """The gidNumber; None: it is no POSIX group, or what is there is no number."""
        return number_in(self.attributes.get("gidNumber", []))

    def uids(self, people: str) -> list[str]:
        """The usernames that its uniqueMember DNs name; what is not below `people` is none."""
        return sorted(
            {
                uid
                for dn in self.attributes.get("uniqueMember", [])
                if (uid := names.child_value(dn, "uid", people))
            }
        )


def groups_in(entries: Iterable[tuple[str, Entry]], place: str) -> list[Group]:
    """The groups among the entries right below `place`: those whose name is the one in their DN."""
    groups = (
        Group(dn, names.child_value(dn, "cn", place), attributes) for dn, attributes in entries
    )
    return [group for group in groups if group.cn and group.cn in group.attributes.get("cn", [])]


def _listed(values: list[str]) -> str:
    return ", ".join(sorted(values)) or "missing"
