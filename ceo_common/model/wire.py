"""What every model shares: strict and closed, its texts bounded, every problem told at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError, ValidationInfo, WithJsonSchema

from ceo_common.errors import Invalid
from ceo_common.model import names
from ceo_common.model.problem_words import problem_words
from ceo_common.terms import YEARS_AHEAD, Term

M = TypeVar("M", bound=BaseModel)
Problem = tuple[str, str]  # the field, and what is wrong with it


class Wire(BaseModel):
    """A value as it crosses the wire."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @classmethod
    def across(cls, body: dict[str, Any]) -> list[Problem]:
        """What is wrong between the fields of a body, whatever is wrong inside them."""
        return []


def checked(problem: Callable[[str], str | None]) -> AfterValidator:
    """A text that a rule finds no problem with."""
    def check(value: str) -> str:
        if found := problem(value):
            raise ValueError(found)
        return value

    return AfterValidator(check)


def _check_terms(terms: list[str], info: ValidationInfo) -> list[str]:
    now: Term | None = (info.context or {}).get("now")
    if problems := term_problems(terms, now):
        raise ValueError("; ".join(problems))
    return terms


def term_problems(terms: list[str], now: Term | None) -> list[str]:
    """What is wrong with a set of terms."""
    problems, seen = ([] if terms else ["at least one term is needed"]), set()
    for text in terms:
        try:
            term = Term.parse(text)
        except ValueError as error:
            problems.append(str(error))
            continue
        if term in seen:
            problems.append(f"{text} is listed twice")
        seen.add(term)
        if now and term - now > 3 * YEARS_AHEAD:
            problems.append(f"{text} is more than {YEARS_AHEAD} years ahead")
    return problems


Text = Annotated[str, StringConstraints(max_length=1024)]
Username = Annotated[Text, checked(names.username_problem), WithJsonSchema({"type": "string", "pattern": "^[a-z][a-z0-9_-]{0,31}$"})]
Address = Annotated[Text, checked(names.address_problem), WithJsonSchema({"type": "string", "format": "email", "maxLength": 254})]
_TermText = Annotated[Text, WithJsonSchema({"type": "string", "pattern": "^[wsf][0-9]{4}$"})]
Terms = Annotated[list[_TermText], AfterValidator(_check_terms)]


class FieldProblem(Wire):
    """What is wrong with one field."""

    field: str
    message: str


class Refusal(BaseModel):
    """Every refusal has this form; some have further fields, such as `host` or `backend`."""

    error: str
    code: str
    problems: list[FieldProblem]


def text(what: str, limit: int = names.TEXT_LIMIT) -> AfterValidator:
    """A text of this kind, for people to read, in the form that is stored."""

    def check(value: str) -> str:
        if problem := names.text_problem(value, what, limit):
            raise ValueError(problem)
        return names.normal(value)

    return AfterValidator(check)


def one_of_two_kinds(body: dict[str, Any]) -> list[Problem]:
    """Exactly one of terms (a member) and non_member_terms (a club representative)."""
    if (body.get("terms") is None) == (body.get("non_member_terms") is None):
        return [("terms", "give either terms (a member) or non_member_terms (a club representative)")]
    return []


def parse(model: type[M], body: object, now: Term | None = None) -> M:
    """The value; terms are held against `now`.  Raises Invalid with every problem."""
    problems = model.across(body) if issubclass(model, Wire) and isinstance(body, dict) else []
    try:
        value = model.model_validate(body, context={"now": now})
    except ValidationError as error:
        problems = [_problem(item) for item in error.errors(include_url=False, include_input=False)] + problems
    if problems:
        raise Invalid("the request has problems", problems=[{"field": field, "message": message} for field, message in problems])
    return value


def _problem(item: Any) -> Problem:
    field = ".".join(str(part) for part in item["loc"]) or "(body)"
    return field, problem_words(item["type"], item.get("ctx", {}), str(item["msg"]))
