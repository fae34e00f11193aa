"""All servers held against the model: each difference, with what the journals have of it."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tests.club import databases
from tests.club.club import Club
from tests.monkey.faults import HOSTS
from tests.monkey.model import (
    ANY,
    Attempt,
    by_thing,
    contradictions,
    expiry_wishes,
    may_stand,
    not_taken_back,
    settle,
    without_lists,
)
from tests.monkey.operations import MEMBERS_LIST
from tests.monkey.reading import Reading, journal

_NOLOGIN = "/usr/sbin/nologin"
_SHOWN = 10  # of the requests about one subject


@dataclass(frozen=True)
class Difference:
    """What is not as clients were told."""

    subject: str
    text: str


class Comparison:
    """The servers before and after, and what clients were told between."""

    def __init__(
        self,
        club: Club,
        before: Reading,
        after: Reading,
        attempts: list[Attempt],
        lost: dict[str, list[tuple[float, float]]],
    ) -> None:
        self.club, self.before, self.after = club, before, after
        self.journals = {host: journal(host) for host in HOSTS}
        self.lost = lost
        self.contradicted: list[Difference] = []
        # Accounts whose lists and mails nobody can know: a step of theirs was given up.
        self.given_up: set[str] = set()
        self.attempts = [self._settled(attempt) for attempt in attempts]
        self.wishes = by_thing(self.attempts)
        self.tried = {uid for attempt in self.attempts for uid in attempt.accounts}
        self.once_deleted = {
            attempt.subject
            for attempt in self.attempts
            if attempt.kind == "delete" and attempt.outcome != "refused"
        }
        # Where the journal had lost the deletion, the result said what could not be brought back.
        self.restored_in_part = {
            attempt.subject
            for attempt in self.attempts
            if attempt.kind == "restore" and attempt.warnings
        }

    def _settled(self, attempt: Attempt) -> Attempt:
        if not attempt.host:
            return attempt
        found = self.journals[attempt.host]
        row = found.rows.get(attempt.transaction) or found.by_key.get(attempt.key)
        lost = self._lost(attempt)
        self.contradicted += [
            Difference(attempt.subject, f"{attempt.kind} ({attempt.transaction}): {text}")
            for text in contradictions(attempt, row, lost_records=lost)
        ]
        settled = settle(attempt, row, lost_records=lost)
        if settled.kind == "expire":
            settled = expiry_wishes(settled, row, MEMBERS_LIST)
        # A client that left early did not hear what waited; a step is given up with a journal alone.
        steps = found.steps.get(row.transaction, []) if row else []
        is_given_up = any(step[2] == "given_up" for step in steps)
        if settled.outcome == "aborted" and any(step[2] == "not_ours" for step in steps):
            settled = not_taken_back(settled) if settled.kind.startswith("reset") else settled
        if is_given_up:
            self.given_up |= {thing[-1] for thing, _ in settled.wishes} | set(settled.accounts)
        if lost and attempt.waiting:
            settled = without_lists(settled)
        return settled

    def _lost(self, attempt: Attempt) -> bool:
        """Whether its host's journal lost records of that time, or of what still waited then."""
        return any(
            attempt.sent <= until and (attempt.waiting or attempt.answered >= since)
            for since, until in self.lost.get(attempt.host, [])
        )

    def differences(self) -> list[Difference]:
        """All of them."""
        return [
            *self.contradicted,
            *self._journals(),
            *self._accounts(),
            *self._numbers(),
            *self._things(),
            *self._passwords(),
            *self._elsewhere(),
        ]

    def _journals(self) -> Iterator[Difference]:
        for host, found in self.journals.items():
            for name, transaction in found.locks:
                yield Difference(name, f"{host}: transaction {transaction} still has the lock")
            for transaction, operation, state in found.open_:
                yield Difference(
                    found.rows[transaction].subject, f"{host}: {operation} {transaction} is {state}"
                )

    def _accounts(self) -> Iterator[Difference]:
        """Whole, or not there at all."""
        after = self.after
        for uid in sorted(self.tried):
            is_club = "club" in after.people.get(uid, {}).get("objectClass", [])
            has = {
                "LDAP user": uid in after.people,
                "LDAP group": uid in after.groups,
                "home": uid in after.homes or (after.is_deleted(uid) and self._archive_of(uid)),
            }
            has["sudo role" if is_club else "principal"] = uid in (
                after.sudo_roles if is_club else after.principals
            )
            if any(has.values()) and not all(has.values()):
                yield Difference(uid, f"half an account: {has}")
            elif not any(has.values()):
                traces = [name for name, members in after.lists.items() if uid in members] + [
                    cn for cn in after.groups if uid in after.members(cn)
                ]
                traces += [f"principal of {uid}"] * (uid in after.principals) + [
                    f"sudo role of {uid}"
                ] * (uid in after.sudo_roles)
                if traces:
                    yield Difference(uid, f"there is no account, but it is in {traces}")
            elif after.is_deleted(uid):
                yield from self._deleted(uid)
            elif uid in after.people and after.homes.get(uid) != int(
                after.people[uid]["uidNumber"][0]
            ):
                yield Difference(uid, f"the home belongs to {after.homes.get(uid)}")
        for uid in sorted(set(after.people) - set(self.before.people) - self.tried):
            yield Difference(uid, "nobody asked for this account")
        for uid in sorted((set(after.principals) - set(self.before.principals)) - self.tried):
            yield Difference(uid, "nobody asked for this principal")

    def _archive_of(self, uid: str) -> bool:
        return any(name.partition(".")[0] == uid for name in self.after.archived)

    def _deleted(self, uid: str) -> Iterator[Difference]:
        after = self.after
        if after.people[uid].get("loginShell") != [_NOLOGIN]:
            yield Difference(
                uid, f"deleted, and its shell is {after.people[uid].get('loginShell')}"
            )
        if "DISALLOW_ALL_TIX" not in after.principals[uid]:
            yield Difference(uid, "deleted, and its principal is not disabled")
        if uid in after.homes:
            yield Difference(uid, "deleted, and its home is in place")
        groups = [cn for cn in after.groups if uid in after.members(cn)]
        if groups:
            yield Difference(uid, f"deleted, and a member of {groups}")
        deleted = max(
            (wish.answered for wish in self.wishes.get(("deleted", uid), []) if wish.value is True),
            default=0.0,
        )
        for name, members in after.lists.items() if uid not in self.given_up else ():
            # Who was subscribed at the same moment may have come after the look at the lists.
            if uid in members and not any(
                wish.value and wish.answered >= deleted - 60
                for wish in self.wishes.get(("list", name, uid), [])
            ):
                yield Difference(uid, f"deleted, and on the list {name}")

    def _numbers(self) -> Iterator[Difference]:
        for what, entries in (("uidNumber", self.after.people), ("gidNumber", self.after.groups)):
            numbers = Counter(
                number for entry in entries.values() for number in entry.get(what, [])
            )
            for number, count in numbers.items():
                if count > 1:
                    names = [
                        name for name, entry in entries.items() if number in entry.get(what, [])
                    ]
                    yield Difference(names[0], f"{what} {number} is that of {names}")
        for uid, entry in self.after.people.items():
            if entry.get("gidNumber") != self.after.groups.get(uid, {}).get("gidNumber"):
                yield Difference(uid, "the numbers of user and group differ")

    def _things(self) -> Iterator[Difference]:
        after = self.after
        for thing, wishes in sorted(self.wishes.items(), key=lambda item: item[0]):
            kind, uid = thing[0], thing[1] if thing[0] == "term" else thing[-1]
            if kind in ("password", "database password"):
                continue
            if kind == "account":
                # Nothing but a completed sign-up makes an account, and nothing takes it away.
                if uid not in after.people and any(wish.sure for wish in wishes):
                    yield Difference(uid, "the sign-up was completed, and there is no account")
                continue
            if kind not in ("group", "loan", "position", "deleted", "database", "info file") and (
                uid not in after.people or after.is_deleted(uid)
            ):
                continue
            if uid in self.restored_in_part and kind in ("member", "list", "shell"):
                continue
            if uid in self.given_up and kind == "list":
                continue
            if after.is_deleted(uid) and kind == "info file":
                continue
            allowed, stands = may_stand(wishes, self.before.value(thing)), after.value(thing)
            if stands not in allowed and ANY not in allowed:
                yield Difference(
                    uid,
                    f"{' '.join(thing)} is {stands!r}; what was asked allows "
                    f"{sorted(map(repr, allowed))}: {_history(wishes)}",
                )
        for attempt in self.attempts:
            if attempt.outcome == "aborted":
                for uid in attempt.accounts:
                    if uid in after.people and not any(
                        wish for wish in self.wishes.get(("account", uid), [])
                    ):
                        yield Difference(
                            uid,
                            f"its sign-up {attempt.transaction} was aborted, and it is there",
                        )
        for thing in {thing for attempt in self.attempts for thing, _ in attempt.wishes} - set(
            self.wishes
        ):
            uid = thing[1] if thing[0] == "term" else thing[-1]
            if (
                thing[0] in ("password", "database password", "account")
                or uid not in after.people
                or after.is_deleted(uid)
                or uid in self.once_deleted
            ):
                continue
            if (
                after.value(thing) != self.before.value(thing)
                and thing[0] != "deleted"
                and uid in self.before.people
            ):
                yield Difference(
                    uid,
                    f"{' '.join(thing)} changed to {after.value(thing)!r}, "
                    "and nobody was told that it was done",
                )

    def _passwords(self) -> Iterator[Difference]:
        """Used: the temporary ones by kinit, those of databases by the servers' own clients."""
        checks: list[tuple[str, str, str, set[Any], list[Any]]] = []
        for thing, wishes in self.wishes.items():
            uid, allowed = thing[-1], may_stand(wishes, ANY)
            if (
                uid not in self.after.people
                or ANY in allowed
                or self.after.is_deleted(uid)
                or self.after.value(("expired", uid))
            ):
                continue
            if thing[0] == "password":
                checks.append((uid, "", "its password", allowed, wishes))
            elif thing[0] == "database password" and uid in self.after.databases[thing[1]]:
                checks.append((uid, thing[1], f"its password at {thing[1]}", allowed, wishes))
        with ThreadPoolExecutor(4) as pool:
            right = pool.map(
                lambda check: any(
                    self._is_password(check[0], check[1], password) for password in check[3]
                ),
                checks,
            )
            for (uid, _, what, _, wishes), is_right in zip(checks, right, strict=True):
                if not is_right:
                    yield Difference(
                        uid, f"{what} is not the last one: {_history(wishes, hide=True)}"
                    )

    def _is_password(self, uid: str, kind: str, password: str) -> bool:
        if not kind:
            return _kinit(uid, password)
        return (
            databases.query(
                self.club, "mysql" if kind == "mysql" else "postgresql", uid, password, "SELECT 1"
            ).stdout.strip()
            == "1"
        )

    def _elsewhere(self) -> Iterator[Difference]:
        after = self.after
        for name in after.leftovers:
            yield Difference(name, "a temporary file or home is left")
        for kind, names in after.half_databases.items():
            for name in names - self.before.half_databases[kind]:
                yield Difference(name, f"half a database: {kind}")
        for kind, names in after.databases.items():
            for name in names - self.before.databases[kind]:
                if ("database", kind, name) not in self.wishes:
                    yield Difference(name, f"nobody was told that it has a database: {kind}")
        for book, readers in after.loans.items():
            if len(readers) > 1 and ("loan", book) in self.wishes:
                yield Difference(f"book {book}", f"is lent to {readers}")
        holders = {uid for uid, entry in after.people.items() if entry.get("position")}
        if holders != set(after.members("exec")):
            yield Difference(
                "exec",
                f"its members are {sorted(set(after.members('exec')))}, "
                f"and positions have {sorted(holders)}",
            )
        yield from self._welcomes()

    def _welcomes(self) -> Iterator[Difference]:
        """One mail to each; an account that was over before it could be sent gets none."""
        over = {
            thing[-1]
            for thing, wishes in self.wishes.items()
            if thing[0] in ("expired", "deleted") and any(wish.value for wish in wishes)
        }
        for attempt in self.attempts:
            if not attempt.kind.startswith("sign up") or attempt.outcome != "completed":
                continue
            if self._lost(attempt):
                continue
            for uid in set(attempt.accounts) - over - self.given_up:
                mails = [name for name in self.after.mails.get(uid, ()) if ".welcome" in name]
                if len(mails) != 1:
                    yield Difference(uid, f"{len(mails)} welcome mails: {sorted(mails)}")

    def told_of(self, difference: Difference) -> str:
        """The difference, with the requests about its subject and the last rows of the journals."""
        lines = [f"{difference.subject}: {difference.text}"]
        asked = [
            attempt
            for attempt in self.attempts
            if attempt.subject == difference.subject or difference.subject in attempt.accounts
        ]
        for attempt in [attempt for attempt in asked if attempt.outcome != "refused"][-_SHOWN:]:
            lines.append(
                f"    {attempt.sent:.2f} to {attempt.answered:.2f} {attempt.client}: "
                f"{attempt.kind} {attempt.outcome} {attempt.code} {attempt.transaction}"
            )
        for host, found in self.journals.items():
            rows = [
                row
                for row in found.rows.values()
                if row.subject == difference.subject or difference.subject in str(row.arguments)
            ]
            for row in rows[-4:]:
                lines.append(
                    f"    {host}: {row.transaction} {row.operation} {row.state} "
                    f"committed {row.committed} ended {row.ended}"
                )
                lines += [f"        {step}" for step in found.steps.get(row.transaction, [])]
        return "\n".join(lines)


def _history(wishes: list[Any], *, hide: bool = False) -> str:
    some = sorted(wishes, key=lambda wish: wish.sent)[-5:]
    return ", ".join(
        f"{'a password' if hide else repr(wish.value)} from {wish.sent:.2f} "
        f"to {wish.answered:.2f}{'' if wish.sure else ' (not sure)'}"
        for wish in some
    )


def _kinit(uid: str, password: str) -> bool:
    """Whether it is their password: a temporary one is told of as expired."""
    done = subprocess.run(
        ["kinit", "-c", f"MEMORY:{uid}", uid],
        input=f"{password}\n",
        text=True,
        capture_output=True,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )
    return done.returncode == 0 or "expired" in done.stdout + done.stderr
