from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceo_common.model import names
from ceo_common.text import is_needed_joiner, is_unsafe, shown


@pytest.mark.parametrize("name", ["a", "test_1", "ctdalek", "a-b", "a" * 32])
def test_usernames(name: str) -> None:
    assert names.username_problem(name) is None


@pytest.mark.parametrize("name", ["", "-x", "1a", "A", "a" * 33, "a\n", "a b", "ä", "a/b", "a@b", "a,b", "a)(uid=*", "../x", "a\0", "ａ"])
def test_what_is_no_username(name: str) -> None:
    """In the programs before: $ in a regex let a trailing newline pass."""
    assert names.username_problem(name)


@pytest.mark.parametrize(
    "address",
    [
        "a@example.org",
        "a.b+c@sub.example.org",
        "x_1@e-x.ca",
        "o'brien@example.org",
        "Jane.O'Neill-Smith@Example.ORG",
        "a#b@example.org",
        "a=b&c@example.org",
        "{a}*b?c^d@example.org",
        "'x'@example.org",
        "a@xn--mnchen-3ya.example",
        "a@1and1.com",
        "a@3.14.example",
        "a" * 64 + "@example.org",
        "a@" + ".".join(["b" * 60] * 4) + ".example",
    ],
)
def test_addresses(address: str) -> None:
    assert names.address_problem(address) is None


@pytest.mark.parametrize(
    "address",
    [
        "", "a", "@", "a@", "@example.org", "|cmd", "|/bin/sh@x.org", "/etc/passwd", "/a@example.org",
        "a/b@example.org", ":include:/x", ":include:/x@example.org", "a@b", "a@example.org,b@example.org",
        '"a"@example.org', '"|cmd"@example.org', "\\a@example.org", "<a@example.org>", "a@example.org\n",
        "a b@example.org", "a@-x.org", "a@x-.org", "a@x..org", ".a@example.org", "a.@example.org",
        "a..b@example.org", "é@example.org", "a@example.org#", "#a@example.org", "~a@example.org",
        "-f@example.org", "-oQ/tmp@example.org", "$x@example.org", "`x`@example.org", "a$b@example.org",
        "a|b@example.org", "a@b@example.org", "a@b_c.example.org", "a@example.org.", "a@münchen.example",
        "a@192.0.2.1", "a@[192.0.2.1]", "a" * 65 + "@example.org",
        "a@" + ".".join(["b" * 60] * 4) + ".example.com.org", "a@" + "b" * 64 + ".org", "a@example.org\0",
    ],
)  # fmt: skip
def test_what_is_no_address(address: str) -> None:
    """In the programs before: an address such as |cmd went raw into .forward."""
    assert names.address_problem(address)


_ADDRESS_LIKE = st.text("aZ0.-+_'#~!%|/:\"\\$`@ \n", max_size=8).map(lambda text: f"{text}@example.org")


@given(st.text() | _ADDRESS_LIKE)
def test_an_accepted_address_is_one_line_without_meaning_to_a_mailer(text: str) -> None:
    if names.address_problem(text) is None:
        assert text.isascii() and not set(text) & set('|/:"\\,;$`<>()[] \t\r\n')
        assert text.count("@") == 1
        assert text[0] not in "-#~"


@pytest.mark.parametrize(
    "address",
    [
        "cone@csclub.internal", "CONE@CSClub.Internal", "cone+x@csclub.internal",
        "cone@phosphoric-acid.csclub.internal", "Cone+a+b@mail.csclub.internal",
        "cone%csclub.internal@csclub.internal", "cone%mail.csclub.internal%csclub.internal@mail.csclub.internal",
        "csclub.internal!cone@csclub.internal", "cone@localhost.localdomain",
    ],
)  # fmt: skip
def test_addresses_that_reach_a_user_of_the_club(address: str) -> None:
    assert names.address_problem(address) is None
    assert names.club_user(address, "csclub.internal") == "cone"


@pytest.mark.parametrize(
    "address",
    [
        "cone@example.org",
        "cone@xcsclub.internal",
        "cone@csclub.internal.example.org",
        "cone%example.org@csclub.internal",
        "example.org!cone@csclub.internal",
        "cone%csclub.internal@example.org",
    ],
)
def test_addresses_that_leave_the_club(address: str) -> None:
    assert names.club_user(address, "csclub.internal") is None


# Names of people


@pytest.mark.parametrize(
    "name",
    [
        "李明",
        "Bo",
        "Jo Li",
        "O'Brien, Ann-Marie",
        "Zoë Ångström",
        "Nguyễn Thị Ánh",
        "Ẹ̀kọ́ Adé",
        "علی\u200cرضا",  # Persian, ZERO WIDTH NON-JOINER between letters that would connect
        "می\u200cخواهم",
        "क्\u200dषमा",  # Devanagari, ZERO WIDTH JOINER behind the virama
        "ශ්\u200dරී ලංකා",  # Sinhala
        "শর্\u200cমা",  # Bengali, ZERO WIDTH NON-JOINER behind the virama
        "ဦးမြွှော်",  # Burmese: six marks on one letter
        "שָׁלוֹם",
        "한글",
        "山田\u3000太郎",
        "𠮷野家",
        "é" * 128,
        "e\u0301" * 128,
        "𠮷" * 128,
        "김",
        "가",
        "明",
        "𠮷",
        "葛\U000e0100城",  # an ideographic variation sequence
        "葛\U000e0101" * 70,
        "芦\ufe01屋",
        "ᠮᠣᠩᠭ\u180bᠣᠯ",  # Mongolian, FREE VARIATION SELECTOR ONE
        "ၵ\ufe00ၵ",  # Khamti Shan
    ],
)
def test_full_names(name: str) -> None:
    """Each is accepted composed, and as some systems type it (NFD)."""
    for form in ("NFC", "NFD"):
        assert names.full_name_problem(unicodedata.normalize(form, name), "jdoe") is None


INVISIBLE = (
    "\u3164\u115f\u1160\uffa0\u2800\u00ad\u034f\u061c\u17b4\u180b\u180e\u200b\u200c\u200d\u200e\u200f"
    "\u202a\u202e\u2060\u2063\u2066\u2069\ufe00\ufe0f\ufeff\ufff0\U0001d173\U000e0001\U000e0041\U000e0100"
)


@pytest.mark.parametrize("character", INVISIBLE, ids=ascii)
def test_what_nobody_sees_is_no_name_and_in_none(character: str) -> None:
    assert "nothing to be seen in it" in str(names.full_name_problem(character * 4, "jdoe"))
    assert "nothing to be seen in it" in str(names.full_name_problem(f"{character} {character}", "x"))
    for name in (f"Jane {character}Doe", f"Ja{character}ne", f"{character}Jane", f"Jane{character}"):
        assert "invisible character in it: U+" in str(names.full_name_problem(name, "jdoe")), name


@pytest.mark.parametrize("title", ["I ❤\ufe0f Logs", "❤\ufe0e", "Web 2\ufe0f\u20e3", "Java™\ufe0f", "🖥\ufe0f"])
def test_selectors_in_a_title(title: str) -> None:
    assert names.text_problem(title, "the title") is None


_ELSEWHERE = [
    *(before + selector for before in ("", "a", "é", " ", "한", "क", "一\u0301") for selector in "\ufe00\ufe0f\U000e0100\u180b"),
    *("葛" + selector for selector in ("\u180b", "\ufe0f\ufe0f", "\U000e0100\U000e0101")),
    *("ᠭ" + selector for selector in ("\ufe00", "\U000e0100", "\u180b\u180b", "\u180e")),
    *("❤" + selector for selector in ("\ufe00", "\U000e0100", "\ufe0f\ufe0f")),
    "1\ufe0f",
]


@pytest.mark.parametrize("text", _ELSEWHERE, ids=ascii)
def test_a_selector_that_chooses_nothing(text: str) -> None:
    """Behind another character than it is for, or doubled."""
    assert "invisible" in str(names.text_problem(f"x{text}x", "it"))


def _cost_s(work: Callable[[], object]) -> float:
    """The processor's time of the quickest of twenty."""
    costs = []
    for _ in range(20):
        began = time.process_time()
        work()
        costs.append(time.process_time() - began)
    return min(costs)


@pytest.mark.parametrize("text", ["a" * 400, "é" * 400, "ش" * 400], ids=ascii)
def test_a_long_text_costs_little(text: str) -> None:
    """Forty looks at each character at most: a request may hold 2,000 books."""
    look = _cost_s(lambda: sum(unicodedata.combining(character) for character in text))
    assert _cost_s(lambda: names.text_problem(text, "the title", 512)) < 40 * look


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "is empty"),
        ("\u3000", "is empty"),
        ("B", "one character alone"),
        ("B\u0301", "one character alone"),
        ("あ", "one character alone"),
        ("ㄱ", "one character alone"),
        ("，", "one character alone"),
        ("....", "no letter"),
        ("1234", "no letter"),
        ("🖥❤", "no letter"),
        ("12 34 -", "no letter"),
        ("jdoe", "is the username"),
        (" Jane", "begins or ends with a blank"),
        ("Jane\u00a0", "begins or ends with a blank"),
        ("J" + "\u0301" * 3 + "ane", "too many marks"),
        ("J" + "\u0316\u0317\u0318" + "ane", "too many marks"),
        ("က" + "\u103b" * 7, "too many marks"),
        ("\u0301Jane", "without a letter"),
        ("Jane \u0301Doe", "without a letter"),
        ("Jane\u0007", "control or invisible"),
        ("Jane\nDoe", "control or invisible"),
        ("Ja\ufffdne", "lost on the way"),
        ("Ja\ue000ne", "that is none"),
        ("Ja\uffffne", "that is none"),
        ("Ja\ud800ne", "control or invisible"),
        ("a" * 129, "more than 128 characters"),
    ],
    ids=ascii,
)
def test_what_is_no_full_name(name: str, reason: str) -> None:
    assert reason in str(names.full_name_problem(name, "jdoe"))


@pytest.mark.parametrize(
    "text",
    ["a\u200cb", "1\u200d2", "ا\u200cب", "ی\u200c", "\u200cی", "ی\u200c\u200cر", "क\u200dष", "ی\u200dر"],
    ids=ascii,
)  # fmt: skip
def test_a_joiner_that_no_script_needs(text: str) -> None:
    assert "invisible" in str(names.text_problem(text, "it"))
    assert "\\u200" in shown(text)


@given(st.text(max_size=24))
def test_accepted_names_hold_nothing_that_acts_or_hides(text: str) -> None:
    if names.text_problem(text, "it") is None:
        stored = names.normal(text)
        assert unicodedata.is_normalized("NFC", stored) and names.normal(stored) == stored
        assert names.text_problem(stored, "it") is None
        assert shown(stored) == stored
        assert len(stored.encode()) <= 512
        for index, character in enumerate(stored):
            is_selector = unicodedata.category(character) == "Mn" and index > 0
            assert character not in INVISIBLE or is_selector or is_needed_joiner(stored, index)


@given(st.text())
def test_shown_text_holds_nothing_that_acts(text: str) -> None:
    safe = shown(text)
    assert not any(is_unsafe(c) and not is_needed_joiner(safe, i) for i, c in enumerate(safe))


def test_shown_text_says_what_was_there() -> None:
    assert shown("a\x1b[31m\u202eb\x9b") == "a\\x1b[31m\\u202eb\\x9b"
    assert shown("Zoë Ångström") == "Zoë Ångström"
    assert shown("علی\u200cرضا") == "علی\u200cرضا"
