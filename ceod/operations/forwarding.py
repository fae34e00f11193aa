"""Where mail may be forwarded: not back to the account, and not to a mailing list of the club."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ceo_common.errors import CeoError, Invalid, WouldLose
from ceo_common.model import names as name_rules
from ceod.services.all import Services
from ceod.services.homes import Forward

Planned = Mapping[str, list[str]]  # addresses by username, of accounts that are about to be made
_FOLLOWED = 64  # accounts that one chain of forwarding is followed through


def lists_by_hand(addresses: list[str], services: Services) -> tuple[list[str], list[str]]:
    """Mailing lists that the configuration may not know, and a warning if nobody can say.

    The mail host is asked only where one of the addresses is the club's.
    """
    domain = services.config.domain
    if all(name_rules.club_user(address, domain) is None for address in addresses):
        return [], []
    try:
        mail = services.slow_hosts.ask(services.config.hosts.mail, services.peers.mail_names)
    except CeoError as error:
        reason = "whether mail is forwarded to a mailing list could not be asked"
        return [], [f"{reason}: {error.message}"]
    return mail["lists"], []


def check_forwarding(
    uid: str, addresses: list[str], services: Services, lists: Collection[str]
) -> None:
    """Raises Invalid with each address that mail can't be forwarded to.

    `lists` are the mailing lists that the mail host knows.
    """
    problems = [
        {"field": f"forwarding_addresses.{index}", "message": message}
        for index, message in forwarding_problems(uid, addresses, services, lists)
    ]
    if problems:
        raise Invalid(problems[0]["message"], problems=problems)


def forwarding_problems(
    uid: str,
    addresses: list[str],
    services: Services,
    lists: Collection[str],
    planned: Planned | None = None,
) -> list[tuple[int, str]]:
    """What is wrong with addresses, each by its index in the list."""
    configured = services.config.groups.lists.values()
    known = {services.config.members.list, *lists, *(name for names in configured for name in names)}
    problems = [_problem(uid, address, services, known, planned or {}) for address in addresses]
    return [(index, problem) for index, problem in enumerate(problems) if problem]


def _problem(
    uid: str, address: str, services: Services, lists: Collection[str], planned: Planned
) -> str:
    user = name_rules.club_user(address, services.config.domain)
    if user is None:
        return ""
    if user == uid:
        return f"{address} is the address of {uid}: the mail would go round and round"
    if user in lists:
        return f"{address} is a mailing list of the club: it would get all mail to {uid}"
    if _leads_back(uid, user, services, planned):
        return f"mail to {address} is forwarded back to {uid}: it would go round and round"
    return ""


def _leads_back(uid: str, user: str, services: Services, planned: Planned) -> bool:
    """Whether mail to a user reaches uid, by one account or more."""
    seen, waiting = set[str](), [user]
    while waiting and len(seen) < _FOLLOWED:
        user = waiting.pop()
        if user == uid:
            return True
        if user not in seen and not name_rules.username_problem(user):
            seen.add(user)
            waiting += _next_users(user, services, planned)
    return False


def _next_users(user: str, services: Services, planned: Planned) -> list[str]:
    """The users of the club that somebody forwards to; what can't be read leads nowhere."""
    if user in planned:
        items = planned[user]
    else:
        try:
            items = forward_items(services.admin_host.homes.forward(user))
        except CeoError:
            return []
    domain = services.config.domain
    users = (item.lower() if "@" not in item else name_rules.club_user(item, domain) for item in items)
    return [name for name in users if name]


def forward_items(forward: Forward) -> list[str]:
    """What a ~/.forward says, line by line, and of a line with commas part by part."""
    return [
        item.strip() for line in forward.addresses for item in line.split(",") if item.strip()
    ]


def lost_lines(forward: Forward) -> list[str]:
    """The lines of a ~/.forward that are no plain addresses, such as vacation, a pipe, a comment.

    ceo writes addresses alone, so a change of them loses these lines.
    """
    text = forward.text.encode(errors="surrogateescape").decode(errors="replace")
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not _is_addresses(line)]


def _is_addresses(line: str) -> bool:
    return all(
        name_rules.address_problem(item.strip()) is None for item in line.split(",") if item.strip()
    )


def check_lost(uid: str, forward: Forward, *, replace: bool) -> None:
    """Raises WouldLose with the lines, in `lost`, unless they may be replaced."""
    lost = lost_lines(forward)
    if lost and not replace:
        raise WouldLose(
            f"~/.forward of {uid} holds lines that are no plain addresses, and that would be lost: "
            + "; ".join(lost),
            uid=uid,
            lost=lost,
        )
