"""GET /api/health and /api/whoami."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import flask
from flask import request

from ceo_common.errors import CeoError
from ceo_common.model.service import Health, WhoAmI
from ceod.api.requests import ROUTES, Route, allow, authenticate, caller, ceod, route
from ceod.auth.caller import standing

blueprint = flask.Blueprint("health", __name__)

_WAIT_S = 0.7  # the whole answer comes within a second, whichever server hangs

ROUTES.append(Route("GET", "/api/health", None, "health", "Up or down for everybody; with a ticket, each server behind this ceod.",
                    gives=Health, query={"full": "ask for the ticket"}))


@blueprint.get("/health")
def health() -> flask.Response:
    """Up or down for everybody; with a ticket, each server behind this ceod and its latency.

    ?full asks for the ticket: a client that sends one only when asked for it would else never be.
    """
    running = ceod()
    if "Authorization" not in request.headers and "full" not in request.args:
        return flask.jsonify({"up": True})
    authenticate()
    allow("health.full")
    return flask.jsonify({"up": True, "host": running.config.host, "roles": running.config.roles,
                          "backends": _ask_all({"journal": running.engine.guard.check, **running.services.pings()})})


def _ask_all(pings: dict[str, Callable[[], None]]) -> dict[str, dict[str, object]]:
    """Ask every server side by side; one that takes longer than the wait is down as far as a person is concerned."""
    found: dict[str, dict[str, object]] = {}

    def ask(name: str, ping: Callable[[], None]) -> None:
        began = time.monotonic()
        try:
            ping()
            found[name] = {"up": True, "ms": round((time.monotonic() - began) * 1000, 1)}
        except CeoError as error:
            found[name] = {"up": False, "error": error.message}
        except Exception as error:
            found[name] = {"up": False, "error": type(error).__name__}

    threads = [threading.Thread(target=ask, args=item, daemon=True) for item in pings.items()]
    for thread in threads:
        thread.start()
    until = time.monotonic() + _WAIT_S
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return {name: dict(found.get(name, {"up": False, "error": f"no answer within {_WAIT_S} s"})) for name in pings}


@route(blueprint, "GET", "/whoami", role=None, operation="whoami", gives=WhoAmI)
def whoami() -> flask.Response:
    """Show who you are to ceod, and your roles."""
    who, running = caller(), ceod()
    roles = sorted(w.name.lower() for w in standing(who, running.services.directory))
    return flask.jsonify({"principal": who.principal, "uid": who.uid, "host": who.host, "standing": roles})
