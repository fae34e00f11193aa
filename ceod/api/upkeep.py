"""What is done to many accounts at once: expiry, reminders, programs.  Each has a rehearsal, ?dry_run."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime

import flask
from flask import request

from ceo_common.errors import Busy, CeoError, Changed, NotFound
from ceo_common.model.change import Change
from ceo_common.model.upkeep import Count, ExpiryPlan, ProgramPlan, UpdatePrograms
from ceod.api.requests import allow, answer, bind_as_caller, ceod, is_rehearsal, parsed, route, transact
from ceod.auth import states
from ceod.operations import expire_members, lapsed, remind_members, update_programs
from ceod.operations.planned_changes import expiry_changes, reminder_changes
from ceod.operations.private import Private
from ceod.services.entry import People, Person
from ceod.transaction.record import OptionalNames
from ceod.transaction.step import Json

blueprint = flask.Blueprint("upkeep", __name__)


@route(blueprint, "POST", "/members/expire", role="admin", operation="member.expire",
       states=states.NO_ACCOUNT, decide=False, takes=Count, streams=True, writes=True,
       rehearsal=ExpiryPlan, rehearses_without=True)
def expire() -> flask.Response:
    """Expire those whose last term and grace month are over, a limited number at once; `count` is the number that the dry run gave.

    Accounts that another transaction holds are left out.  Never more are expired than `count`, and
    fewer only by those that are left out.
    """
    running, now = ceod(), datetime.now(UTC)
    allow("member.expire.rehearse" if is_rehearsal() else "member.expire")
    told = parsed(Count) if request.content_length or not is_rehearsal() else None
    directory, zone, at_once = (
        running.services.directory,
        running.config.time_zone,
        running.config.members.expire_at_once,
    )
    due = lapsed.to_expire(directory, zone, now)
    chosen, held_before = lapsed.choose(due, running.engine.record.held(), at_once)
    if told is None or is_rehearsal():
        day = int(now.timestamp() // expire_members.DAY_S)
        changes = expiry_changes(running.services, [person.uid for person in chosen], day)
        return _plan(due, chosen, held_before, now, changes)

    planned = [person.uid for person in chosen]
    locks = OptionalNames(tuple(f"account:{uid}" for uid in planned))

    def prepare() -> Json:
        left_out = held_before | {
            name.removeprefix("account:"): reason for name, reason in locks.held.items()
        }
        # Those who were locked, and nobody else: who renewed just before that is not among them any more.
        people = directory.people_named(
            [uid for uid in planned if uid not in left_out], lapsed.ATTRIBUTES
        )
        some = [uid for uid in planned if uid in people and lapsed.is_due(people[uid], zone, now)]
        if not some:
            raise _nobody("due", left_out)
        if not len(some) <= told.count <= len(some) + len(left_out):
            raise Changed(
                f"{len(some)} accounts would be expired, not {told.count}: look again with ?dry_run",
                count=len(some),
                left_out=left_out,
            )
        return {
            "accounts": some,
            "day": int(time.time() // expire_members.DAY_S),
            "now": now.timestamp(),
            "left_out": left_out,
        }

    return transact(expire_members.EXPIRE_MEMBERS, lambda: Private(bind_as_caller()), subject=f"{told.count} accounts",
                    names=("expire",), told=told.model_dump(), prepare=prepare, optional=locks)


@route(blueprint, "POST", "/members/remindexpire", role="admin", operation="member.remind",
       states=states.NO_ACCOUNT, streams=True, rehearsal=ExpiryPlan)
def remind() -> flask.Response:
    """Remind members in their grace month by mail, each once and a limited number a day."""
    running, now = ceod(), datetime.now(UTC)

    def plan() -> tuple[People, list[Person], dict[str, str]]:
        due, room = remind_members.plan(running.services, running.engine.record, now)
        return due, *lapsed.choose(due, running.engine.record.held(), room)

    def prepare() -> Json:
        due, chosen, left_out = plan()
        if not chosen:
            raise (
                NotFound(f"{len(due)} are due, and today's mails are used up")
                if due and not left_out
                else _nobody("due", left_out)
            )
        return remind_members.arguments(chosen, running.config.time_zone, now) | {
            "left_out": left_out
        }

    if is_rehearsal():
        due, chosen, left_out = plan()
        changes = reminder_changes(running.services, [person.uid for person in chosen])
        return _plan(due, chosen, left_out, now, changes)
    return transact(remind_members.REMIND_MEMBERS, Private, subject="members", names=("remind",), told=None, prepare=prepare)


def _plan(
    due: People,
    chosen: list[Person],
    left_out: dict[str, str],
    now: datetime,
    changes: Iterable[Change],
) -> flask.Response:
    return answer(
        ExpiryPlan(
            due=len(due),
            count=len(chosen),
            members=[lapsed.shown(person, now) for person in chosen],
            changes=list(changes),
            left_out=left_out,
            broken=len(due.broken),
        )
    )


def _nobody(what: str, left_out: dict[str, str]) -> CeoError:
    """The refusal of a run that has nothing to do, or nothing that it can do now."""
    if not left_out:
        return NotFound(f"nobody is {what}")
    message = (
        f"everybody who is {what} is in another transaction: {', '.join(left_out)}; try again later"
    )
    return Busy(message, left_out=left_out, retry_after=10)


@route(blueprint, "POST", "/uwldap/updateprograms", role="admin", operation="program.update",
       states=states.MEMBERS, takes=UpdatePrograms, streams=True, writes=True,
       rehearsal=ProgramPlan)
def programs() -> flask.Response:
    """Update programs from the university's directory, for everybody or for those named."""
    running, told = ceod(), parsed(UpdatePrograms)
    if is_rehearsal():
        return answer(
            update_programs.plan(running.services, told.members, running.engine.record.held())
        )

    def prepare() -> Json:
        # Who is in another transaction is left out, but nobody is locked: a program changes only from
        # what was read, so that what somebody else does meanwhile is not overwritten, and at a term's
        # start this is about most members.
        plan = update_programs.plan(running.services, told.members, running.engine.record.held())
        if not plan.changes and plan.left_out:
            raise _nobody("to be updated", plan.left_out)
        if not plan.changes:
            raise NotFound(f"{plan.looked_at} members were looked at, and no program changed")
        return {
            "changes": [
                {"uid": change.uid, "old": change.old or "", "new": change.new}
                for change in plan.changes
            ],
            "left_out": plan.left_out,
        }

    return transact(update_programs.UPDATE_PROGRAMS, lambda: Private(bind_as_caller()), subject="programs", names=("programs",),
                    told=told.model_dump(), prepare=prepare)
