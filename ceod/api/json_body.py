"""Reads JSON from a client with limits that Python's own parser does not have.  Pure."""

from __future__ import annotations

import json
import math
from typing import Any

DEPTH_LIMIT = 32
FIELD_LIMIT = 100  # characters of a field's name in a refusal
DIGITS_LIMIT = 18  # every number of at most 18 digits fits into 64 bits


# A key or number, and the place around it: made into a text only when it is needed.
_Place = tuple[Any, str | int] | None


class BadJson(ValueError):
    """The text is not JSON, or has a value that ceod refuses; `field` is where, if it is known."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


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
    level: list[tuple[_Place, Any]] = [(None, value)]
    for _ in range(DEPTH_LIMIT + 1):
        if not level:
            return
        following: list[tuple[_Place, Any]] = []
        for place, item in level:
            if isinstance(item, str):
                _check_text(item, place)
            elif isinstance(item, list):
                following += (((place, i), inner) for i, inner in enumerate(item))
            elif isinstance(item, dict):
                for key, inner in item.items():
                    _check_text(key, place)
                    following.append(((place, key), inner))
        level = following
    raise BadJson(f"it is nested deeper than {DEPTH_LIMIT} levels")


def _check_text(text: str, place: _Place) -> None:
    if "\0" in text:
        raise BadJson("a text has a control character (NUL) in it", _field(place))
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadJson("a text has half of a surrogate pair in it", _field(place)) from None


def _field(place: _Place) -> str:
    """The place in words, as members.1.cn."""
    parts = []
    while place is not None:
        place, part = place
        parts.append(str(part)[:FIELD_LIMIT])
    return ".".join(reversed(parts))[:FIELD_LIMIT]
