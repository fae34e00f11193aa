"""ISBNs: held against the arithmetic of the standard, digit by digit."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ceo_common.model import isbn

NINE, NINE_MORE = st.text("0123456789", min_size=9, max_size=9), st.text("0123456789", min_size=9, max_size=9)
TWELVE = st.builds("".join, st.tuples(st.sampled_from(isbn.PREFIXES), NINE_MORE)).filter(lambda body: not body.startswith("9790"))


def _is_ten(text: str) -> bool:
    """ISO 2108: ten times the first digit and so on down to once the last is a multiple of 11."""
    return sum((10 - i) * (10 if c == "X" else int(c)) for i, c in enumerate(text)) % 11 == 0


def _is_thirteen(text: str) -> bool:
    return sum(int(c) * (1, 3)[i % 2] for i, c in enumerate(text)) % 10 == 0


@given(NINE)
def test_ten_digits_become_thirteen_of_the_same_book(body: str) -> None:
    ten = body + isbn.check_digit(body)
    assert _is_ten(ten)
    thirteen = isbn.normal(ten)
    assert thirteen[:12] == f"978{body}" and len(thirteen) == 13 and _is_thirteen(thirteen)
    assert isbn.normal(thirteen) == isbn.normal(ten.lower()) == thirteen


@given(TWELVE)
def test_thirteen_digits_stay(body: str) -> None:
    full = body + isbn.check_digit(body)
    assert _is_thirteen(full) and isbn.normal(full) == full and isbn.problem(full) is None


@given(TWELVE | NINE, st.data())
def test_hyphens_and_blanks_do_not_count(body: str, data: st.DataObject) -> None:
    full = body + isbn.check_digit(body)
    spread = "".join(c + data.draw(st.sampled_from(["", "-", " ", "‑", "–", "\N{NO-BREAK SPACE}"])) for c in full)
    assert isbn.normal(spread) == isbn.normal(full)


@given(TWELVE | NINE, st.data())
def test_one_wrong_digit_is_found(body: str, data: st.DataObject) -> None:
    full = body + isbn.check_digit(body)
    place = data.draw(st.integers(0, len(full) - 1))
    wrong = data.draw(st.sampled_from("0123456789"))
    assume(wrong != full[place])
    assert isbn.problem(full[:place] + wrong + full[place + 1 :])


@given(NINE, st.integers(0, 8))
def test_two_neighbours_in_the_wrong_order_are_found(body: str, place: int) -> None:
    ten = body + isbn.check_digit(body)
    swapped = ten[:place] + ten[place + 1] + ten[place] + ten[place + 2 :]
    assume(swapped != ten)
    assert isbn.problem(swapped)


@given(st.text())
def test_whatever_is_taken_is_thirteen_digits(text: str) -> None:
    if isbn.problem(text) is None:
        found = isbn.normal(text)
        assert len(found) == 13 and found.isascii() and found.isdigit() and _is_thirteen(found) and found[:3] in isbn.PREFIXES


# As catalogues write an ISBN.
WRITTEN = [
    '="{}"', "ISBN {}", "[{}]", "{} (pbk.)", "{} :", "{} (pbk. : v. 1) :", "ISBN: {}", "isbn{}", "urn:isbn:{}", '"{}"', "'{}'", " {} ",
    "{} (hbk.) (v. 2)", "{} : $50.00", "{} (alk. paper) : £12.50", "ISBN-13: {}", "ISBN-10 {}", "ISBN 13: {}", "ISBN10: {}", '=""{}""',
]


@given(TWELVE | NINE, st.sampled_from(WRITTEN))
def test_as_catalogues_write_it(body: str, written: str) -> None:
    full = body + isbn.check_digit(body)
    assert isbn.normal(written.format(full)) == isbn.normal(full)
    assert isbn.normal(written.format(f"{full[0]}-{full[1:4]} {full[4:-1]}-{full[-1]}")) == isbn.normal(full)


@pytest.mark.parametrize(("text", "found"), [
    ('="0131103628"', "9780131103627"), ("ISBN 978-0-262-03384-8", "9780262033848"), ("[0262033844]", "9780262033848"),
    ("0201633612 (pbk.)", "9780201633610"), ("0-201-63361-2 :", "9780201633610"), ("0201633612 (pbk.) :", "9780201633610"),
    ("0-13-110362-8", "9780131103627"), ("978-0-13-110362-7", "9780131103627"), ("080442957X", "9780804429573"), ("0 8044 2957 x", "9780804429573"),
])
def test_known_ones(text: str, found: str) -> None:
    assert isbn.normal(text) == found


@pytest.mark.parametrize(("text", "message"), [
    ("", "10 or 13 digits"), ("-", "10 or 13 digits"), ("978013110362", "10 or 13 digits"), ("9780131103628", "would be 7"), ("0131103620", "would be 8"),
    ("1230131103620", "begins with 978 or 979"), ("X131103628", "10 or 13 digits"), ("978013110362X", "would be 7"), ("٩780131103627", "10 or 13 digits"),
    ("979-0-2600-0043-8", "ISMN"), ("9790260000438", "ISMN"), ("M-2306-7118-7", "ISMN"), ("ISMN 979-0-2600-0043-8", "10 or 13 digits"),
    ("0131103628 0262033844", "10 or 13 digits"), ("0131103628; 0262033844", "10 or 13 digits"), ("ISSN 0317-8471", "10 or 13 digits"),
    ("=1+1", "10 or 13 digits"), ("ISBN", "10 or 13 digits"), ("(pbk.)", "10 or 13 digits"), ("0131103628 (pbk.) x", "10 or 13 digits"),
    ("9780131103627\0", "10 or 13 digits"), ("0131103628 " * 9, "at most 64"),
])
def test_what_is_none_says_why(text: str, message: str) -> None:
    assert message in (isbn.problem(text) or "")
