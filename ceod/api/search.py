"""Finding members: by what one knows of them, a page at a time or all of them; and those whose membership is over."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import flask
from flask import request

from ceo_common.errors import CeoError, Invalid
from ceo_common.model import names as name_rules
from ceo_common.model.member import LapsedMembers, MemberPage
from ceo_common.terms import Term
from ceod.api import json_body
from ceod.api.members import shown
from ceod.api.requests import answer, ceod, number, route
from ceod.operations import find_members, lapsed
from ceod.services import search
from ceod.services.entry import People

blueprint = flask.Blueprint("search", __name__)

PAGE_LIMIT = 1000
_QUESTION = {
    "uid": "part of the username", "name": "the full name, a part of it, or how it sounds", "term": "registered for this term, of either kind",
    "group": "in this group", "program": "part of the program", "position": "holds this position",
    "text": "whatever one knows, as one types it: parts of the name, the username, the program, a"
    " term, a number, a state; with up to one typing error in a word",
}
_QUERY = _QUESTION | {
    "sort": f"one of {', '.join(search.SORTS)}; uid by default, and with text best",
    "size": f"how many a page, up to {PAGE_LIMIT}; 50 by default",
    "after": "the `next` of the page before", "stream": "all of them, one a line and in no order; the last line says that the list is complete",
}


@route(blueprint, "GET", "/members", role="admin", operation="member.read", gives=MemberPage, query=_QUERY)
def members() -> flask.Response:
    """Find members who match every filter."""
    question, services = _question(), ceod().services
    if "stream" in request.args:
        pages, state = find_members.every(services, question)
        return flask.Response(_lines(pages, state), mimetype="application/x-ndjson")
    page, state = find_members.page(
        services,
        question,
        sort=_sort(question),
        size=number("size", 50, PAGE_LIMIT, least=1),
        after=_after(),
    )
    return answer(
        MemberPage(
            members=[shown(person) for person in page.people],
            found=page.found,
            broken=len(page.people.broken),
            next=json.dumps(page.last, ensure_ascii=True) if page.last else None,
            index=state,
        )
    )


def _lines(pages: Iterator[People], state: str | None) -> Iterator[str]:
    count = broken = 0
    try:
        for people in pages:
            count += len(people)
            broken += len(people.broken)
            for person in people:
                yield json.dumps(shown(person).model_dump(), ensure_ascii=True) + "\n"
    except CeoError as error:  # the status of the answer is sent already
        yield json.dumps(error.as_json(), ensure_ascii=True) + "\n"
        return
    yield json.dumps({"complete": True, "count": count, "broken": broken, "index": state}) + "\n"


def _question() -> search.Question:
    """Raises Invalid with every problem."""
    told = {
        name: name_rules.normal(request.args[name]) for name in _QUESTION if name in request.args
    }
    if "text" in told:  # a blank at its end is a key of a search, too
        told["text"] = told["text"].strip()
    problems = [(name, found) for name, value in told.items() if (found := name_rules.text_problem(value, name))]
    if "term" in told:
        try:
            Term.parse(told["term"])
        except ValueError as error:
            problems.append(("term", str(error)))
    if "stream" in request.args:
        problems += [(name, "a streamed list has no pages and no order") for name in ("sort", "size", "after") if name in request.args]
    if problems:
        raise Invalid("the query has problems", problems=[{"field": field, "message": message} for field, message in problems])
    return search.Question(**told)


def _sort(question: search.Question) -> str:
    sort = request.args.get("sort", "uid" if question.text is None else search.BEST)
    message = ""
    if sort not in search.SORTS:
        message = f"sort has to be one of {', '.join(search.SORTS)}"
    elif sort == search.BEST and question.text is None and question.name is None:
        message = "sort can be best where a text or a name is given"
    if message:
        raise Invalid(message, problems=[{"field": "sort", "message": message}])
    return sort


def _after() -> tuple[str, str] | None:
    if "after" not in request.args:
        return None
    try:
        key, uid = json_body.read(request.args["after"])
        if isinstance(key, str) and isinstance(uid, str):
            return key, uid
    except (ValueError, TypeError):
        pass
    raise Invalid("after has to be the `next` of a page", problems=[{"field": "after", "message": "not a `next`"}])


@route(blueprint, "GET", "/lapsed", role="admin", operation="member.lapsed", gives=LapsedMembers,
       query={"uid": "a username that somebody wants", "cn": "a full name"})
def near() -> flask.Response:
    """Before a sign-up: who has this username, and which former members have a similar name."""
    uid, cn = request.args.get("uid", ""), name_rules.normal(request.args.get("cn", ""))
    problems = [(name, found) for name, value in (("uid", uid), ("cn", cn)) if value and (found := name_rules.text_problem(value, name))]
    if not uid and not cn:
        problems.append(("uid", "give a username or a full name"))
    if problems:
        raise Invalid("the query has problems", problems=[{"field": field, "message": message} for field, message in problems])
    now = datetime.now(UTC)
    people, state = find_members.near(ceod().services, uid, cn, ceod().config.time_zone, now)
    return _told(people, now, state)


@route(blueprint, "GET", "/expired", role="admin", operation="member.expired", gives=LapsedMembers)
def expired() -> flask.Response:
    """The expired accounts, the longest expired first."""
    now = datetime.now(UTC)
    return _told(lapsed.expired(ceod().services.directory, now), now)


@route(blueprint, "GET", "/inactive", role="admin", operation="member.inactive", gives=LapsedMembers,
       query={"terms": "for how many terms, the current one counted; 1 by default"})
def inactive() -> flask.Response:
    """The people who have not been members for some terms."""
    now, terms = datetime.now(UTC), number("terms", 1, 300, least=1)
    return _told(lapsed.inactive(ceod().services.directory, terms, ceod().config.time_zone, now), now)


def _told(people: People, now: datetime, index: str | None = None) -> flask.Response:
    return answer(
        LapsedMembers(
            members=[lapsed.shown(person, now) for person in people],
            broken=len(people.broken),
            index=index,
        )
    )
