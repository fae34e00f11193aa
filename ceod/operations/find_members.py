"""Find members: in the people index, or in the directory where the index can't answer."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TypeVar

from ceo_common.errors import Changed
from ceod.operations import lapsed
from ceod.people_index.finding import PeopleIndex, Unusable
from ceod.services import search
from ceod.services.all import Services
from ceod.services.entry import People
from ceod.services.search import Key, Page, Question

T = TypeVar("T")
Answer = tuple[T, str | None]  # and why it is not the index's: "behind", "away" or None


def page(
    services: Services, question: Question, *, sort: str, size: int, after: Key | None
) -> Answer[Page]:
    """The members behind `after`, `size` of them at most.  Raises BackendDown, Changed."""

    def in_index(index: PeopleIndex) -> Page:
        inside, now = _inside(services, question), datetime.now(UTC)
        return index.page(question, inside, sort=sort, size=size, after=after, now=now)

    def in_directory() -> Page:
        _check_order(sort, after)
        return search.page(services.directory, question, sort=sort, size=size, after=after)

    return _first(services, in_index, in_directory)


def every(services: Services, question: Question) -> Answer[Iterator[People]]:
    """All that fit, some at a time; the first are read before this returns.  Raises BackendDown."""

    def in_index(index: PeopleIndex) -> Iterator[People]:
        inside = _inside(services, question)
        return _begun(index.every(question, inside, now=datetime.now(UTC)))

    return _first(services, in_index, lambda: _begun(search.every(services.directory, question)))


def near(services: Services, uid: str, cn: str, zone: str, now: datetime) -> Answer[People]:
    """Who may be meant by a new sign-up.  Raises BackendDown."""
    people, state = _first(
        services,
        lambda index: index.members_like(uid, cn),
        lambda: lapsed.members_like(services.directory, uid, cn),
    )
    return lapsed.near(people, uid, cn, zone, now), state


def _first(
    services: Services, in_index: Callable[[PeopleIndex], T], in_directory: Callable[[], T]
) -> Answer[T]:
    index = services.people_index
    try:
        if index is None:
            raise Unusable("away")
        index.catch_up(services.directory)
        return in_index(index), None
    except Unusable as error:
        return in_directory(), error.state


def _check_order(sort: str, after: Key | None) -> None:
    """Raises Changed: the page before came from the index, which sorts the best otherwise."""
    is_ours = after is None or after[0].startswith(search.FROM_DIRECTORY)
    if sort == search.BEST and not is_ours:
        raise Changed("the people index came or went since the page before: search again")


def _inside(services: Services, question: Question) -> set[str] | None:
    """The members of the group, which the directory is asked for: entries do not tell theirs."""
    if question.group is None:
        return None
    return set(services.directory.members_of(question.group))


def _begun(pages: Iterator[People]) -> Iterator[People]:
    """The same; what is away shows here, and not in the middle of an answer."""
    first = list(itertools.islice(pages, 1))
    return itertools.chain(first, pages)
