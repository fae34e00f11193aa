"""A value that a write changes, as its dry run shows it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydantic import Field

from ceo_common.model.wire import Wire


class Change(Wire):
    """One value that would change: `what` of `of` is `old` and becomes `new`.

    A value that is new has no `old`, one that goes away has no `new`.  Where someone or something has
    several values of a kind (terms, groups, mailing lists), each that comes or goes is a Change of
    its own.  A secret is never among the values: words stand for it.
    """

    what: str = Field(examples=["login shell"])
    of: str = Field(examples=["jdoe"])  # an account, a group, a book, a mailing list
    old: str | None = Field(examples=["/bin/bash"])
    new: str | None = Field(examples=["/bin/zsh"])


def changed(what: str, of: str, old: str | None, new: str | None) -> Change:
    """One value; an empty one is none."""
    return Change(what=what, of=of, old=old or None, new=new or None)


def added(what: str, of: str, values: Iterable[str | None]) -> Iterator[Change]:
    """Each value that comes; empty ones are none."""
    return (changed(what, of, None, value) for value in values if value)


def removed(what: str, of: str, values: Iterable[str | None]) -> Iterator[Change]:
    """Each value that goes; empty ones are none."""
    return (changed(what, of, value, None) for value in values if value)
