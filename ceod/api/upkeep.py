"""What is done to many accounts at once: expiry, reminders, programs.  Each has a rehearsal, ?dry_run."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import flask
from flask import request

from ceo_common.errors import Changed, NotFound
from ceo_common.model.upkeep import Count, ExpiryPlan, ProgramPlan, UpdatePrograms
from ceod.api.requests import allow, answer, bind_as_caller, ceod, is_rehearsal, parsed, route, transact
from ceod.operations import expire_members, lapsed, remind_members, update_programs
from ceod.operations.private import Private
from ceod.services.directory import Person
from ceod.transaction.step import Json

blueprint = flask.Blueprint("upkeep", __name__)


@route(blueprint, "POST", "/members/expire", role="admin", operation="member.expire", decide=False, takes=Count, streams=True, writes=True,
       rehearsal=ExpiryPlan, rehearses_without=True)
def expire() -> flask.Response:
    """Expire those whose last term and grace month are over, a limited number at once; `count` is what the rehearsal told."""
    running, now = ceod(), datetime.now(UTC)
    allow("member.expire.rehearse" if is_rehearsal() else "member.expire")
    told = parsed(Count) if request.content_length or not is_rehearsal() else None
    if told is None or is_rehearsal():
        return _plan(lapsed.to_expire(running.services.directory, running.config.time_zone, now), running.config.members.expire_at_once, now)

    directory, zone = running.services.directory, running.config.time_zone
    planned = [person.uid for person in lapsed.to_expire(directory, zone, now)[:running.config.members.expire_at_once]]

    def prepare() -> Json:
        # Those who were locked, and nobody else: who renewed just before that is not among them any more.
        people = directory.people_named(planned, lapsed.ATTRIBUTES)
        some = [uid for uid in planned if uid in people and lapsed.is_due(people[uid], zone, now)]
        if not some:
            raise NotFound("nobody is due")
        if len(some) != told.count:
            raise Changed(f"{len(some)} accounts would be expired, not {told.count}: look again with ?dry_run", count=len(some))
        return {"accounts": some, "day": int(time.time() // expire_members.DAY_S), "now": now.timestamp()}

    return transact(expire_members.EXPIRE_MEMBERS, lambda: Private(bind_as_caller()), subject=f"{told.count} accounts",
                    names=("expire", *(f"account:{uid}" for uid in planned)), told=told.model_dump(), prepare=prepare)


@route(blueprint, "POST", "/members/remindexpire", role="admin", operation="member.remind", streams=True, rehearsal=ExpiryPlan)
def remind() -> flask.Response:
    """Mail those in their grace month, each once and a limited number a day."""
    running, now = ceod(), datetime.now(UTC)

    def prepare() -> Json:
        due, room = remind_members.plan(running.services, running.engine.record, now)
        if not due[:room]:
            raise NotFound(f"{len(due)} are due, and today's mails are used up" if due else "nobody is due")
        return remind_members.arguments(due[:room], running.config.time_zone, now)

    if is_rehearsal():
        due, room = remind_members.plan(running.services, running.engine.record, now)
        return _plan(due, room, now)
    return transact(remind_members.REMIND_MEMBERS, Private, subject="members", names=("remind",), told=None, prepare=prepare)


def _plan(people: list[Person], at_once: int, now: datetime) -> flask.Response:
    some = people[:at_once]
    return answer(ExpiryPlan(due=len(people), count=len(some), members=[lapsed.shown(person, now) for person in some]))


@route(blueprint, "POST", "/uwldap/updateprograms", role="admin", operation="program.update", takes=UpdatePrograms, streams=True, writes=True,
       rehearsal=ProgramPlan)
def programs() -> flask.Response:
    """Bring programs up to what the university says; of everybody, or of those named."""
    running, told = ceod(), parsed(UpdatePrograms)
    if is_rehearsal():
        return answer(update_programs.plan(running.services, told.members))

    def prepare() -> Json:
        plan = update_programs.plan(running.services, told.members)
        if not plan.changes:
            raise NotFound(f"{plan.looked_at} members were looked at, and no program changed")
        return {"changes": [change.model_dump() for change in plan.changes]}

    return transact(update_programs.UPDATE_PROGRAMS, lambda: Private(bind_as_caller()), subject="programs", names=("programs",),
                    told=told.model_dump(), prepare=prepare)
