"""Whatever is wrong with a request, its problems are in our words and never in pydantic's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import flask
import pytest
from pydantic import BaseModel, RootModel

from ceo_common.errors import Invalid
from ceo_common.model.wire import parse
from ceo_common.terms import Term
from ceod.api import register
from ceod.api.requests import ROUTES

register(flask.Flask("ceod"))

_MODELS = sorted({row.takes for row in ROUTES if row.takes}, key=lambda model: model.__name__)
_VALUES: list[Any] = [
    None, True, 0, -1, 10**9, 10**5000, 1.5, "", "x", "x" * 2000, "-f", "a\nb", "\u200b", [], ["x"], [1], [None], [[]],
    ["x"] * 3000, ["f2026"] * 70, {}, {"x": 1}, {"x": ["x"] * 40}, [{}], [{"x": 1}], [{}] * 3000,
]


# The words that pydantic's sentences are made of (docs.pydantic.dev/latest/errors/validation_errors).
_PYDANTIC = re.compile(
    "Input should|Field required|Extra inputs|should have|should match|should be|valid string|valid integer"
    "|valid list|valid dict|valid boolean|Value error|validation|Unable to parse|input_type|instance of"
)


def _bodies(model: type[BaseModel]) -> Iterator[Any]:
    """Wrong ones of each kind: the body itself, each field, what lies in its lists, one field too many."""
    yield from _VALUES
    yield {"no-such-field": 1}
    if issubclass(model, RootModel):
        yield from ({name: value} for name in ("x", "") for value in _VALUES)
        return
    for name in model.model_fields:
        for value in _VALUES:
            yield {name: value}
            yield {name: [value]}
            if name in ("members", "books"):
                inner = {"members": "terms", "books": "authors"}[name]
                for field in ("uid", "cn", "title", "isbn", "year", "copies", inner, "no-such-field"):
                    yield {name: [{field: value}]}


def _problems(model: type[BaseModel], body: Any) -> list[dict[str, str]]:
    try:
        parse(model, body, Term.parse("f2026"))
    except Invalid as error:
        return error.problems
    return []


@pytest.mark.parametrize("model", _MODELS, ids=lambda model: model.__name__)
def test_no_word_of_pydantic_reaches_people(model: type[BaseModel]) -> None:
    count = 0
    for body in _bodies(model):
        for problem in _problems(model, body):
            count += 1
            assert problem["field"], body
            assert not _PYDANTIC.search(problem["message"]), (body, problem)
            assert "not a value that is allowed here" not in problem["message"], (body, problem)
    assert count > 30


@pytest.mark.parametrize(("body", "problem"), [
    ({}, ("cn", "is missing")),
    ({"cn": 5}, ("cn", "has to be a text")),
    ({"cn": "x" * 1025}, ("cn", "too long: at most 1024 characters are allowed")),
    ({"terms": "f2026"}, ("terms", "has to be a list, [ ]")),
    ({"forwarding_addresses": ["a@example.org"] * 99}, ("forwarding_addresses", "too many: at most 16 are allowed")),
    ({"colour": "red"}, ("colour", "unknown field")),
    ([], ("(body)", "has to be an object, { }")),
])
def test_the_words_name_the_field_and_the_limit(body: Any, problem: tuple[str, str]) -> None:
    from ceo_common.model.member import NewMember

    assert problem in [(item["field"], item["message"]) for item in _problems(NewMember, body)]
