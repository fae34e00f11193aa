"""Runs the feed of this host's index: a thread of every worker, which acts in one of them."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import gssapi
from gssapi.raw import export_cred

from ceo_common.config import Ldap
from ceo_common.errors import BackendDown
from ceod.helpers.child import Child, Died, NoTurn, TookTooLong
from ceod.people_index import store
from ceod.transaction.owners import try_lock

log = logging.getLogger("ceod.people_index")

# A connection; a new one reads everything again, whatever went wrong unseen.
_AT_MOST_S = 4 * 3600.0
_LATE_S = 60.0  # behind the end of its time, the helper is killed
_PERIOD_S = 1.0
_LONGEST_PAUSE_S = 15.0
_LONG_S = 60.0  # who followed for so long and ended begins again at once, and says so again
_NICE = 10  # building leaves the processor to whoever asks meanwhile


class Keeper:
    """Starts the helper where no other worker of the host does, and again when it ends."""

    def __init__(
        self, folder: Path, settings: Ldap, credential: Callable[[], gssapi.Credentials]
    ) -> None:
        self._credential = credential
        self._folder = folder
        self._lock_path = folder.with_suffix(".lock")
        arguments = [str(folder), settings.uri, settings.ca, settings.base]
        self._child = Child("ceod.people_index.feed", arguments, {}, nice=_NICE)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="people index", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the helper, and let another worker have the lock."""
        self._stop.set()
        self._child.close()
        self._thread.join(10)

    @property
    def pid(self) -> int | None:
        """The helper's, where this worker has it."""
        return self._child.pid

    def _loop(self) -> None:
        lock, pause_s, reason = None, 0.0, ""
        while not self._stop.wait(pause_s):
            began, before = time.monotonic(), reason
            try:
                if lock is None:
                    lock = try_lock(self._lock_path)
                    if lock is None:
                        pause_s = _PERIOD_S
                        continue
                    store.withdraw(self._folder)  # whoever followed for it is gone
                reason = self._follow()
            except OSError as error:  # a full disk, for instance
                reason = f"its lock can't be opened: {error}"
            if reason and lock is not None:
                store.withdraw(self._folder)
            is_again = reason == before and time.monotonic() - began < _LONG_S
            if reason and not is_again and not self._stop.is_set():
                log.warning("the people index is not followed: %s", reason)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S) if is_again else _PERIOD_S
        if lock is not None:
            os.close(lock)

    def _follow(self) -> str:
        """Let the helper follow the directory for as long as that goes well; why it ended."""
        try:
            credential = self._credential()
            seconds = min(float(credential.lifetime), _AT_MOST_S)
            request = {"do": "follow", "credential": export_cred(credential), "seconds": seconds}
            return str(self._child.ask(request, deadline_s=seconds + _LATE_S)["ended"])
        except BackendDown as error:
            return error.message
        except (Died, NoTurn):
            return "its process ended"
        except TookTooLong:
            return "its process did not answer"
        except Exception as error:
            log.exception("the people index can't be followed; ceod tries again")
            return type(error).__name__
