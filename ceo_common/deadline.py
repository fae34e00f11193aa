"""A limit for calls that have none of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from ceo_common.errors import BackendDown

T = TypeVar("T")

CONNECT_S = 3.0
OPERATION_S = 10.0
# A statement of a database server's that waits for somebody's lock gives up before recovery looks for the last time (the engine's SETTLE_S):
# else it would still act when what it does was looked for and not found.
LOCK_WAIT_S = 2.0


def within(seconds: float, backend: str, call: Callable[[], T]) -> T:
    """The call's result, from a thread of its own.  Raises BackendDown when it takes longer; the call then ends by itself, unheard."""
    results: list[T] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(call())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise BackendDown(f"{backend} did not answer within {seconds:.0f} s", backend=backend)
    return results[0]
