from __future__ import annotations

import json

import pytest

from ceod.api.json_body import DEPTH_LIMIT, DIGITS_LIMIT, BadJson, read


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON"),
        ("[" * 50_000, "nested deeper"),
        ("[" * 200 + "]" * 200, "nested deeper"),
        ('{"a":' * 200 + "1" + "}" * 200, "nested deeper"),
        ("9" * 5000, "digits"),
        ("-" + "9" * (DIGITS_LIMIT + 1), "digits"),
        ("1e999", "too large"),
        ("NaN", "NaN"),
        ("[-Infinity]", "-Infinity"),
        (r'"\ud800"', "surrogate"),
        (r'{"\udc00": 1}', "surrogate"),
        (r'[{"a": "\u0000"}]', "NUL"),
        ('{"a": 1, "a": 1}', "same key twice"),
        ('[{"b": {"a": 1, "a": 2}}]', "same key twice"),
        (b'"\xff"', "not JSON"),
        (b'"\xed\xa0\x80"', "surrogate"),
        (b"\xff\xfe[\x00", "not JSON"),
    ],
)
def test_what_is_refused_and_why(text: str | bytes, reason: str) -> None:
    with pytest.raises(BadJson, match=reason):
        read(text)


@pytest.mark.parametrize(
    "value",
    [
        None,
        10**DIGITS_LIMIT - 1,
        -(10**DIGITS_LIMIT) + 1,
        1.5,
        {"uid": "jdoe", "cn": "Zoë 😀", "terms": ["f2026"]},
        [{"a": [1, {"b": None}]}, True],
    ],
)
def test_what_json_can_say_is_read_as_it_is(value: object) -> None:
    assert read(json.dumps(value)) == value
    assert read(json.dumps(value, ensure_ascii=False).encode()) == value


def test_the_deepest_value_that_is_taken() -> None:
    assert read("[" * DEPTH_LIMIT + "]" * DEPTH_LIMIT)
    with pytest.raises(BadJson):
        read("[" * (DEPTH_LIMIT + 1) + "]" * (DEPTH_LIMIT + 1))


@pytest.mark.parametrize(("text", "field"), [
    (r'{"title": "a\u0000b"}', "title"),
    (r'{"members": [{"cn": "x"}, {"cn": "\ud800"}]}', "members.1.cn"),
    (r'{"\u0000": 1}', ""),
    (r'"\u0000"', ""),
])
def test_where_a_text_is_that_nobody_can_store(text: str, field: str) -> None:
    with pytest.raises(BadJson) as caught:
        read(text)
    assert caught.value.field == field
