"""Text that came from elsewhere, made safe to show: nothing in it can move a cursor, colour a screen or reorder a line."""

from __future__ import annotations

import unicodedata

# Cc: C0 and C1 controls; Cf: bidi overrides, zero-width joiners and the like; Zl, Zp: line and paragraph separators;
# Cs: lone surrogates, which a terminal's encoder chokes on.
UNSAFE = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
_JOINERS = "\u200c\u200d"  # ZERO WIDTH NON-JOINER, ZERO WIDTH JOINER
_CONTEXT = 16  # characters on each side of a joiner that its rules look at


def is_unsafe(character: str) -> bool:
    """Whether a character does something instead of showing something."""
    return unicodedata.category(character) in UNSAFE


def is_needed_joiner(text: str, index: int) -> bool:
    """Whether the character at `index` is a joiner that its script needs.

    The rules are RFC 5892, appendix A.1 and A.2: between Arabic letters that would connect (as in
    Persian), or behind the virama of an Indic script.
    """
    if text[index] not in _JOINERS:
        return False
    import idna  # noqa: PLC0415 - a large table, which few texts need

    start = max(0, index - _CONTEXT)
    try:
        return idna.valid_contextj(text[start : index + _CONTEXT + 1], index - start)
    except (ValueError, idna.IDNAError):  # beside a character that Unicode does not know yet
        return False


def shown(value: object) -> str:
    """The value's text with unsafe characters written out, such as \\x1b or \\u202e."""
    text = str(value)
    return "".join(
        _escape(character)
        if is_unsafe(character) and not is_needed_joiner(text, index)
        else character
        for index, character in enumerate(text)
    )


def _escape(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}" if number < 65536 else f"\\U{number:08x}"
