"""Who may do what, as data: ceod enforces it, the menu greys by it, and a test holds it against the routes."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from enum import Enum


class Who(Enum):
    """What somebody is towards the thing they ask for; the value is how a sentence names them."""

    ANYONE = "anyone"
    SIGNED_IN = "anyone with a ticket"
    SELF = "the account's owner"
    CLUB = "the club's own members"
    OFFICE = "office staff"
    SYSCOM = "the systems committee"
    HOST = "the club's own hosts"
    DATABASE_HOST = "the database host"
    TIMER = "the host's own timer"
    FRESH = "the office worker who signed the account up within the last hour, while its password is unused"


@dataclass(frozen=True)
class Rule:
    """`what` completes the sentence "Only X may ..."."""

    what: str
    allowed: frozenset[Who]

    def allows(self, standing: Set[Who]) -> bool:
        """Whether somebody of this standing may."""
        return bool(self.allowed & standing)

    def sentence(self) -> str:
        """The rule in words."""
        names = [who.value for who in Who if who in self.allowed]
        return f"Only {', '.join(names[:-1])}{' and ' if names[1:] else ''}{names[-1]} may {self.what}."


def _rule(what: str, *allowed: Who) -> Rule:
    return Rule(what, frozenset(allowed))


_STAFF = (Who.OFFICE, Who.SYSCOM)

RULES: dict[str, Rule] = {
    "health": _rule("see whether ceod is up", Who.ANYONE),
    "health.full": _rule("see how each server behind ceod is", Who.SIGNED_IN),
    "whoami": _rule("see who they are here", Who.SIGNED_IN),
    "member.read": _rule("look a member up", Who.SIGNED_IN),
    "uwldap.read": _rule("look somebody up in the university's directory", Who.SIGNED_IN),
    "member.forwarding.read": _rule("see forwarding addresses", Who.SELF, *_STAFF),
    "member.add": _rule("add a member or a club representative", *_STAFF),
    "member.pwreset": _rule("reset a password", Who.SYSCOM, Who.FRESH),
    "mailman.subscribe": _rule("subscribe an account to a list", Who.SELF, Who.HOST, *_STAFF),
    "transactions.read": _rule("see a transaction", Who.SELF, Who.SYSCOM),
    "transactions.list": _rule("list transactions", Who.SIGNED_IN),
    "transactions.resume": _rule("resume a transaction", Who.SELF, Who.SYSCOM),
    "transactions.abandon": _rule("abandon a transaction", Who.SYSCOM),
}
