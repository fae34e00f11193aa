"""Text that came from elsewhere, made safe to show: nothing in it can move a cursor, colour a screen or reorder a line."""

from __future__ import annotations

import unicodedata

# Cc: C0 and C1 controls; Cf: bidi overrides, zero-width joiners and the like; Zl, Zp: line and paragraph separators;
# Cs: lone surrogates, which a terminal's encoder chokes on.
_UNSAFE = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))


def is_unsafe(character: str) -> bool:
    """Whether a character does something instead of showing something."""
    return unicodedata.category(character) in _UNSAFE


def shown(value: object) -> str:
    """The value's text with unsafe characters written out, such as \\x1b or \\u202e."""
    return "".join(_escape(c) if is_unsafe(c) else c for c in str(value))


def _escape(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}" if number < 65536 else f"\\U{number:08x}"
