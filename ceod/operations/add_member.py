"""Add a member or a club representative, or many of them at once."""

from __future__ import annotations

from typing import Any

from ceo_common.errors import Overtaken, WrongState
from ceod.operations.accounts import AddGroups, AddUsers, BuildHomes, CreatePrincipals, SetForwarding, TakeNumbers, accounts
from ceod.operations.lists import is_held, is_open, mail_host, waits_for_moderator
from ceod.operations.private import Private
from ceod.services import mailman, smtp
from ceod.services.all import Services
from ceod.transaction.step import Bulk, Json, Later, Operation, Turn


def _still_theirs(
    turn: Turn[Services], rows: list[Json], *, open_only: bool = False
) -> tuple[list[Json], dict[str, str]]:
    """Those whose account is still the one that was added, and not deleted.

    `open_only` leaves out who is expired by now.  Also returns what is wrong with the entries that
    are broken, by their names: whose those are nobody knows.
    """
    uids = [row["uid"] for row in rows]
    people, numbers = turn.tools.directory.people_named(uids), turn.facts["numbers"]
    faults = {uid: fault for uid in uids if (fault := people.fault(uid))}
    theirs = [
        row
        for row in rows
        if (person := people.get(row["uid"]))
        and not person.is_deleted
        and person.number == numbers[row["uid"]]
        and (not open_only or is_open(person))
    ]
    return theirs, faults


class _ForTheMembers(Bulk[Services]):
    counted = False

    def items(self, turn: Turn[Services]) -> list[Any]:
        """Everybody who was added."""
        return accounts(turn.facts)


class WelcomeMail(_ForTheMembers):
    """The welcome mail to each new member."""

    name, backend = "welcome mail", smtp.BACKEND

    def batch(self, turn: Turn[Services], items: list[Any]) -> dict[str, str]:
        """May come twice after a crash, under one Message-ID."""
        mailer, domain = turn.tools.admin_host.smtp, turn.tools.config.domain
        rows, faults = _still_theirs(turn, items, open_only=True)
        refused = mailer.send_all(
            [
                mailer.mail(
                    "welcome",
                    f"{row['uid']}@{domain}",
                    _mail_id(turn, row, "welcome"),
                    **_mail_facts(turn, row),
                )
                for row in rows
            ]
        )
        return faults | {address.partition("@")[0]: why for address, why in refused.items()}


def _mail_id(turn: Turn[Services], row: Json, kind: str) -> str:
    of_many = "members" in turn.facts
    return f"{turn.transaction}.{kind}.{row['uid']}" if of_many else f"{turn.transaction}.{kind}"


class Subscribe(_ForTheMembers):
    """The mailing list of all members."""

    name, backend = "mailing list", mailman.BACKEND

    def batch(self, turn: Turn[Services], items: list[Any]) -> dict[str, str]:
        """By way of the mail host; who is on the list already stays on it, and the result tells of who may never be, or left it since."""
        rows, faults = _still_theirs(turn, items, open_only=True)
        list_name = turn.tools.config.members.list
        refused = {
            uid: f"{uid} was not put on the list {list_name}: {fault}"
            for uid, fault in faults.items()
        }
        for row in rows:
            try:
                with mail_host(turn.tools):
                    if is_held(turn.tools, list_name, row["uid"], turn.committed):
                        refused[row["uid"]] = waits_for_moderator(list_name, row["uid"])
            except (Overtaken, WrongState) as error:
                refused[row["uid"]] = error.message
        return refused


class Announce(Later[Services]):
    """The announcement to the systems committee: one mail, however many there are."""

    name, backend = "announcement", smtp.BACKEND

    def do(self, turn: Turn[Services]) -> None:
        """With the operator named."""
        config, rows = turn.tools.config, accounts(turn.facts)
        theirs, _ = _still_theirs(turn, rows)
        members = [_mail_facts(turn, row) for row in theirs]
        if members:
            turn.tools.admin_host.smtp.send("announcement", f"{config.members.announce_to}@{config.domain}",
                                            f"{turn.transaction}.announcement", members=members, operator=turn.facts["operator"])


def _mail_facts(turn: Turn[Services], row: Json) -> Json:
    return {"uid": row["uid"], "cn": row["cn"], "program": row["program"], "uid_number": turn.facts["numbers"][row["uid"]],
            "terms": row["terms"] or row["non_member_terms"], "is_rep": row["terms"] is None}


_SHOWN = ("uid", "cn", "given_name", "sn", "program", "terms", "non_member_terms", "forwarding_addresses")


def _member(facts: Json, row: Json) -> Json:
    return {name: row[name] for name in _SHOWN} | {"uid_number": facts["numbers"][row["uid"]]}


def _warnings(facts: Json) -> list[str]:
    return [*facts["warnings"], *_SUBSCRIBE.outcome(facts)[1].values()]


def _result(facts: Json) -> Json:
    """What the journal keeps of the result: everything but the password."""
    return _member(facts, facts) | {"warnings": _warnings(facts), "temporary_password": None, "temporary_password_lost": True}


def _secrets(private: Any) -> Json:
    (password,) = private.passwords.values()
    return {"temporary_password": password, "temporary_password_lost": False}


def _results(facts: Json) -> Json:
    return {"members": [_member(facts, row) for row in facts["members"]], "warnings": _warnings(facts),
            "temporary_passwords": None, "temporary_passwords_lost": True}


def _all_secrets(private: Any) -> Json:
    return {"temporary_passwords": private.passwords, "temporary_passwords_lost": False}


_BEFORE = (TakeNumbers("members"), AddUsers(), AddGroups(), CreatePrincipals(), BuildHomes(), SetForwarding())
_SUBSCRIBE = Subscribe()
_AFTER = (WelcomeMail(), _SUBSCRIBE, Announce())

ADD_MEMBER: Operation[Services, Private] = Operation(
    name="add_member", version=1, before=_BEFORE, after=_AFTER, result=_result, secrets=_secrets,
)
ADD_MEMBERS: Operation[Services, Private] = Operation(
    name="add_members", version=1, before=_BEFORE, after=_AFTER, result=_results, secrets=_all_secrets,
)
