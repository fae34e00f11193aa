"""Mailing lists."""

from __future__ import annotations

import re

import flask

from ceo_common.errors import Invalid
from ceo_common.model import names as name_rules
from ceo_common.model.service import Subscription, Subscriptions, Unsubscribe, Unsubscribed
from ceo_common.model.transaction import Rehearsal
from ceo_common.permissions import Who
from ceod.api.requests import answer, caller, ceod, is_rehearsal, parsed, rehearsed, route
from ceod.auth import states
from ceod.auth.caller import standing
from ceod.services.mailman import Mailman

blueprint = flask.Blueprint("mailman", __name__)

_LIST = re.compile(r"[a-z0-9][a-z0-9_.+-]{0,63}")


@route(blueprint, "GET", "/mailman/<uid>", role="mail", operation="mailman.read", subject="uid", gives=Subscriptions)
def lists(uid: str) -> flask.Response:
    """The lists that an account's address is on."""
    _check(uid=uid)
    return answer(Subscriptions(uid=uid, lists=_mailman().lists_of(_address(uid))))


@route(blueprint, "POST", "/mailman/<list_name>/<uid>", role="mail", operation="mailman.subscribe",
       states=states.OPEN, subject="uid", gives=Subscription,
       rehearsal=Rehearsal)
def subscribe(list_name: str, uid: str) -> flask.Response:
    """Subscribe an account's address to a list; of one's own accord, a list that is moderated asks its moderator."""
    _check(list_name, uid)
    approved = bool(standing(caller(), ceod().services.directory) & {Who.HOST, Who.OFFICE, Who.SYSCOM})
    if is_rehearsal():
        _mailman().check_joining(list_name, _address(uid), approved=approved)
        return rehearsed("mailman.subscribe", uid, f"subscribe {_address(uid)} to {list_name}")
    done = _mailman().subscribe(list_name, _address(uid), approved=approved)
    return answer(Subscription(list=list_name, uid=uid, subscribed=done, held=not done))


@route(blueprint, "DELETE", "/mailman/<list_name>/<uid>", role="mail", operation="mailman.unsubscribe",
       states=states.EVERY, subject="uid", gives=Subscription,
       rehearsal=Rehearsal)
def unsubscribe(list_name: str, uid: str) -> flask.Response:
    """Take an account's address off a list; the account may be gone already."""
    _check(list_name, uid)
    if is_rehearsal():
        _mailman().check_leaving(list_name, _address(uid))
        return rehearsed("mailman.unsubscribe", uid, f"take {_address(uid)} off {list_name}")
    _mailman().unsubscribe(list_name, _address(uid))
    return answer(Subscription(list=list_name, uid=uid, subscribed=False))


@route(blueprint, "DELETE", "/mailman/<list_name>", role="mail", operation="mailman.unsubscribe",
       states=states.EVERY, takes=Unsubscribe, gives=Unsubscribed,
       rehearsal=Rehearsal)
def unsubscribe_many(list_name: str) -> flask.Response:
    """Take many addresses off a list at once; one that is not on it needs not leave."""
    told = parsed(Unsubscribe)
    _check(list_name, *told.uids)
    if is_rehearsal():
        _mailman().check_list(list_name)
        return rehearsed("mailman.unsubscribe", list_name, f"take those of {len(told.uids)} addresses off {list_name} that are on it")
    _mailman().unsubscribe_all(list_name, [_address(uid) for uid in told.uids])
    return answer(Unsubscribed(list=list_name, uids=len(told.uids)))


def _mailman() -> Mailman:
    found = ceod().services.mailman
    assert found is not None
    return found


def _address(uid: str) -> str:
    return f"{uid}@{ceod().config.domain}"


def _check(list_name: str | None = None, *uids: str, uid: str | None = None) -> None:
    """Raises Invalid."""
    problems = [{"field": "list", "message": "not a list's name"}] if list_name is not None and not _LIST.fullmatch(list_name) else []
    problems += [{"field": "uid", "message": f"{name!r}: {found}"} for name in (*uids, *([uid] if uid is not None else []))
                 if (found := name_rules.username_problem(name))]
    if problems:
        raise Invalid("the request has problems", problems=problems)
