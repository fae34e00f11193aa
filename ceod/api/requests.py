"""What happens to every request before its view, and to every answer: limits, who it is, whose host, the error's form."""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import ipaddress
import json
import logging
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import flask
import werkzeug.exceptions
from flask import g, request
from pydantic import BaseModel

from ceo_common import errors
from ceo_common.model.change import Change
from ceo_common.model.transaction import Rehearsal, RehearsedStep
from ceo_common.model.wire import M, parse
from ceo_common.permissions import Who
from ceo_common.terms import current
from ceod import runtime
from ceod.api import admission, json_body
from ceod.auth import spnego
from ceod.auth.caller import Caller
from ceod.auth.caller import require as require_standing
from ceod.auth.states import State, require_active, require_state
from ceod.log import request_id
from ceod.operations.planned_changes import planned_changes
from ceod.operations.private import Private
from ceod.server.answer import EVENTS
from ceod.services.all import Services
from ceod.services.ldap_connection import Connection
from ceod.services.ldap_names import same
from ceod.transaction.answers import Answers, KeyedRequest
from ceod.transaction.audit import canonical
from ceod.transaction.owners import new_owner
from ceod.transaction.record import OptionalNames, Request
from ceod.transaction.step import Operation

log = logging.getLogger("ceod.request")

View = TypeVar("View", bound=Callable[..., Any])

KEY_LIMIT = 64


@dataclass(frozen=True)
class Route:
    """A row of the route table: who may, and what goes in and comes out.

    `role` is the host that serves it (None: every one), `operation` a key of permissions.RULES.
    `states` are those of the accounts that a change is made to.  Where the path names the account
    as `uid`, one in another state is refused before the view looks at it; a view that finds the
    names in the body refuses them itself.
    """

    method: str
    path: str
    role: str | None
    operation: str
    does: str  # in words
    states: frozenset[State] | None = None  # None: it changes nothing
    subject: str | None = None  # the path's parameter that names the account
    takes: type[BaseModel] | None = None  # the body
    rehearses_without: bool = False  # a body
    gives: type[BaseModel] | None = None
    streams: bool = False  # the events of a transaction
    writes: bool = False  # to the directory, as the caller: it needs their forwarded ticket
    query: dict[str, str] = field(default_factory=dict)  # the parameters, in words
    rehearsal: type[BaseModel] | None = None  # what ?dry_run gives instead
    # A password is in the body: the journal keeps no digest of it, from which it could be guessed.
    # Such a route may be asked again, whatever the first request came to.
    holds_password: bool = False


ROUTES: list[Route] = []
DRY_RUN = "dry_run"


def route(
    blueprint: flask.Blueprint, method: str, path: str, *, role: str | None, operation: str, decide: bool = True, **more: Any,
) -> Callable[[View], View]:
    """Register a view; `more` is as in Route, and a transaction has a Rehearsal unless it names one of its own.

    Before it runs: the caller is known, the host is the right one, the rule said yes, and the query holds nothing that is not known.
    Before a change the caller's own account is open, and the one that is changed in one of `states`.

    With decide=False the view itself asks allow(), because the rule depends on what it has to look up first.
    """
    def register(view: View) -> View:
        if more.get("streams") and method != "GET":
            more.setdefault("rehearsal", Rehearsal)
        row = Route(method, f"/api{path}", role, operation, (view.__doc__ or "").partition("\n")[0], **more)
        assert (row.states is None) == (method == "GET"), f"{method} {path} has to declare states"
        ROUTES.append(row)

        @functools.wraps(view)
        def guarded(**values: str) -> Any:
            authenticate()
            _right_host(row)
            if decide:
                allow(operation, subject=values.get(row.subject) if row.subject else None)
            if method != "GET":
                require_active(caller(), ceod().services.directory)
            _known_query(row)
            g.row, g.account = row, values.get("uid")
            key = idempotency_key() if row.streams or _takes_key(row) else None
            if row.streams or method == "GET":
                return view(**values)
            if key and not is_rehearsal():
                return _once(key, lambda: _plain_write(row, view, values))
            return _plain_write(row, view, values)

        blueprint.add_url_rule(path, view_func=guarded, methods=[method], provide_automatic_options=False)
        return view

    return register


def _takes_key(row: Route) -> bool:
    """Whether the answer of such a change is kept under the request's Idempotency-Key."""
    return row.method != "GET" and not row.holds_password


def _plain_write(row: Route, view: Callable[..., Any], values: dict[str, str]) -> Any:
    """A change that is no transaction, or the dry run of one."""
    _require_account()  # transact() does it while nobody else can change the account
    if not is_rehearsal():
        count_write()  # transact() counts what begins a transaction
    return view(**values)


def _once(key: str, act: Callable[[], flask.Response]) -> flask.Response:
    """The answer of act(), or the one that the same request with this key got before.

    Raises what act() does, KeyReused, Busy, OutcomeUnknown, JournalFull, JournalUntrusted.
    """
    content = request.get_data()
    with contextlib.suppress(json_body.BadJson):  # the view refuses it
        content = canonical(json_body.read(content))
    digest = hashlib.sha256(request.full_path.encode() + b"\n" + content).hexdigest()
    asked = KeyedRequest(caller().name, g.row.operation, key, digest)
    engine = ceod().engine
    with contextlib.closing(new_owner(engine.state_dir)) as owner:
        return _first_answer(asked, Answers(engine.journal, owner), act)


def _first_answer(
    asked: KeyedRequest, answers: Answers, act: Callable[[], flask.Response]
) -> flask.Response:
    if (before := answers.begin(asked)) is not None:
        return flask.jsonify(before)
    try:
        response = act()
    except errors.CeoError as error:
        if not error.more.get("unknown"):
            answers.forget(asked)
        raise
    try:
        answers.keep(asked, response.get_json())
    except errors.JournalFull:
        # It is done by now, and to say that it is not would be worse than an answer that is not kept.
        log.error("the journal took no answer", extra={"who": asked.caller, "what": asked.operation})
    return response


def _require_account() -> None:
    """Raises what is wrong with the state of the account that the path names; BackendDown."""
    if g.account is not None:
        require_state(ceod().services.directory, g.account, g.row.states)


def _known_query(row: Route) -> None:
    """A parameter that is not known is refused: a mistyped ?dry_run must not be the real thing.  Raises Invalid."""
    known = {*row.query, *([DRY_RUN] if row.rehearsal else [])}
    problems = [{"field": name, "message": f"unknown parameter; known: {', '.join(sorted(known)) or 'none'}"}
                for name in request.args if name not in known]
    problems += [{"field": name, "message": "is given twice"} for name, values in request.args.lists() if len(values) > 1]
    if problems:
        raise errors.Invalid("the query has problems", problems=problems)


def is_rehearsal() -> bool:
    """Whether only a rehearsal is asked for."""
    return DRY_RUN in request.args


def ceod() -> runtime.Runtime:
    """The running parts."""
    return runtime.of(flask.current_app)


def caller() -> Caller:
    """Who it is."""
    return cast(Caller, g.caller)


def allow(operation: str, *, subject: str | None = None, also: set[Who] | None = None) -> set[Who]:
    """The caller's standing.  Raises Forbidden with the rule, BackendDown."""
    return require_standing(operation, caller(), ceod().services.directory, subject=subject, also=also)


def authenticate() -> None:
    """Learn who it is.  Raises what refuses them; the reply token goes out with the refusal too."""
    found = admission.current()
    if found.authenticated:
        g.authenticated, g.reply = found.authenticated, found.authenticated.reply
    if found.refusal:
        _read_away()
        raise found.refusal
    g.caller = found.caller


def _read_away() -> None:
    """An unauthenticated body is neither kept nor parsed; unread, it would break the connection."""
    try:
        while request.stream.read(65536):
            pass
    except (werkzeug.exceptions.HTTPException, OSError):
        pass


def count_write() -> None:
    """Raises TooMany; staff and our own hosts write as often as they have to."""
    running, who = ceod(), caller()
    seconds = running.rates.count(who.principal)
    if seconds is not None and not admission.is_staff(who, running):
        raise errors.TooMany(
            f"you sent {running.rates.writes} changes within an hour; wait {seconds} seconds",
            retry_after=seconds,
        )


def _right_host(row: Route) -> None:
    config = ceod().config
    if row.role is not None and row.role not in config.roles:
        host = config.hosts.of(row.role)
        raise errors.WrongHost(f"{host} serves this, not {config.host}", host=host, url=f"https://{host}:{config.port}{request.path}")


def body() -> Any:
    """The request's JSON, whatever its Content-Type says: curl's -d sends a form type.  Raises Invalid, TooLarge."""
    try:
        return json_body.read(request.get_data())
    except json_body.BadJson as error:
        problems = [{"field": error.field or "(body)", "message": str(error)}]
        raise errors.Invalid(f"the body can't be read: {error}", problems=problems) from None


def parsed(model: type[M]) -> M:
    """The body as a model.  Raises Invalid with every problem, TooLarge."""
    return parse(model, body(), current(ceod().config.time_zone))


def number(name: str, default: int, limit: int, *, least: int = 0) -> int:
    """A number of the query.  Raises Invalid."""
    text = request.args.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 15) or not least <= int(text) <= limit:
        raise errors.Invalid(f"{name} has to be a number from {least} to {limit}", problems=[{"field": name, "message": "not such a number"}])
    return int(text)


def answer(value: BaseModel) -> flask.Response:
    """A model as the response."""
    return flask.jsonify(value.model_dump())


def idempotency_key() -> str | None:
    """The transaction's name that the client chose.  Raises Invalid."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    try:
        return str(uuid.UUID(key))
    except ValueError:
        raise errors.Invalid("the Idempotency-Key has to be a UUID", problems=[{"field": "Idempotency-Key", "message": "not a UUID"}]) from None


def bind_as_caller() -> Connection:
    """The directory, bound as the caller with their forwarded ticket, and slapd's word that it is them.

    Raises DelegationRequired, DelegationMismatch, Invalid (two tickets), BackendDown.
    """
    running, header = ceod(), request.headers.get("X-KRB5-CRED")
    if header is not None and g.authenticated.delegated is not None:
        raise errors.Invalid("send the forwarded ticket once: either X-KRB5-CRED or --delegation always",
                             problems=[{"field": "X-KRB5-CRED", "message": "there is a delegated credential too"}])
    if header is not None and request.scheme != "https" and not running.config.development:
        raise errors.DelegationMismatch("X-KRB5-CRED carries a key in clear: it is taken over TLS alone")
    who, directory = caller(), running.services.directory
    credential = spnego.delegated_credential(g.authenticated, who, header, running.services.acceptor, running.config)
    connection = directory.connect_as(credential)
    try:
        # A KRB-CRED's client name can be forged; slapd believes the KDC alone.
        if not same(connection.who_am_i(), directory.person_dn(who.uid or "")):
            raise errors.DelegationMismatch("the directory says that the forwarded ticket is not yours")
    except BaseException:
        connection.close()
        raise
    return connection


def transact(
    operation: Operation[Services, Private], private: Callable[[], Private], *, subject: str, names: tuple[str, ...], told: object,
    prepare: Callable[[], dict[str, Any]], optional: OptionalNames | None = None,
) -> flask.Response:
    """Begin a transaction and stream its events; with ?dry_run answer with the Rehearsal.

    `optional` are names that are locked too, as far as they are free; prepare() sees there which are not.

    `told` is what the client asked for, `prepare` checks all that can be refused and returns the arguments: it runs under the lock of
    the names, and not for a request whose key is known, which attaches to the first.  A rehearsal needs nothing that `private` makes:
    no forwarded ticket, no password.
    Raises what private() and prepare() do, Busy, InRecovery, KeyReused, JournalFull.
    """
    who, engine = caller(), ceod().engine

    def checked() -> dict[str, Any]:
        _require_account()
        return prepare()

    asked = Request(operation.name, operation.version, who.name, who.address, subject, names, {},
                    hashlib.sha256(canonical([request.path, told])).hexdigest(), idempotency_key(), optional)
    if is_rehearsal():
        arguments = engine.rehearse(asked, checked)
        before, after = operation.steps(arguments)
        changes = planned_changes(operation.name, ceod().services, arguments)
        return rehearsed(operation.name, subject, changes, *(step.name for step in before),
                         later=[step.name for step in after], warnings=arguments.get("warnings", []))
    if not engine.record.knows(asked):
        count_write()
    identifier, new = engine.begin(operation, asked, private(), lambda: checked() | {"operator": who.name})
    return stream(identifier, asked=new)


def audit(what: str, subject: str, outcome: str, **facts: Any) -> None:
    """A row of the audit log about what the caller did beside a transaction."""
    who = caller()
    try:
        ceod().engine.record.audit("", who.name, who.address, what, outcome, subject=subject, **facts)
    except errors.JournalFull:
        # It is done by now, and to say that it is not would be worse than a row that only the daemon's log has.
        log.error("ceod could not write its audit log", extra={"who": who.name, "what": what, "subject": subject, "outcome": outcome, **facts})


def rehearsed(
    operation: str,
    subject: str,
    changes: Iterable[Change],
    *steps: str,
    later: Sequence[str] = (),
    warnings: Sequence[str] = (),
) -> flask.Response:
    """The answer to ?dry_run: the values that change, the steps up to the commit, and the later ones."""
    told = [RehearsedStep(name=name, after_commit=False) for name in steps] + [RehearsedStep(name=name, after_commit=True) for name in later]
    return answer(Rehearsal(
        operation=operation, subject=subject, steps=told, changes=list(changes),
        warnings=list(warnings),
    ))


def stream(identifier: str, *, asked: bool, after: int = 0) -> flask.Response:
    """The transaction's events, one JSON object a line."""
    follower = ceod().engine.follower(identifier, after=after, asked=asked)
    # The server takes the events themselves, so that no thread waits for them; under flask run the body does.
    request.environ[EVENTS] = follower

    lines = (json.dumps(event, ensure_ascii=True) + "\n" for event in follower)
    response = flask.Response(lines, mimetype="application/x-ndjson")
    response.call_on_close(follower.close)
    return response


def install(app: flask.Flask) -> None:
    """Hook all of this into the app."""
    app.before_request(_begin)
    app.after_request(_finish)
    app.register_error_handler(errors.CeoError, _refused)
    app.register_error_handler(werkzeug.exceptions.HTTPException, _http_error)
    app.register_error_handler(Exception, _unforeseen)


def _begin() -> None:
    g.began = time.monotonic()
    g.reply = None
    g.id = uuid.uuid4().hex[:16]
    request_id.set(g.id)
    config = ceod().config
    if request.content_length is not None and request.content_length > (flask.current_app.config["MAX_CONTENT_LENGTH"] or 0):
        raise errors.TooLarge("a request's body may have 1 MiB at most")
    if "//" in request.environ["PATH_INFO"]:
        # Werkzeug would take it for the path with one stroke: where rules are laid on paths, that opens a way around them.
        raise errors.NotFound(f"there is no {request.environ['PATH_INFO']} here")
    if request.scheme != "https" and not config.development:
        raise errors.Forbidden("ceod speaks TLS only: use https (plain HTTP is for development mode)", rule="tls")
    if config.development and not _in_development_network(config.development_networks):
        raise errors.Forbidden("this ceod is in development mode and answers its development_networks alone", rule="development_networks")
    if "Origin" in request.headers:
        raise errors.Forbidden("requests from web pages are refused, because any page could use the ticket of the browser", rule="origin")
    ours = {config.host, config.host.partition(".")[0], "localhost", "127.0.0.1"}
    if request.host.rpartition(":")[0] not in ours and request.host not in ours:
        raise errors.Forbidden(f"the Host header names another host; this is {config.host}", rule="host")


def _in_development_network(networks: list[str]) -> bool:
    address = ipaddress.ip_address(request.remote_addr or "0.0.0.0")
    return any(address in ipaddress.ip_network(network) for network in networks)


def _finish(response: flask.Response) -> flask.Response:
    if g.get("reply"):
        response.headers["WWW-Authenticate"] = f"Negotiate {base64.b64encode(g.reply).decode()}"
    elif response.status_code == 401:
        response.headers["WWW-Authenticate"] = "Negotiate"
    response.headers["X-Request-Id"] = g.get("id", "")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    who = g.get("caller")
    log.info("%s %s", request.method, request.path, extra={
        "status": response.status_code, "caller": who.name if who else None, "address": request.remote_addr,
        "ms": int((time.monotonic() - g.get("began", time.monotonic())) * 1000),
    })
    return response


def _note_refusal(error: errors.CeoError) -> None:
    """For the audit log: somebody whom Kerberos vouches for may not do it.

    A forgotten ticket is no attempt at anything.
    """
    who, authenticated = g.get("caller"), g.get("authenticated")
    name = who.name if who else authenticated.principal if authenticated else None
    if error.status not in (401, 403) or name is None or isinstance(error, errors.DelegationRequired):
        return
    path = request.url_rule.rule if request.url_rule else request.path
    ceod().refusals.note(
        name, remote=request.remote_addr or "", what=f"{request.method} {path}",
        subject=_subject()[:64], error=error.code, rule=error.more.get("rule"),
    )


def _subject() -> str:
    """What a path is about: the account, where it names one beside a list, a group or a book."""
    values = request.view_args or {}
    return str(values.get("uid", next(iter(values.values()), "")))


def _refused(error: errors.CeoError) -> flask.Response:
    _note_refusal(error)
    if error.status >= 500:
        log.warning("refused: %s", error.message, extra={"code": error.code, **{k: v for k, v in error.more.items() if k == "backend"}})
    response = flask.jsonify(error.as_json())
    response.status_code = error.status
    if "retry_after" in error.more:
        response.headers["Retry-After"] = str(error.more["retry_after"])
    return response


def _http_error(error: werkzeug.exceptions.HTTPException) -> flask.Response:
    told: errors.CeoError
    if error.code == 413:
        told = errors.TooLarge("a request's body may have 1 MiB at most")
    elif error.code == 404:
        told = errors.NotFound(f"there is no {request.path} here")
    else:
        told = errors.Invalid(error.description or error.name)
    response = _refused(told)
    response.status_code = error.code or 500
    if isinstance(error, werkzeug.exceptions.MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return response


def _unforeseen(error: Exception) -> flask.Response:
    log.error("unforeseen", exc_info=error)
    return _refused(errors.Internal(f"an unexpected error happened in ceod; its log has the details under request {g.get('id', '')}"))
