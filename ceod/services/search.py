"""Finding members in the directory: the question as a filter, and a page of what is found, sorted.

The people index (ceod/people_index) answers the same questions sooner and finds more; the directory
is asked where the index is away or behind.

slapd keeps no order and its paged results (RFC 2696) belong to one connection, which the next request does not have.  So the sort keys
of all that fits are read first, by paged results, and then the entries of one page; the place in the list is a key, not a number, so
that a member who is added meanwhile shifts nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ceod.services import ldap_names as names
from ceod.services.directory import Directory
from ceod.services.entry import People, Person

BEST = "best"
#: Begins what the best are sorted by here: the people index sorts them otherwise.
FROM_DIRECTORY = "d"
SORTS = {"uid": "uid", "name": "cn", "program": "program", "uid_number": "uidNumber", BEST: "cn"}

Key = tuple[str, str]  # what it is sorted by, and the username


@dataclass(frozen=True)
class Question:
    """What one knows; all of it has to hold."""

    uid: str | None = None
    name: str | None = None
    term: str | None = None
    group: str | None = None
    program: str | None = None
    position: str | None = None
    text: str | None = None  # whatever one knows, as one types it

    def fits(self, person: Person) -> bool:
        """Whether the username has what was asked for: the filter takes a second uid for it, too."""
        return self.uid is None or self.uid.lower() in person.uid

    def filter(self) -> str:
        """In LDAP's words, the group left out: entries do not tell theirs."""
        parts = ["(|(objectClass=member)(objectClass=club))"]
        if self.uid:
            parts.append(names.contains("uid", self.uid))
        if self.name:
            parts.append(names.heard("cn", self.name))
        if self.term:
            parts.append(names.any_of(names.equals("term", self.term), names.equals("nonMemberTerm", self.term)))
        if self.program:
            parts.append(names.contains("program", self.program))
        parts += [_any_field(word) for word in (self.text or "").split()]
        if self.position:
            parts.append(names.equals("position", self.position))
        return names.all_of(*parts)


def _any_field(word: str) -> str:
    """A word of whatever one knows."""
    return names.any_of(
        names.contains("uid", word),
        names.heard("cn", word),
        names.contains("program", word),
        names.equals("term", word),
        names.equals("nonMemberTerm", word),
        *([names.equals("uidNumber", word)] if word.isascii() and word.isdigit() else []),
    )


@dataclass(frozen=True)
class Page:
    """`last` is the key of the last one, None when nobody comes after."""

    people: People
    found: int
    last: Key | None


def page(directory: Directory, question: Question, *, sort: str, size: int, after: Key | None) -> Page:
    """The members behind `after`, `size` of them at most.  Raises BackendDown."""
    attribute, mark = SORTS[sort], FROM_DIRECTORY if sort == BEST else ""
    matching = _matching(directory, question, ["uid", attribute])
    keys = sorted((mark + sort_key(person, attribute), person.uid) for person in matching)
    wanted = [key for key in keys if after is None or key > after]
    some = wanted[:size]
    people = directory.people_named([uid for _, uid in some])
    shown = People((people[uid] for _, uid in some if uid in people), matching.broken)
    return Page(shown, len(keys), some[-1] if len(wanted) > size else None)


def sort_key(person: Person, attribute: str) -> str:
    """What a list is sorted by, before the username."""
    value = person.one(attribute)
    return value.zfill(10) if attribute == "uidNumber" else value.casefold()


def _matching(directory: Directory, question: Question, attributes: list[str]) -> People:
    if question.group is None:
        return _those(directory.people_with(question.filter(), attributes), question, None)
    inside = directory.members_of(question.group)
    if not inside:
        return People()
    if question == Question(group=question.group):
        named = directory.people_named(inside, attributes)
        people = People(named.values(), named.broken.values())
    else:
        people = directory.people_with(question.filter(), attributes)
    return _those(people, question, set(inside))


def _those(people: People, question: Question, inside: set[str] | None) -> People:
    """Those who fit; of the broken entries, those whose name is in the group where one is asked."""

    def is_meant(person: Person) -> bool:
        listed = bool(person.classes & {"member", "club"})
        return listed and (inside is None or person.uid in inside)

    return People(
        (person for person in people if is_meant(person) and question.fits(person)),
        filter(is_meant, people.broken),
    )


def every(directory: Directory, question: Question) -> Iterator[People]:
    """All that fit, a page at a time, as the directory gives them.  Raises BackendDown."""
    inside = None if question.group is None else set(directory.members_of(question.group))
    for people in directory.people_pages(question.filter()):
        yield _those(people, question, inside)
