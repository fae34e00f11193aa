"""Mailing lists."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import flask
from flask import request

from ceo_common.errors import BackendDown, CeoError, Exists, Invalid, NotFound, Overtaken, WrongState
from ceo_common.model import names as name_rules
from ceo_common.model.change import added, changed, removed
from ceo_common.model.service import MailingList, MailingLists, MailNames, Subscription, Subscriptions, Unsubscribe, Unsubscribed
from ceo_common.model.transaction import Rehearsal
from ceo_common.permissions import Who
from ceod.api.requests import answer, audit, caller, ceod, is_rehearsal, parsed, rehearsed, route
from ceod.auth import states
from ceod.auth.caller import standing
from ceod.operations.wishes import Newest, Wishes
from ceod.services.mail_aliases import alias_names
from ceod.services.mailman import Mailman
from ceod.services.missing_names import no_account, not_there

blueprint = flask.Blueprint("mailman", __name__)

_WISHED = {"wished": "when it was asked for, in seconds since 1970: the newest request wins; for the club's own hosts"}
_WAITING = {"waiting": "also the lists whose moderator has to agree first"}
# They see every list, and their word is enough for a list that has a moderator.
_APPROVED = {Who.HOST, Who.OFFICE, Who.SYSCOM}
_LIST = re.compile(r"[a-z0-9][a-z0-9_.+-]{0,63}")


@route(blueprint, "GET", "/mailman", role="mail", operation="mailman.list", gives=MailingLists)
def every_list() -> flask.Response:
    """Every mailing list, with the groups that it follows from; one that is not advertised is for staff."""
    behind = ceod().config.groups.behind
    sees_all = bool(standing(caller(), ceod().services.directory) & _APPROVED)
    rows = (
        MailingList(list=row.name, members=row.members, groups=tuple(behind(row.name)))
        for row in _mailman().all_lists(advertised=not sees_all)
    )
    return answer(MailingLists(lists=tuple(rows)))


@route(blueprint, "GET", "/mailman/<uid>", role="mail", operation="mailman.read", subject="uid", gives=Subscriptions, query=_WAITING)
def lists(uid: str) -> flask.Response:
    """Show the lists that an account's address is on."""
    _check_account(uid)
    lists = _mailman().lists_of(_address(uid))
    waiting = _mailman().waiting_lists(_address(uid)) if "waiting" in request.args else None
    # Our own hosts ask about those who are gone.
    if not lists and caller().host is None and ceod().services.directory.person_unchecked(uid) is None:
        raise no_account(ceod().services.directory, uid)
    return answer(Subscriptions(uid=uid, lists=lists, waiting=waiting))


@route(blueprint, "GET", "/mail/names", role="mail", operation="mail.names", gives=MailNames)
def mail_names() -> flask.Response:
    """Show which names before the @ are mailing lists or aliases: nobody else can have them."""
    settings = ceod().config.mailman
    assert settings is not None
    aliases = sorted(alias_names(settings.aliases))
    return answer(MailNames(lists=_mailman().list_names(), aliases=aliases))


@route(blueprint, "POST", "/mailman/<list_name>/<uid>", role="mail", operation="mailman.subscribe",
       states=states.OPEN, subject="uid", gives=Subscription, query=_WISHED, rehearsal=Rehearsal)
def subscribe(list_name: str, uid: str) -> flask.Response:
    """Subscribe an account's address to a list; who subscribes to a moderated list needs its moderator's consent."""
    _check_list(list_name)
    _check_account(uid)
    wished = _wished()
    _check_group(list_name, [uid], joins=True)
    approved = bool(standing(caller(), ceod().services.directory) & _APPROVED)
    if is_rehearsal():
        _newer(list_name, [uid], joins=True, wished=wished).refuse_overtaken("taken off")
        joins = _mailman().check_joining(list_name, _address(uid), approved=approved)
        name = list_name if joins else f"{list_name}, once its moderator agrees"
        changes = added("mailing list", uid, [name])
        return rehearsed("mailman.subscribe", uid, changes, f"subscribe {_address(uid)} to {list_name}")
    with _carried_out(
        "mailman.subscribe", list_name, [uid], joins=True, wished=wished, approved=approved
    ) as outcome:
        outcome.refuse_overtaken("taken off")
        done = _mailman().subscribe(list_name, _address(uid), approved=approved)
        outcome.word = "done" if done else "held"
    return answer(Subscription(list=list_name, uid=uid, subscribed=done, held=not done))


@route(blueprint, "DELETE", "/mailman/<list_name>/<uid>", role="mail", operation="mailman.unsubscribe",
       states=states.EVERY, subject="uid", gives=Subscription, query=_WISHED, rehearsal=Rehearsal)
def unsubscribe(list_name: str, uid: str) -> flask.Response:
    """Remove an account's address from a list; the account may be gone already."""
    _check_list(list_name)
    _check_account(uid)
    wished = _wished()
    _check_group(list_name, [uid], joins=False)
    if is_rehearsal():
        _newer(list_name, [uid], joins=False, wished=wished).refuse_overtaken("put on")
        _mailman().check_leaving(list_name, _address(uid))
        changes = removed("mailing list", uid, [list_name])
        return rehearsed("mailman.unsubscribe", uid, changes, f"take {_address(uid)} off {list_name}")
    with _carried_out("mailman.unsubscribe", list_name, [uid], joins=False, wished=wished) as outcome:
        outcome.refuse_overtaken("put on")
        left = _mailman().unsubscribe_all(list_name, [_address(uid)])
        outcome.word = "done" if left else "nothing to do"
    if not left:
        raise NotFound(f"{_address(uid)} is not on the list {list_name}")
    return answer(Subscription(list=list_name, uid=uid, subscribed=False))


@route(blueprint, "DELETE", "/mailman/<list_name>", role="mail", operation="mailman.unsubscribe.many",
       states=states.EVERY, takes=Unsubscribe, gives=Unsubscribed, query=_WISHED, rehearsal=Rehearsal)
def unsubscribe_many(list_name: str) -> flask.Response:
    """Remove many addresses from a list at once; those that are not on it are ignored."""
    told = parsed(Unsubscribe)
    _check_list(list_name)
    _check_names(told.uids)
    wished = _wished()
    _check_group(list_name, told.uids, joins=False)
    if is_rehearsal():
        uids = _newer(list_name, told.uids, joins=False, wished=wished).uids
        addresses = _mailman().addresses_on(list_name)
        on_it = [uid for uid in dict.fromkeys(uids) if _address(uid) in addresses]
        changes = [changed("mailing list", uid, list_name, None) for uid in on_it]
        return rehearsed("mailman.unsubscribe", list_name, changes, f"take those of {len(told.uids)} addresses off {list_name} that are on it")
    with _carried_out("mailman.unsubscribe", list_name, told.uids, joins=False, wished=wished) as outcome:
        _mailman().unsubscribe_all(list_name, [_address(uid) for uid in outcome.uids])
    return answer(Unsubscribed(list=list_name, uids=len(outcome.uids), overtaken=tuple(outcome.overtaken)))


def _wished() -> float | None:
    """When our own host's transaction was committed that asks; None for a wish of now.  Raises Invalid."""
    text = request.args.get("wished")
    if text is None:
        return None
    if caller().host is None:
        raise Invalid("only the club's own hosts may say when something was asked for",
                      problems=[{"field": "wished", "message": "for the club's own hosts"}])
    if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,6})?", text):
        raise Invalid("wished has to be seconds since 1970", problems=[{"field": "wished", "message": "not a time"}])
    return float(text)


def _check_group(list_name: str, uids: list[str], *, joins: bool) -> None:
    """Of a list that follows from a group the group says who is on it: people change nothing by hand but what differs from that.

    A group that is not in the directory says nothing.  Raises WrongState.
    """
    directory = ceod().services.directory
    if caller().host is not None:
        return
    members = {
        name: directory.uids_in(group)
        for name in ceod().config.groups.behind(list_name)
        if (group := directory.group(name))
    }
    if not members:
        return
    groups, inside = list(members), {uid for uids in members.values() for uid in uids}
    wrong = [uid for uid in uids if (uid in inside) != joins]
    if not wrong:
        return
    named, behind = ", ".join(wrong), " or ".join(groups)
    what_to_do = f"put {named} into the group" if joins else f"take {named} out of the group"
    message = f"the list {list_name} belongs to the group {behind}: {what_to_do}"
    raise WrongState(message, groups=groups)


@dataclass
class _Outcome:
    list_name: str
    uids: list[str]  # those for whom nobody wished otherwise since
    overtaken: list[str]
    word: str = "done"

    def refuse_overtaken(self, done: str) -> None:
        """Of one account: raises Overtaken where somebody wished otherwise later."""
        for uid in self.overtaken:
            message = f"{uid} was {done} the list {self.list_name} after this was asked for"
            raise Overtaken(message)


def _newer(list_name: str, uids: list[str], *, joins: bool, wished: float | None) -> _Outcome:
    """For whom the wish would come too late; nothing is noted."""
    wishes = Wishes(ceod().engine.journal)
    overtaken = wishes.newer(list_name, uids, joins=joins, at=wished)
    return _Outcome(list_name, [uid for uid in uids if uid not in overtaken], overtaken)


@contextlib.contextmanager
def _carried_out(
    operation: str,
    list_name: str,
    uids: list[str],
    *,
    joins: bool,
    wished: float | None,
    approved: bool = False,
) -> Iterator[_Outcome]:
    """Note the wish before Mailman is asked, and what people did in the audit log.

    The wish stands also while Mailman is away: what waits elsewhere since before comes too late.
    Two requests about one account may meet in Mailman in either order, so the newer one is looked
    for afterwards.
    """
    wishes = Wishes(ceod().engine.journal)
    wish = wishes.make(list_name, uids, joins=joins, at=wished, approved=approved)
    outcome = _Outcome(list_name, wish.uids, wish.overtaken)
    try:
        yield outcome
    except (Exists, BackendDown) as error:
        _audit(operation, list_name, uids, "failed" if isinstance(error, BackendDown) else "nothing to do")
        raise
    except CeoError:
        wishes.take_back(wish)
        raise
    _audit(operation, list_name, uids, outcome.word)
    if newer := wishes.overtaken(wish):
        _undo(list_name, newer, joined=joins)


def _undo(list_name: str, newer: dict[str, Newest], *, joined: bool) -> None:
    """Do what was wished while we did the opposite, as far as who wished it may."""
    if joined:
        _mailman().unsubscribe_all(list_name, [_address(uid) for uid in newer])
        return
    for uid, wish in newer.items():
        with contextlib.suppress(Exists):
            _mailman().subscribe(list_name, _address(uid), approved=wish.approved)


def _audit(operation: str, list_name: str, uids: list[str], outcome: str) -> None:
    """What people did; what our hosts do stands in the log of the transaction that asks."""
    if caller().host is None:
        subject = uids[0] if len(uids) == 1 else f"{len(uids)} accounts"
        audit(operation, subject, outcome, list=list_name, **({} if len(uids) == 1 else {"uids": uids}))


def _mailman() -> Mailman:
    found = ceod().services.mailman
    assert found is not None
    return found


def _address(uid: str) -> str:
    return f"{uid}@{ceod().config.domain}"


def _check_account(uid: str) -> None:
    """Raises NotFound where nobody can have this name."""
    if name_rules.username_problem(uid):
        raise no_account(ceod().services.directory, uid)


def _check_list(list_name: str) -> None:
    """Raises NotFound where no list can have this name; BackendDown."""
    if not _LIST.fullmatch(list_name):
        raise not_there("list", list_name, lambda name: name in _mailman().list_names())


def _check_names(uids: Iterable[str]) -> None:
    """Raises Invalid."""
    problems = [
        {"field": "uids", "message": f"{uid!r}: {found}"}
        for uid in uids
        if (found := name_rules.username_problem(uid))
    ]
    if problems:
        raise Invalid("the request has problems", problems=problems)
