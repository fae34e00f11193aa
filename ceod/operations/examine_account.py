"""Examine an account over every server: what is as it should be, what is not, and how each of it is mended.

Whoever mends (mend_account.py) is told by `mends` what there is to do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from ceo_common.config import Range
from ceo_common.errors import BackendDown, CeoError, NotFound, WrongState
from ceo_common.model import names as name_rules
from ceo_common.model.doctor import Finding
from ceod.operations import names
from ceod.operations.accounts import USER_NUMBER
from ceod.operations.create_database import KINDS, TITLES, Kind
from ceod.operations.forwarding import forward_items, forwarding_problems, lists_by_hand
from ceod.operations.modify_member import shells
from ceod.services.all import Services
from ceod.services.entry import Group, Person
from ceod.services.ldap_names import same
from ceod.transaction.record import STUCK, Record
from ceod.transaction.step import Json

DAY_S = 86400
_CLASSES = ("account", "posixAccount", "shadowAccount")


@dataclass(frozen=True)
class Problem:
    """Something that is not as it should be."""

    found: str
    mend: str
    fixable: bool = False


@dataclass(frozen=True)
class _Check:
    name: str
    looked_at: str
    look: Callable[[], Iterator[Problem]]
    fine: str


class Examination:
    """Of one name.  Raises NotFound (a group that is nobody's own), BackendDown (the directory)."""

    def __init__(self, uid: str, services: Services, record: Record) -> None:
        self.uid = uid
        self.services = services
        self.record = record
        self.now = datetime.now(UTC)
        self.person = services.directory.person_unchecked(uid)
        self.group = services.directory.group(uid)
        self.mends: Json = {}
        if self.person is None and self.group and self._is_nobodys(self.group):
            raise NotFound(f"{uid} is a group and no account: look with ceo groups get {uid}")
        self.findings = [finding for check in self._checks() for finding in self._told(check)]

    def _is_nobodys(self, group: Group) -> bool:
        shared: Range = self.services.config.numbers.administrative
        return group.number is not None and shared.first <= group.number <= shared.last

    def _checks(self) -> list[_Check]:
        if self.person is None:
            return self._of_name()
        # Of an account whose number or name nobody can tell, nothing else can be looked at.
        return (
            self._of_broken(self.person) if self.person.faults() else self._of_account(self.person)
        )

    def _of_broken(self, person: Person) -> list[_Check]:
        def faults() -> Iterator[Problem]:
            for fault in person.faults():
                yield Problem(fault, f"repair {person.dn} with ldapmodify{person.as_whom}")

        return [_Check("LDAP user", person.dn, faults, "")]

    def _told(self, check: _Check) -> list[Finding]:
        """The check's problems, or that there are none; a server that does not answer leaves it unknown."""
        try:
            problems = list(check.look())
        except CeoError as error:
            return [Finding(check=check.name, state="unknown", looked_at=check.looked_at, found=error.message, mend="look again when it answers")]
        return [Finding(check=check.name, state="problem", looked_at=check.looked_at, found=problem.found, mend=problem.mend,
                        fixable=problem.fixable) for problem in problems] or [
            Finding(check=check.name, state="ok", looked_at=check.looked_at, found=check.fine)]

    # An account

    def _of_account(self, person: Person) -> list[_Check]:
        directory, homes, hosts = self.services.directory, self.services.admin_host.homes, self.services.config.hosts
        kind = "a club" if person.is_club else "a member or representative"
        state = "deleted" if person.is_deleted else "expired" if self._is_expired(person) else "open"
        return [
            _Check("LDAP user", person.dn, lambda: self._user(person), f"{kind}, {state}"),
            _Check("LDAP group", directory.group_dn(self.uid), lambda: self._own_group(person), f"gidNumber {person.one('gidNumber')}"),
            _Check("Kerberos principal", f"{self.uid}@{self.services.config.realm}", lambda: self._principal(person),
                   "there is none, as it should be" if person.is_club else "agrees with the LDAP user"),
            _Check("user number", f"uidNumber {person.one('uidNumber')}", lambda: self._number(person), "in its range, taken, and nobody else's"),
            _Check("home directory", homes.path(self.uid), lambda: self._home(person),
                   "archived" if person.is_deleted else "the account's own"),
            _Check("forwarding", f"{homes.path(self.uid)}/.forward", self._forwarding, "addresses or nothing"),
            _Check("mailing lists", hosts.mail, lambda: self._lists(person), "as it should be"),
            _Check("databases", hosts.database, lambda: self._databases(person), "as it should be"),
            _Check("memberships", self.services.config.ldap.base, lambda: self._memberships(person), "every name in them is an account"),
            _Check("transactions", self.services.config.host, self._transactions, "none that was left half done"),
        ]

    def _is_expired(self, person: Person) -> bool:
        return person.is_expired(self.now.timestamp())

    def _user(self, person: Person) -> Iterator[Problem]:
        config = self.services.config
        classes = person.classes
        by_hand = f"of {person.dn} with ldapmodify{person.as_whom}"
        if missing := [name for name in _CLASSES if name.lower() not in classes]:
            yield Problem(f"the classes {', '.join(missing)} are missing", f"add them to objectClass {by_hand}")
        if len(classes & {"member", "club"}) != 1:
            yield Problem("it is neither a member nor a club, or both", f"set objectClass {by_hand}")
        if person.one("uidNumber") != person.one("gidNumber"):
            yield Problem(f"uidNumber {person.one('uidNumber')} is not gidNumber {person.one('gidNumber')}",
                          f"set gidNumber {by_hand}")
        home, wanted = person.one("homeDirectory"), self.services.admin_host.homes.path(self.uid)
        if home != wanted:
            yield Problem(f"homeDirectory is {home}, not {wanted}", f"set homeDirectory {by_hand}")
        shell = person.one("loginShell")
        if person.shell_fault:
            yield Problem(person.shell_fault, f"set loginShell {by_hand}")
        elif person.is_deleted and shell != config.members.deleted_shell:
            yield Problem(f"it is deleted, and its login shell is {shell}", f"set loginShell to {config.members.deleted_shell}: {by_hand}")
        elif not person.is_deleted and shell not in shells(config.members.shells):
            yield Problem(f"its login shell {shell or '(none)'} is none here", f"choose another: ceo members modify {self.uid} --shell /bin/bash")

    def _own_group(self, person: Person) -> Iterator[Problem]:
        directory, number = self.services.directory, person.one("gidNumber")
        if self.group is None:
            self.mends["group"] = True
            yield Problem("there is none", f"make it: cn={self.uid}, gidNumber {number}", fixable=True)
            return
        if self.group.number != person.group_number:
            yield Problem(f"its gidNumber is {self.group.number or 'none'}, the user's {number}",
                          f"set gidNumber of {directory.group_dn(self.uid)} with ldapmodify")
        inside = directory.uids_in(self.group)
        people = directory.people_named(inside, ["uid"])
        if missing := sorted(set(inside) - set(people) - set(people.broken)):
            yield Problem(f"it names {', '.join(missing)}, who have no account",
                          "take them out: " + "; ".join(f"ceo groups remove-member {self.uid} {name}" for name in missing))

    def _principal(self, person: Person) -> Iterator[Problem]:
        found = self.services.admin_host.kadmin.get(self.uid)
        if person.is_club:
            if found:
                yield Problem("there is one, so that somebody can log in as the club", f"remove it: kadmin delprinc {self.uid}")
            return
        expires = 0 if person.is_deleted else (person.expires or 0) * DAY_S
        if found is None:
            self.mends["principal"] = not person.is_deleted
            yield Problem("there is none", f"restore the account first: ceo members restore {self.uid}" if person.is_deleted else
                          "make it, with a temporary password", fixable=not person.is_deleted)
            return
        if person.is_deleted and not found.disabled:
            yield Problem("the account is deleted, and can have tickets", f"disable it: kadmin modprinc -allow_tix {self.uid}")
        if not person.is_deleted and found.disabled:
            yield Problem("it is disabled, and the account is not", f"if nobody meant that: kadmin modprinc +allow_tix {self.uid}")
        if not person.is_deleted and found.expires != expires:
            yield Problem(f"it expires {_day(found.expires)}, the LDAP user {_day(expires)}",
                          f"make them agree: kadmin modprinc -expire {_kadmin_day(expires)} {self.uid}")
        if not found.preauthenticates:
            yield Problem("it needs no preauthentication, so anybody can try to guess its password", f"kadmin modprinc +requires_preauth {self.uid}")

    def _number(self, person: Person) -> Iterator[Problem]:
        directory, number = self.services.directory, person.number
        name = "clubs" if person.is_club else "members"
        numbers = self.services.config.numbers.ranges()[name]
        own = (person.dn, directory.group_dn(self.uid))
        others = [dn for dn in directory.entries_with_number(number) if not any(same(dn, mine) for mine in own)]
        if others:
            yield Problem(f"{'; '.join(others)} has it too", "give one of them another number, and chown what is theirs")
        if not numbers.first <= number <= numbers.last:
            yield Problem(f"it is outside of {numbers.first} to {numbers.last}, the range of {name}",
                          "give the account another number, and chown its home")
            return
        counter, given = (
            directory.counter(name),
            self.record.largest_number(USER_NUMBER, numbers) or 0,
        )
        if counter > number:
            return
        at = f"the counter cn={name},{directory.counters} is at {counter}"
        if number <= given:
            self.mends["counter"] = [name, given + 1]
            again = f"{at}: the number would be given again"
            yield Problem(again, f"raise the counter to {given + 1}", fixable=True)
        elif not given:
            yield Problem(
                f"{at}, and the journal knows of no number that was given",
                "look with ceo doctor --directory: either the counter is behind, or somebody chose"
                " this number",
            )
        else:
            yield Problem(
                f"somebody chose it: {at}",
                "leave it, since the counter skips it, or give the account another number, and"
                " chown its home",
            )

    def _home(self, person: Person) -> Iterator[Problem]:
        homes, path = self.services.admin_host.homes, self.services.admin_host.homes.path(self.uid)
        found = homes.look(self.uid)
        if person.is_deleted:
            if found:
                yield Problem("it is still there, although the account is deleted", f"move it to {homes.settings.archive}/{self.uid}.by-hand")
            return
        if found is None:
            self.mends["home"] = "build"
            archived = homes.archived_of(self.uid)
            kept = f"; an archived one is kept: {homes.settings.archive}/{archived[-1]}" if archived else ""
            yield Problem(f"there is none{kept}", "make it, from the skeleton", fixable=True)
            return
        if not found.is_folder:
            yield Problem("it is no directory", f"look at it: ls -ld {path}")
            return
        if (found.owner, found.group) != (person.number, person.number):
            self.mends["home"] = "own"
            self.mends["wrong"] = [found.owner, found.group]
            yield Problem(f"its owner is {found.owner}:{found.group}, not {person.number}:{person.number}",
                          "give it, and what is in it of that owner, to the account", fixable=True)
        if found.mode & 0o002 or (found.mode & 0o020 and not person.is_club):
            yield Problem(f"its mode is {found.mode:04o}: others can write into it", f"chmod {'o-w' if person.is_club else 'go-w'} {path}")
        if found.mode & 0o700 != 0o700:
            yield Problem(f"its mode is {found.mode:04o}: its owner can't use it", f"chmod u+rwx {path}")
        if person.is_club and not (found.mode & 0o2000 and person.number in found.may_write and person.number in found.default_write):
            yield Problem("new files in it do not belong to the club's group",
                          f"chmod g+s {path} && setfacl -m g:{person.number}:rwx,d:g:{person.number}:rwx {path}")

    def _forwarding(self) -> Iterator[Problem]:
        forward = self.services.admin_host.homes.forward(self.uid)
        if forward.problem:
            yield Problem(forward.problem, "its owner moves it away")
            return
        if wrong := [line for line in forward.addresses if name_rules.address_problem(line)]:
            kind = "a pipe, a file or an include" if any(line.lstrip('"')[:1] in ("|", "/", ":") for line in wrong) else "no address"
            yield Problem(f"a line of it is {kind}", f"its owner looks at it, or: ceo members modify {self.uid} --forward ADDRESS")
        addresses = [item for item in forward_items(forward) if "@" in item]
        lists, warnings = lists_by_hand(addresses, self.services)
        problems = forwarding_problems(self.uid, addresses, self.services, lists)
        for _, message in problems:
            yield Problem(message, "its owner forwards the mail to an address elsewhere")
        if warnings and not wrong and not problems:
            raise BackendDown(warnings[0], backend=self.services.config.hosts.mail)

    def _lists(self, person: Person) -> Iterator[Problem]:
        # Whoever is on none may have left them by their own wish.
        found = self._lists_of()
        if found and (person.is_deleted or self._is_expired(person)):
            self.mends["lists"] = found
            yield Problem(f"the account is {'deleted' if person.is_deleted else 'expired'}, and its address is on {', '.join(found)}",
                          "take it off", fixable=True)

        for list_name in self._ask_mail_host(lambda: self.services.peers.waiting_lists(self.uid)):
            yield Problem(
                f"it waits for the moderator of the list {list_name}, and is not on it yet",
                f"ask the moderator of {list_name} to agree",
            )

    def _lists_of(self) -> list[str]:
        return self._ask_mail_host(lambda: list(self.services.peers.lists_of(self.uid)["lists"]))

    def _ask_mail_host(self, ask: Callable[[], list[str]]) -> list[str]:
        try:
            return ask()
        except CeoError as error:
            raise type(error)(f"{self.services.config.hosts.mail}: {error.message}", **error.more) from None

    def _ask_databases(self) -> Json:
        host = self.services.config.hosts.database
        try:
            return self.services.peers.databases(self.uid)
        except CeoError as error:
            raise type(error)(f"{host}: {error.message}", **error.more) from None

    def _databases_of(self) -> list[str]:
        answer = self._ask_databases()
        return [title for kind, title in TITLES.items() if answer[kind]]

    def _databases(self, person: Person) -> Iterator[Problem]:
        if person.is_deleted and (found := self._databases_of()):
            yield Problem(f"the account is deleted, and has a database left: {', '.join(found)}",
                          f"keep a copy, then drop database and user {self.uid} on {self.services.config.hosts.database}")
        elif not person.is_deleted:
            databases = self._ask_databases()
            yield from self._info_files(person, [kind for kind in KINDS if databases[kind]])
            # A database host of a version before does not tell it.
            for kind in databases.get("unlimited", []):
                yield Problem(
                    f"{TITLES[kind]} limits its connections to no number, so that it can take all of them",
                    "reset the password of that database, which sets the limit",
                )

    def _info_files(self, person: Person, kinds: list[Kind]) -> Iterator[Problem]:
        """The files in the home that tell of databases: a reset sets the password first, and may not reach the file."""
        passwords = {kind: self._password_in_file(person, kind) for kind in kinds}
        sent: dict[str, str] = {kind: password for kind, password in passwords.items() if password}
        if not sent:
            return
        host = self.services.config.hosts.database
        try:
            logins = self.services.peers.try_logins(self.uid, sent)
        except CeoError as error:
            raise type(error)(f"{host}: {error.message}", **error.more) from None
        for kind in passwords:
            if logins[kind] is False:
                path = self.services.admin_host.homes.info_path(self.uid, kind)
                yield Problem(f"{path} has another password than {TITLES[kind]}",
                              f"set a new one, which writes the file: ceo {kind} pwreset {self.uid}")

    def _password_in_file(self, person: Person, kind: Kind) -> str:
        try:
            text = self.services.admin_host.homes.info(self.uid, person.number, kind)
        except WrongState:
            return ""  # its owner put something else there
        match = re.search(r"^Password: *(\S{1,256})$", text, re.MULTILINE)
        return match[1] if match else ""

    def _memberships(self, person: Person) -> Iterator[Problem]:
        directory = self.services.directory
        if person.is_deleted:
            own = directory.sudo_role_dn(self.uid)  # a club's role stays with it
            for dn in directory.pointed_from(self.uid):
                if not same(dn, own):
                    yield Problem(f"the account is deleted, and {dn} names it", f"take it out of {dn}")
        elif person.is_club and not directory.exists(directory.sudo_role_dn(self.uid)):
            yield Problem("there is no sudo role: nobody of the club can act as it", f"add {directory.sudo_role_dn(self.uid)} with ldapadd")

    def _transactions(self) -> Iterator[Problem]:
        for row in self.record.listed(caller=None, state=STUCK, limit=1000):
            if row.subject == self.uid:
                yield Problem(f"{row.operation} {_STUCK_BECAUSE.get(row.state, 'does not come to its end')}",
                              f"look with ceo transactions show {row.id}; then ceo transactions resume or abandon {row.id}")
        for row in self.record.unclear(self.uid):
            yield Problem(
                f"it is not known how {row.operation} {row.id} ended: {row.reason}",
                "repair the other problems of this list; this line is shown until the next change of the account",
            )

    # A name without an account

    def _of_name(self) -> list[_Check]:
        services = self.services
        return [
            _Check("LDAP", services.config.ldap.base, self._pointers, "nothing names it"),
            _Check("Kerberos principal", f"{self.uid}@{services.config.realm}", self._left_principal, "there is none"),
            _Check("home directory", services.admin_host.homes.path(self.uid), self._left_homes, "there is none, and none is archived"),
            _Check("mailing lists", services.config.hosts.mail, self._left_lists, "its address is on none"),
            _Check("databases", services.config.hosts.database, self._left_databases, "there is none"),
            _Check("transactions", services.config.host, self._left_record, "none took the account away"),
        ]

    def _pointers(self) -> Iterator[Problem]:
        directory = self.services.directory
        if self.group:
            yield Problem(f"{directory.group_dn(self.uid)} is there without its account", f"remove it: ldapdelete {directory.group_dn(self.uid)}")
        for dn in directory.pointed_from(self.uid):
            yield Problem(f"{dn} names it, so the next account of this name would get that too", f"take it out of {dn}")

    def _left_principal(self) -> Iterator[Problem]:
        if self.services.admin_host.kadmin.get(self.uid):
            yield Problem("there is one without an account", f"remove it: kadmin delprinc {self.uid}")

    def _left_homes(self) -> Iterator[Problem]:
        for path in self.services.admin_host.homes.left_behind(self.uid):
            yield Problem(f"{path} is there", "keep what is wanted of it, and remove it")

    def _left_lists(self) -> Iterator[Problem]:
        if found := self._lists_of():
            self.mends["lists"] = found
            yield Problem(f"there is no account, and its address is on {', '.join(found)}", "take it off", fixable=True)

    def _left_databases(self) -> Iterator[Problem]:
        for title in self._databases_of():
            yield Problem(f"a {title} database or user has the name", f"keep a copy, then drop it on {self.services.config.hosts.database}")

    def _left_record(self) -> Iterator[Problem]:
        deleted = self.record.newest_of(names.DELETIONS, self.uid)
        if deleted is not None and deleted.operation != "purge_member":
            yield Problem(f"{deleted.operation} {deleted.id} is the record of an account that is gone", "the name stays taken: choose another")
        yield from self._transactions()


_STUCK_BECAUSE = {"undo_failed": "could not be undone", "completed": "has a step that was given up"}


def _day(seconds: int) -> str:
    return f"on {datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}" if seconds else "never"


def _kadmin_day(seconds: int) -> str:
    return f'"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"' if seconds else "never"
