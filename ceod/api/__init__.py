"""The REST API: create_app() and one blueprint a noun."""

from __future__ import annotations

import dataclasses
import os

import flask

from ceo_common.client import BODY_LIMIT
from ceo_common.config import DAEMON_FILE, Daemon, load_daemon
from ceod import runtime
from ceod.services.all import Services


def create_app(config: Daemon | None = None, services: Services | None = None) -> flask.Flask:
    """The one place that wires ceod.

    Without a config it loads $CEOD_CONFIG, else /etc/csc/ceod.toml, and starts at once: that is `flask run`, for which alone
    FLASK_ENV=development or --debug means development mode.  Raises ConfigError, CannotStart.
    """
    own_config = config is None
    if config is None:
        config = load_daemon(os.environ.get("CEOD_CONFIG", DAEMON_FILE))
        if os.environ.get("FLASK_ENV") == "development" or flask.helpers.get_debug_flag():
            config = dataclasses.replace(config, development=True)
    app = flask.Flask("ceod", static_folder=None)
    app.url_map.merge_slashes = False  # //api is 404, not a redirect
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.config["MAX_CONTENT_LENGTH"] = BODY_LIMIT
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.extensions["ceod"] = runtime.Runtime(config, services)

    from ceod.api.requests import install  # noqa: PLC0415 - it imports this package

    install(app)
    register(app)
    if own_config:
        runtime.start(app)
    return app


def register(app: flask.Flask) -> None:
    """Every blueprint, by name."""
    # They import this package.
    from ceod.api import databases, doctor, groups, health, library, log, mailman, members, openapi, search, transactions, upkeep, uwldap  # noqa: PLC0415

    for module in (health, openapi, members, doctor, search, upkeep, groups, uwldap, mailman, databases, library, transactions, log):
        app.register_blueprint(module.blueprint, url_prefix="/api")
