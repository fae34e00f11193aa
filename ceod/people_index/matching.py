"""Whether a word that somebody types fits a word of a name, and how well.  Pure, on folded words."""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache

import jellyfish

from ceod.people_index.folding import is_ideographic

# Shorter words would be inside, near or sound like too many others.
INSIDE_FROM = 3
ERROR_FROM = 4
_ERROR_IN_BEGINNING_FROM = 5
_SOUND_FROM = 3
_CODE_FROM = 2
_LONGEST = 32  # no name is longer that is mistyped or heard


class Match(IntEnum):
    """How a word fits, the best first; from NEAR on it is not what was typed."""

    WHOLE = 0
    BEGINNING = 1
    INSIDE = 2
    BESIDE = 3  # not the name or the username: a program, a number, a term, a state
    SOUND = 4
    ERROR = 5


NEAR = Match.SOUND


def match(typed: str, word: str, *, errors: bool = True) -> Match | None:
    """How `typed` fits a word, None where it does not; both are folded."""
    if word.startswith(typed):
        return Match.WHOLE if typed == word else Match.BEGINNING
    if is_looked_for_inside(typed) and typed in word:
        return Match.INSIDE
    if (code := sound(typed)) and code == sound(word):
        return Match.SOUND
    if errors and has_one_error(typed, word):
        return Match.ERROR
    return None


def is_looked_for_inside(typed: str) -> bool:
    """Whether a word counts that has it in the middle: from 3 letters on, or one ideograph."""
    return len(typed) >= INSIDE_FROM or any(map(is_ideographic, typed))


@lru_cache(4096)
def sound(word: str) -> str:
    """How it sounds (Metaphone, as slapd's approxMatch), empty where that would say too little."""
    if not (_SOUND_FROM <= len(word) <= _LONGEST and word.isascii() and word.isalpha()):
        return ""
    code = jellyfish.metaphone(word)
    return code if len(code) >= _CODE_FROM else ""


def can_have_error(typed: str) -> bool:
    """Whether words are looked for that differ in one letter.

    Not for what has digits: jdoe1 and jdoe2 are two accounts.  Not for ideographs.
    """
    if not ERROR_FROM <= len(typed) <= _LONGEST or any(map(str.isdigit, typed)):
        return False
    return not any(map(is_ideographic, typed))


def can_have_error_in_beginning(typed: str) -> bool:
    """Whether `typed` may be the beginning of a longer word, with one letter wrong."""
    return can_have_error(typed) and len(typed) >= _ERROR_IN_BEGINNING_FROM


def has_one_error(typed: str, word: str) -> bool:
    """Whether one letter too many, too few, wrong, or two in the wrong order make the difference.

    A longer word counts from 5 letters on, where a letter behind the error is right: else `dubx`
    would be near each word that begins with `dub`.
    """
    if not can_have_error(typed):
        return False
    both = zip(typed, word, strict=False)
    shorter = min(len(typed), len(word))
    at = next((index for index, (one, other) in enumerate(both) if one != other), shorter)
    rests = [
        (typed[at + 1 :], word[at + 1 :]),  # wrong
        (typed[at + 1 :], word[at:]),  # too many
        (typed[at:], word[at + 1 :]),  # too few
    ]
    if len(typed) > at + 1 and typed[at : at + 2] == word[at : at + 2][::-1]:
        rests.append((typed[at + 2 :], word[at + 2 :]))
    may_begin = can_have_error_in_beginning(typed)
    return any(
        rest == others or (may_begin and rest != "" and others.startswith(rest))
        for rest, others in rests
    )
