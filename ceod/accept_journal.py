"""python -m ceod.accept_journal: take this host's journal for the right one, after a look at what differs.

For an administrator, on the host, as the user that ceod runs as.  See docs/journal.md.
"""

from __future__ import annotations

import os
import pwd
import sys
from dataclasses import dataclass, field
from pathlib import Path

from ceo_common.config import DAEMON_FILE, ConfigError, Daemon, load_daemon
from ceo_common.errors import CeoError, JournalUntrusted
from ceo_common.text import shown
from ceod.operations.registry import OPERATIONS
from ceod.services.all import connect
from ceod.services.journals import DirectoryWitness
from ceod.transaction.accept import accept, under_way
from ceod.transaction.fingerprint import DamagedFile, Fingerprint
from ceod.transaction.guard import Witness, read_witness
from ceod.transaction.journal import Journal
from ceod.transaction.owners import Owner
from ceod.transaction.state_dir import UnsafeState

WORD = "accept"


class Refused(Exception):
    """Nothing was changed; the text says why."""


def main() -> int:
    """0 when the journal is the right one now, or was before."""
    try:
        config = load_daemon(os.environ.get("CEOD_CONFIG", DAEMON_FILE))
        services = connect(config)
        try:
            witness = DirectoryWitness(services.directory, config.host, config.state_dir)
            return _run(config, witness)
        finally:
            services.close()
    except (ConfigError, UnsafeState, CeoError, OSError, Refused) as error:
        print(f"ceod.accept_journal: {error}", file=sys.stderr)
        return 1


def _run(config: Daemon, witness: Witness) -> int:
    journal = Journal(Path(config.state_dir), Path(config.journal_fingerprint))
    try:
        look = _look(journal, witness)
        if not look.differences:
            print(
                f"{journal.path} is the newest one known and is not damaged: there is nothing to accept."
            )
            return 0
        _show(journal, look.differences)
        _nobody_works(journal)
        print(f"Type {WORD} to accept this journal: ", end="", flush=True)
        if sys.stdin.readline().strip() != WORD:
            raise Refused("nothing was changed")
        reason = f"an administrator accepted this journal: {'; '.join(look.differences)}"
        now = accept(
            journal,
            OPERATIONS,
            look.remembered,
            reason,
            _administrator(),
            audit_as_it_is=look.is_chain_broken,
        )
        journal.file.replace(now)
        journal.forget_damage()
        _tell(witness, look.at_witness, now)
        print(
            "Accepted.  A running ceod continues within seconds; one that had the journal taken away while it ran has to be restarted."
        )
        return 0
    finally:
        journal.close()


@dataclass
class Look:
    """What is wrong, in words; what is remembered of the journal; and what the witness holds."""

    differences: list[str] = field(default_factory=list)
    remembered: list[Fingerprint] = field(default_factory=list)
    at_witness: str | None = None
    is_chain_broken: bool = False  # the audit log's, which is accepted with it


def _look(journal: Journal, witness: Witness) -> Look:
    """Raises Refused."""
    look = Look()
    journal.examine()
    if what := journal.damage():
        if not journal.is_readable:
            raise Refused(
                f"{journal.path} is damaged ({what}): put a whole copy back, or move {journal.path}* away, and run this again"
            )
        look.differences.append(what)
        look.is_chain_broken = True  # the only damage with which it can be read
    try:
        outside = journal.file.read()
    except DamagedFile as error:
        look.differences.append(str(error))
        outside = None
    places = [(str(journal.file.path), outside)]
    try:
        look.at_witness, in_directory = read_witness(witness)
        places.append((witness.name, in_directory))
    except CeoError as error:
        print(f"{witness.name} could not be asked: {error.message}")
    for place, known in places:
        if known is None:
            continue
        look.remembered.append(known)
        print(
            f"{place} remembers journal {known.journal} at {known.count}, audit row {known.audit_n}"
        )
        if reason := journal.compare(known):
            words = (
                f"{reason} than {place} remembers"
                if reason in ("older", "other")
                else f"{reason}, by {place}"
            )
            look.differences.append(words)
    return look


def _show(journal: Journal, differences: list[str]) -> None:
    own = journal.fingerprint()
    print(f"{journal.path} is journal {own.journal} at {own.count}, audit row {own.audit_n}")
    for difference in differences:
        print(f"What is wrong: {difference}")
    unfinished, waiting = under_way(journal)
    for row in unfinished:
        print(
            f"Not ended in it: {row.id} {row.operation} of {shown(row.subject)}, by {shown(row.caller)}, {row.state}"
        )
    for step in waiting:
        print(f"Waiting in it: {shown(step.name)} of {step.transaction}")
    if unfinished or waiting:
        print(
            "None of these is undone or gone on with.  Look at each account; ceod's doctor shows them."
        )


def _nobody_works(journal: Journal) -> None:
    """Raises Refused: a process of ceod works on something."""
    owner = Owner(journal.state_dir)
    try:
        unfinished, _ = under_way(journal)
        for row in unfinished:
            if row.owner and not owner.is_dead(row.owner):
                raise Refused(f"ceod still works on {row.id}: stop ceod, and run this again")
    finally:
        owner.close()


def _administrator() -> str:
    """Who runs this, for the audit log."""
    return os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name


def _tell(witness: Witness, old: str | None, new: Fingerprint) -> None:
    try:
        witness.write(old, str(new))
    except (CeoError, JournalUntrusted) as error:
        print(f"{witness.name} could not be written, which ceod does later: {error.message}")


if __name__ == "__main__":
    sys.exit(main())
