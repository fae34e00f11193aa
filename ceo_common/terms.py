"""Terms of the university year: w (Jan-Apr), s (May-Aug), f (Sep-Dec) and a year.  Pure arithmetic."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime

_TERM = re.compile(r"([wsf])([0-9]{4})")
YEARS_AHEAD = 5


@dataclass(frozen=True, order=True)
class Term:
    """A term; terms order by time.  `season` is 0 for w, 1 for s, 2 for f."""

    year: int
    season: int

    @classmethod
    def parse(cls, text: str) -> Term:
        """The term of a text such as f2021.  Raises ValueError."""
        match = _TERM.fullmatch(text)
        if match is None or match[2] == "0000":
            raise ValueError(f"{text!r} is not a term: w, s or f and a year, such as f2021")
        return cls(int(match[2]), "wsf".index(match[1]))

    @classmethod
    def of(cls, day: date) -> Term:
        """The term that a day is in."""
        return cls(day.year, (day.month - 1) // 4)

    def __str__(self) -> str:
        return f"{'wsf'[self.season]}{self.year:04d}"

    def __add__(self, terms: int) -> Term:
        year, season = divmod(self.year * 3 + self.season + terms, 3)
        return Term(year, season)

    def __sub__(self, other: Term) -> int:
        return (self.year - other.year) * 3 + self.season - other.season


def current(zone: str, now: datetime | None = None) -> Term:
    """The term of this moment in a time zone such as America/Toronto."""
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - few commands ask what time it is

    return Term.of((now or datetime.now(UTC)).astimezone(ZoneInfo(zone)).date())


def consecutive(first: Term, count: int) -> list[str]:
    """`count` terms from `first` on, as texts."""
    return [str(first + i) for i in range(count)]


def in_order(terms: list[str]) -> list[str]:
    """Terms in time order; what is not a term comes last, as it is."""
    def key(text: str) -> tuple[bool, Term, str]:
        try:
            return False, Term.parse(text), text
        except ValueError:
            return True, Term(0, 0), text

    return sorted(terms, key=key)
