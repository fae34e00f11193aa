"""What a process needs beside the Flask app: services, helpers, the journal, the recovery loop; started once, by its runner."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import flask

from ceo_common.config import Daemon
from ceo_common.errors import BackendDown, CeoError, JournalUntrusted
from ceod import log as logs
from ceod.auth.rates import Rates
from ceod.auth.refusals import Refusals
from ceod.auth.spnego import channel_bindings
from ceod.helpers.wire import keep_out_of_cores
from ceod.library.database import WrongSchema
from ceod.operations.accounts import USER_NUMBER
from ceod.operations.left_homes import left_homes
from ceod.operations.registry import OPERATIONS
from ceod.people_index.keeper import Keeper
from ceod.services.all import Services, connect
from ceod.services.journals import DirectoryWitness
from ceod.transaction import audit
from ceod.transaction.engine import Engine
from ceod.transaction.record import Record
from ceod.transaction.recovery import Recovery
from ceod.transaction.state_dir import UnsafeState

log = logging.getLogger("ceod")

AUDIT_HEAD_S = 3600.0


class CannotStart(Exception):
    """ceod must not run like this; the text says why."""


@dataclass
class Runtime:
    """A process's running parts; empty until start()."""

    config: Daemon
    given: Services | None = None
    bindings: bytes | None = None
    rates: Rates = field(default_factory=Rates)
    _services: Services | None = None
    _engine: Engine[Services] | None = None
    _recovery: Recovery | None = None
    _refusals: Refusals | None = None
    _keeper: Keeper | None = None
    _stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def services(self) -> Services:
        """The services; an error before start()."""
        assert self._services is not None, "ceod.runtime.start(app) was not called"
        return self._services

    @property
    def engine(self) -> Engine[Services]:
        """The engine; an error before start()."""
        assert self._engine is not None, "ceod.runtime.start(app) was not called"
        return self._engine

    @property
    def refusals(self) -> Refusals:
        """What goes into the audit log; an error before start()."""
        assert self._refusals is not None, "ceod.runtime.start(app) was not called"
        return self._refusals

    def start(self) -> None:
        """Start.  Raises CannotStart."""
        if os.environ.get("KRB5RCACHENAME", "").startswith("none"):
            raise CannotStart("KRB5RCACHENAME is none, so that a replayed token would be taken: unset it")
        os.umask(0o022)
        keep_out_of_cores()
        self._services = self.given or connect(self.config)
        self._services.acceptor.start()
        _check_library(self._services)
        self._engine = _engine(self.config, self._services, self._given_up)
        _check_counters(self._services, self._engine.record)
        self._recovery = Recovery(self._engine)
        self._recovery.start()
        self._refusals = Refusals(self._engine.record.audit_many)
        self._refusals.start()
        if index := self._services.people_index:
            own_credential = self._services.acceptor.own_credential
            self._keeper = Keeper(index.folder, self.config.ldap, own_credential)
            self._keeper.start()
        if self.config.tls:
            self.bindings = channel_bindings(self.config.tls.certificate)
        threading.Thread(target=self._each_hour, name="hourly", daemon=True).start()
        log.info("started", extra={"roles": self.config.roles, "owner": self._engine.owner.id, "development": self.config.development})

    def stop(self) -> None:
        """End in good order."""
        self._stopping.set()
        if self._keeper:
            self._keeper.stop()
        if self._recovery:
            self._recovery.stop()
        if self._refusals:
            self._refusals.stop()
        if self._engine:
            self._log_audit_head()
            self._engine.guard.consult_last()
            self._engine.close()
        if self._services:
            self._services.close()

    def _each_hour(self) -> None:
        self._tell_left_homes()
        while not self._stopping.wait(AUDIT_HEAD_S):
            self._log_audit_head()
            self._tell_left_homes()

    def _tell_left_homes(self) -> None:
        if self.services.admin is None:
            return
        with contextlib.suppress(CeoError):  # health says it, also of the journal
            for home in left_homes(self.config.homes.root, self.engine.record):
                log.warning("a temporary home was left", extra=dataclasses.asdict(home))

    def _log_audit_head(self) -> None:
        # Outside the database, so that a tail that is cut off shows.
        try:
            with self.engine.journal.reading() as connection:
                number, head = audit.head(connection)
        except JournalUntrusted:
            return  # the guard has logged it
        log.info("audit head", extra={"n": number, "hash": head})

    def _given_up(self, transaction: str, step: str) -> None:
        config = self.config
        if self.services.admin:
            try:
                self.services.admin.smtp.send("given_up", f"{config.members.announce_to}@{config.domain}", f"{transaction}.given-up",
                                              transaction=transaction, step=step)
            except BackendDown:
                log.error("could not tell syscom", extra={"transaction": transaction, "step": step})


def _engine(config: Daemon, services: Services, on_given_up: Callable[[str, str], None]) -> Engine[Services]:
    """Raises CannotStart: the journal's files can't be trusted."""
    try:
        return Engine(
            Path(config.state_dir), OPERATIONS, services, on_given_up=on_given_up, fingerprint=Path(config.journal_fingerprint),
            witness=DirectoryWitness(services.directory, config.host, config.state_dir),
        )
    except (UnsafeState, OSError) as error:
        raise CannotStart(f"the journal can't be used: {error}") from error


def _check_counters(services: Services, record: Record) -> None:
    """Refuse to run when a number that was given could be given again.  Raises CannotStart.

    What was given stands in the journal, which nobody writes but ceod.  Numbers in the directory
    prove nothing: office staff may add an entry with any number of the range, and one with the last
    would stop the club.  Numbers in use are skipped when the counter gets to them, and slapo-unique
    refuses a second one, so an entry above its counter is a warning.
    """
    if services.admin is None:
        return
    ranges = services.config.numbers.ranges()
    try:
        # The counters come last: they only grow, so an add that runs meanwhile is no false alarm.
        given = {
            name: record.largest_number(USER_NUMBER, numbers) or numbers.first - 1
            for name, numbers in ranges.items()
        }
        in_use = services.directory.numbers_in_use()
        counters = {name: services.directory.counter(name) for name in ranges}
    except BackendDown as error:
        log.warning("the counters of user numbers could not be checked: %s", error)
        return
    except JournalUntrusted as error:  # which gives no number until somebody has looked at it
        log.warning("the counters of user numbers were not checked: %s", error)
        return
    except CeoError as error:
        raise CannotStart(str(error)) from None
    for name, following in counters.items():
        numbers = ranges[name]
        if following < numbers.first:
            raise CannotStart(
                f"the counter cn={name},ou=UidCounters is at {following}, below {numbers.first} to"
                f" {numbers.last}, the range of {name}: set it to {given[name] + 1} or above"
            )
        if following <= given[name]:
            raise CannotStart(
                f"the next number of cn={name},ou=UidCounters is {following}, but {given[name]} was"
                f" given already: set it to {given[name] + 1} or above"
            )
        above = [number for number in in_use if following <= number <= ranges[name].last]
        if above:
            log.warning(
                "numbers that the counter has not reached are in use:"
                " ceo doctor --directory lists them",
                extra={
                    "counter": name,
                    "at": following,
                    "largest": max(above),
                    "count": len(above),
                },
            )


def _check_library(services: Services) -> None:
    """Refuse to run on a library of another version.  Raises CannotStart."""
    if services.library is None:
        return
    try:
        services.library.database.check()
    except WrongSchema as error:
        raise CannotStart(error.message) from None
    except BackendDown as error:
        # Each question checks it again.
        log.warning("the library's database could not be checked: %s", error)


def of(app: flask.Flask) -> Runtime:
    """The app's runtime."""
    return cast(Runtime, app.extensions["ceod"])


def start(app: flask.Flask) -> None:
    """Start what the app needs: gunicorn's post_worker_init, or create_app under `flask run`.  Raises CannotStart."""
    logs.start()
    of(app).start()
