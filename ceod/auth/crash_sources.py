"""Remembers for a while which addresses sent a request that ended a helper process.  Pure."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

KEPT_S = 600.0
LIMIT = 1024  # addresses; the one whose last crash is oldest is forgotten first


class CrashSources:
    """The addresses, by the time of their last crash; may be used from several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._last_crash: OrderedDict[str, float] = OrderedDict()

    def add(self, address: str) -> None:
        """Remember an address from now on, or for longer."""
        with self._lock:
            self._last_crash[address] = self._clock()
            self._last_crash.move_to_end(address)
            if len(self._last_crash) > LIMIT:
                self._last_crash.popitem(last=False)

    def has(self, address: str) -> bool:
        """Whether the address ended a helper in the last ten minutes."""
        with self._lock:
            last_crash = self._last_crash.get(address)
            if last_crash is not None and self._clock() - last_crash > KEPT_S:
                del self._last_crash[address]
                return False
            return last_crash is not None

    def __len__(self) -> int:
        return len(self._last_crash)
