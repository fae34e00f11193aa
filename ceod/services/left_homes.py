"""Homes under their temporary names that stay: whoever made them did not put them into their place."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass

from ceo_common.errors import BackendDown

# As accounts.py names them.
_TEMPORARY = re.compile(r"\.ceo-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-(.+)", re.DOTALL)


@dataclass(frozen=True)
class TemporaryHome:
    """A home that is not in its place: the transaction that made it, and when it was changed last."""

    path: str
    transaction: str
    uid: str
    changed: float


def temporary_homes(root: str) -> list[TemporaryHome]:
    """All of them in the tree of homes.  Raises BackendDown."""
    homes = []
    try:
        with os.scandir(root) as entries:
            for entry in entries:
                if not (match := _TEMPORARY.fullmatch(entry.name)):
                    continue
                with contextlib.suppress(FileNotFoundError):  # it was put into its place just now
                    changed = entry.stat(follow_symlinks=False).st_mtime
                    homes.append(TemporaryHome(entry.path, match[1], match[2], changed))
    except OSError as error:
        raise BackendDown(f"{root} can't be read: {error.strerror}", backend="homes") from None
    return homes
