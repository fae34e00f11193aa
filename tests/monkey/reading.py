"""What every server holds, read past ceod and its libraries."""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from sandbox.club import BASE_DN, DOMAIN, OUTSIDE
from sandbox.services import PSQL
from tests.club import databases
from tests.club.club import ADMIN, Club
from tests.monkey.faults import HOMES, state_dir
from tests.monkey.model import Row, Thing
from tests.monkey.operations import KINDS, LIST, MEMBERS_LIST

_DELETED_DAY = "1"
_REST = "http://127.0.0.1:8001/3.1"
_LISTS = (MEMBERS_LIST, LIST, "exec", "syscom")
Entry = dict[str, list[str]]


@dataclass
class Journal:
    """One host's."""

    rows: dict[str, Row]
    locks: list[tuple[str, str]]
    open_: list[tuple[str, str, str]]  # transactions without an end: id, operation, state
    steps: dict[str, list[tuple[Any, ...]]]

    @property
    def by_key(self) -> dict[str, Row]:
        return {row.key: row for row in self.rows.values() if row.key}

    def waiting(self) -> list[str]:
        """Transactions of which a step waits."""
        return [
            identifier
            for identifier, steps in self.steps.items()
            if any(state in ("waiting", "pending") for _, _, state, *_ in steps)
        ]


def _row(row: tuple[Any, ...]) -> Row:
    transaction, operation, subject, state, key, committed, ended, arguments, result = row
    return Row(
        transaction,
        operation,
        subject,
        state,
        key,
        committed,
        ended,
        json.loads(arguments),
        json.loads(result or "null") or {},
    )


def journal(host: str) -> Journal:
    """Read with sqlite3 itself."""
    with closing(
        sqlite3.connect(f"file:{state_dir(host)}/journal.db?mode=ro", uri=True, timeout=10)
    ) as connection:
        query = (
            "SELECT id, operation, subject, state, key, committed, ended, arguments, result "
            "FROM transactions ORDER BY created"
        )
        rows = {row[0]: _row(row) for row in connection.execute(query)}
        steps: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        for identifier, *step in connection.execute(
            'SELECT "transaction", number, name, state, attempts, error FROM steps ORDER BY number'
        ):
            steps[identifier].append(tuple(step))
        locks = connection.execute('SELECT name, "transaction" FROM locks').fetchall()
    open_ = [
        (row.transaction, row.operation, row.state)
        for row in rows.values()
        if row.state not in ("completed", "aborted", "abandoned")
    ]
    return Journal(rows, locks, open_, dict(steps))


@dataclass
class Reading:
    """What every server holds."""

    people: dict[str, Entry] = field(default_factory=dict)
    groups: dict[str, Entry] = field(default_factory=dict)
    sudo_roles: set[str] = field(default_factory=set)
    counters: dict[str, int] = field(default_factory=dict)
    principals: dict[str, str] = field(default_factory=dict)  # what kadmin says of each
    homes: dict[str, int] = field(default_factory=dict)  # the owner of each
    archived: set[str] = field(default_factory=set)
    forwards: dict[str, tuple[str, ...]] = field(default_factory=dict)
    infos: dict[tuple[str, str], str] = field(
        default_factory=dict
    )  # the password in an info file, by kind and name
    leftovers: list[str] = field(default_factory=list)
    lists: dict[str, set[str]] = field(default_factory=dict)
    databases: dict[str, set[str]] = field(
        default_factory=dict
    )  # names that have database and user, by kind
    half_databases: dict[str, set[str]] = field(default_factory=dict)
    loans: dict[str, list[str]] = field(default_factory=dict)  # who has a book
    mails: dict[str, set[str]] = field(default_factory=dict)  # the Message-IDs to each address

    def value(self, thing: Thing) -> Any:
        """What the servers say of a thing."""
        kind, name = thing[0], thing[-1]
        person = self.people.get(name, {})
        if kind == "account":
            return name in self.people
        if kind == "group":
            return name in self.groups
        if kind == "shell":
            return person.get("loginShell", [None])[0]
        if kind == "forwarding":
            return self.forwards.get(name, ())
        if kind == "term":
            return thing[2] in [
                term
                for attribute in ("term", "nonMemberTerm")
                for term in self.people.get(thing[1], {}).get(attribute, [])
            ]
        if kind == "expired":
            return person.get("shadowExpire", [""])[0] not in ("", _DELETED_DAY)
        if kind == "deleted":
            return self.is_deleted(name)
        if kind == "member":
            return name in self.members(thing[1])
        if kind == "list":
            return name in self.lists[thing[1]]
        if kind == "position":
            return tuple(
                sorted(
                    uid for uid, entry in self.people.items() if name in entry.get("position", [])
                )
            )
        if kind == "database":
            return name in self.databases[thing[1]]
        if kind == "info file":
            return self.infos.get((thing[1], name))
        assert kind == "loan", thing
        readers = self.loans.get(name)
        return readers[0] if readers else None

    def is_deleted(self, uid: str) -> bool:
        return self.people.get(uid, {}).get("shadowExpire") == [_DELETED_DAY]

    def members(self, group: str) -> list[str]:
        """Usernames, each as often as it stands there."""
        return [
            dn.partition(",")[0].partition("=")[2]
            for dn in self.groups.get(group, {}).get("uniqueMember", [])
        ]


def read(club: Club) -> Reading:
    """Everything."""
    reading = Reading()
    _directory(club, reading)
    _principals(club, reading)
    _homes(reading)
    for name in _LISTS:
        done = club.run_as(
            "root",
            "curl",
            "-s",
            "-u",
            "ceod:mailman-rest",
            f"{_REST}/lists/{name}.{DOMAIN}/roster/member",
            host="mail",
        )
        reading.lists[name] = {
            entry["email"].partition("@")[0] for entry in json.loads(done.stdout).get("entries", [])
        }
    _databases(club, reading)
    done = club.run_as(
        "root",
        PSQL,
        "-h",
        "/run/postgresql",
        "-U",
        "postgres",
        "-AtX",
        "library",
        host="coffee",
        text="SELECT book, uid FROM loans WHERE returned_at IS NULL;",
    )
    loans = defaultdict(list)
    for line in done.stdout.split():
        book, _, uid = line.partition("|")
        loans[book].append(uid)
    reading.loans = dict(loans)
    mails: dict[str, set[str]] = defaultdict(set)
    for path in (OUTSIDE / "mail").glob("*.eml"):
        text = path.read_text(errors="replace")
        to, identifier = (
            re.search(r"^X-Envelope-To: *(\S+)", text, re.M),
            re.search(r"^Message-ID:\s*(\S+)", text, re.M | re.I),
        )
        if to and identifier:
            mails[to[1].partition("@")[0]].add(identifier[1])
    reading.mails = dict(mails)
    return reading


def _directory(club: Club, reading: Reading) -> None:
    with club.ldap() as connection:
        for found in connection.extend.standard.paged_search(
            BASE_DN, "(objectClass=*)", attributes=["*"], paged_size=500
        ):
            if found["type"] != "searchResEntry":
                continue
            entry = {
                name: [value.decode() for value in values]
                for name, values in found["raw_attributes"].items()
            }
            rdn, _, rest = found["dn"].partition(",")
            name = rdn.partition("=")[2]
            if rest == f"ou=People,{BASE_DN}":
                reading.people[name] = entry
            elif rest == f"ou=Group,{BASE_DN}":
                reading.groups[name] = entry
            elif rest == f"ou=SUDOers,{BASE_DN}":
                reading.sudo_roles.add(name.removeprefix("%"))
            elif rest == f"ou=UidCounters,{BASE_DN}":
                reading.counters[name] = int(entry["uidNumber"][0])


def _principals(club: Club, reading: Reading) -> None:
    def ask(commands: Iterable[str]) -> str:
        done = club.run_as(
            "root",
            "env",
            "KRB5_KDC_PROFILE=/etc/krb5kdc/kdc.conf",
            "kadmin.local",
            host=ADMIN,
            text="".join(f"{c}\n" for c in commands),
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    names = re.findall(r"^(?:kadmin.local:\s+)?([a-z0-9_-]+)@", ask(["listprincs"]), re.M)
    told = ask(f"getprinc {name}" for name in names)
    for part in told.split("Principal: ")[1:]:
        reading.principals[part.partition("@")[0]] = part


def _homes(reading: Reading) -> None:
    for path in HOMES.iterdir():
        if path.name.startswith(".ceo-"):
            reading.leftovers.append(path.name)
        elif path.name != ".archive" and path.is_dir():
            reading.homes[path.name] = path.stat().st_uid
            if (forward := path / ".forward").is_file():
                reading.forwards[path.name] = tuple(forward.read_text().split())
            reading.leftovers += [
                f"{path.name}/{item.name}" for item in path.iterdir() if ".ceo-" in item.name
            ]
            for kind in KINDS:
                if (file := path / f"ceo-{kind}-info").is_file() and (
                    found := re.search(r"^Password: *(\S+)", file.read_text(), re.M | re.I)
                ):
                    reading.infos[kind, path.name] = found[1]
    reading.archived = {path.name for path in (HOMES / ".archive").iterdir()}


def _databases(club: Club, reading: Reading) -> None:
    there: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    for line in databases.catalogue(club, "mysql"):
        what, name, *_ = line.split("\t")
        if what in ("database", "user"):
            there["mysql"][name] += 1
    for line in databases.catalogue(club, "postgresql"):
        what, name, *_ = line.split("|")
        if what in ("database", "role"):
            there["postgresql"][name] += 1
    reading.databases = {
        kind: {name for name, count in counts.items() if count == 2}
        for kind, counts in there.items()
    }
    reading.half_databases = {
        kind: {name for name, count in counts.items() if count != 2}
        for kind, counts in there.items()
    }
