"""Whether the journal may be acted upon: it is the file that ceod opened, whole, and the newest that anybody remembers."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from ceo_common.errors import BackendDown, CeoError, Changed, JournalUntrusted, WrongState
from ceod.transaction import untrusted
from ceod.transaction.fingerprint import Fingerprint
from ceod.transaction.journal import Journal

log = logging.getLogger("ceod.transaction")

CONSULT_S = 3600.0
CONSULT_AGAIN_S = 60.0  # the witness did not answer
CONSULT_IN_DOUBT_S = 3.0  # an administrator may be at work on it, or recovery waits for the witness
FIRST_CONSULT_S = 15.0  # longer than a directory that does not answer is waited for
EXAMINE_S = 24 * 3600.0
EXAMINE_AGAIN_S = 60.0  # it could not be read to its end


class Witness(Protocol):
    """Remembers the journal's fingerprint on another host, and may be away."""

    name: str

    def read(self) -> str | None:
        """The text that it remembers, None where it remembers nothing yet.  Raises NotFound, BackendDown."""

    def write(self, old: str | None, new: str) -> None:
        """Remember this text.  Raises Changed (it does not remember `old`), NotFound, BackendDown."""


def read_witness(witness: Witness) -> tuple[str | None, Fingerprint | None]:
    """The text that a witness remembers, and what it means.  Raises WrongState (it means nothing), NotFound, BackendDown."""
    text = witness.read()
    try:
        return text, Fingerprint.parse(text) if text else None
    except ValueError:
        raise WrongState(f"it holds no fingerprint, but {text!r}") from None


class Guard:
    """One a process."""

    def __init__(
        self,
        journal: Journal,
        witness: Witness | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.journal = journal
        self.witness = witness
        self._clock = clock
        self._witnessed: Fingerprint | None = None
        self._is_reached = False
        self.is_witnessed = (
            witness is None
        )  # or it answered once, so that a host put back as a whole shows
        self._consult_at = 0.0
        self._examine_at = 0.0
        self._logged = ""
        self._logged_witness = ""
        self._logging = threading.Lock()
        self._was_consulted = threading.Event()
        self._was_consulted.set()

    def wait_and_check(self) -> None:
        """check(), after the first consultation where one will be.  Raises JournalUntrusted."""
        self._was_consulted.wait(FIRST_CONSULT_S)
        self.check()

    def check(self) -> None:
        """To be called before anything is begun, undone or gone on with.  Raises JournalUntrusted."""
        try:
            self._check()
        except JournalUntrusted as error:
            self._log(error.message)
            raise
        self._log("")

    def check_place(self) -> None:
        """A part of check() that needs nothing of the journal.  Raises JournalUntrusted."""
        try:
            self.journal.check_place()
        except JournalUntrusted as error:
            self._log(error.message)
            raise

    def _check(self) -> None:
        self.journal.check_place()
        if what := self.journal.damage():
            raise untrusted.damaged(self.journal.path, what)
        outside = self.journal.known_outside()
        for place, known in self._memories(outside):
            if reason := self.journal.compare(known):
                raise untrusted.differs(self.journal.path, reason, place)
        self.journal.begin_outside(outside)

    def _memories(self, outside: Fingerprint | None) -> Iterator[tuple[str, Fingerprint]]:
        if outside:
            yield str(self.journal.file.path), outside
        if self._witnessed and self.witness:
            yield self.witness.name, self._witnessed

    def _log(self, message: str) -> None:
        """Once, and not at each request."""
        with self._logging:
            if message == self._logged:
                return
            self._logged, before = message, self._logged
        if message:
            log.error("the journal is not trusted: %s", message)
        elif before:
            log.info("the journal is trusted again")

    # The witness

    def tend(self) -> None:
        """Consult the witness when it is time.  Called all the time by the recovery loop."""
        if self.witness and self._clock() >= self._consult_at:
            self.consult()

    def will_consult(self) -> None:
        """The recovery loop is about to: what wants to begin before waits for it."""
        if self.witness:
            self._was_consulted.clear()

    def consult_last(self) -> None:
        """At the end of the process; nobody waits then for a witness that is away."""
        if self._is_reached:
            self.consult()

    def consult(self) -> None:
        """Ask the witness what it remembers, and let it remember what is now.  One that is away is only logged."""
        try:
            self._consult()
        finally:
            self._was_consulted.set()

    def _consult(self) -> None:
        if self.witness is None:
            return
        self._consult_at = self._clock() + (
            CONSULT_AGAIN_S if self.is_witnessed else CONSULT_IN_DOUBT_S
        )
        self._is_reached = False
        try:
            text = self._ask_witness(self.witness)
            self.check()
            now = self.journal.fingerprint()
            if now != self._witnessed:
                self.witness.write(text, str(now))
                self._witnessed = now
        except JournalUntrusted:
            self._consult_at = self._clock() + CONSULT_IN_DOUBT_S
        except Changed:  # the other worker was first
            pass
        except CeoError as error:
            self._log_witness(error.message)
        else:
            self._log_witness("")
            self._is_reached = True
            self._consult_at = self._clock() + CONSULT_S

    def _ask_witness(self, witness: Witness) -> str | None:
        """The text that it remembers.  That it remembers nothing of use is an answer, too.  Raises what read_witness() does."""
        try:
            text, self._witnessed = read_witness(witness)
        except BackendDown:
            raise
        except CeoError:
            self.is_witnessed = True
            raise
        self.is_witnessed = True
        return text

    def _log_witness(self, why_not: str) -> None:
        """Once for each reason."""
        if why_not and why_not != self._logged_witness and self.witness:
            until_then = (
                ""
                if self.is_witnessed
                else "; nothing of an earlier ceod is undone or gone on with before it answers"
            )
            log.warning(
                "the journal's fingerprint is not in %s: %s%s",
                self.witness.name,
                why_not,
                until_then,
            )
        self._logged_witness = why_not

    # The whole of it

    def examine_when_due(self) -> None:
        """Read all of the journal, at the first call and then daily."""
        if self._clock() < self._examine_at:
            return
        began = time.monotonic()
        is_verdict = self.journal.examine()
        self._examine_at = self._clock() + (EXAMINE_S if is_verdict else EXAMINE_AGAIN_S)
        log.info(
            "the journal was examined", extra={"elapsed_ms": int((time.monotonic() - began) * 1000)}
        )
