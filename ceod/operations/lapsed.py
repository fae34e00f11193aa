"""Whose membership is over, as of when: the one place that decides who expires, who is reminded and who is asked to renew."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime, time, timedelta
from difflib import SequenceMatcher
from zoneinfo import ZoneInfo

from ceo_common.model.member import Lapsed
from ceo_common.terms import Term, current
from ceod.services import ldap_names as names
from ceod.services.directory import Directory
from ceod.services.entry import People, Person

ATTRIBUTES = ["uid", "cn", "program", "term", "nonMemberTerm", "shadowExpire", "objectClass"]
_MEMBERS = "(objectClass=member)"
_NEAR = 0.75


def ends_at(term: Term, zone: str) -> datetime:
    """The moment when a term is over: the local midnight after its last day."""
    if term.year >= 9999:  # what somebody wrote to mean for ever, and it is
        return datetime.max.replace(tzinfo=UTC)
    following = term + 1
    return datetime.combine(date(following.year, 1 + 4 * following.season, 1), time(), ZoneInfo(zone))


def grace_ends_at(term: Term, zone: str) -> datetime:
    """One calendar month later: terms end with a month, so the month after it is the grace month."""
    end = ends_at(term, zone)
    if end.year >= 9999:
        return end
    return datetime.combine((end.date() + timedelta(days=31)).replace(day=1), time(), end.tzinfo)


def is_over(person: Person, zone: str, now: datetime) -> bool:
    """The last term is over.  Who never had one has nothing that could be over."""
    return person.last_term is not None and ends_at(person.last_term, zone) <= now


def is_due(person: Person, zone: str, now: datetime) -> bool:
    """The last term is over, its grace month too, and the account is not expired yet."""
    last = person.last_term
    return person.expires is None and last is not None and grace_ends_at(last, zone) <= now


def to_expire(directory: Directory, zone: str, now: datetime) -> People:
    """Whose account is to be expired, who lapsed first coming first."""
    return _oldest_first(_living(directory).those(lambda person: is_due(person, zone, now)))


def to_remind(directory: Directory, zone: str, now: datetime) -> People:
    """Who is in the grace month."""
    return _oldest_first(
        _living(directory).those(
            lambda person: is_over(person, zone, now) and not is_due(person, zone, now)
        )
    )


def expired(directory: Directory, now: datetime) -> People:
    """Whose account is expired, and not deleted."""
    found = directory.people_with(names.all_of(_MEMBERS, "(shadowExpire=*)"), ATTRIBUTES)
    return _oldest_first(
        found.those(lambda person: person.is_expired(now.timestamp()) and not person.is_deleted)
    )


def inactive(directory: Directory, terms: int, zone: str, now: datetime) -> People:
    """Who has been no member for this many terms, the current one counted; deleted ones left out."""
    first = current(zone, now) + (1 - terms)

    def is_inactive(person: Person) -> bool:
        return not person.is_deleted and (person.last_term is None or person.last_term < first)

    return _oldest_first(directory.people_with(_MEMBERS, ATTRIBUTES).those(is_inactive))


def near(people: People, uid: str, cn: str, zone: str, now: datetime) -> People:
    """Who may be meant by a new sign-up: the same username, or a lapsed member whose name is near."""
    ranked = [
        (person.uid == uid, likeness(person.one("cn"), cn) if cn else 0.0, person)
        for person in people
        if person.uid == uid or is_over(person, zone, now)
    ]
    wanted = [row for row in ranked if row[0] or row[1] >= _NEAR]
    best = sorted(wanted, key=lambda row: (not row[0], -row[1], row[2].uid))[:20]
    return People((row[2] for row in best), people.broken)


def members_like(directory: Directory, uid: str, cn: str) -> People:
    """The members with this username, or whose name has a part or a sound of this one."""
    questions = [names.equals("uid", uid)] if uid else []
    if cn:
        questions.append(names.heard("cn", cn))
        # Each of the names by itself, for the one that is spelt another way.
        questions += [names.heard("cn", part) for part in re.findall(r"[^\W\d_]{3,}", cn)]
    if not questions:
        return People()
    return directory.people_with(names.all_of(_MEMBERS, names.any_of(*questions)), ATTRIBUTES)


def likeness(one: str, other: str) -> float:
    """How near two names are, from 0 to 1; case, accents and the order of the names do not count."""
    return SequenceMatcher(None, _plain(one), _plain(other)).ratio()


def _plain(name: str) -> str:
    bare = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    return " ".join(sorted(bare.casefold().split()))


def choose(
    due: list[Person], held: dict[str, str], at_once: int
) -> tuple[list[Person], dict[str, str]]:
    """The first `at_once` of those who are due and in no transaction; and who is left out, with why.

    `held` are the names that transactions hold.  Who is left out takes nobody's place: else accounts
    that wait for a person would keep everybody behind them from ever being done.
    """
    chosen, left_out = list[Person](), dict[str, str]()
    for person in due:
        if len(chosen) == at_once:
            break
        if reason := held.get(f"account:{person.uid}"):
            left_out[person.uid] = reason
        else:
            chosen.append(person)
    return chosen, left_out


def shown(person: Person, now: datetime) -> Lapsed:
    """As it goes over the wire."""
    last = person.last_term
    return Lapsed(uid=person.uid, cn=person.one("cn"), program=person.one("program"), last_term=str(last) if last else None,
                  expired=person.is_expired(now.timestamp()))


def _living(directory: Directory) -> People:
    """Members that are not expired."""
    return directory.people_with(_MEMBERS, ATTRIBUTES).those(lambda person: person.expires is None)


def _oldest_first(people: People) -> People:
    never = Term(0, 0)
    return People(
        sorted(people, key=lambda person: (person.last_term or never, person.uid)), people.broken
    )
