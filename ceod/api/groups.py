"""Groups, clubs and positions."""

from __future__ import annotations

import time

import flask

from ceo_common.errors import NotFound
from ceo_common.model import names as name_rules
from ceo_common.model.group import (
    Club,
    Clubs,
    ClubSummary,
    Group,
    Groups,
    GroupSummary,
    NewClub,
    NewGroup,
    NewPositions,
    Positions,
)
from ceod.api.requests import answer, bind_as_caller, ceod, parsed, route, transact
from ceod.auth import states
from ceod.operations import change_group, names, set_positions
from ceod.operations.add_club import ADD_CLUB
from ceod.operations.add_group import ADD_GROUP
from ceod.operations.private import Private
from ceod.services import entry
from ceod.services.missing_names import no_account, no_club, no_group
from ceod.transaction.step import Json

blueprint = flask.Blueprint("groups", __name__)


@route(blueprint, "GET", "/groups", role="admin", operation="group.read", gives=Groups)
def listed() -> flask.Response:
    """The groups, without each account's own group."""
    directory = ceod().services.directory
    groups, broken = directory.shared_groups(ceod().config.numbers.members)
    rows = [
        GroupSummary(
            cn=group.cn, gid_number=group.number or 0, members=len(directory.uids_in(group))
        )
        for group in groups
    ]
    return answer(Groups(groups=rows, broken=broken))


@route(blueprint, "GET", "/groups/<cn>", role="admin", operation="group.read", gives=Group)
def get(cn: str) -> flask.Response:
    """The members of a group, and the groups and lists that belong to it."""
    config, group = ceod().config.groups, _group(cn)
    return answer(
        Group(
            cn=group.cn,
            gid_number=group.number,
            members=ceod().services.directory.uids_in(group),
            lists=config.lists.get(cn, []),
            implies=config.implied_by(cn)[1:],
        )
    )


@route(blueprint, "POST", "/groups", role="admin", operation="group.add",
       states=states.NEW, takes=NewGroup, streams=True, writes=True)
def add() -> flask.Response:
    """Create a group."""
    running, told = ceod(), parsed(NewGroup)

    def prepare() -> Json:
        taken = running.services.names_elsewhere.ask([told.cn])
        names.check_free(told.cn, running.services, running.engine.record, taken, field="cn")
        return {"uid": told.cn, "warnings": taken.warnings}

    return transact(ADD_GROUP, lambda: Private(bind_as_caller()), subject=told.cn, names=(f"account:{told.cn}", f"group:{told.cn}"),
                    told=told.model_dump(), prepare=prepare)


@route(blueprint, "POST", "/groups/<cn>/members/<uid>", role="admin", operation="group.change",
       states=states.ACTIVE, streams=True, writes=True)
def join(cn: str, uid: str) -> flask.Response:
    """Add somebody to a group, and to the groups and lists that belong to it."""
    return _change(cn, uid, join=True)


@route(blueprint, "DELETE", "/groups/<cn>/members/<uid>", role="admin", operation="group.change",
       states=states.EVERY, streams=True, writes=True)
def leave(cn: str, uid: str) -> flask.Response:
    """Remove somebody from a group, and from what belongs to that group alone."""
    return _change(cn, uid, join=False)


def _change(cn: str, uid: str, *, join: bool) -> flask.Response:
    running = ceod()
    _group(cn)
    person = (
        None
        if name_rules.username_problem(uid)
        else running.services.directory.person_unchecked(uid)
    )
    if join and person:
        person.check()
    # Who left the club badly may still stand in a group: taking them out needs no account.
    if person is None and (join or name_rules.username_problem(uid)):
        raise no_account(ceod().services.directory, uid)
    return transact(change_group.CHANGE_GROUP, lambda: Private(bind_as_caller()), subject=uid,
                    names=change_group.names_locked(running.config.groups, cn, uid), told=None,
                    prepare=lambda: change_group.plan(running.services, cn, uid, join=join))


def _group(cn: str) -> entry.Group:
    group = None if name_rules.username_problem(cn) else ceod().services.directory.group(cn)
    if group is None:
        raise no_group(ceod().services.directory, cn)
    return group


@route(blueprint, "GET", "/clubs", role="admin", operation="club.read", gives=Clubs)
def clubs() -> flask.Response:
    """The clubs, by username."""
    directory, now = ceod().services.directory, time.time()
    people = directory.people_with("(objectClass=club)")
    members = directory.members_by_group([club.uid for club in people])
    rows = [
        ClubSummary(
            uid=club.uid,
            cn=club.one("cn"),
            members=len(members.get(club.uid, [])),
            expired=club.is_expired(now),
            deleted=club.is_deleted,
        )
        for club in sorted(people, key=lambda club: club.uid)
    ]
    return answer(Clubs(clubs=rows, broken=len(people.broken)))


@route(blueprint, "GET", "/clubs/<uid>", role="admin", operation="club.read", gives=Club)
def get_club(uid: str) -> flask.Response:
    """One club, and who may act as it."""
    directory = ceod().services.directory
    club = None if name_rules.username_problem(uid) else directory.person(uid)
    if club is None:
        raise no_club(directory, uid)
    if not club.is_club:
        raise NotFound(f"there is no club {uid!r}: {uid} is the account of a person")
    return answer(
        Club(
            uid=club.uid,
            cn=club.one("cn"),
            uid_number=club.number,
            home_directory=club.one("homeDirectory"),
            members=ceod().services.directory.members_of(uid),
            expired=club.is_expired(time.time()),
            deleted=club.is_deleted,
        )
    )


@route(blueprint, "POST", "/clubs", role="admin", operation="club.add",
       states=states.NEW, takes=NewClub, streams=True, writes=True)
def add_club() -> flask.Response:
    """Create a club: an account without a password, its group, the group's right to act as it, a shared home."""
    running, told = ceod(), parsed(NewClub)

    def prepare() -> Json:
        taken = running.services.names_elsewhere.ask([told.uid])
        names.check_free(told.uid, running.services, running.engine.record, taken)
        return {**told.model_dump(), "warnings": taken.warnings}

    return transact(ADD_CLUB, lambda: Private(bind_as_caller()), subject=told.uid, names=(f"account:{told.uid}", f"group:{told.uid}"),
                    told=told.model_dump(), prepare=prepare)


@route(blueprint, "GET", "/positions", role="admin", operation="position.read", gives=Positions)
def positions() -> flask.Response:
    """Show who holds each position."""
    running = ceod()
    config = running.config.positions
    people = set_positions.with_positions(running.services.directory)
    return answer(
        Positions(
            positions=set_positions.by_position(people, config),
            required=config.required,
            broken=len(people.broken),
        )
    )


@route(blueprint, "POST", "/positions", role="admin", operation="position.change",
       states=states.ACTIVE, takes=NewPositions, streams=True, writes=True)
def change_positions() -> flask.Response:
    """Set who holds each position; one that is not named does not change, an empty list means nobody."""
    running, wanted = ceod(), parsed(NewPositions).root
    names_locked = set_positions.names_locked(running.services, wanted)
    return transact(set_positions.SET_POSITIONS, lambda: Private(bind_as_caller()), subject="positions", names=names_locked, told=wanted,
                    prepare=lambda: set_positions.plan(running.services, wanted))
