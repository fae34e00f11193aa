"""What menu and command line both do with members."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ceo.progress import Show, follow
from ceo_common import terms
from ceo_common.client_config import Client as Settings
from ceo_common.errors import Invalid, NotFound
from ceo_common.events import Event
from ceo_common.model import names

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]


def create_member(client: Client, member: Json, show: Show, key: str | None = None) -> Event:
    """Sign somebody up.  Raises the server's refusals, Aborted, OutcomeUnknown."""
    return follow(client.add_member(member, key), show)


def reset_password(client: Client, uid: str, show: Show) -> Event:
    """Give somebody a temporary password."""
    return follow(client.reset_password(uid), show)


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


def form_problems(uid: str, cn: str, program: str, count: str, addresses: str) -> dict[str, str]:
    """What is wrong with a sign-up form, by field; the server's rules and the desk's (a username of at least 3 characters)."""
    found = {
        "uid": names.username_problem(uid) or ("a username here has at least 3 characters" if len(uid) < 3 else None),
        "cn": names.full_name_problem(cn, uid),
        "program": names.text_problem(program, "the program"),
        "terms": None if count.isascii() and count.isdigit() and 1 <= int(count) <= 3 * terms.YEARS_AHEAD else
        f"a number of terms from 1 to {3 * terms.YEARS_AHEAD}",
        "forwarding_addresses": next((problem for address in split(addresses) if (problem := names.address_problem(address))), None),
    }
    return {field: problem for field, problem in found.items() if problem}


def split(addresses: str) -> list[str]:
    """Addresses separated by commas or blanks."""
    return addresses.replace(",", " ").split()


def by_field(error: Invalid) -> dict[str, str]:
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
        ("Forwarding", ", ".join(member["forwarding_addresses"] or [])),
        ("State", "deleted" if member["deleted"] else "expired" if member["expired"] else None),
        ("Kind", "club" if member["is_club"] else None),
    ]
    return [(name, value) for name, value in rows if value]
