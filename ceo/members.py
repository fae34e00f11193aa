"""What menu and command line both do with members."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from ceo_common import terms
from ceo_common.client_config import Client as Settings
from ceo_common.errors import CeoError, Deleted, Exists, Invalid, LeftBehind, NotFound
from ceo_common.events import Event
from ceo_common.model import names

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]


def look_up(client: Client, uid: str) -> Json:
    """What the university knows of somebody; empty when it knows nothing."""
    if names.username_problem(uid):
        return {}
    try:
        return client.uw_person(uid)
    except NotFound:
        return {}


def near(client: Client, uid: str, cn: str) -> list[Json]:
    """Lapsed members who may be meant by a sign-up: `uid`, `cn`, `program`, `last_term`, `expired` of each."""
    if names.username_problem(uid) or names.text_problem(cn, "the full name"):
        return []
    return client.lapsed(uid=uid, cn=cn)


def next_terms(settings: Settings, member: Json, count: int) -> list[str]:
    """So many terms that somebody does not hold yet, from the current one on."""
    held = {*member["terms"], *member["non_member_terms"]}
    ahead = terms.consecutive(terms.current(settings.time_zone), count + len(held))
    return [term for term in ahead if term not in held][:count]


def new_member(
    settings: Settings, *, uid: str, cn: str, program: str, count: int | None = 1, exact: list[str] | None = None, rep: bool = False,
    addresses: list[str] | None = None, given_name: str | None = None, sn: str | None = None,
) -> Json:
    """The request's body; `count` consecutive terms from the current one, or the exact ones."""
    held = exact or terms.consecutive(terms.current(settings.time_zone), count or 1)
    body: Json = {"uid": uid, "cn": cn, "program": program, "non_member_terms" if rep else "terms": held}
    if addresses:
        body["forwarding_addresses"] = addresses
    if given_name:
        body["given_name"] = given_name
    if sn:
        body["sn"] = sn
    return body


def form_problems(settings: Settings, uid: str, cn: str, program: str, wanted: str, addresses: str) -> dict[str, str]:
    """What is wrong with a sign-up form, by field; the server's rules and the desk's (a username of at least 3 characters)."""
    found = {
        "uid": names.username_problem(uid) or ("a username here has at least 3 characters" if len(uid) < 3 else None),
        "cn": names.full_name_problem(cn, uid),
        "program": names.text_problem(program, "the program"),
        "terms": terms_problem(settings, wanted),
        "forwarding_addresses": addresses_problem(addresses),
    }
    return {field: problem for field, problem in found.items() if problem}


def dry_run(client: Client, ask: Callable[[], Iterable[Event]]) -> Json:
    """What ceod says that it would do.  Raises its refusals."""
    before, client.rehearsing = client.rehearsing, True
    try:
        (answer,) = ask()
        return dict(answer)
    finally:
        client.rehearsing = before


def username_refusal(client: Client, settings: Settings, uid: str) -> str | None:
    """Why nobody can be signed up under this name, or None: ceod is asked about the name alone."""
    if problem := names.username_problem(uid):
        return problem
    member = {"uid": uid, "cn": "Somebody Else", "program": "-", "terms": [str(terms.current(settings.time_zone))]}
    try:
        dry_run(client, lambda: client.add_member(member))
    except (Exists, Deleted, LeftBehind) as error:
        return error.message
    except Invalid as error:
        return by_field(error).get("uid")
    return None


def terms_problem(settings: Settings, wanted: str) -> str | None:
    """Why a form's terms can't be used, or None."""
    try:
        wanted_terms(settings, wanted)
    except ValueError as error:
        return str(error)
    return None


def addresses_problem(addresses: str) -> str | None:
    """Why mail can't be forwarded to these, or None."""
    return next((problem for address in split(addresses) if (problem := names.address_problem(address))), None)


def fee(settings: Settings, held: list[str], *, rep: bool) -> str:
    """What somebody pays for so many terms, in words."""
    return "free for a representative" if rep else f"${settings.fee_per_term * len(held)}"


def split(addresses: str) -> list[str]:
    """Addresses separated by commas or blanks."""
    return addresses.replace(",", " ").split()


def by_field(error: CeoError) -> dict[str, str]:
    """The server's problems, by the form's fields."""
    found: dict[str, str] = {}
    for problem in error.problems:
        field = problem["field"].partition(".")[0]
        found.setdefault("terms" if field == "non_member_terms" else field, problem["message"])
    return found


def described(member: Json) -> list[tuple[str, str]]:
    """A member as labels and texts; what is not there is left out."""
    rows: list[tuple[str, str | None]] = [
        ("Username", member["uid"]), ("Name", member["cn"]), ("Program", member["program"]), ("User number", str(member["uid_number"])),
        ("Home directory", member["home_directory"]), ("Login shell", member["login_shell"]),
        ("Member terms", ", ".join(member["terms"])), ("Rep terms", ", ".join(member["non_member_terms"])),
        ("Positions", ", ".join(member["positions"])), ("Groups", ", ".join(member["groups"])),
        ("Forwarding", _forwarding(member)),
        ("State", "deleted" if member["deleted"] else "expired" if member["expired"] else None),
        ("Kind", "club" if member["is_club"] else None),
    ]
    return [(name, value) for name, value in rows if value]


def _forwarding(member: Json) -> str:
    """Where mail goes on to; a ceod of an earlier version knows no problem."""
    problem = member.get("forwarding_problem")
    return f"not known: {problem}" if problem else ", ".join(member["forwarding_addresses"] or [])


def last_term(member: Json) -> str:
    """The last term that somebody is registered for, of either kind; empty when there is none."""
    held = [term for term in [*member["terms"], *member["non_member_terms"]] if _is_term(term)]
    return terms.in_order(held)[-1] if held else ""


def is_rep(member: Json) -> bool:
    """Whether somebody's last term is a representative's."""
    return bool(member["non_member_terms"]) and last_term(member) not in member["terms"]


def registered_note(settings: Settings, member: Json, wanted: list[str]) -> str:
    """That somebody is registered for this term, and which terms are added; empty where not.

    Whoever renews them by mistake takes the fee of a term that nobody asked for.
    """
    last = last_term(member)
    is_over = not last or terms.Term.parse(last) < terms.current(settings.time_zone)
    if is_over or {*member["terms"], *member["non_member_terms"]} & {*wanted}:
        return ""  # what is held already only becomes the other kind
    kind = "a club representative" if is_rep(member) else "a member"
    return f"{member['uid']} is {kind} until {last} already; this adds {', '.join(wanted)}."


def standing_of(member: Json, now: terms.Term) -> str:
    """A word for what is unusual about somebody: deleted, expired, club, lapsed; empty for one who is registered."""
    last = last_term(member)
    lapsed = not last or terms.Term.parse(last) < now
    return "deleted" if member["deleted"] else "club" if member["is_club"] else "expired" if member["expired"] else "lapsed" if lapsed else ""


def wanted_terms(settings: Settings, text: str, member: Json | None = None) -> list[str]:
    """What a form's terms mean: a number counts from the first term that is not held, from the current one on; or the terms themselves.

    Raises ValueError.
    """
    if text.isascii() and text.isdigit():
        if not 1 <= int(text[:3]) <= 3 * terms.YEARS_AHEAD:
            raise ValueError(f"a number of terms from 1 to {3 * terms.YEARS_AHEAD}, or the terms, such as w2027 s2027")
        return next_terms(settings, member or {"terms": [], "non_member_terms": []}, int(text[:3]))
    try:
        wanted = [str(terms.Term.parse(term)) for term in text.replace(",", " ").lower().split()]
    except ValueError as error:
        raise ValueError(f"{error}; or how many terms, such as 2") from None
    if not wanted:
        raise ValueError("how many terms?  A number, or the terms, such as w2027 s2027")
    return list(dict.fromkeys(wanted))


def check_narrowing(client: Client, query: Json) -> None:
    """Of a search without a match: raises NotFound where its group or position does not exist."""
    if "group" in query:
        client.group(query["group"])
    if "position" in query and query["position"] not in (known := client.positions()["positions"]):
        raise NotFound(f"there is no position {query['position']}; there are: {', '.join(known)}")


NARROWING = ("term", "group", "position", "program")


def search(client: Client, text: str, count: int) -> tuple[list[Json], bool]:
    """Whom a text fits by name, username, program, term or state, so many at most; is that all?

    The best come first.  Words such as term:f2026, group:office, position:librarian, program:math
    narrow it.
    """
    words, narrow = _narrowed(text)
    query = {"text": " ".join(words)} if words else {}
    page = client.members(size=count, **narrow, **query)
    return page["members"], page["found"] <= count


def _narrowed(text: str) -> tuple[list[str], dict[str, str]]:
    """The words that are searched for, and what narrows the search."""
    words: list[str] = []
    narrow: dict[str, str] = {}
    for word in text.split():
        name, colon, value = word.partition(":")
        if colon and value and name in NARROWING:
            narrow[name] = value
        else:
            words.append(word)
    return words, narrow


def _is_term(word: str) -> bool:
    try:
        terms.Term.parse(word)
    except ValueError:
        return False
    return True
