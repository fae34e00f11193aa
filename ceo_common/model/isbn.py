"""ISBN-10 and ISBN-13: checked, and brought to the one form that is stored.  Pure."""

from __future__ import annotations

import re

# Books and shops print hyphens of many kinds: U+2010 to U+2015, and the minus sign.
_BETWEEN = frozenset("-‐‑‒–—―−")
TEXT_LIMIT = 64
PREFIXES = ("978", "979")
_MUSIC = "9790"  # ISMN (ISO 10957)
_OLD_MUSIC = re.compile(r"M[0-9]{9}")
_OTHERS = "".join(_BETWEEN - {"-"})
# As Goodreads (="0131103628"), LibraryThing ("ISBN 0-...", "[0-...]"), MARC 21 field 020
# ("0-201-63361-2 (pbk.) : $50.00") and RFC 3187 (urn:isbn:) write one.
_WRITTEN = re.compile(
    rf"""\s*=?["'\[]*\s*
    (?:(?:urn:)?isbn(?:[-\s]?1[03](?=[:\s]))?[:\s]*)?
    (?P<digits>[0-9](?:[0-9xX\s{_OTHERS}-]*[0-9xX])?)
    \s*["'\]]*\s*
    (?:\([^()]*\)\s*)*(?::\s*(?:[$£€][\s0-9.,]*)?)?""",
    re.VERBOSE | re.IGNORECASE,
)


def normal(text: str) -> str:
    """The thirteen digits of an ISBN, as people and catalogues write it; an ISBN-10 is converted.

    Raises ValueError with a sentence.
    """
    written = _WRITTEN.fullmatch(text)
    bare = stripped(written["digits"] if written else text)
    if _OLD_MUSIC.fullmatch(bare) or (len(bare) == 13 and bare.startswith(_MUSIC)):
        raise ValueError("this is an ISMN, the number of printed music, and no ISBN: leave it out")
    if not (bare[:-1].isascii() and bare[:-1].isdigit()) or len(bare) not in (10, 13):
        raise ValueError("an ISBN has 10 or 13 digits, and at most hyphens and blanks between them")
    if len(bare) == 13 and not bare.startswith(PREFIXES):
        raise ValueError("an ISBN of 13 digits begins with 978 or 979")
    wanted = check_digit(bare[:-1])
    if bare[-1] != wanted:
        raise ValueError(f"the last digit of this ISBN would be {wanted}: one of its digits is wrong")
    if len(bare) == 10:
        body = PREFIXES[0] + bare[:-1]
        return body + check_digit(body)
    return bare


def check_digit(body: str) -> str:
    """The last character of an ISBN that begins with these 9 or 12 digits (ISO 2108)."""
    digits = [int(digit) for digit in body]
    if len(digits) == 9:
        return "0123456789X"[-sum(weight * digit for weight, digit in zip(range(10, 1, -1), digits, strict=True)) % 11]
    return str(-sum(digit * (3 if place % 2 else 1) for place, digit in enumerate(digits)) % 10)


def stripped(text: str) -> str:
    """Without hyphens and blanks, a small x made big."""
    return "".join(c for c in text if c not in _BETWEEN and not c.isspace()).replace("x", "X")


def problem(text: str) -> str | None:
    """Why this is no ISBN, or None."""
    if len(text) > TEXT_LIMIT:
        return f"an ISBN has at most {TEXT_LIMIT} characters, hyphens and blanks counted"
    try:
        normal(text)
    except ValueError as error:
        return str(error)
    return None
