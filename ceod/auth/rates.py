"""How often one person may write: each write stands in the journal for years."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable

WRITES = 60
PERIOD_S = 3600.0


class Rates:
    """The writes of each principal within the last PERIOD_S, as this process counts them."""

    def __init__(self, writes: int = WRITES, period_s: float = PERIOD_S, clock: Callable[[], float] = time.monotonic) -> None:
        self.writes = writes
        self.period_s = period_s
        self._clock = clock
        self._lock = threading.Lock()
        self._of: dict[str, deque[float]] = {}

    def count(self, principal: str) -> int | None:
        """Count a write; or None is counted, and the seconds until one may write again are returned."""
        with self._lock:
            now = self._clock()
            self._forget(now)
            times = self._of.setdefault(principal, deque())
            if len(times) >= self.writes:
                return math.ceil(times[0] + self.period_s - now)
            times.append(now)
            return None

    def _forget(self, now: float) -> None:
        for principal, times in list(self._of.items()):
            while times and times[0] <= now - self.period_s:
                times.popleft()
            if not times:
                del self._of[principal]
