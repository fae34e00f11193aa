"""A ticket of our own, made by the helper that holds the key, kept in memory and renewed before it ends."""

from __future__ import annotations

import threading
import time

import gssapi
from gssapi.raw import import_cred

from ceo_common.errors import BackendDown
from ceod.helpers.child import Child, Died, NoTurn, TookTooLong

_RENEW_BEFORE_S = 900.0
_AGAIN_S = 30.0


class OwnCredential:
    """A credential made with a key that a helper holds; kept until shortly before its end."""

    def __init__(self, child: Child, *, do: str) -> None:
        self._child, self._do = child, do
        self._lock = threading.Lock()
        self._credential: gssapi.Credentials | None = None
        self._renew_at = self._ends_at = 0.0

    def get(self) -> gssapi.Credentials:
        """The credential; the one at hand for as long as it lives, when the KDC gives no new one.  Raises BackendDown."""
        with self._lock:
            now = time.time()
            if self._credential is None or now > self._renew_at:
                try:
                    self._renew()
                except BackendDown:
                    if self._credential is None or now > self._ends_at:
                        raise
                    self._renew_at = now + _AGAIN_S
            return self._credential

    def _renew(self) -> None:
        try:
            answer = self._child.ask({"do": self._do}, deadline_s=10)
        except (Died, TookTooLong, NoTurn):
            raise BackendDown("the KDC does not answer", backend="kdc") from None
        if "refused" in answer:
            raise BackendDown(f"the KDC gave ceod no ticket: {answer['refused']}", backend="kdc")
        self._credential = gssapi.Credentials(import_cred(answer["credential"]))
        self._ends_at = answer["endtime"]
        self._renew_at = self._ends_at - _RENEW_BEFORE_S
