"""The steps that make accounts, one or many at a time, all of them or none."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from ceo_common.errors import CeoError, Changed, Exists, WrongState
from ceod.operations.private import Private, ThisRun
from ceod.services.all import Services
from ceod.services.homes import UNDONE, forward_text
from ceod.services.ldap_connection import Attributes, Connection, encoded
from ceod.transaction.step import BATCH, Json, Kept, Step, Undone

T = TypeVar("T")

USER_NUMBER = "user number"  # the journal's name of the step that takes numbers
_IN_A_ROW = 5  # numbers in use one after the other, before the counter is raised past all of them


def accounts(facts: Json) -> list[Json]:
    """The accounts that a request is about: `members` of a bulk one, else the one that it is itself."""
    return list(facts["members"]) if "members" in facts else [facts]


def undone(found: list[bool | None]) -> Undone:
    """The outcome of undoing several things: True removed, False not ours, None not there."""
    if False in found:
        return Undone.NOT_OURS
    return Undone.REMOVED if True in found else Undone.ABSENT


def in_batches(run: ThisRun, items: list[T]) -> Iterator[list[T]]:
    """The items, a batch at a time; of more than one batch those who follow hear how far it is."""
    for start in range(0, len(items), BATCH):
        yield items[start:start + BATCH]
        if len(items) > BATCH:
            run.tell(min(start + BATCH, len(items)), len(items))


def one_by_one(run: ThisRun, items: list[T], act: Callable[[T], Any]) -> list[Any]:
    """What act() makes of each item, in batches."""
    return [act(item) for batch in in_batches(run, items) for item in batch]


class TakeNumbers(Step[Services, Private]):
    """The next numbers of a range; never given back, so that no two accounts ever share one.

    The counter decides, and it only grows: what is in use above it was chosen by hand, and is
    skipped when the counter gets there.
    """

    name = USER_NUMBER

    def __init__(self, range_name: str) -> None:
        self.range_name = range_name

    def do(self, run: ThisRun) -> None:
        """Take numbers until each is free.

        Raises Exists (used up), NotFound (no counter), WrongState (a counter below its range).
        """
        taken = one_by_one(run, accounts(run.arguments), lambda account: (account["uid"], self._take(run.tools)))
        run.note(numbers=dict(taken))

    def _take(self, tools: Services) -> int:
        numbers, in_a_row = tools.config.numbers.ranges()[self.range_name], 0
        while True:
            number = tools.directory.take_number(self.range_name)
            if number > numbers.last:
                raise Exists(f"the numbers for {self.range_name}, {numbers.first} to {numbers.last}, are used up")
            if number < numbers.first:
                raise WrongState(
                    f"the counter cn={self.range_name},{tools.directory.counters} is at {number},"
                    f" below {numbers.first} to {numbers.last}, the range of {self.range_name}:"
                    " raise it past the last number that was given"
                )
            if not tools.directory.number_in_use(number):
                return number
            in_a_row += 1
            if in_a_row == _IN_A_ROW:
                self._pass_run(tools, number)
                in_a_row = 0

    def _pass_run(self, tools: Services, number: int) -> None:
        """Raise the counter past the unbroken run of numbers in use that this one is in.

        A counter that was put back with an old directory may be thousands behind.
        """
        numbers, in_use = tools.config.numbers.ranges()[self.range_name], tools.directory.numbers_in_use()
        free = next(n for n in range(number + 1, numbers.last + 2) if n not in in_use or n > numbers.last)
        with contextlib.suppress(Changed):  # somebody else took a number at this moment
            tools.directory.raise_counter(self.range_name, free)

    def undo(self, transaction: str, intent: Json, tools: Services) -> Undone:
        """Nothing: a number only grows."""
        return Undone.REMOVED


class _AddEntries(Step[Services, Private]):
    """LDAP entries, added by the caller; ours are those that have our numbers."""

    attribute: str
    key: str  # of what is noted

    def dn(self, uid: str, tools: Services) -> str:
        """Where an account's entry goes."""
        raise NotImplementedError

    def entry(self, account: Json, number: str, tools: Services) -> Attributes:
        """What it holds."""
        raise NotImplementedError

    def intent(self, run: ThisRun) -> Json:
        """Each DN with its number."""
        return {self.key: [[self.dn(uid, run.tools), str(number)] for uid, number in run.facts["numbers"].items()]}

    def do(self, run: ThisRun) -> None:
        """Add them with the caller's rights: slapd has the last word."""
        numbers = run.facts["numbers"]
        for batch in in_batches(run, accounts(run.arguments)):
            _add(run.private.caller, [
                (self.dn(account["uid"], run.tools), self.entry(account, str(numbers[account["uid"]]), run.tools)) for account in batch])

    def undo(self, transaction: str, intent: Json, tools: Services) -> Undone:
        """Delete the entries that have our numbers."""
        return undone([tools.directory.delete_if(dn, self.attribute, number) for dn, number in reversed(intent[self.key])])


def _add(connection: Connection, entries: list[tuple[str, Attributes]]) -> None:
    """Add all of them.  Raises the first refusal, with the DN where there are several."""
    if len(entries) == 1:
        connection.add(*entries[0])
        return
    for dn, error in connection.add_all(entries).items():
        raise type(error)(f"{dn}: {error.message}", **error.more)


class AddUsers(_AddEntries):
    """The LDAP users of members and representatives."""

    name, attribute, key = "LDAP user", "uidNumber", "users"

    def dn(self, uid: str, tools: Services) -> str:
        """In ou=People."""
        return tools.directory.person_dn(uid)

    def entry(self, account: Json, number: str, tools: Services) -> Attributes:
        """A member's classes and attributes, and no other."""
        return encoded(_posix(account, number, tools, "member") | {
            "sn": account["sn"], "givenName": account["given_name"], "program": account["program"],
            "term": account["terms"], "nonMemberTerm": account["non_member_terms"],
        })


class AddClubUser(AddUsers):
    """The LDAP user of a club: no terms, no program, and no principal will bear its name."""

    def entry(self, account: Json, number: str, tools: Services) -> Attributes:
        """A club's classes and attributes."""
        return encoded(_posix(account, number, tools, "club"))


def _posix(account: Json, number: str, tools: Services, kind: str) -> dict[str, str | list[str] | None]:
    return {
        "objectClass": ["top", "account", "posixAccount", "shadowAccount", kind],
        "uid": account["uid"], "cn": account["cn"], "uidNumber": number, "gidNumber": number,
        "homeDirectory": tools.admin_host.homes.path(account["uid"]), "loginShell": tools.config.members.login_shell,
    }


class AddGroups(_AddEntries):
    """The accounts' own LDAP groups."""

    name, attribute, key = "LDAP group", "gidNumber", "groups"

    def dn(self, uid: str, tools: Services) -> str:
        """In ou=Group."""
        return tools.directory.group_dn(uid)

    def entry(self, account: Json, number: str, tools: Services) -> Attributes:
        """A group with nobody in it."""
        return encoded({"objectClass": ["top", "group", "posixGroup"], "cn": account["uid"], "gidNumber": number})


class CreatePrincipals(Step[Services, Private]):
    """The Kerberos principals, with passwords that serve once, each marked with the transaction."""

    name = "Kerberos principal"

    def intent(self, run: ThisRun) -> Json:
        """Ours are those that bear our transaction's id."""
        return {"principals": [account["uid"] for account in accounts(run.arguments)]}

    def do(self, run: ThisRun) -> None:
        """Create them as ceod/admin."""
        kadmin = run.tools.admin_host.kadmin
        one_by_one(run, accounts(run.arguments), lambda account: kadmin.create(
            account["uid"], run.private.passwords[account["uid"]], run.transaction))

    def undo(self, transaction: str, intent: Json, tools: Services) -> Undone:
        """Delete those that we made."""
        kadmin = tools.admin_host.kadmin
        return undone([kadmin.delete_if_made_by(uid, transaction) for uid in reversed(intent["principals"])])


class BuildHomes(Step[Services, Private]):
    """The home directories, from the skeleton."""

    name = "home directory"
    deadline_s = 30

    def __init__(self, *, shared: bool = False) -> None:
        self.shared = shared

    def is_shared(self, run: ThisRun) -> bool:
        """Whether they are a club's."""
        return self.shared

    def intent(self, run: ThisRun) -> Json:
        """Ours is what stands under our temporary names, and later what has the device and inode that it had.

        What forwarding will write is told too: a home that holds just that is nobody's work.
        """
        wanted = accounts(run.arguments)
        addresses = {account["uid"]: account.get("forwarding_addresses") for account in wanted}
        return {
            "homes": {account["uid"]: f".ceo-{run.transaction}-{account['uid']}" for account in wanted},
            "home_identities": {},
            "home_forwards": {uid: forward_text(found) for uid, found in addresses.items() if found},
        }

    def do(self, run: ThisRun) -> None:
        """Build a batch aside, note what each is, put them into place."""
        homes, numbers, temporary = run.tools.admin_host.homes, run.facts["numbers"], run.facts["homes"]
        for batch in in_batches(run, list(temporary)):
            built = {uid: list(homes.build(temporary[uid], numbers[uid], shared=self.is_shared(run))) for uid in batch}
            run.note(home_identities=run.facts["home_identities"] | built)
            for uid in batch:
                homes.rename(temporary[uid], uid)

    def undo(self, transaction: str, intent: Json, tools: Services) -> Undone | Kept:
        """Remove each, whichever of its two names it has; one that somebody put something into is archived."""
        homes, outcomes, kept = tools.admin_host.homes, [], []
        for uid, temporary in intent["homes"].items():
            archived, forward = f"{uid}.{UNDONE}{transaction}", intent["home_forwards"].get(uid, "")
            outcome = homes.take_back(temporary, None, archived, forward)
            identity = intent["home_identities"].get(uid)
            if outcome == "absent" and identity:
                outcome = homes.take_back(uid, (identity[0], identity[1]), archived, forward)
            if outcome == "archived":
                kept.append(f"{homes.settings.archive}/{archived}")
            outcomes.append({"removed": True, "archived": True, "other": False, "absent": None}[outcome])
        return Kept(undone(outcomes), kept) if kept else undone(outcomes)


class SetForwarding(Step[Services, Private]):
    """The forwarding addresses, written as the new users."""

    name = "forwarding"

    def do(self, run: ThisRun) -> None:
        """Nothing to write for those who gave none."""
        wanted = [account for account in accounts(run.arguments) if account["forwarding_addresses"]]
        one_by_one(run, wanted, lambda account: run.tools.admin_host.homes.write_forward(
            account["uid"], run.facts["numbers"][account["uid"]], forward_text(account["forwarding_addresses"])))

    def undo(self, transaction: str, intent: Json, tools: Services) -> Undone:
        """They go with the homes, which are removed next."""
        return Undone.REMOVED


def refusals(rows: list[Json], check: Callable[[str], None]) -> list[dict[str, str]]:
    """Why rows can't become accounts, each with its field."""
    found = []
    for i, row in enumerate(rows):
        try:
            check(row["uid"])
        except CeoError as error:
            if error.status >= 500:
                raise
            found.append({"field": f"members.{i}.uid", "message": error.message})
    return found
