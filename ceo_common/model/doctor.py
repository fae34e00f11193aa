"""What an examination finds, of an account or of a machine: each thing that was looked at, and how to mend it."""

from __future__ import annotations

from typing import Literal

from ceo_common.model.wire import Wire

State = Literal["ok", "problem", "unknown"]


class Finding(Wire):
    """One thing that was checked.  `mend` says what to do about it, `fixable` that ceod does it when it is asked."""

    check: str
    state: State
    looked_at: str
    found: str
    mend: str = ""
    fixable: bool = False


class DirectoryFindings(Wire):
    """GET /api/directory/doctor: what is wrong with an entry, at most 1,000 rows."""

    findings: list[Finding]


class Findings(Wire):
    """GET /api/members/UID/doctor."""

    uid: str
    findings: list[Finding]


class LeftHome(Wire):
    """A temporary home directory that no transaction of the admin host uses."""

    path: str
    transaction: str
    uid: str
    changed: float  # seconds since the epoch


class LeftHomes(Wire):
    """GET /api/homes/left."""

    homes: list[LeftHome]
