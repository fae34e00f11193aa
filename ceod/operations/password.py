"""Temporary passwords: random, and easy to read aloud at a desk."""

from __future__ import annotations

import secrets

_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # no l, 1, i, o, 0
_LENGTH = 4


def generate(groups: int = 4) -> str:
    """Four groups of four, 79 bits, for what serves for one login; five, 99 bits in 24 characters, for what stays."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(_LENGTH)) for _ in range(groups))
