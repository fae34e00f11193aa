"""The last change of a loan, while it can be undone: the screens of the library share it."""

from __future__ import annotations

import time
from dataclasses import dataclass

UNDO_S = 60


@dataclass(frozen=True)
class Undoable:
    """`change` is its number, `until` a moment of time.monotonic(); ceod decides by its own clock.

    `loan` names the book and the borrower.
    """

    change: int
    until: float
    loan: str

    @classmethod
    def now(cls, change: int, loan: str) -> Undoable:
        """A change that was made just now."""
        return cls(change, time.monotonic() + UNDO_S, loan)

    @property
    def is_over(self) -> bool:
        """Whether its minute is."""
        return time.monotonic() >= self.until
