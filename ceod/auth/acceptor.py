"""The worker's side of the acceptor helper."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import gssapi

from ceo_common.errors import BackendDown
from ceod.auth.crash_sources import CrashSources
from ceod.helpers.child import Child, Died, NoTurn, TookTooLong
from ceod.helpers.credential import OwnCredential
from ceod.helpers.wire import Message

REPLAY_CACHE = "replay"  # the file in state_dir
_SLOW_NICE = 10  # its restarts leave the processor to the requests of other addresses
_SLOW_REQUESTS = 8  # that wait for the slow helper at once; the server has more threads at its door


class Refused(Exception):
    """A token or a KRB-CRED that does not count; the text is Kerberos' own."""

    def __init__(self, message: str, reply: bytes = b"", major: int = 0) -> None:
        super().__init__(message)
        self.reply = reply
        self.major = major  # GSSAPI's routine error, GSS_S_*


@dataclass(frozen=True)
class Accepted:
    """A completed context."""

    name: str
    reply: bytes
    bound: bool
    credential: bytes | None  # the delegated one, exported
    credential_problem: str | None = None  # why the delegated one can't be used


class Acceptor:
    """Reads tickets in helper processes, which hostile bytes can end; each worker has one Acceptor.

    Who sent such bytes is not known yet when they end a helper, but from where is: the requests of
    that address go to a slow helper of their own for a while, so that only they wait for it.
    """

    def __init__(self, keytab: str, service: str, state_dir: str) -> None:
        module, arguments = "ceod.helpers.acceptor", [keytab, service]
        environment = {"KRB5RCACHENAME": f"file2:{state_dir}/{REPLAY_CACHE}"}
        self.replay_cache = f"{state_dir}/{REPLAY_CACHE}"
        self._keytab = keytab
        self.fast = Child(module, arguments, environment, spare=True)
        self.slow = Child(module, arguments, environment, nice=_SLOW_NICE)
        self._slow_requests = threading.BoundedSemaphore(_SLOW_REQUESTS)
        self._crash_sources = CrashSources()
        # A process of its own for what waits for the KDC: a frozen KDC must not end an accept.
        self._initiator = Child(module, arguments, environment)
        self._own = OwnCredential(self._initiator, do="initiate")

    def start(self) -> None:
        """Start the fast helper and its spare."""
        self.fast.start()

    def accept(self, token: bytes, bindings: bytes | None, address: str) -> Accepted:
        """Accept a SPNEGO token that came from an address.

        Raises Refused, BackendDown (the token ended the helper; the keytab or the replay cache
        can't be used).
        """
        answer = self._ask({"do": "accept", "token": token, "bindings": bindings}, address)
        if "replay_cache" in answer:
            reason = answer["replay_cache"]
            raise BackendDown(
                f"ceod can't record that this ticket was used ({reason}), so it accepts none:"
                f" an administrator has to make room on the disk of {self.replay_cache},"
                " or make it writable",
                backend="replay cache",
            )
        if "keytab" in answer:
            raise BackendDown(
                f"ceod can't use its own key ({answer['keytab']}):"
                f" an administrator has to put the key into {self._keytab}",
                backend="keytab",
            )
        if "refused" in answer:
            raise Refused(answer["refused"], answer.get("reply", b""), answer.get("major", 0))
        return Accepted(
            answer["name"],
            answer["reply"],
            answer["bound"],
            answer.get("credential"),
            answer.get("credential_problem"),
        )

    def read_cred(self, message: bytes, address: str) -> tuple[str, int, bytes]:
        """The client, the end and the exported credential of a KRB-CRED that came from an address.

        The credential is empty when the ticket has ended.  Raises Refused, BackendDown.
        """
        answer = self._ask({"do": "read_cred", "message": message}, address)
        if "refused" in answer:
            raise Refused(answer["refused"])
        return answer["name"], answer["endtime"], answer["credential"]

    def _ask(self, request: Message, address: str) -> Message:
        """The answer of the fast helper; of the slow one for an address that ended a helper."""
        known = self._crash_sources.has
        try:
            if not known(address):
                try:
                    # Looked up again when the turn comes: another request of the address may have
                    # ended a helper meanwhile.
                    return self.fast.ask(
                        request, deadline_s=10, is_wanted=lambda: not known(address)
                    )
                except NoTurn:
                    if not known(address):
                        raise
            return self._ask_slow(request)
        except (Died, TookTooLong):
            self._crash_sources.add(address)
            raise BackendDown(
                "the ticket of this request ended the process of ceod that reads tickets; a new"
                " process runs now: get a new ticket (kinit) and send the request again",
                backend="acceptor",
            ) from None
        except NoTurn:
            raise BackendDown(
                "ceod still reads the tickets of earlier requests: send this one again in a few"
                " seconds",
                backend="acceptor",
                retry_after=3,
            ) from None

    def _ask_slow(self, request: Message) -> Message:
        # Each waiting request holds a thread at the server's door; some have to stay free for
        # everybody else.
        if not self._slow_requests.acquire(blocking=False):
            raise NoTurn(request.get("do"))
        try:
            return self.slow.ask(request, deadline_s=10)
        finally:
            self._slow_requests.release()

    def own_credential(self) -> gssapi.Credentials:
        """ceod/<fqdn>'s own ticket, renewed before it ends.  Raises BackendDown."""
        return self._own.get()

    def close(self) -> None:
        """End the helpers."""
        for child in (self.fast, self.slow, self._initiator):
            child.close()
