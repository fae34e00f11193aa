"""Other hosts that are asked for what is useful, but not needed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from ceo_common.deadline import CONNECT_S, within
from ceo_common.errors import BackendDown, Unreachable

T = TypeVar("T")

# A host that kept somebody waiting for longer than WAITED_S is not asked again for AWAY_S: whoever
# signs people up would wait for the same host each time.
WAITED_S = 1.0
AWAY_S = 30.0


class SlowHosts:
    """Asks hosts within CONNECT_S, and passes over those that did not answer just before."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._away_until: dict[str, float] = {}

    def ask(self, host: str, call: Callable[[], T]) -> T:
        """The call's result.  Raises BackendDown, and what the call raises."""
        began = self._clock()
        if began < self._away_until.get(host, 0.0):
            raise BackendDown(f"{host} did not answer just before", backend=host)
        try:
            return within(CONNECT_S, host, call)
        except (BackendDown, Unreachable):
            if self._clock() - began > WAITED_S:
                self._away_until[host] = self._clock() + AWAY_S
            raise
