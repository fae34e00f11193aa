"""Mailing lists that follow from something else: joined and left after the commit, when the mail host is there.

A step may wait for days, and what it was to do is then done only if nobody wishes otherwise by
then.  Of a list that follows from a group the group itself says what is wished; of the others the
mail host knows, which notes when each was joined or left last (ceod/operations/wishes.py).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from ceo_common.errors import (
    BackendDown,
    BrokenEntry,
    CeoError,
    Exists,
    NotFound,
    Overtaken,
    WrongState,
)
from ceod.services import mailman
from ceod.services.all import Services
from ceod.services.entry import NamedPeople, Person
from ceod.transaction.step import Json, Later, Skip, Turn

Pairs = Callable[[Json], list[tuple[str, str]]]  # of the facts: each list with a username


@contextlib.contextmanager
def mail_host(tools: Services) -> Iterator[None]:
    """Whatever the mail host says, what was committed stands: its lists are tried again.

    What is final comes through: no such list, being on one, never to be on it, a newer wish.
    """
    try:
        yield
    except CeoError as error:
        # The state that its directory has of an account may lag behind ours.
        is_final = isinstance(error, (Exists, NotFound, WrongState, Overtaken)) and "state" not in error.more
        if is_final:
            raise
        raise BackendDown(f"{tools.config.hosts.mail}: {error}", backend=mailman.BACKEND) from error


def is_open(person: Person | None) -> bool:
    """Whether the account is there, not deleted and not expired."""
    return person is not None and not person.is_deleted and not person.is_expired(time.time())


def _is_open(people: NamedPeople, uid: str) -> bool:
    """As is_open().  Raises BrokenEntry: nobody knows."""
    if fault := people.fault(uid):
        raise BrokenEntry(fault, uid=uid)
    return is_open(people.get(uid))


def leave_for_good(
    tools: Services, list_name: str, uids: list[str], over: Callable[[list[str]], list[str]]
) -> list[str]:
    """Take accounts off a list that are over; returns those that were opened meanwhile.

    `over` asks the directory which of some accounts are over.  This is wished at the moment before
    that, so whoever is renewed or restored later stays on.  A wish that seems newer although the
    account is over came from a clock that was wrong: nobody is put on a list by then.
    Raises NotFound (no such list), BackendDown.
    """
    looked = time.time()
    leaving = over(uids)
    overtaken = _unsubscribe(tools, list_name, leaving, looked)
    still_over = over(overtaken)
    _unsubscribe(tools, list_name, still_over, None)
    return [uid for uid in overtaken if uid not in still_over]


def _unsubscribe(
    tools: Services, list_name: str, uids: list[str], wished: float | None
) -> list[str]:
    """Those whose newer wish stands."""
    if not uids:
        return []
    with mail_host(tools):
        answer = tools.peers.unsubscribe_all(list_name, uids, wished=wished)
    return list(answer["overtaken"])


def warnings(facts: Json) -> list[str]:
    """What a result warns of: what was known before the first step, who may never be on a list, and whose newer wish stands."""
    noted = ("warnings", "refused_by_lists", JoinLists.left_out, LeaveLists.left_out)
    return [text for name in noted for text in facts.get(name, [])]


def is_held(tools: Services, list_name: str, uid: str, wished: float) -> bool:
    """Subscribe an account as it was wished at a time, in seconds since the epoch.

    Returns whether a moderator of the list has to agree before it is on it.  Raises what the mail host does, but not that it is on the list already.
    """
    try:
        return bool(tools.peers.subscribe(list_name, uid, wished=wished)["held"])
    except Exists as error:
        return bool(error.more.get("held"))


def waits_for_moderator(list_name: str, uid: str) -> str:
    """What a result says of one who is not on a list yet."""
    return f"{uid} is not on the list {list_name} yet: its moderator has to agree"


class JoinLists(Later[Services]):
    """Subscribe accounts to lists."""

    name, backend = "mailing lists", mailman.BACKEND
    deadline_s = 30
    left_out = "not_joined"  # what is noted of pairs that nobody wishes any more

    def __init__(self, pairs: Pairs) -> None:
        self.pairs = pairs

    def wanted(self, turn: Turn[Services]) -> bool:
        """Where there is a list to join."""
        return bool(self.pairs(turn.facts))

    def do(self, turn: Turn[Services]) -> None:
        """What is so already stays so, and a list that does not exist is nobody's.

        The result tells of a list that will never take somebody, and of those whose newer wish stands.
        Raises BrokenEntry, to wait until somebody mended it: then the others are done.
        """
        pairs = self.pairs(turn.facts)
        people = turn.tools.directory.people_named([uid for _, uid in pairs])
        refused, overtaken = list[str](), list[str]()
        broken: BrokenEntry | None = None
        for list_name, uid in pairs:
            try:
                if reason := self.overtaken_by(turn.tools, list_name, uid, people):
                    overtaken.append(reason)
                    continue
                with contextlib.suppress(NotFound), mail_host(turn.tools):
                    if self.act(turn, list_name, uid):
                        refused.append(waits_for_moderator(list_name, uid))
            except BrokenEntry as error:
                broken = error  # what it is to be will be known when somebody mended it
            except Overtaken as error:
                overtaken.append(error.message)
            except WrongState as error:
                refused.append(error.message)
        if refused:
            turn.note(refused_by_lists=refused)
        if overtaken:
            facts: Json = {self.left_out: overtaken}
            turn.note(**facts)
        if broken:
            raise broken
        if len(overtaken) == len(pairs):
            raise Skip

    def overtaken_by(
        self, tools: Services, list_name: str, uid: str, people: NamedPeople
    ) -> str:
        """What the directory says against it now, in words; else nothing.  Raises BrokenEntry."""
        if not _is_open(people, uid):
            return f"{uid} was not put on the list {list_name}: the account is not open any more"
        groups = tools.config.groups.behind(list_name)
        if groups and not set(groups) & set(tools.directory.groups_of(uid)):
            return f"{uid} was not put on the list {list_name}: they are not in the group {groups[0]} any more"
        return ""

    def act(self, turn: Turn[Services], list_name: str, uid: str) -> bool:
        """Subscribe an account, as the club wished then; whether a moderator has to agree."""
        return is_held(turn.tools, list_name, uid, turn.committed)


class LeaveLists(JoinLists):
    """Take accounts off lists."""

    name = "mailing lists left"
    left_out = "not_left"

    def overtaken_by(
        self, tools: Services, list_name: str, uid: str, people: NamedPeople
    ) -> str:
        """Who is in a group that the list follows from stays on it."""
        inside = set(tools.config.groups.behind(list_name)) & set(tools.directory.groups_of(uid))
        if inside and _is_open(people, uid):
            return f"{uid} stays on the list {list_name}: they are in the group {min(inside)}"
        return ""

    def act(self, turn: Turn[Services], list_name: str, uid: str) -> bool:
        """Take an account off a list, as the club wished at that time."""
        turn.tools.peers.unsubscribe(list_name, uid, wished=turn.committed)
        return False
