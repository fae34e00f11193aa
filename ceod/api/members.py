"""Members: add, look up, reset a password."""

from __future__ import annotations

import hashlib
import time

import flask

from ceo_common.errors import NotFound
from ceo_common.model import names as name_rules
from ceo_common.model.member import Member, parse_new_member
from ceo_common.permissions import RULES, Who
from ceo_common.terms import in_order
from ceod.api.requests import allow, bind_as_caller, body, caller, ceod, idempotency_key, route, stream
from ceod.auth.caller import standing
from ceod.operations import add_member, names, reset_password
from ceod.operations.password import generate
from ceod.services.directory import Person
from ceod.transaction.journal import canonical
from ceod.transaction.record import Request

blueprint = flask.Blueprint("members", __name__)

FRESH_S = 3600.0


@route(blueprint, "POST", "/members", role="admin", operation="member.add")
def add() -> flask.Response:
    """Sign somebody up."""
    running, who = ceod(), caller()
    told = body()
    member, warnings = parse_new_member(told, running.config.time_zone)
    key = idempotency_key()
    connection = bind_as_caller()
    request = Request(
        operation="add_member", version=1, caller=who.name, remote=who.address, subject=member.uid, names=(f"account:{member.uid}",),
        arguments={**member.model_dump(), "operator": who.name, "warnings": warnings},
        body_hash=hashlib.sha256(canonical(told)).hexdigest(), key=key,
    )
    try:
        known = running.engine.of_key(request)
        if known is None:
            running.engine.ensure_free(request)
            names.check_free(member.uid, running.services)
    except BaseException:
        connection.close()
        raise
    identifier, new = running.engine.begin(add_member.ADD_MEMBER, request, add_member.Private(connection, generate()))
    return stream(identifier, asked=new)


@route(blueprint, "GET", "/members/<uid>", role="admin", operation="member.read")
def get(uid: str) -> flask.Response:
    """Everything about somebody; the forwarding addresses for those who may see them."""
    running = ceod()
    person = _person(uid)
    found = standing(caller(), running.services.directory, subject=uid)
    addresses = None
    if RULES["member.forwarding.read"].allows(found):
        addresses = running.services.admin_host.homes.read_forward(uid)
    return flask.jsonify(_shown(person, running.services.directory.groups_of(uid), addresses).model_dump())


@route(blueprint, "POST", "/members/<uid>/pwreset", role="admin", operation="member.pwreset", decide=False)
def pwreset(uid: str) -> flask.Response:
    """Give somebody a temporary password."""
    running, who = ceod(), caller()
    fresh = _signed_up_just_now(uid) if not name_rules.username_problem(uid) else set()
    allow("member.pwreset", subject=uid, also=fresh)
    person = _person(uid)
    if "club" in person.attributes["objectClass"]:
        raise NotFound(f"{uid} is a club: it has no password")
    if running.services.admin_host.kadmin.get(uid) is None:
        raise NotFound(f"{uid} has no Kerberos principal, so there is no password to reset")
    request = Request(
        operation="reset_password", version=1, caller=who.name, remote=who.address, subject=uid, names=(f"account:{uid}",),
        arguments={"uid": uid, "operator": who.name}, body_hash=hashlib.sha256(uid.encode()).hexdigest(), key=idempotency_key(),
    )
    identifier, new = running.engine.begin(reset_password.RESET_PASSWORD, request, reset_password.Private(generate()))
    return stream(identifier, asked=new)


def _person(uid: str) -> Person:
    """The account.  Raises NotFound."""
    person = None if name_rules.username_problem(uid) else ceod().services.directory.person(uid)
    if person is None:
        raise NotFound(f"there is no account {uid!r}")
    return person


def _signed_up_just_now(uid: str) -> set[Who]:
    """FRESH, if the caller signed this account up within the hour and nobody used its password yet."""
    running = ceod()
    if not running.engine.record.committed_since("add_member", caller().name, uid, time.time() - FRESH_S):
        return set()
    principal = running.services.admin_host.kadmin.get(uid)
    return {Who.FRESH} if principal and principal.needs_change else set()


def _shown(person: Person, groups: list[str], addresses: list[str] | None) -> Member:
    values = person.attributes
    expires = person.one("shadowExpire")
    return Member(
        uid=person.one("uid"), cn=person.one("cn"), uid_number=int(person.one("uidNumber")), gid_number=int(person.one("gidNumber")),
        home_directory=person.one("homeDirectory"), login_shell=person.one("loginShell"), program=person.one("program"),
        given_name=person.one("givenName") or None, sn=person.one("sn") or None,
        terms=in_order(values.get("term", [])), non_member_terms=in_order(values.get("nonMemberTerm", [])),
        positions=sorted(values.get("position", [])), groups=groups, is_club="club" in values["objectClass"],
        expired=bool(expires) and int(expires) * 86400 <= time.time(), forwarding_addresses=addresses,
    )
