"""Who sends a request, learned from its head before its body is read; and who may ask for more than a share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import flask
from flask import request

from ceo_common.errors import CeoError, TooMany
from ceo_common.permissions import Who
from ceod import runtime
from ceod.auth import spnego
from ceod.auth.acceptor import Suspect
from ceod.auth.caller import Caller, identify, standing
from ceod.server.limits import SHARE
from ceod.server.server import UseSlowAcceptor

Environ = dict[str, Any]
_KEY = "ceod.admission"
_STAFF = frozenset((Who.OFFICE, Who.SYSCOM))
_WAIT_S = 5


@dataclass(frozen=True)
class Admission:
    """A negotiation's outcome: a caller, or why the request is refused; `authenticated` where Kerberos said yes."""

    authenticated: spnego.Authenticated | None = None
    caller: Caller | None = None
    refusal: CeoError | None = None


class Admissions:
    """What the server asks about the head of a request.  A refusal is raised later, by authenticate()."""

    def __init__(self, app: flask.Flask) -> None:
        self.app = app

    def admit(self, environ: Environ, *, slowly: bool = False) -> str | None:
        """The principal whose request it is; None: it will be refused.  Raises UseSlowAcceptor."""
        try:
            with self.app.request_context(environ):
                found = environ[_KEY] = negotiate(slowly=slowly)
        except Suspect:
            raise UseSlowAcceptor from None
        return found.caller.principal if found.caller else None

    def allows_more(self, environ: Environ) -> bool:
        """Whether somebody who has a whole share at once may have one request more: staff may, and our hosts."""
        found: Admission = environ[_KEY]
        assert found.caller
        try:
            if is_staff(found.caller, runtime.of(self.app)):
                return True
            refusal: CeoError = TooMany(f"you have {SHARE} requests in progress already; wait until one ends",
                                        retry_after=_WAIT_S)
        except CeoError as error:
            refusal = error
        environ[_KEY] = Admission(found.authenticated, refusal=refusal)
        return False


def current() -> Admission:
    """The admission of this request; made now under a server that makes none (flask run)."""
    found = request.environ.get(_KEY)
    if isinstance(found, Admission):
        return found
    try:
        return negotiate()
    except Suspect:
        return negotiate(slowly=True)


def negotiate(*, slowly: bool = False) -> Admission:
    """Accept the request's ticket.  Raises Suspect (unless slowly)."""
    running = runtime.of(flask.current_app)
    authenticated = None
    try:
        bindings = running.bindings if request.scheme == "https" else None
        authenticated = spnego.authenticate(
            request.headers.get("Authorization"),
            running.services.acceptor,
            bindings,
            address=request.remote_addr or "",
            must_be_bound=bindings is not None and running.config.security.must_be_bound,
            slowly=slowly,
        )
        return Admission(authenticated, identify(authenticated.principal, request.remote_addr or "", running.config))
    except CeoError as error:
        return Admission(authenticated, refusal=error)


def is_staff(caller: Caller, running: runtime.Runtime) -> bool:
    """Whether somebody's work may queue as long as it has to: office, systems committee, our hosts.  Raises BackendDown."""
    return caller.host is not None or bool(_STAFF & standing(caller, running.services.directory))
