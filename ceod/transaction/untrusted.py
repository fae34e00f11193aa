"""The words for a journal that must not be acted upon; docs/journal.md says what to do in each case."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ceo_common.errors import JournalUntrusted

Reason = Literal["older", "other", "lost", "altered", "replaced", "damaged", "fingerprint"]

_NOTHING = "Nothing new is begun and nothing is undone."
_CHOICE = (
    "An administrator puts the newest journal back, or accepts this one on the host with: "
    "python -m ceod.accept_journal"
)
_DIFFERENCES: dict[Reason, str] = {
    "older": "is older than {place} remembers: it lacks the last things that ceod did",
    "other": "is another one than {place} remembers",
    "lost": "is new, but {place} remembers one: that one was lost",
    "altered": "has another audit log than {place} remembers",
}


def differs(path: Path, reason: Reason, place: str) -> JournalUntrusted:
    """It is not what `place` remembers of it."""
    difference = _DIFFERENCES[reason].format(place=place)
    return JournalUntrusted(f"the journal {path} {difference}. {_NOTHING} {_CHOICE}", reason=reason)


def replaced(path: Path) -> JournalUntrusted:
    """The file that ceod has open is not the one at its place."""
    return JournalUntrusted(
        f"{path} was moved, deleted or replaced while ceod runs. {_NOTHING} An administrator puts"
        " the same file back, or restarts ceod, which then looks at what is there",
        reason="replaced",
    )


def damaged(path: Path, what: str) -> JournalUntrusted:
    """Its content is not what SQLite or ceod wrote."""
    return JournalUntrusted(
        f"the journal {path} is damaged: {what}. {_NOTHING} An administrator stops ceod and puts a"
        " whole copy back, or accepts it as it is on the host with:"
        " python -m ceod.accept_journal",
        reason="damaged",
    )


def no_fingerprint(error: Exception) -> JournalUntrusted:
    """The file that shows whether the journal is the newest can't be read or written."""
    return JournalUntrusted(
        f"the journal's fingerprint can't be kept: {error}. {_NOTHING} An administrator makes its"
        " folder writable for ceod; a damaged file is made anew on the host with:"
        " python -m ceod.accept_journal",
        reason="fingerprint",
    )
