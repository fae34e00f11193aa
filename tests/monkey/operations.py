"""What the clients do: one function a kind of request, with the wishes that it makes."""

from __future__ import annotations

import math
import random
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import ceo_common.client
from ceo_common.client import Client
from ceo_common.errors import (
    BackendDown,
    CeoError,
    Exists,
    NotFound,
    OutcomeUnknown,
    Unreachable,
)
from ceo_common.krb5 import tickets
from ceo_common.krb5.errors import Krb5Error
from ceo_common.terms import consecutive, current
from sandbox.club import PASSWORD, REALM
from tests.club.club import ADMIN, Club
from tests.monkey.model import ANY, Attempt, Outcome, Thing

Json = dict[str, Any]
T = TypeVar("T")
Wishes = list[tuple[Thing, Any]]

MEMBERS_LIST = "csc-general"
LIST = "monkeys"  # everybody's to join
GROUPS = ("monkey-keepers", "staff", "office")
FOLLOWS = {"office": ("cdrom", "audio", "video", "www")}
POSITIONS = ("cro", "librarian", "webmaster")
SHELLS = ("/bin/bash", "/bin/sh", "/bin/dash")
KINDS = ("mysql", "postgresql")
_NOW = current("America/Toronto")
_TERMS = consecutive(_NOW + 1, 12)
# A host that vanished says nothing; a stream that lives has a heartbeat every five seconds.
ceo_common.client._STREAM_S = 30.0


@dataclass(frozen=True)
class Ask:
    """One request to be made.

    `call` gets the client and the idempotency key; `wishes` gets the result, which is empty where
    it is not known.
    """

    kind: str
    subject: str
    host: str  # of the journal that has its transaction, or nothing
    call: Callable[[Client, str], Any]
    wishes: Callable[[Json], Wishes] = lambda _: []
    accounts: tuple[str, ...] = ()


@dataclass
class Shared:
    """What all clients know."""

    club: Club
    seed: int
    shared: list[str]  # accounts that everybody works on
    books: list[int]
    attempts: list[Attempt] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)  # answers that no server state can explain
    # When a host's journal lost records: of what happened from the one time to the other.
    lost: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)
    repeated: int = 0


class Actor(threading.Thread):
    """One client: one person at the desk, who does something all the time."""

    def __init__(
        self, shared: Shared, number: int, who: str, kinds: Iterable[tuple[int, str]]
    ) -> None:
        super().__init__(name=f"{who}-{number}", daemon=True)
        self.shared, self.number, self.who = shared, number, who
        self.draw = random.Random(f"{shared.seed} {number}")
        self.client = shared.club.client(who)
        self.own: list[str] = []  # accounts that this client signed up
        self.clubs: list[str] = []
        self.deleted: list[str] = []  # by this client, and to be restored by it
        self.joined: list[tuple[str, str]] = []  # group and name, likewise to be taken out
        self.weights, self.kinds = zip(*kinds, strict=True)
        self._count = 0

    def run(self) -> None:
        while not self.shared.over.is_set():
            (kind,) = self.draw.choices(self.kinds, self.weights)
            try:
                ask: Ask | None = getattr(self, f"ask_{kind}")()
                if ask:
                    self.do(ask)
            except Exception:
                self.shared.broken.append(f"{self.name}, {kind}: {traceback.format_exc()}")
            self.shared.over.wait(self.draw.uniform(0, 0.1))

    # Making a request

    def do(self, ask: Ask) -> None:
        """Make it and note what came of it; some are cancelled, some sent again with their key."""
        key = str(uuid.UUID(int=self.draw.getrandbits(128), version=4))
        cancel_after = self.draw.randrange(1, 8) if ask.host and self.draw.random() < 0.06 else None
        attempt = self._send(ask, key, cancel_after)
        for each in (
            self._repeated(ask, attempt) if ask.host and self.draw.random() < 0.06 else (attempt,)
        ):
            self.shared.attempts.append(each)
            if each.outcome == "completed":
                self._learn(each)

    def _send(self, ask: Ask, key: str, cancel_after: int | None) -> Attempt:
        asked = Attempt(
            self.name,
            ask.kind,
            ask.subject,
            ask.host,
            key,
            time.time(),
            math.inf,
            "unknown",
            wishes=tuple(ask.wishes({})),
            accounts=ask.accounts,
            journal=len(self.shared.lost.get(ask.host, [])),
        )
        last: Json = {}
        try:
            told = ask.call(self.client, key)
            if isinstance(told, dict):
                return replace(
                    asked, answered=time.time(), outcome="completed", wishes=tuple(ask.wishes(told))
                )
            for number, event in enumerate(told, 1):
                last = dict(event)
                asked = replace(asked, transaction=last["transaction"])
                if number == cancel_after:
                    told.close()
                    break
        except OutcomeUnknown as error:
            return replace(
                asked,
                transaction=error.more.get("transaction") or asked.transaction,
                code=error.code,
            )
        except (BackendDown, Unreachable) as error:
            # What has no transaction may have been done by a server that was too slow to say so.
            was_sent = "does not answer on port" not in error.message
            if not was_sent or (ask.host and isinstance(error, BackendDown)):
                return replace(asked, answered=time.time(), outcome="refused", code=error.code)
            return replace(asked, code=error.code)
        except CeoError as error:
            is_so = ask.kind in ("subscribe", "unsubscribe") and isinstance(
                error, (Exists, NotFound)
            )
            outcome: Outcome = "nothing to do" if is_so else "refused"
            return replace(asked, answered=time.time(), outcome=outcome, code=error.code)
        if last["status"] == "completed":
            return replace(
                asked,
                answered=time.time(),
                outcome="completed",
                wishes=tuple(ask.wishes(last["result"])),
                warnings=tuple(last["result"].get("warnings", [])),
                waiting=tuple(last.get("waiting", [])),
            )
        if last["status"] == "aborted":
            return replace(
                asked, answered=time.time(), outcome="aborted", code=last["error"]["code"]
            )
        return replace(asked, code="cancelled")

    def _repeated(self, ask: Ask, first: Attempt) -> tuple[Attempt, ...]:
        """Send the same key again: the same transaction with the same end; what to note of both."""
        again = self._send(ask, first.key, None)
        self.shared.repeated += 1
        if first.journal != len(self.shared.lost.get(ask.host, [])):
            return first, again  # the journal knows the key no more: a request of its own
        if first.outcome == "refused":
            return first, again
        if first.outcome == "unknown":
            return (
                replace(again, sent=first.sent)
                if again.outcome in ("completed", "aborted")
                else first,
            )
        if again.outcome in ("completed", "aborted") and (first.transaction, first.outcome) != (
            again.transaction,
            again.outcome,
        ):
            self.shared.broken.append(
                f"{first.kind} of {first.subject}: the key {first.key} gave {first.transaction} "
                f"({first.outcome}) and then {again.transaction} ({again.outcome})"
            )
        return (first,)

    def _learn(self, attempt: Attempt) -> None:
        if attempt.kind in ("sign up", "sign up many", "sign up a rep", "sign up somebody lapsed"):
            self.own += attempt.accounts
        elif attempt.kind == "new club":
            self.clubs += attempt.accounts
        elif attempt.kind == "delete":
            self.deleted.append(attempt.subject)
        elif attempt.kind == "join group":
            self.joined.append(attempt.wishes[0][0][1:])  # type: ignore[arg-type]

    # Drawing subjects

    def _new_name(self) -> str:
        self._count += 1
        return f"mk{self.shared.seed}c{self.number}n{self._count:04d}"

    def _member(self) -> str:
        """Somebody; a third of the time somebody whom others work on, too."""
        if not self.own or self.draw.random() < 0.35:
            return self.draw.choice(self.shared.shared)
        return self.draw.choice(self.own[-25:])

    def _again(self, done: list[T]) -> T | None:
        """Mostly something that this client did, so that it is undone."""
        if not done or self.draw.random() < 0.2:
            return None
        return done.pop(self.draw.randrange(len(done)))

    # Members

    def _new(self, uid: str, **more: Any) -> tuple[Json, Wishes]:
        addresses = [f"{uid}@example.org"] if self.draw.random() < 0.3 else []
        body = {
            "uid": uid,
            "cn": "Monkey Person",
            "program": "Mathematics",
            "forwarding_addresses": addresses,
            **(more or {"terms": [str(_NOW)]}),
        }
        terms = body.get("terms") or body.get("non_member_terms") or []
        return body, [
            (("account", uid), True),
            (("shell", uid), SHELLS[0]),
            (("forwarding", uid), tuple(addresses)),
            (("list", MEMBERS_LIST, uid), True),
            (("deleted", uid), False),
            (("expired", uid), False),
            *((("term", uid, term), True) for term in terms),
        ]

    def _sign_up(self, kind: str, uid: str, **more: Any) -> Ask:
        body, wishes = self._new(uid, **more)
        return Ask(
            kind,
            uid,
            ADMIN,
            lambda client, key: client.add_member(body, key),
            lambda result: [*wishes, (("password", uid), result.get("temporary_password") or ANY)],
            (uid,),
        )

    def ask_sign_up(self) -> Ask:
        return self._sign_up("sign up", self._new_name())

    def ask_contested(self) -> Ask:
        """A name that other clients want at the same time."""
        uid = f"mk{self.shared.seed}x{int(time.time()) // 4 % 100000:05d}"
        return self._sign_up("sign up", uid)

    def ask_rep(self) -> Ask:
        return self._sign_up("sign up a rep", self._new_name(), non_member_terms=[str(_NOW)])

    def ask_lapsed(self) -> Ask:
        return self._sign_up("sign up somebody lapsed", self._new_name(), terms=[str(_NOW + -9)])

    def ask_many(self) -> Ask:
        uids = [self._new_name() for _ in range(self.draw.randrange(2, 7))]
        made = [self._new(uid) for uid in uids]

        def wishes(result: Json) -> Wishes:
            passwords = result.get("temporary_passwords") or {}
            return [wish for _, some in made for wish in some] + [
                (("password", uid), passwords.get(uid, ANY)) for uid in uids
            ]

        return Ask(
            "sign up many",
            f"{len(uids)} members",
            ADMIN,
            lambda client, key: client.add_members([body for body, _ in made], key),
            wishes,
            tuple(uids),
        )

    def ask_renew(self) -> Ask:
        uid, terms = self._member(), self.draw.sample(_TERMS, self.draw.randrange(1, 3))
        return Ask(
            "renew",
            uid,
            ADMIN,
            lambda client, key: client.renew_member(uid, {"terms": terms}, key),
            lambda _: [
                *((("term", uid, term), True) for term in terms),
                (("expired", uid), False),
                (("list", MEMBERS_LIST, uid), True),
            ],
        )

    def ask_reset(self) -> Ask:
        uid = self._member()
        return Ask(
            "reset password",
            uid,
            ADMIN,
            lambda client, key: client.reset_password(uid, key),
            lambda result: [(("password", uid), result.get("temporary_password") or ANY)],
        )

    def ask_shell(self) -> Ask:
        uid, shell = self._member(), self.draw.choice(SHELLS)
        return Ask(
            "shell",
            uid,
            ADMIN,
            lambda client, key: client.modify_member(uid, {"login_shell": shell}, key),
            lambda _: [(("shell", uid), shell)],
        )

    def ask_forwarding(self) -> Ask:
        uid = self._member()
        addresses = [
            f"a{self.draw.randrange(1000)}@example.org" for _ in range(self.draw.randrange(3))
        ]
        return Ask(
            "forwarding",
            uid,
            ADMIN,
            lambda client, key: client.modify_member(uid, {"forwarding_addresses": addresses}, key),
            lambda _: [(("forwarding", uid), tuple(addresses))],
        )

    def ask_delete(self) -> Ask:
        uid = self._member()
        return Ask(
            "delete",
            uid,
            ADMIN,
            lambda client, key: client.delete_member(uid, key),
            lambda _: [(("deleted", uid), True)],
        )

    def ask_restore(self) -> Ask:
        uid = self._again(self.deleted) or self._member()
        return Ask(
            "restore",
            uid,
            ADMIN,
            lambda client, key: client.restore_member(uid, key),
            lambda _: [(("deleted", uid), False)],
        )

    def ask_mend(self) -> Ask:
        uid = self._member()
        return Ask("doctor --fix", uid, ADMIN, lambda client, key: client.mend(uid, key))

    def ask_expire(self) -> Ask | None:
        """All who are due: its row in the journal says who that was, and the plan who it may be."""
        try:
            plan = self.client.expiry()
        except CeoError:
            return None
        uids = [member["uid"] for member in plan["members"]]
        return (
            Ask(
                "expire",
                f"{plan['count']} accounts",
                ADMIN,
                lambda client, key: client.expire_members(plan["count"], key),
                lambda _: [
                    wish
                    for uid in uids
                    for wish in ((("expired", uid), True), (("list", MEMBERS_LIST, uid), False))
                ],
            )
            if uids
            else None
        )

    def ask_remind(self) -> Ask:
        return Ask("remind", "reminders", ADMIN, lambda client, key: client.remind_members(key))

    def ask_programs(self) -> Ask:
        return Ask(
            "update programs",
            "programs",
            ADMIN,
            lambda client, key: client.update_programs(None, key),
        )

    # Groups, clubs, positions

    def ask_club(self) -> Ask:
        uid = self._new_name()
        return Ask(
            "new club",
            uid,
            ADMIN,
            lambda client, key: client.add_club({"uid": uid, "cn": "Monkey Club"}, key),
            lambda _: [(("account", uid), True)],
            (uid,),
        )

    def ask_group(self) -> Ask:
        cn = self._new_name()
        return Ask(
            "new group",
            cn,
            ADMIN,
            lambda client, key: client.add_group(cn, key),
            lambda _: [(("group", cn), True)],
        )

    def _group(self) -> str:
        return self.draw.choice([*GROUPS, *self.clubs[-3:]])

    def ask_join(self) -> Ask:
        group, uid = self._group(), self._member()
        return Ask(
            "join group",
            uid,
            ADMIN,
            lambda client, key: client.add_to_group(group, uid, key),
            lambda _: [(("member", name, uid), True) for name in (group, *FOLLOWS.get(group, ()))],
        )

    def ask_leave(self) -> Ask:
        group, uid = self._again(self.joined) or (self._group(), self._member())
        return Ask(
            "leave group",
            uid,
            ADMIN,
            lambda client, key: client.remove_from_group(group, uid, key),
            lambda _: [(("member", name, uid), False) for name in (group, *FOLLOWS.get(group, ()))],
        )

    def ask_positions(self) -> Ask:
        position, holders = (
            self.draw.choice(POSITIONS),
            sorted({self._member() for _ in range(self.draw.randrange(3))}),
        )
        return Ask(
            "positions",
            position,
            ADMIN,
            lambda client, key: client.set_positions({position: holders}, key),
            lambda _: [(("position", position), tuple(holders))],
        )

    # Lists, databases, library

    def ask_subscribe(self) -> Ask:
        name, uid = self.draw.choice((MEMBERS_LIST, LIST)), self._member()
        return Ask(
            "subscribe",
            uid,
            "",
            lambda client, _: client.subscribe(name, uid),
            lambda _: [(("list", name, uid), True)],
        )

    def ask_unsubscribe(self) -> Ask:
        name, uid = self.draw.choice((MEMBERS_LIST, LIST)), self._member()
        return Ask(
            "unsubscribe",
            uid,
            "",
            lambda client, _: client.unsubscribe(name, uid),
            lambda _: [(("list", name, uid), False)],
        )

    def ask_database(self) -> Ask:
        kind, uid = self.draw.choice(KINDS), self._member()
        call = "create_database" if self.draw.random() < 0.5 else "reset_database"

        def wishes(result: Json) -> Wishes:
            password = result.get("password") or ANY
            return [
                *([(("database", kind, uid), True)] if call == "create_database" else []),
                (("database password", kind, uid), password),
                (("info file", kind, uid), password if result.get("info_file") else ANY),
            ]

        return Ask(
            call.replace("_", " "),
            uid,
            "coffee",
            lambda client, key: getattr(client, call)(kind, uid, key),
            wishes,
        )

    def ask_lend(self) -> Ask:
        book, uid = self.draw.choice(self.shared.books), self.draw.choice(self.shared.shared)
        return Ask(
            "lend",
            uid,
            "",
            lambda client, _: client.lend(book, uid),
            lambda _: [(("loan", str(book)), uid)],
        )

    def ask_return(self) -> Ask | None:
        book = self.draw.choice(self.shared.books)
        try:
            loans = self.client.loans_of_book(book)
        except CeoError:
            return None
        if not loans:
            return None
        uid = loans[0]["uid"]
        return Ask(
            "return",
            uid,
            "",
            lambda client, _: client.give_back(book, uid),
            lambda _: [(("loan", str(book)), None)],
        )

    # Tickets

    def ask_ended_ticket(self) -> Ask:
        """A change of somebody whose ticket is gone: nothing may come of it."""
        uid = self._member()
        cache = self.shared.club.folder / f"ended-{self.name}"

        def call(_: Client, key: str) -> Any:
            try:
                tickets.initial(f"{self.who}@{REALM}", PASSWORD, f"FILE:{cache}")
            except Krb5Error as error:
                raise BackendDown(str(error), backend="kdc") from None
            client = self.shared.club.client_of(f"FILE:{cache}")
            cache.unlink()
            answer = client.modify_member(uid, {"login_shell": "/bin/ended"}, key)
            raise AssertionError(f"without a ticket: {list(answer)}")

        return Ask("ended ticket", uid, ADMIN, call)


SYSCOM = (
    (16, "sign_up"),
    (3, "contested"),
    (3, "rep"),
    (4, "lapsed"),
    (5, "many"),
    (9, "renew"),
    (5, "reset"),
    (8, "shell"),
    (7, "forwarding"),
    (4, "delete"),
    (5, "restore"),
    (2, "mend"),
    (2, "expire"),
    (1, "remind"),
    (1, "programs"),
    (3, "club"),
    (2, "group"),
    (7, "join"),
    (5, "leave"),
    (3, "positions"),
    (8, "subscribe"),
    (8, "unsubscribe"),
    (6, "database"),
    (6, "lend"),
    (5, "return"),
    (1, "ended_ticket"),
)
OFFICE = (
    (20, "sign_up"),
    (4, "contested"),
    (4, "rep"),
    (4, "lapsed"),
    (5, "many"),
    (10, "renew"),
    (4, "reset"),
    (8, "forwarding"),
    (10, "subscribe"),
    (10, "unsubscribe"),
    (7, "lend"),
    (6, "return"),
    (1, "ended_ticket"),
)
