"""Names as they are compared: without case, accents or width, and as words.  Pure."""

from __future__ import annotations

import itertools
import unicodedata
from functools import lru_cache

# Letters that Unicode does not take apart, each with what a keyboard without it has in its place.
_LETTERS = str.maketrans(
    {
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "æ": "ae",
        "œ": "oe",
        "ı": "i",
        "ħ": "h",
        "ŧ": "t",
        "ŋ": "n",
        "ɓ": "b",
        "ɗ": "d",
        "ƙ": "k",
        "ƴ": "y",
        "ə": "e",
        "ɛ": "e",
        "ɔ": "o",
        # Arabic and Persian keyboards have each their own of these.
        "ي": "ی",
        "ى": "ی",
        "ك": "ک",
        "ة": "ه",
        "ـ": None,
    }
)
_OVERLAY = 1
_POINTS = range(10, 37)  # of Hebrew, Arabic and Syriac
_ABOVE_AND_BELOW = 200  # and all classes that come after it (Unicode, 4.3)


def fold(text: str) -> str:
    """The text without case, accents, width and invisible characters, in NFC.

    Marks that make another letter stay: the voicing of kana, the vowels and viramas of Indic
    scripts.  fold(fold(text)) is fold(text).
    """
    if text.isascii():
        return text.lower()
    # More than once: what one step makes may be taken apart by another (Unicode, D145).
    while (folded := _folded_once(text)) != text:
        text = folded
    return folded


def _folded_once(text: str) -> str:
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    bare = "".join(character for character in apart if not _is_dropped(character))
    return unicodedata.normalize("NFC", bare.translate(_LETTERS))


@lru_cache(4096)
def _is_dropped(character: str) -> bool:
    """Whether it is an accent or a vowel point, or only says how its neighbours are drawn."""
    place = unicodedata.combining(character)
    if place == _OVERLAY or place in _POINTS or place >= _ABOVE_AND_BELOW:
        return True
    return unicodedata.category(character) == "Cf" or "\ufe00" <= character <= "\ufe0f"


@lru_cache(4096)
def _is_in_words(character: str) -> bool:
    return unicodedata.category(character)[0] in "LNM"


def words(text: str) -> list[str]:
    """The folded words of a text: its runs of letters, digits and marks."""
    return "".join(c if _is_in_words(c) else " " for c in fold(text)).split()


def name_words(name: str) -> list[str]:
    """The words of a name, and each two neighbours as one: O'Brien, Mary Ann and 李 明 too."""
    parts = words(name)
    pairs = [one + next_one for one, next_one in itertools.pairwise(parts)]
    return list(dict.fromkeys([*parts, *pairs]))


def is_ideographic(character: str) -> bool:
    """Whether it is an ideograph, kana or a Hangul syllable: a whole name may be one of them."""
    return (
        "\u3040" <= character <= "\u30ff"
        or "\u3400" <= character <= "\u4dbf"
        or "\u4e00" <= character <= "\u9fff"
        or "\uac00" <= character <= "\ud7a3"
        or "\uf900" <= character <= "\ufaff"
        or "\U00020000" <= character <= "\U0003ffff"
    )
