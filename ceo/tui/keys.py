"""The keys that mean the same on every screen; help and code both read this table."""

from __future__ import annotations

KEYS: dict[str, tuple[str, ...]] = {
    "back": ("esc",),
    "next": ("tab", "down"),
    "previous": ("shift tab", "up"),
    "accept": ("enter",),
    "quit": ("ctrl c",),
}


def means(key: str, meaning: str) -> bool:
    """Whether a key as urwid names it has this meaning."""
    return key in KEYS[meaning]
