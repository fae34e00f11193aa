"""The university's directory, for filling in a form."""

from __future__ import annotations

import flask

from ceo_common.errors import NotFound
from ceo_common.model.upkeep import UwPerson
from ceod.api.requests import answer, ceod, route

blueprint = flask.Blueprint("uwldap", __name__)


@route(blueprint, "GET", "/uwldap/<uid>", role="admin", operation="uwldap.read", gives=UwPerson)
def get(uid: str) -> flask.Response:
    """Name and program of somebody at the university."""
    person = ceod().services.admin_host.uwldap.person(uid)
    if person is None:
        raise NotFound(f"the university's directory does not know {uid!r}")
    return answer(UwPerson.model_validate({"uid": uid.lower(), **person}))
