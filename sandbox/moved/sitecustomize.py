"""For Python under a moved clock: libfaketime 0.9.10 answers EINVAL to the absolute monotonic sleep that time.sleep() is made of."""

import select
import time


def _sleep(seconds: float) -> None:
    select.select([], [], [], seconds)


time.sleep = _sleep  # type: ignore[assignment]
