"""Jobs in threads: whatever waits for a server runs here, and its outcome is heard in the loop that draws."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from typing import TypeVar

import urwid

from ceo_common.errors import CeoError, Internal
from ceo_common.krb5.errors import Krb5Error

T = TypeVar("T")


class Workers:
    """Runs jobs; what they say is done in the loop, in order."""

    def __init__(self, loop: urwid.MainLoop, unforeseen: Callable[[Exception], None]) -> None:
        self._unforeseen = unforeseen
        self._heard: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._pipe = loop.watch_pipe(self._hear)

    def start(self, job: Callable[[], T], then: Callable[[T], None], failed: Callable[[CeoError], None]) -> None:
        """Run a job in a thread of its own; one of the two hears how it ended."""
        def run() -> None:
            try:
                result = job()
            except CeoError as error:
                kept = error
            except Krb5Error as error:
                kept = Internal(f"Kerberos: {error.message}")
            except Exception as error:
                kept = Internal(f"something unforeseen happened: {type(error).__name__}: {error}")
            else:
                self.say(lambda: then(result))
                return
            self.say(lambda: failed(kept))

        threading.Thread(target=run, daemon=True).start()

    def say(self, what: Callable[[], None]) -> None:
        """From any thread: have the loop do something and draw."""
        self._heard.put(what)
        os.write(self._pipe, b".")

    def _hear(self, _data: bytes) -> bool:
        while not self._heard.empty():
            try:
                self._heard.get()()
            except urwid.ExitMainLoop:
                raise
            except Exception as error:
                self._unforeseen(error)
        return True
