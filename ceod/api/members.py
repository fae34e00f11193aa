"""Members and club representatives, one at a time or many: add, look up, change, renew, delete, restore."""

from __future__ import annotations

import time
from typing import Any

import flask

from ceo_common.errors import BackendDown, Exists, Forbidden, Invalid, NotFound
from ceo_common.model import names as name_rules
from ceo_common.model.member import Checked, Member, MemberChange, NewMember, NewMembers, Renewal, past_terms
from ceo_common.permissions import RULES, Who
from ceo_common.terms import current, in_order
from ceod.api.requests import (
    allow,
    answer,
    bind_as_caller,
    body,
    caller,
    ceod,
    is_rehearsal,
    parsed,
    route,
    transact,
)
from ceod.auth import states
from ceod.auth.caller import standing
from ceod.operations import accounts, delete_member, modify_member, names, renew_member, restore_member
from ceod.operations.add_member import ADD_MEMBER, ADD_MEMBERS
from ceod.operations.forwarding import check_forwarding, forwarding_problems, lists_by_hand
from ceod.operations.lists_to_join import still_to_join
from ceod.operations.password import generate
from ceod.operations.planned_changes import planned_changes
from ceod.operations.private import Private
from ceod.operations.purge_member import PURGE_MEMBER
from ceod.operations.reset_password import RESET_PASSWORD, over_warnings
from ceod.services.entry import Person
from ceod.services.homes import Forward
from ceod.services.missing_names import no_account
from ceod.transaction.step import Json

blueprint = flask.Blueprint("members", __name__)

FRESH_S = 3600.0


@route(blueprint, "POST", "/members", role="admin", operation="member.add",
       states=states.NEW, takes=NewMember, streams=True, writes=True)
def add() -> flask.Response:
    """Sign somebody up."""
    running, member = ceod(), parsed(NewMember)

    def prepare() -> Json:
        taken = running.services.names_elsewhere.ask([member.uid])
        names.check_free(member.uid, running.services, running.engine.record, taken)
        check_forwarding(member.uid, member.forwarding_addresses, running.services, taken.lists)
        return {**member.model_dump(), "warnings": member.warnings(current(running.config.time_zone)) + taken.warnings}

    return transact(ADD_MEMBER, lambda: Private(bind_as_caller(), {member.uid: generate()}), subject=member.uid, names=_locked(member.uid),
                    told=member.model_dump(), prepare=prepare)


@route(blueprint, "POST", "/members/bulk", role="admin", operation="member.add",
       states=states.NEW, takes=NewMembers, streams=True, writes=True, rehearsal=Checked)
def add_many() -> flask.Response:
    """Sign many up at once: all of them, or none."""
    running, told = ceod(), parsed(NewMembers)
    rows = [member.model_dump() for member in told.members]

    def check() -> tuple[list[dict[str, str]], list[str]]:
        taken = running.services.names_elsewhere.ask([member.uid for member in told.members])
        refused = accounts.refusals(rows, lambda uid: names.check_free(uid, running.services, running.engine.record, taken))
        planned = {member.uid: member.forwarding_addresses for member in told.members}
        looping = [
            {"field": f"members.{row}.forwarding_addresses.{index}", "message": message}
            for row, (uid, addresses) in enumerate(planned.items())
            for index, message in forwarding_problems(
                uid, addresses, running.services, taken.lists, planned
            )
        ]
        return refused + looping, taken.warnings

    def prepare() -> Json:
        problems, unasked = check()
        if problems:
            raise Exists(f"{len(problems)} of {len(rows)} can't be added, so nobody was added", problems=problems)
        past = past_terms(sorted({term for member in told.members for term in member.all_terms}), current(running.config.time_zone))
        return {"members": rows, "warnings": past + unasked}

    if is_rehearsal():
        problems = check()[0]
        refused = {int(problem["field"].split(".")[1]) for problem in problems}
        good = [row for i, row in enumerate(rows) if i not in refused]
        changes = planned_changes(ADD_MEMBERS.name, running.services, {"members": good}) if good else []
        return answer(Checked(members=len(rows), problems=problems, changes=changes))
    uids = [member.uid for member in told.members]
    return transact(ADD_MEMBERS, lambda: Private(bind_as_caller(), {uid: generate() for uid in uids}), subject=f"{len(uids)} members",
                    names=tuple(f"account:{uid}" for uid in uids), told=rows, prepare=prepare)


@route(blueprint, "GET", "/members/<uid>", role="admin", operation="member.read", gives=Member)
def get(uid: str) -> flask.Response:
    """An account; its forwarding addresses only for those who may see them."""
    running = ceod()
    person = _person(uid)
    member = shown(person, running.services.directory.groups_of(person.uid))
    who = standing(caller(), running.services.directory, subject=uid)
    if Who.OFFICE in who:
        fresh = _signed_up_just_now(person.uid)
        member = member.model_copy(update={"signed_up_just_now": fresh})
    if RULES["member.forwarding.read"].allows(who):
        forward = _forward(person.uid)
        member = member.model_copy(
            update={
                "forwarding_addresses": forward.addresses,
                "forwarding_problem": forward.problem,
            }
        )
    return answer(member)


def _forward(uid: str) -> Forward:
    """Where mail goes on to, or why that is not known: a member is served whatever their home is."""
    try:
        return ceod().services.admin_host.homes.forward(uid)
    except BackendDown as error:
        return Forward(problem=error.message)


@route(blueprint, "PATCH", "/members/<uid>", role="admin", operation="member.forwarding",
       states=states.KEPT, decide=False, subject="uid", takes=MemberChange,
       streams=True, writes=True)
def patch(uid: str) -> flask.Response:
    """Change a login shell or where mail is forwarded; the forwarded ticket is needed for the shell alone."""
    running = ceod()
    directory, told = running.services.directory, _before_the_rules()
    if told.get("login_shell") is not None:
        allow("member.shell", subject=uid)
    if told.get("forwarding_addresses") is not None or told.get("login_shell") is None:
        of_syscom = not name_rules.username_problem(uid) and directory.is_in("syscom", uid)
        allow("member.forwarding.syscom" if of_syscom else "member.forwarding", subject=uid)
    change = parsed(MemberChange)

    def prepare() -> Json:
        warnings: list[str] = []
        modify_member.check(change.login_shell, running.config.members.shells)
        if change.login_shell is not None and Who.SYSCOM not in standing(caller(), directory):
            modify_member.check_expiry(_person(uid))
        if change.forwarding_addresses is not None:
            lists, warnings = lists_by_hand(change.forwarding_addresses, running.services)
            check_forwarding(uid, change.forwarding_addresses, running.services, lists)
            modify_member.check_home(uid, running.services, replace=change.replace)
        return {"uid": uid, **change.model_dump(), "warnings": warnings}

    _person(uid)
    return transact(modify_member.MODIFY_MEMBER, lambda: Private(bind_as_caller() if change.login_shell is not None else None),
                    subject=uid, names=_locked(uid), told=change.model_dump(), prepare=prepare)


def _before_the_rules() -> Json:
    """The body's fields, which decide the rule that counts; empty where the body can't be read.

    Whoever may not do this is told so first; parsed() then refuses a body that can't be read.
    """
    try:
        fields = body()
    except Invalid:
        return {}
    return fields if isinstance(fields, dict) else {}


@route(blueprint, "POST", "/members/<uid>/renew", role="admin", operation="member.renew",
       states=states.MEMBERS, takes=Renewal, streams=True, writes=True)
def renew(uid: str) -> flask.Response:
    """Renew a membership for more terms; a club representative who gets member terms becomes a member."""
    running, renewal = ceod(), parsed(Renewal)
    _person(uid)

    def prepare() -> Json:
        person, who = _person(uid), caller()
        renew_member.check(person, renewal)
        if who.uid == uid and Who.SYSCOM not in standing(who, running.services.directory):
            renew_member.check_own_expiry(person)
        return {"uid": uid, **renewal.model_dump(), "list": running.config.members.list,
                "warnings": past_terms(renewal.all_terms, current(running.config.time_zone))}

    return transact(renew_member.RENEW_MEMBER, lambda: Private(bind_as_caller()), subject=uid, names=_locked(uid), told=renewal.model_dump(),
                    prepare=prepare)


@route(blueprint, "POST", "/members/<uid>/pwreset", role="admin", operation="member.pwreset",
       states=states.MEMBERS, decide=False, streams=True)
def pwreset(uid: str) -> flask.Response:
    """Give somebody a temporary password."""
    running = ceod()
    fresh = _fresh(uid) if not name_rules.username_problem(uid) else set()
    allow("member.pwreset", subject=uid, also=fresh)
    _person(uid)

    def prepare() -> Json:
        if running.services.admin_host.kadmin.get(uid) is None:
            raise NotFound(f"{uid} has no Kerberos principal, so there is no password to reset")
        term = current(running.config.time_zone)
        return {"uid": uid, "warnings": over_warnings(_person(uid), term, time.time())}

    return transact(RESET_PASSWORD, lambda: Private(passwords={uid: generate()}), subject=uid, names=_locked(uid), told=None, prepare=prepare)


@route(blueprint, "DELETE", "/members/<uid>", role="admin", operation="member.delete",
       states=states.MEMBERS, streams=True, writes=True)
def delete(uid: str) -> flask.Response:
    """Disable an account and archive its home; its name and number stay taken, and all of it can be restored."""
    directory = ceod().services.directory
    groups = directory.groups_of(_person(uid).uid)

    def prepare() -> Json:
        delete_member.check(_person(uid), ceod().services)
        return {"uid": uid, "lists_to_join": still_to_join(ceod().engine, uid)}

    return transact(delete_member.DELETE_MEMBER, lambda: Private(bind_as_caller()), subject=uid, told=None, prepare=prepare,
                    names=(*_locked(uid), *(f"group:{name}" for name in groups)))


@route(blueprint, "POST", "/members/<uid>/restore", role="admin", operation="member.restore",
       states=states.DELETED, streams=True, writes=True)
def restore(uid: str) -> flask.Response:
    """Bring a deleted account back: home, login, groups, lists."""
    running = ceod()
    person = _person(uid)

    def prepare() -> Json:
        record = running.engine.record
        row = record.newest_of(names.DELETIONS, uid)
        is_known = row is not None and row.operation == delete_member.DELETE_MEMBER.name
        deletion = row.arguments | record.facts(row.id) if row is not None and is_known else None
        transaction = row.id if row is not None else ""
        told, warnings = restore_member.arguments(_person(uid), deletion, running.services, transaction)
        return {"uid": uid, **told, "warnings": warnings}

    return transact(restore_member.RESTORE_MEMBER, lambda: Private(bind_as_caller()), subject=uid, names=_locked(person.uid), told=None,
                    prepare=prepare)


@route(blueprint, "POST", "/members/<uid>/purge", role="admin", operation="member.purge",
       states=states.THERE, streams=True)
def purge(uid: str) -> flask.Response:
    """Remove every trace of an account, in development mode alone; its number is never given again."""
    if not ceod().config.development:
        raise Forbidden("An account is purged in development mode alone: elsewhere, delete it.", rule="development")
    return transact(PURGE_MEMBER, Private, subject=uid, names=_locked(uid), told=None,
                    prepare=lambda: {"uid": uid, "uid_number": _person(uid).number})


def _locked(uid: str) -> tuple[str, ...]:
    return (f"account:{uid}",)


def _person(uid: str) -> Person:
    """The account.  Raises NotFound."""
    person = None if name_rules.username_problem(uid) else ceod().services.directory.person(uid)
    if person is None:
        raise no_account(ceod().services.directory, uid)
    return person


def _fresh(uid: str) -> set[Who]:
    """FRESH, if the caller signed this account up within the hour and nobody used its password yet."""
    if not _signed_up_just_now(uid):
        return set()
    principal = ceod().services.admin_host.kadmin.get(uid)
    return {Who.FRESH} if principal and principal.needs_change else set()


def _signed_up_just_now(uid: str) -> bool:
    """Whether the caller signed this account up within the hour."""
    operations, since = (ADD_MEMBER.name, ADD_MEMBERS.name), time.time() - FRESH_S
    added = ceod().engine.record.committed_since(operations, caller().name, since)
    return any(row["uid"] == uid for told in added for row in accounts.accounts(told))


def shown(person: Person, groups: list[str] | None = None) -> Member:
    """As it goes over the wire."""
    values: dict[str, Any] = person.attributes
    return Member(
        uid=person.uid,
        cn=person.one("cn"),
        uid_number=person.number,
        gid_number=person.group_number,
        home_directory=person.one("homeDirectory"),
        login_shell=person.one("loginShell"),
        program=person.one("program"),
        given_name=person.one("givenName") or None,
        sn=person.one("sn") or None,
        terms=in_order(values.get("term", [])),
        non_member_terms=in_order(values.get("nonMemberTerm", [])),
        positions=sorted(values.get("position", [])),
        groups=groups,
        is_club=person.is_club,
        expired=person.is_expired(time.time()),
        deleted=person.is_deleted,
    )
