"""A ticket of our own, made by the helper that holds the key, kept in memory and renewed before it ends."""

from __future__ import annotations

import threading
import time

import gssapi
from gssapi.raw import import_cred

from ceo_common.errors import BackendDown
from ceod.helpers.child import Child, Died, NoTurn, TookTooLong

_RENEW_BEFORE_S = 900.0


class OwnCredential:
    """A credential made with a key that a helper holds; kept until shortly before its end."""

    def __init__(self, child: Child, *, channel: int, do: str) -> None:
        self._child, self._channel, self._do = child, channel, do
        self._lock = threading.Lock()
        self._credential: gssapi.Credentials | None = None
        self._until = 0.0

    def get(self) -> gssapi.Credentials:
        """The credential.  Raises BackendDown."""
        with self._lock:
            if self._credential is None or time.time() > self._until:
                try:
                    answer = self._child.ask({"do": self._do}, deadline_s=10, channel=self._channel)
                except (Died, TookTooLong, NoTurn):
                    raise BackendDown("the KDC does not answer", backend="kdc") from None
                if "refused" in answer:
                    raise BackendDown(f"the KDC gave ceod no ticket: {answer['refused']}", backend="kdc")
                self._credential = gssapi.Credentials(import_cred(answer["credential"]))
                self._until = answer["endtime"] - _RENEW_BEFORE_S
            return self._credential

    def forget(self) -> None:
        """Get a new one the next time."""
        with self._lock:
            self._credential = None
