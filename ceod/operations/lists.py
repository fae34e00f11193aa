"""Mailing lists that follow from something else: joined and left after the commit, when the mail host is there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from ceo_common.errors import BackendDown, CeoError, Exists, NotFound, WrongState
from ceod.services import mailman
from ceod.services.all import Services
from ceod.transaction.step import Json, Later, Turn

Pairs = Callable[[Json], list[tuple[str, str]]]  # of the facts: each list with a username


@contextlib.contextmanager
def mail_host(tools: Services) -> Iterator[None]:
    """Whatever the mail host says, what was committed stands: its lists are tried again.  What is final comes through: no such list, being on
    one, and never to be on it.
    """
    try:
        yield
    except (Exists, NotFound, WrongState):
        raise
    except CeoError as error:
        raise BackendDown(f"{tools.config.hosts.mail}: {error}", backend=mailman.BACKEND) from error


def warnings(facts: Json) -> list[str]:
    """What a result warns of: what was known before the first step, and who may never be on a list."""
    return [*facts.get("warnings", []), *facts.get("refused_by_lists", [])]


class JoinLists(Later[Services]):
    """Subscribe accounts to lists."""

    name, backend = "mailing lists", mailman.BACKEND
    deadline_s = 30

    def __init__(self, pairs: Pairs) -> None:
        self.pairs = pairs

    def wanted(self, turn: Turn[Services]) -> bool:
        """Where there is a list to join."""
        return bool(self.pairs(turn.facts))

    def do(self, turn: Turn[Services]) -> None:
        """Who is on it already stays on it; a list that does not exist is nobody's, nor is one of somebody who was deleted meanwhile.
        A list that will never take somebody is told of in the result.
        """
        pairs = self.pairs(turn.facts)
        people = turn.tools.directory.people_named([uid for _, uid in pairs])
        refused = []
        for list_name, uid in pairs:
            if uid not in people or people[uid].is_deleted:
                continue
            try:
                with contextlib.suppress(Exists, NotFound), mail_host(turn.tools):
                    turn.tools.peers.subscribe(list_name, uid)
            except WrongState as error:
                refused.append(error.message)
        if refused:
            turn.note(refused_by_lists=refused)


class LeaveLists(JoinLists):
    """Take accounts off lists."""

    name = "mailing lists left"

    def do(self, turn: Turn[Services]) -> None:
        """Who is not on it needs not leave."""
        for list_name, uid in self.pairs(turn.facts):
            with contextlib.suppress(NotFound), mail_host(turn.tools):
                turn.tools.peers.unsubscribe(list_name, uid)
