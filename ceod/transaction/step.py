"""What an operation is made of: steps with a true undo, a commit point, and steps that only go forward."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, TypeVar

Json = dict[str, Any]
Tools = TypeVar("Tools")  # the services that steps work with
Private = TypeVar("Private")  # what lives in memory alone: the caller's connection, a generated password


class Undone(Enum):
    """What an undo found."""

    REMOVED = "removed"  # it was ours and is gone now
    ABSENT = "absent"  # there was nothing
    NOT_OURS = "not ours"  # something is there that this transaction did not make: left alone


class Definition(Exception):
    """An operation whose steps stand in an order that can't be rolled back."""


class Run(Generic[Tools, Private]):
    """What a step before the commit has at hand."""

    def __init__(self, transaction: str, arguments: Json, tools: Tools, private: Private, keep: Callable[[Json], None]) -> None:
        self.transaction = transaction
        self.arguments = arguments
        self.tools = tools
        self.private = private
        self.facts: Json = {}  # what this and earlier steps noted
        self._keep = keep

    def note(self, **facts: Any) -> None:
        """Put facts on disk beside the step's intent, now: before the effect that an undo will have to recognise."""
        self.facts |= facts
        self._keep(facts)


class Step(ABC, Generic[Tools, Private]):
    """A step before the commit."""

    name: str
    deadline_s: float = 12
    undoable: bool = True

    def intent(self, run: Run[Tools, Private]) -> Json:
        """What undo will need to know its own; on disk before do() acts."""
        return {}

    @abstractmethod
    def do(self, run: Run[Tools, Private]) -> None:
        """Act.  Any exception rolls the transaction back."""

    @abstractmethod
    def undo(self, transaction: str, intent: Json, tools: Tools) -> Undone:
        """Look, then take back what is ours.  Done as the daemon, live and in recovery alike; may run more than once.

        Raises BackendDown when it can't look now: it is asked again later.
        """


class Later(ABC, Generic[Tools]):
    """A step after the commit: never undone, tried until it is done, given up after a week."""

    name: str
    deadline_s: float = 12

    def wanted(self, facts: Json, tools: Tools) -> bool:
        """Whether it still makes sense; asked before each try."""
        return True

    @abstractmethod
    def do(self, transaction: str, facts: Json, tools: Tools) -> None:
        """Act; may run more than once.  Raises BackendDown to wait."""


@dataclass(frozen=True)
class Operation(Generic[Tools, Private]):
    """The steps of one thing that a person asks for, in order; the commit stands between `before` and `after`."""

    name: str
    version: int
    before: tuple[Step[Tools, Private], ...]
    after: tuple[Later[Tools], ...] = ()
    result: Callable[[Json], Json] = field(default=dict)
    secrets: Callable[[Private], Json] = field(default=lambda _: {})  # the part of the result that is in memory alone

    def __post_init__(self) -> None:
        names = [step.name for step in self.before] + [later.name for later in self.after]
        if len(set(names)) != len(names):
            raise Definition(f"{self.name}: two steps have one name")
        if any(not step.undoable for step in self.before[:-1]):
            raise Definition(f"{self.name}: only the last step before the commit may be without an undo")

    @property
    def deadline_s(self) -> float:
        """How long all of it may take."""
        return sum(step.deadline_s for step in self.before) * 2 + sum(later.deadline_s for later in self.after)
