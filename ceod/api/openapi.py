"""What this API can do, made from the route table and the models: OpenAPI 3.1, and a page to read that needs nothing else.

python -m ceod.api prints the description; docs/openapi.json is a copy of it.
"""

from __future__ import annotations

import functools
import json
import re
import typing
from importlib import metadata, resources
from typing import Any

import flask
import jinja2
import pydantic
from pydantic.json_schema import models_json_schema

from ceo_common import errors
from ceo_common.events import Event
from ceo_common.model.wire import Refusal
from ceo_common.permissions import RULES
from ceod.api.requests import DRY_RUN, KEY_LIMIT, ROUTES, Route
from ceod.auth import states

Json = dict[str, Any]
blueprint = flask.Blueprint("openapi", __name__)

_REF = "#/components/schemas/{model}"
_OPEN = ("health", "description")  # without a ticket
# Whatever is asked, these may be the answer.
_ALWAYS = (errors.Invalid, errors.Unauthenticated, errors.Forbidden, errors.NotFound, errors.TooLarge, errors.WrongHost, errors.HeaderTooLarge,
           errors.TooSlow, errors.TooMany, errors.Internal, errors.BackendDown)
_ON_CHANGES = (errors.Exists, errors.KeyReused)

ROUTES.append(Route("GET", "/api/openapi.json", None, "description", "This description."))
ROUTES.append(Route("GET", "/api/docs", None, "description", "This description as a page."))


@blueprint.get("/openapi.json")
def openapi() -> flask.Response:
    """The description."""
    return flask.Response(_text(), mimetype="application/json")


@blueprint.get("/docs")
def docs() -> flask.Response:
    """The page: no script, no font, no picture from elsewhere."""
    response = flask.Response(_page(), mimetype="text/html")
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
    return response


# Made once: anybody may ask for them, as often as they like.


@functools.cache
def _text() -> bytes:
    return json.dumps(document()).encode()


@functools.cache
def _page() -> bytes:
    text = resources.files("ceod").joinpath("data/docs.html").read_text()
    page = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(text)
    return page.render(document=document(), sections=_sections(), words=_words).encode()


def document() -> Json:
    """OpenAPI 3.1."""
    takes = {row.takes for row in ROUTES if row.takes}
    gives = {model for row in ROUTES for model in (row.gives, row.rehearsal) if model} | {Refusal}
    modes: list[Any] = [*((model, "validation") for model in takes), *((model, "serialization") for model in gives - takes)]
    _, models = models_json_schema(sorted(modes, key=lambda mode: str(mode[0].__name__)), ref_template=_REF)
    event = pydantic.create_model("Event", **_fields_of(Event))
    paths: Json = {}
    for row in ROUTES:
        paths.setdefault(_path(row), {})[row.method.lower()] = _operation(row)
    return {
        "openapi": "3.1.0",
        "info": {"title": "ceo", "version": metadata.version("ceo"), "description": "The CSC Electronic Office: accounts and memberships."},
        "security": [{"negotiate": []}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted({**models["$defs"], "Event": event.model_json_schema(ref_template=_REF)}.items())),
            "responses": {error.__name__: _refusal(error) for error in (*_ALWAYS, *_ON_CHANGES)},
            "securitySchemes": {"negotiate": {"type": "http", "scheme": "negotiate", "description": "SPNEGO with Kerberos (RFC 4559)"}},
        },
    }


def _fields_of(events: type[Any]) -> Any:
    """A TypedDict's fields as pydantic's words: it takes those of typing from Python 3.12 on only."""
    return {name: (hint, ... if name in events.__required_keys__ else None) for name, hint in typing.get_type_hints(events).items()}


def _path(row: Route) -> str:
    return re.sub(r"<(\w+)>", r"{\1}", row.path)


def _operation(row: Route) -> Json:
    told: Json = {
        "operationId": f"{row.method.lower()}{re.sub('[^a-z]+', '_', row.path.lower()).rstrip('_')}",
        "summary": row.does,
        "description": RULES[row.operation].sentence() + _states(row)
        + (f" Served by the host of role {row.role}." if row.role else ""),
        "tags": [row.path.split("/")[2].partition(".")[0]],
        "parameters": _parameters(row),
        "responses": _responses(row),
    }
    if row.operation in _OPEN:
        told["security"] = [{}, {"negotiate": []}]
    if row.takes:
        told["requestBody"] = {"required": not row.rehearses_without, "content": {"application/json": {"schema": _schema(row.takes)}}}
    return told


def _states(row: Route) -> str:
    """Which accounts are changed, in a sentence."""
    if not row.states or row.states == states.EVERY:
        return ""
    names = [state.value for state in states.State if state in row.states]
    return f" Of accounts that are {' or '.join(names)}."


def _parameters(row: Route) -> list[Json]:
    found: list[Json] = [{"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
                         for name in re.findall(r"<(\w+)>", row.path)]
    query = row.query | ({DRY_RUN: "only check, and return what would be done"} if row.rehearsal else {})
    found += [{"name": name, "in": "query", "description": words, "schema": {"type": "string"}} for name, words in query.items()]
    if row.method != "GET" and not row.holds_password:
        first = "first transaction" if row.streams else "first answer"
        words = f"a new UUID; the same UUID again, within seven days, returns the {first}"
        found.append({"name": "Idempotency-Key", "in": "header", "description": words,
                      "schema": {"type": "string", "format": "uuid", "maxLength": KEY_LIMIT}})
    if row.writes:
        found.append({"name": "X-KRB5-CRED", "in": "header", "description": "the caller's forwarded ticket (gen_cred.sh), unless it is delegated",
                      "schema": {"type": "string"}})
    return found


def _responses(row: Route) -> Json:
    content: Json = {}
    if row.streams:
        content["application/x-ndjson"] = {"schema": {"$ref": _REF.format(model="Event")}}
    models = list(dict.fromkeys(model for model in (row.gives, row.rehearsal) if model))
    if models:
        content["application/json"] = {"schema": _schema(models[0]) if len(models) == 1 else {"anyOf": [_schema(model) for model in models]}}
    if "stream" in row.query:
        content["application/x-ndjson"] = {"schema": {"type": "object"}}
    told: Json = {"200": {"description": "The events of the transaction, one a line." if row.streams else "Done.",
                          **({"content": content} if content else {})}}
    ways = [*_ALWAYS, *(_ON_CHANGES if row.method != "GET" else [])]
    return told | {str(error.status): {"$ref": f"#/components/responses/{error.__name__}"} for error in sorted(ways, key=lambda e: e.status)}


def _refusal(error: type[errors.CeoError]) -> Json:
    return {"description": (error.__doc__ or "").partition("\n")[0], "content": {"application/json": {"schema": _schema(Refusal)}}}


def _schema(model: type[Any]) -> Json:
    return {"$ref": _REF.format(model=model.__name__)}


def _sections() -> dict[str, list[Route]]:
    """The routes by their noun."""
    found: dict[str, list[Route]] = {}
    for row in ROUTES:
        found.setdefault(row.path.split("/")[2].partition(".")[0], []).append(row)
    return dict(sorted(found.items()))


def _words(schema: Json) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(_words(option) for option in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_words(schema.get('items', {}))}"
    return str(schema.get("type", "any"))
