"""Mailing lists."""

from __future__ import annotations

import re

import flask

from ceo_common.errors import Invalid, NotFound
from ceo_common.model import names as name_rules
from ceod.api.requests import ceod, route

blueprint = flask.Blueprint("mailman", __name__)

_LIST = re.compile(r"[a-z0-9][a-z0-9_.+-]{0,63}")


@route(blueprint, "POST", "/mailman/<list_name>/<uid>", role="mail", operation="mailman.subscribe", subject="uid")
def subscribe(list_name: str, uid: str) -> flask.Response:
    """Subscribe an account's address to a list."""
    running = ceod()
    problems = []
    if not _LIST.fullmatch(list_name):
        problems.append({"field": "list", "message": "not a list's name"})
    if problem := name_rules.username_problem(uid):
        problems.append({"field": "uid", "message": problem})
    if problems:
        raise Invalid("the request has problems", problems=problems)
    if running.services.directory.person(uid) is None:
        raise NotFound(f"there is no account {uid}")
    assert running.services.mailman is not None
    running.services.mailman.subscribe(list_name, f"{uid}@{running.config.domain}")
    return flask.jsonify({"list": list_name, "uid": uid, "subscribed": True})
