"""What was measured, a row each: ours beside the floor in the same run, since seconds differ from machine to machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

from tests.club.report import LINES

_FORM = "{:<50} {:>10} {:>10} {:>8}  {}"


def seconds(act: Callable[[], object]) -> float:
    """How long it takes."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def by_turns(repeats: int, *acts: Callable[[], object]) -> list[float]:
    """The median of each, done by turns so that what else the machine does strikes all alike; the first round does not count."""
    rounds = [[seconds(act) for act in acts] for _ in range(repeats + 1)][1:]
    return [median(column) for column in zip(*rounds, strict=True)]


def shown(duration: float) -> str:
    """For people."""
    return f"{duration * 1000:.1f} ms" if duration < 1 else f"{duration:.2f} s"


def row(name: str, ours: float, floor: float, note: str = "") -> None:
    """Add a row."""
    if not LINES:
        LINES.append(_FORM.format("", "ours", "floor", "ratio", "").rstrip())
    LINES.append(_FORM.format(name, shown(ours), shown(floor), f"{ours / floor:.2f}", note).rstrip())
