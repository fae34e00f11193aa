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
    STARTER = "whoever started it"
    CLUB = "the club's own members"
    OFFICE = "office staff"
    SYSCOM = "the systems committee"
    HOST = "the club's own hosts"
    DATABASE_HOST = "the database host"
    TIMER = "the club's nightly job"
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
        if self.allowed & {Who.ANYONE, Who.SIGNED_IN}:
            return f"{names[0].capitalize()} may {self.what}."
        return f"Only {', '.join(names[:-1])}{' and ' if names[1:] else ''}{names[-1]} may {self.what}."


def _rule(what: str, *allowed: Who) -> Rule:
    return Rule(what, frozenset(allowed))


_STAFF = (Who.OFFICE, Who.SYSCOM)

RULES: dict[str, Rule] = {
    "health": _rule("see whether ceod is up", Who.ANYONE),
    "health.full": _rule("see how each server behind ceod is", Who.SIGNED_IN),
    "description": _rule("read what this API can do", Who.ANYONE),
    "whoami": _rule("see who they are to ceod", Who.SIGNED_IN),
    "member.read": _rule("look members up", Who.SIGNED_IN),
    "group.read": _rule("look groups up", Who.SIGNED_IN),
    "position.read": _rule("see who holds which position", Who.SIGNED_IN),
    "uwldap.read": _rule("look somebody up in the university's directory", Who.SIGNED_IN),
    "member.lapsed": _rule("look for lapsed members", *_STAFF),
    "member.expired": _rule("see whose account is expired", *_STAFF),
    "member.inactive": _rule("see who has been no member for some terms", *_STAFF),
    "member.forwarding.read": _rule("see forwarding addresses", Who.SELF, *_STAFF),
    "member.add": _rule("add a member or a club representative", *_STAFF),
    "member.renew": _rule("renew a member or a club representative", *_STAFF),
    "member.shell": _rule("change a login shell", Who.SELF, Who.SYSCOM),
    "member.forwarding": _rule("change forwarding addresses", Who.SELF, *_STAFF),
    "member.forwarding.syscom": _rule("change the forwarding addresses of somebody of the systems committee", Who.SELF, Who.SYSCOM),
    "member.pwreset": _rule("reset a password", Who.SYSCOM, Who.FRESH),
    "member.delete": _rule("delete an account", Who.SYSCOM),
    "member.restore": _rule("restore a deleted account", Who.SYSCOM),
    "member.purge": _rule("purge an account", Who.SYSCOM),
    "member.examine": _rule("examine an account", *_STAFF),
    "homes.left": _rule("see which temporary homes were left", Who.SIGNED_IN),
    "directory.examine": _rule("examine the directory", *_STAFF),
    "member.mend": _rule("repair an account", Who.SYSCOM),
    "member.expire": _rule("expire accounts", Who.SYSCOM),
    "member.expire.rehearse": _rule("see which accounts would expire", Who.SYSCOM, Who.TIMER),
    "member.remind": _rule("remind members to renew", Who.SYSCOM, Who.TIMER),
    "program.update": _rule("update programs from the university's directory", Who.SYSCOM),
    "club.read": _rule("look clubs up", Who.SIGNED_IN),
    "club.add": _rule("create a club", Who.SYSCOM),
    "group.add": _rule("create a group", Who.SYSCOM),
    "group.change": _rule("change who is in a group", Who.SYSCOM),
    "position.change": _rule("change who holds which position", Who.SYSCOM),
    "database.read": _rule("see which databases an account has", Who.SELF, Who.CLUB, Who.HOST, *_STAFF),
    "database.list": _rule("see every name that has a database", Who.SYSCOM, Who.HOST),
    "database.change": _rule("create a database or reset its password", Who.SELF, Who.CLUB, Who.SYSCOM),
    "database.login": _rule("check the password of a database", Who.HOST),
    "database.info": _rule("write the file with the password of a database", Who.DATABASE_HOST),
    "library.read": _rule("look books up", Who.SIGNED_IN),
    "library.add": _rule("add books to the library", *_STAFF),
    "library.lend": _rule("lend books", *_STAFF),
    "library.return": _rule("take books back", *_STAFF),
    "library.renew": _rule("renew a loan", Who.SELF, *_STAFF),
    "library.renew.overdue": _rule("renew an overdue loan", *_STAFF),
    "library.undo": _rule("undo what they did to a loan within the last minute", Who.SIGNED_IN),
    "library.loans": _rule("see all loans", *_STAFF),
    "library.overdue": _rule("see which books are overdue", *_STAFF),
    "library.loans.own": _rule("see the loans of one person", Who.SELF, *_STAFF),
    "library.remind": _rule("mail those with overdue books", Who.SYSCOM, Who.TIMER),
    "mail.names": _rule("see which names mail knows", Who.HOST, *_STAFF),
    "mailman.list": _rule("see which mailing lists there are", Who.SIGNED_IN),
    "mailman.read": _rule("see which lists an account is on", Who.SELF, Who.HOST, *_STAFF),
    "mailman.subscribe": _rule("subscribe an account to a list", Who.SELF, Who.HOST, *_STAFF),
    "mailman.unsubscribe": _rule("take an account off a list", Who.SELF, Who.HOST, *_STAFF),
    "mailman.unsubscribe.many": _rule("take many accounts off a list", Who.HOST, *_STAFF),
    "transactions.read": _rule("see a transaction", Who.STARTER, Who.SYSCOM),
    "transactions.list": _rule("list transactions", Who.SIGNED_IN),
    "transactions.resume": _rule("resume a transaction", Who.STARTER, Who.SYSCOM),
    "transactions.resume.bulk": _rule("resume a change of many accounts", Who.SYSCOM),
    "transactions.abandon": _rule("abandon a transaction", Who.SYSCOM),
    "log.verify": _rule("check the audit log's chain", Who.SYSCOM),
    "log.read": _rule("see what they did themselves", Who.SIGNED_IN),
}
