"""Temporary passwords: random, and easy to read aloud at a desk."""

from __future__ import annotations

import secrets

_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # no l, 1, i, o, 0
_GROUPS, _LENGTH = 4, 4


def generate() -> str:
    """Four groups of four, 79 bits; it serves for one login."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(_LENGTH)) for _ in range(_GROUPS))
