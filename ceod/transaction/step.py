"""What an operation is made of: steps with a true undo, a commit point, and steps that only go forward."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, Protocol, TypeVar

Json = dict[str, Any]
Tools = TypeVar("Tools")  # the services that steps work with
Private = TypeVar("Private")  # what lives in memory alone: the caller's connection, a generated password


class Undone(Enum):
    """What an undo found."""

    REMOVED = "removed"  # it was ours and is gone now
    ABSENT = "absent"  # there was nothing
    NOT_OURS = "not ours"  # something is there that this transaction did not make: left alone


@dataclass(frozen=True)
class Kept:
    """What an undo found, where some of it was moved instead of removed: somebody may want it."""

    outcome: Undone
    paths: list[str]  # where it is now


class Pen(Protocol):
    """Writes facts beside a step's intent, and for those who follow how many of how many items are done."""

    def __call__(self, facts: Json, progress: tuple[int, int] | None) -> None:
        """On disk when it returns."""


class Definition(Exception):
    """An operation whose steps stand in an order that can't be rolled back."""


class Skip(Exception):
    """Raised by a step after the commit that is not wanted any more; it noted why."""


class Run(Generic[Tools, Private]):
    """What a step before the commit has at hand."""

    def __init__(self, transaction: str, arguments: Json, tools: Tools, private: Private, pen: Pen) -> None:
        self.transaction = transaction
        self.arguments = arguments
        self.tools = tools
        self.private = private
        self.facts: Json = {}  # what this and earlier steps noted
        self._pen = pen

    def note(self, **facts: Any) -> None:
        """Put facts on disk beside the step's intent, now: before the effect that an undo will have to recognise."""
        self.facts |= facts
        self._pen(facts, None)

    def tell(self, done: int, items: int) -> None:
        """How far a step over many items is, for those who follow."""
        self._pen({}, (done, items))

    def use(self, pen: Pen) -> None:
        """The next step begins: what is noted from now on is its."""
        self._pen = pen


class Turn(Generic[Tools]):
    """What a step after the commit has at hand at one of its tries."""

    def __init__(
        self,
        transaction: str,
        committed: float,
        facts: Json,
        tools: Tools,
        private: Any,
        pen: Pen,
        facts_of: Callable[[str], Json],
    ) -> None:
        self.transaction = transaction
        self.committed = committed  # when, in seconds since the epoch: since then it is wished
        self.facts = facts  # the arguments, and what every step noted
        self.tools = tools
        self.private = private  # of a bulk operation's first try alone; else None
        self.facts_of = facts_of  # what the steps of another transaction noted, by its id
        self._pen = pen

    def note(self, done: int | None = None, items: int = 0, **facts: Any) -> None:
        """Put facts on disk, now, with how far it is: what a later try finds done already."""
        self.facts |= facts
        self._pen(facts, None if done is None else (done, items))


class Step(ABC, Generic[Tools, Private]):
    """A step before the commit."""

    name: str
    deadline_s: float = 12
    undoable: bool = True

    def needed(self, arguments: Json) -> bool:
        """Whether what is asked for has anything to do with it; else the transaction has no such step."""
        return True

    def intent(self, run: Run[Tools, Private]) -> Json:
        """What undo will need to know its own; on disk before do() acts."""
        return {}

    @abstractmethod
    def do(self, run: Run[Tools, Private]) -> None:
        """Act.  Any exception rolls the transaction back."""

    @abstractmethod
    def undo(self, transaction: str, intent: Json, tools: Tools) -> Undone | Kept:
        """Look, then take back what is ours.  Done as the daemon, live and in recovery alike; may run more than once.

        Raises BackendDown when it can't look now: it is asked again later.
        """


class Later(ABC, Generic[Tools]):
    """A step after the commit: never undone, tried until it is done, given up after a week.

    `backend` names the server without which it can do nothing, as BackendDown does: when that one
    kept a step waiting in vain, the others of the same backend are put off for a while without a
    try of their own.
    """

    name: str
    deadline_s: float = 12
    backend: str | None = None

    def needed(self, arguments: Json) -> bool:
        """As a Step's."""
        return True

    def wanted(self, turn: Turn[Tools]) -> bool:
        """Whether it still makes sense; asked before each try."""
        return True

    @abstractmethod
    def do(self, turn: Turn[Tools]) -> None:
        """Act; may run more than once.  Raises BackendDown to wait, Skip when it came too late."""


BATCH = 100


class Bulk(Later[Tools]):
    """One step over many items, in batches; each batch's outcome is on disk before the next begins, and a try after a crash or an
    outage goes on at the first batch without one.
    """

    deadline_s = 60
    counted = True  # how many were done is told in the result, so it is noted even of a single batch

    @abstractmethod
    def items(self, turn: Turn[Tools]) -> list[Any]:
        """All of them, the same list at every try."""

    @abstractmethod
    def batch(self, turn: Turn[Tools], items: list[Any]) -> dict[str, str]:
        """Do these; an item that was done before stays as it is.  Returns why some could not be done, by their names.

        Raises BackendDown: then the whole batch comes again.
        """

    def do(self, turn: Turn[Tools]) -> None:
        """Batch by batch, from the first that is not done."""
        items, done_key, failed_key = self.items(turn), f"{self.name}: done", f"{self.name}: failed"
        failed: dict[str, str] = dict(turn.facts.get(failed_key) or {})
        for start in range(turn.facts.get(done_key, 0), len(items), BATCH):
            some = items[start:start + BATCH]
            failed |= self.batch(turn, some)
            if len(items) <= BATCH and not failed and not self.counted:
                return  # the step's own record says it
            turn.note(start + len(some), len(items), **{done_key: start + len(some), failed_key: failed})

    def outcome(self, facts: Json) -> tuple[int, dict[str, str]]:
        """How many were done so far, and why some could not be, by their names."""
        failed = dict(facts.get(f"{self.name}: failed") or {})
        return facts.get(f"{self.name}: done", 0) - len(failed), failed


@dataclass(frozen=True)
class Operation(Generic[Tools, Private]):
    """The steps of one thing that a person asks for, in order; the commit stands between `before` and `after`."""

    name: str
    version: int
    before: tuple[Step[Tools, Private], ...]
    after: tuple[Later[Tools], ...] = ()
    result: Callable[[Json], Json] = field(default=dict)
    secrets: Callable[[Private], Json] = field(default=lambda _: {})  # the part of the result that is in memory alone
    # The steps after the commit are the work itself: the names stay locked and the caller's connection open for their first try.
    bulk: bool = False

    def __post_init__(self) -> None:
        names = [step.name for step in self.before] + [later.name for later in self.after]
        if len(set(names)) != len(names):
            raise Definition(f"{self.name}: two steps have one name")
        if any(not step.undoable for step in self.before[:-1]):
            raise Definition(f"{self.name}: only the last step before the commit may be without an undo")

    def steps(self, arguments: Json) -> tuple[list[Step[Tools, Private]], list[Later[Tools]]]:
        """Those before the commit and those after it that a request with these arguments needs."""
        return [step for step in self.before if step.needed(arguments)], [later for later in self.after if later.needed(arguments)]

    @property
    def deadline_s(self) -> float:
        """How long all of it may take."""
        return sum(step.deadline_s for step in self.before) * 2 + sum(later.deadline_s for later in self.after)
