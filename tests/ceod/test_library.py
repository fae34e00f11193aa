"""The library's tables and migrations agree, and a question is cut into words."""

from __future__ import annotations

from ceod.library.migrate import newest
from ceod.library.search import WORDS_LIMIT, words
from ceod.library.tables import REVISION


def test_ceod_knows_the_newest_migration() -> None:
    assert newest() == REVISION


def test_words() -> None:
    assert words("  Knuth  art\tart ") == ["Knuth", "art"]
    assert words("ｋｎｕｔｈ") == ["knuth"]
    assert len(words(" ".join(str(i) for i in range(100)))) == WORDS_LIMIT
    assert words(" ") == []
    assert words("R & D -- %") == ["R", "D"] and words("?? !") == ["??"]
