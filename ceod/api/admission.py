"""Who sends a request, learned from its head before its body is read; and how much anybody may ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import flask
from flask import request

from ceo_common.errors import CeoError, TooMany
from ceo_common.permissions import Who
from ceod import runtime
from ceod.auth import spnego
from ceod.auth.caller import Caller, identify, standing

Environ = dict[str, Any]
_KEY = "ceod.admission"

# Of requests of one person that a worker answers at once, streams among them.
AT_ONCE = 16
_STAFF = frozenset((Who.OFFICE, Who.SYSCOM))


@dataclass(frozen=True)
class Admission:
    """A negotiation's outcome: a caller, or why the request is refused; `authenticated` where Kerberos said yes."""

    authenticated: spnego.Authenticated | None = None
    caller: Caller | None = None
    refusal: CeoError | None = None


def admission(app: flask.Flask) -> Callable[[Environ, Mapping[str, int]], str | None]:
    """What the server calls with the head of each request that has a ticket."""
    def admit(environ: Environ, in_flight: Mapping[str, int]) -> str | None:
        with app.request_context(environ):
            found = negotiate(in_flight)
        environ[_KEY] = found
        return found.caller.principal if found.caller else None

    return admit


def current() -> Admission:
    """The admission of this request; made now under a server that makes none (flask run)."""
    found = request.environ.get(_KEY)
    return found if isinstance(found, Admission) else negotiate({})


def negotiate(in_flight: Mapping[str, int]) -> Admission:
    """Accept the request's ticket."""
    running = runtime.of(flask.current_app)
    authenticated = None
    try:
        bindings = running.bindings if request.scheme == "https" else None
        authenticated = spnego.authenticate(request.headers.get("Authorization"), running.services.acceptor, bindings)
        who = identify(authenticated.principal, request.remote_addr or "", running.config)
        if in_flight.get(who.principal, 0) >= AT_ONCE and not is_staff(who, running):
            raise TooMany(f"{AT_ONCE} requests of yours are being answered; wait for one to end", retry_after=5)
    except CeoError as error:
        return Admission(authenticated, refusal=error)
    return Admission(authenticated, who)


def is_staff(caller: Caller, running: runtime.Runtime) -> bool:
    """Whether somebody's work may queue as long as it has to: office, systems committee, our hosts.  Raises BackendDown."""
    return caller.host is not None or bool(_STAFF & standing(caller, running.services.directory))
