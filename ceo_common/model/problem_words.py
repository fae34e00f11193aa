"""What is wrong with a value, in our words: pydantic's are for programmers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Context = dict[str, Any]


def problem_words(kind: str, context: Context, message: str) -> str:
    """The sentence for a problem of pydantic's: its kind, what it says of the limits, its own words.

    https://docs.pydantic.dev/latest/errors/validation_errors/ lists the kinds.  A rule of ours
    (`value_error`) brings its sentence along.
    """
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    words = _WORDS.get(kind)
    return words(context) if words else "not a value that is allowed here"


def _at_least(context: Context) -> str:
    return f"has to be {context['ge']} or more"


def _at_most(context: Context) -> str:
    return f"has to be {context['le']} or less"


def _too_short(context: Context) -> str:
    least = context["min_length"]
    return "may not be empty" if least == 1 else f"needs {least} entries or more"


def _too_long(context: Context) -> str:
    return f"too many: at most {context['max_length']} are allowed"


def _long_text(context: Context) -> str:
    return f"too long: at most {context['max_length']} characters are allowed"


def _is(sentence: str) -> Callable[[Context], str]:
    return lambda context: sentence


_TEXT = _is("has to be a text")
_NUMBER = _is("has to be a whole number")
_OBJECT = _is("has to be an object, { }")
_LIST = _is("has to be a list, [ ]")

_WORDS: dict[str, Callable[[Context], str]] = {
    "missing": _is("is missing"),
    "extra_forbidden": _is("unknown field"),
    "string_type": _TEXT,
    "string_sub_type": _TEXT,
    "string_unicode": _is("has characters that are no text"),
    "string_too_long": _long_text,
    "string_too_short": _is("may not be empty"),
    "string_pattern_mismatch": _is("has a form that is not allowed here"),
    "int_type": _NUMBER,
    "int_parsing": _NUMBER,
    "int_from_float": _NUMBER,
    "int_parsing_size": _is("is too large a number"),
    "float_type": _is("has to be a number"),
    "float_parsing": _is("has to be a number"),
    "finite_number": _is("has to be a number"),
    "bool_type": _is("has to be true or false"),
    "bool_parsing": _is("has to be true or false"),
    "list_type": _LIST,
    "tuple_type": _LIST,
    "set_type": _LIST,
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "none_required": _is("has to be null"),
    "greater_than_equal": _at_least,
    "less_than_equal": _at_most,
    "greater_than": lambda context: f"has to be more than {context['gt']}",
    "less_than": lambda context: f"has to be less than {context['lt']}",
    "too_short": _too_short,
    "too_long": _too_long,
    "literal_error": lambda context: f"has to be one of {context['expected']}",
    "enum": lambda context: f"has to be one of {context['expected']}",
    "recursion_loop": _is("is nested too deep"),
    "invalid_key": _is("has a name that is no text"),
}
