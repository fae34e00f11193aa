"""Examine ou=People and ou=Group: which entries are not as they should be, and how to mend each.

Others write there too.  What ceod leaves out, skips or takes no notice of is listed here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from ceo_common.config import Numbers
from ceo_common.errors import BrokenEntry, NotFound
from ceo_common.model import names as name_rules
from ceo_common.model.doctor import Finding
from ceod.operations.accounts import USER_NUMBER
from ceod.operations.reserved_names import is_reserved
from ceod.services.all import Services
from ceod.services.entry import Group, Person, numbers_in
from ceod.services.ldap_connection import Entry
from ceod.services.ldap_names import child, child_value, same
from ceod.transaction.record import Record

ROWS = 1000  # in one answer
_TEXT = 300  # characters of a sentence: values are others' and may be long
_DELETE = "keep what is wanted of it, and remove it: ldapdelete"


@dataclass(frozen=True)
class Directory:
    """What was read: entries with their DNs, attributes with options among them.

    `counters` are the next numbers of the ranges, `given` the largest ones that the journal knows.
    `no_counters` says of the other ranges why they have no next number.
    """

    people_dn: str
    groups_dn: str
    homes: str
    numbers: Numbers
    people: list[tuple[str, Entry]]
    groups: list[tuple[str, Entry]]
    counters: dict[str, int]
    given: dict[str, int]
    no_counters: dict[str, str] = field(default_factory=dict)


def read(services: Services, record: Record) -> Directory:
    """Read all of it.  Raises BackendDown."""
    directory, config = services.directory, services.config
    ranges = config.numbers.ranges()
    given = {name: record.largest_number(USER_NUMBER, numbers) for name, numbers in ranges.items()}
    counters, no_counters = dict[str, int](), dict[str, str]()
    for name in ranges:
        try:
            counters[name] = directory.counter(name)
        except (NotFound, BrokenEntry) as error:
            no_counters[name] = error.message
    return Directory(
        directory.people,
        directory.groups,
        services.admin_host.homes.settings.root,
        config.numbers,
        directory.everything_below(directory.people),
        directory.everything_below(directory.groups),
        counters,
        {name: number or 0 for name, number in given.items()},
        no_counters,
    )


def examine(directory: Directory) -> list[Finding]:
    """Each thing that is wrong, by the entry's DN; of a subtree where nothing is, one row."""
    findings = list(_counters(directory))
    for check, place, entries, problems in (
        ("accounts", directory.people_dn, directory.people, _people(directory)),
        ("groups", directory.groups_dn, directory.groups, _groups(directory)),
    ):
        rows = sorted(problems, key=lambda finding: finding.looked_at)
        findings += rows or [
            _finding(check, "ok", place, f"{len(entries)}, all correct")
        ]
    if len(findings) > ROWS:
        more = f"{len(findings) - ROWS + 1} more problems are not listed"
        last = _finding(
            "entries", "problem", directory.people_dn, more, "repair these, and check again"
        )
        findings = [*findings[: ROWS - 1], last]
    return findings


def _finding(check: str, state: str, looked_at: str, found: str, mend: str = "") -> Finding:
    fields = {"check": check, "state": state, "looked_at": _short(looked_at)}
    return Finding.model_validate(fields | {"found": _short(found), "mend": _short(mend)})


def _short(text: str) -> str:
    return text if len(text) <= _TEXT else f"{text[:_TEXT]} ..."


def _problem(check: str, dn: str, found: str, mend: str) -> Finding:
    return _finding(check, "problem", dn, found, mend)


def _counters(directory: Directory) -> Iterator[Finding]:
    for name, numbers in directory.numbers.ranges().items():
        looked_at = f"cn={name},ou=UidCounters"
        if name not in directory.counters:
            mend = "set its uidNumber past the last number that was given (etc/README.md)"
            yield _problem("counter", looked_at, directory.no_counters[name], mend)
            continue
        following, given = directory.counters[name], directory.given[name]
        if following <= given:
            found = f"it is at {following}, and {given} was given: ceod won't start again"
            yield _problem("counter", looked_at, found, f"set its uidNumber to {given + 1}")
        elif following < numbers.first:
            found = (
                f"it is at {following}, below {numbers.first} to {numbers.last}: it can give no number"
            )
            yield _problem("counter", looked_at, found, "set its uidNumber past the last one given")
        elif ahead := [] if given else _ahead(directory, name):
            found = (
                f"it is at {following}, the journal knows of no number that was given, and accounts"
                f" have {len(ahead)} numbers from {following} on, up to {max(ahead)}"
            )
            mend = (
                "if ceod gave these (the journal is a new one, or an older directory was put back),"
                f" set its uidNumber to {max(ahead) + 1}; if somebody chose them, leave it: ceod"
                " skips numbers in use"
            )
            yield _problem("counter", looked_at, found, mend)


def _ahead(directory: Directory, name: str) -> set[int]:
    """The numbers of a kind's accounts that its counter has not reached."""
    last, following = directory.numbers.ranges()[name].last, directory.counters[name]
    people = [Person(dn, "", entry) for dn, entry in directory.people]
    return {
        number
        for person in people
        if ("clubs" if person.is_club else "members") == name
        for number in numbers_in(person.attributes.get("uidNumber", []))
        if following <= number <= last
    }


def _people(directory: Directory) -> Iterator[Finding]:
    owners = _owners(directory)
    for dn, entry in directory.people:
        person = Person(dn, child_value(dn, "uid", directory.people_dn), entry)
        for finding in _account(directory, person, owners):
            yield finding.model_copy(update={"mend": finding.mend + person.as_whom})


def _account(
    directory: Directory, person: Person, owners: dict[int, set[str]]
) -> Iterator[Finding]:
    dn, uid, entry = person.dn, person.uid, person.attributes
    yield from _options(dn, entry)
    if not uid:
        found = f"its DN is not uid=NAME,{directory.people_dn}: it is no account"
        yield _problem("name", dn, found, f"{_DELETE} '{dn}'")
        return
    faults = person.faults()
    for fault in faults:
        yield _problem("broken", dn, fault, f"repair it with ldapmodify, or {_DELETE} '{dn}'")
    yield from _second_names(dn, "uid", uid, entry)
    if is_reserved(uid):
        found = f"{uid} is a reserved name"
        mend = f"give its owner another account, and delete {uid}"
        yield _problem("reserved name", dn, found, mend)
    yield from _classes(person)
    for name in ("cn", "homeDirectory", "loginShell"):
        if not entry.get(name):
            yield _problem("attributes", dn, f"it has no {name}", f"add {name} with ldapmodify")
    if person.shell_fault:
        yield _problem("login shell", dn, person.shell_fault, "set loginShell with ldapmodify")
    home = f"{directory.homes}/{uid}"
    if wrong := [value for value in entry.get("homeDirectory", []) if value != home]:
        found = f"homeDirectory is {', '.join(wrong)}, not {home}"
        yield _problem("home", dn, found, f"set homeDirectory to {home} with ldapmodify")
    if not faults:
        yield from _number(directory, person, owners)


def _groups(directory: Directory) -> Iterator[Finding]:
    accounts = {
        person.uid: person
        for dn, entry in directory.people
        if (person := Person(dn, child_value(dn, "uid", directory.people_dn), entry)).uid
    }
    owners = _owners(directory)
    for dn, entry in directory.groups:
        yield from _options(dn, entry)
        cn = child_value(dn, "cn", directory.groups_dn)
        if not cn or cn not in entry.get("cn", []):
            found = f"its DN is not cn=NAME,{directory.groups_dn}: it is no group"
            yield _problem("name", dn, found, f"{_DELETE} '{dn}'")
            continue
        group = Group(dn, cn, entry)
        if problem := name_rules.username_problem(cn):
            yield _problem("name", dn, f"{cn!r}: {problem}", f"{_DELETE} '{dn}'")
        yield from _second_names(dn, "cn", cn, entry)
        yield from _group_number(directory, group, accounts, owners)
        yield from _members(directory, group, accounts)


def _options(dn: str, entry: Entry) -> Iterator[Finding]:
    for name in sorted(name for name in entry if ";" in name):
        found = f"{name} is {', '.join(entry[name])}: ceod leaves it out, other programs may not"
        yield _problem("options", dn, found, f"delete it with ldapmodify: delete: {name}")


def _second_names(dn: str, attribute: str, name: str, entry: Entry) -> Iterator[Finding]:
    others = sorted(set(entry.get(attribute, [])) - {name})
    if others and name in entry[attribute]:
        found = f"it has the name {', '.join(others)} too, which ceod ignores"
        yield _problem(
            "second name", dn, found, f"delete it with ldapmodify: delete: {attribute}"
        )


def _classes(person: Person) -> Iterator[Finding]:
    # posixAccount is a fault, and told as one.
    missing = [name for name in ("account", "shadowAccount") if name.lower() not in person.classes]
    if missing:
        found = f"the classes {', '.join(missing)} are missing"
        yield _problem("classes", person.dn, found, "add them with ldapmodify: objectClass")
    if len(person.classes & {"member", "club"}) != 1:
        found = "it is neither a member nor a club, or both"
        yield _problem("classes", person.dn, found, "set objectClass with ldapmodify")


def _owners(directory: Directory) -> dict[int, set[str]]:
    """By number, the names of the accounts and groups that have it: one for both of an account."""
    owners: dict[int, set[str]] = defaultdict(set)
    for entries, attributes in (
        (directory.people, ("uidNumber", "gidNumber")),
        (directory.groups, ("gidNumber",)),
    ):
        for dn, entry in entries:
            name = child_value(dn, "uid", directory.people_dn)
            name = name or child_value(dn, "cn", directory.groups_dn) or dn
            for attribute in attributes:
                for number in numbers_in(entry.get(attribute, [])):
                    owners[number].add(name)
    return owners


def _shared(dn: str, name: str, number: int, owners: dict[int, set[str]]) -> Iterator[Finding]:
    if others := sorted(owners[number] - {name}):
        found = f"{number} is the number of {', '.join(others)} too: their files are each other's"
        mend = "give one of them another number, and chown what is theirs"
        yield _problem("number", dn, found, mend)


def _number(directory: Directory, person: Person, owners: dict[int, set[str]]) -> Iterator[Finding]:
    number, kind = person.number, "clubs" if person.is_club else "members"
    numbers, another = (
        directory.numbers.ranges()[kind],
        "give it another number, and chown its home",
    )
    yield from _shared(person.dn, person.uid, number, owners)
    if number != person.group_number:
        found = f"uidNumber {number} is not gidNumber {person.group_number}"
        yield _problem("number", person.dn, found, "set gidNumber with ldapmodify")
    if not numbers.first <= number <= numbers.last:
        found = f"{number} is outside of {numbers.first} to {numbers.last}, the range of {kind}"
        yield _problem("number", person.dn, found, another)
        return
    following, given = directory.counters.get(kind), directory.given[kind]
    # Where the journal knows of no number, the counter's row tells of all of them.
    if following and given and number >= following >= numbers.first and number > given:
        found = f"somebody chose {number}: the counter is at {following}"
        mend = f"leave it, since the counter skips it when it gets there, or {another}"
        yield _problem("number", person.dn, found, mend)


def _group_number(
    directory: Directory, group: Group, accounts: dict[str, Person], owners: dict[int, set[str]]
) -> Iterator[Finding]:
    if group.number is None:
        values = ", ".join(group.attributes.get("gidNumber", [])) or "missing"
        found = f"its gidNumber is {values}: it has to be one number"
        yield _problem(
            "broken", group.dn, found, f"repair it with ldapmodify, or {_DELETE} '{group.dn}'"
        )
        return
    yield from _shared(group.dn, group.cn, group.number, owners)
    if group.number < directory.numbers.members.first or group.cn in accounts:
        return
    if is_reserved(group.cn):
        found = f"{group.cn} is a name of the operating system's, or another reserved one"
        yield _problem("reserved name", group.dn, found, f"{_DELETE} '{group.dn}'")
    for kind in (directory.numbers.members, directory.numbers.clubs):
        if not kind.first <= group.number <= kind.last:
            continue
        found = f"{group.number} is an account's number, and there is no account {group.cn}"
        yield _problem("number", group.dn, found, f"{_DELETE} '{group.dn}'")


def _members(directory: Directory, group: Group, accounts: dict[str, Person]) -> Iterator[Finding]:
    for value in group.attributes.get("uniqueMember", []):
        uid = child_value(value, "uid", directory.people_dn)
        mend = f"take it out with ldapmodify: delete: uniqueMember: {value}"
        alike = uid.lower()
        if (
            uid not in accounts
            and same(value, child("uid", alike, directory.people_dn))
            and alike in accounts
        ):
            found = f"uniqueMember {value}: slapd takes it for {alike}, and ceod for nobody"
            yield _problem("members", group.dn, found, mend)
        elif uid not in accounts:
            found = f"uniqueMember {value} names no account: the next account of that name would be in the group"
            yield _problem("members", group.dn, found, mend)
        elif accounts[uid].is_deleted:
            yield _problem("members", group.dn, f"{uid} was deleted and is in it", mend)
    for value in group.attributes.get("memberUid", []):
        found = f"memberUid {value} makes somebody a member, but ceod looks at uniqueMember alone"
        mend = f"take it out with ldapmodify: delete: memberUid: {value}"
        yield _problem("members", group.dn, found, mend)
