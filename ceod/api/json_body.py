"""Reads JSON from a client with limits that Python's own parser does not have.  Pure."""

from __future__ import annotations

import json
import math
from typing import Any

DEPTH_LIMIT = 32
DIGITS_LIMIT = 18  # every number of at most 18 digits fits into 64 bits


class BadJson(ValueError):
    """The text is not JSON, or has a value that ceod refuses; the text says which."""


def read(data: bytes | str) -> Any:
    """The value that a JSON text (RFC 8259) describes.

    Python's parser takes more than JSON: NaN, Infinity, half of a surrogate pair, numbers without
    an end, a key twice.  None of them can be stored, or two readers would read two values.
    Raises BadJson.
    """
    try:
        value = json.loads(
            data,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_float,
            parse_constant=_constant,
        )
    except RecursionError:
        raise BadJson(f"it is nested deeper than {DEPTH_LIMIT} levels") from None
    except BadJson:
        raise
    except ValueError as error:
        raise BadJson(f"it is not JSON: {error}") from None
    _check(value)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise BadJson("an object has the same key twice")
    return value


def _integer(text: str) -> int:
    if len(text.lstrip("-")) > DIGITS_LIMIT:
        raise BadJson(f"a number has more than {DIGITS_LIMIT} digits")
    return int(text)


def _float(text: str) -> float:
    if math.isinf(value := float(text)):
        raise BadJson("a number is too large")
    return value


def _constant(name: str) -> float:
    raise BadJson(f"{name} is not a JSON value")


def _check(value: Any) -> None:
    """Check the depth and every text, without recursion: that has a limit of its own."""
    level = [value]
    for _ in range(DEPTH_LIMIT + 1):
        if not level:
            return
        following: list[Any] = []
        for item in level:
            if isinstance(item, str):
                _check_text(item)
            elif isinstance(item, list):
                following += item
            elif isinstance(item, dict):
                following += item.keys()
                following += item.values()
        level = following
    raise BadJson(f"it is nested deeper than {DEPTH_LIMIT} levels")


def _check_text(text: str) -> None:
    if "\0" in text:
        raise BadJson("a text has a NUL character in it")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadJson("a text has half of a surrogate pair in it") from None
