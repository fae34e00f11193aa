"""The worker's side of the acceptor helper."""

from __future__ import annotations

from dataclasses import dataclass

import gssapi

from ceo_common.errors import BackendDown
from ceod.auth.crash_sources import CrashSources
from ceod.helpers.child import Child, Died, NoTurn, TookTooLong
from ceod.helpers.credential import OwnCredential
from ceod.helpers.wire import Message

REPLAY_CACHE = "replay"  # the file in state_dir
_SLOW_NICE = 10  # its restarts leave the processor to the requests of other addresses


class Refused(Exception):
    """A token or a KRB-CRED that does not count; the text is Kerberos' own."""

    def __init__(self, message: str, reply: bytes = b"", major: int = 0) -> None:
        super().__init__(message)
        self.reply = reply
        self.major = major  # GSSAPI's routine error, GSS_S_*


class Suspect(Exception):
    """The request comes from an address that ended a helper a while ago: ask again, slowly."""


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
        self._crash_sources = CrashSources()
        # A process of its own for what waits for the KDC: a frozen KDC must not end an accept.
        self._initiator = Child(module, arguments, environment)
        self._own = OwnCredential(self._initiator, do="initiate")

    def start(self) -> None:
        """Start the fast helper and its spare."""
        self.fast.start()

    def accept(
        self, token: bytes, bindings: bytes | None, address: str, *, slowly: bool = False
    ) -> Accepted:
        """Accept a SPNEGO token that came from an address; with `slowly`, by the slow helper.

        Raises Suspect (unless slowly), Refused, BackendDown (the token ended the helper; the keytab
        or the replay cache can't be used).
        """
        request = {"do": "accept", "token": token, "bindings": bindings}
        answer = self._ask(request, address, slowly=slowly)
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
        request = {"do": "read_cred", "message": message}
        try:
            answer = self._ask(request, address, slowly=False)
        except Suspect:  # whose principal is known by now, and has a share
            answer = self._ask(request, address, slowly=True)
        if "refused" in answer:
            raise Refused(answer["refused"])
        return answer["name"], answer["endtime"], answer["credential"]

    def _ask(self, request: Message, address: str, *, slowly: bool) -> Message:
        """The answer of the fast or the slow helper.  Raises Suspect, BackendDown."""
        known = self._crash_sources.has
        try:
            if slowly:
                # Whoever reads a forwarded ticket holds a thread that writes need.
                turn_s = 10 if request["do"] == "accept" else 1
                return self.slow.ask(request, deadline_s=10, turn_s=turn_s)
            if known(address):
                raise Suspect
            try:
                # Looked up again when the turn comes: another request of the address may have
                # ended a helper meanwhile.
                return self.fast.ask(request, deadline_s=10, is_wanted=lambda: not known(address))
            except NoTurn:
                if known(address):
                    raise Suspect from None
                raise
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

    def own_credential(self) -> gssapi.Credentials:
        """ceod/<fqdn>'s own ticket, renewed before it ends.  Raises BackendDown."""
        return self._own.get()

    def close(self) -> None:
        """End the helpers."""
        for child in (self.fast, self.slow, self._initiator):
            child.close()
