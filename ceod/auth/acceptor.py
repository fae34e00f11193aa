"""The worker's side of the acceptor helper."""

from __future__ import annotations

from dataclasses import dataclass

import gssapi

from ceo_common.errors import BackendDown
from ceod.helpers.child import Child, Died, NoTurn, TookTooLong
from ceod.helpers.credential import OwnCredential
from ceod.helpers.wire import Message


class Refused(Exception):
    """A token or a KRB-CRED that does not count; the text is Kerberos' own."""

    def __init__(self, message: str, reply: bytes = b"") -> None:
        super().__init__(message)
        self.reply = reply


@dataclass(frozen=True)
class Accepted:
    """A completed context."""

    name: str
    reply: bytes
    bound: bool
    credential: bytes | None  # the delegated one, exported


class Acceptor:
    """One a worker."""

    def __init__(self, keytab: str, service: str, state_dir: str) -> None:
        environment = {"KRB5RCACHENAME": f"file2:{state_dir}/replay"}
        self._child = Child("ceod.helpers.acceptor", [keytab, service], environment)
        # A process of its own for what waits for the KDC: a frozen one must not end an accept that is in hand.
        self._initiator = Child("ceod.helpers.acceptor", [keytab, service], environment)
        self._own = OwnCredential(self._initiator, do="initiate")

    def accept(self, token: bytes, bindings: bytes | None) -> Accepted:
        """Accept a SPNEGO token.  Raises Refused, BackendDown (the helper died with it in hand)."""
        answer = self._ask({"do": "accept", "token": token, "bindings": bindings})
        if "refused" in answer:
            raise Refused(answer["refused"], answer.get("reply", b""))
        return Accepted(answer["name"], answer["reply"], answer["bound"], answer.get("credential"))

    def read_cred(self, message: bytes) -> tuple[str, int, bytes]:
        """The client, the end and the exported credential of a KRB-CRED.  Raises Refused, BackendDown."""
        answer = self._ask({"do": "read_cred", "message": message})
        if "refused" in answer:
            raise Refused(answer["refused"])
        return answer["name"], answer["endtime"], answer["credential"]

    def _ask(self, request: Message) -> Message:
        try:
            return self._child.ask(request, deadline_s=10)
        except (Died, TookTooLong, NoTurn):
            raise BackendDown("the request broke the part of ceod that reads tickets; it was started anew", backend="acceptor") from None

    def own_credential(self) -> gssapi.Credentials:
        """ceod/<fqdn>'s own ticket, renewed before it ends.  Raises BackendDown."""
        return self._own.get()

    def close(self) -> None:
        """End the helper."""
        self._child.close()
        self._initiator.close()
