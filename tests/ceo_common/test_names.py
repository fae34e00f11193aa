from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceo_common.model import names
from ceo_common.text import is_unsafe, shown


@pytest.mark.parametrize("name", ["a", "test_1", "ctdalek", "a-b", "a" * 32])
def test_usernames(name: str) -> None:
    assert names.username_problem(name) is None


@pytest.mark.parametrize("name", ["", "-x", "1a", "A", "a" * 33, "a\n", "a b", "ä", "a/b", "a@b", "a,b", "a)(uid=*", "../x", "a\0", "ａ"])
def test_what_is_no_username(name: str) -> None:
    """In the programs before: $ in a regex let a trailing newline pass."""
    assert names.username_problem(name)


@pytest.mark.parametrize("address", ["a@example.org", "a.b+c@sub.example.org", "x_1@e-x.ca"])
def test_addresses(address: str) -> None:
    assert names.address_problem(address) is None


@pytest.mark.parametrize("address", ["", "a", "|cmd", "|/bin/sh@x.org", "/etc/passwd", ":include:/x", "a@b", "a@example.org,b@example.org", '"a"@example.org',
                                     "a@example.org\n", "a b@example.org", "a@-x.org", "a@x..org", "é@example.org", "$x@example.org" + "x" * 250, "a@example.org#"])
def test_what_is_no_address(address: str) -> None:
    """In the programs before: an address such as |cmd went raw into .forward."""
    assert names.address_problem(address)


@given(st.text())
def test_an_accepted_address_is_one_line_without_meaning_to_a_mailer(text: str) -> None:
    if names.address_problem(text) is None:
        assert text.isascii() and not set(text) & set("|/:\"'\\,;#$<>()[] \t\r\n") and text.count("@") == 1


@given(st.text())
def test_accepted_names_hold_nothing_that_acts(text: str) -> None:
    if names.text_problem(text, "it") is None:
        assert not any(is_unsafe(c) for c in text)


@given(st.text())
def test_shown_text_holds_nothing_that_acts(text: str) -> None:
    assert not any(is_unsafe(c) for c in shown(text))


def test_shown_text_says_what_was_there() -> None:
    assert shown("a\x1b[31m\u202eb\x9b") == "a\\x1b[31m\\u202eb\\x9b"
    assert shown("Zoë Ångström") == "Zoë Ångström"


def test_full_names() -> None:
    assert names.full_name_problem("Jo Li", "jo") is None
    assert names.full_name_problem("Jo", "x") and names.full_name_problem("jdoe", "jdoe")
