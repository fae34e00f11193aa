"""Expire the accounts of those whose membership is over: in the directory, in the KDC, on the members' list."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from ceo_common.errors import NotFound
from ceod.operations import lapsed
from ceod.operations.lists import leave_for_good
from ceod.operations.private import Private
from ceod.services import mailman
from ceod.services.all import Services
from ceod.services.ldap_connection import Change
from ceod.transaction.step import Bulk, Json, Operation, Turn

DAY_S = 86400


class ExpireAccounts(Bulk[Services]):
    """shadowExpire and the principal's expiry, which say the same moment."""

    name = "accounts"

    def items(self, turn: Turn[Services]) -> list[Any]:
        """As the rehearsal listed them."""
        return list(turn.facts["accounts"])

    def batch(self, turn: Turn[Services], items: list[Any]) -> dict[str, str]:
        """Those that are due still: who renewed meanwhile is left alone, who was expired before a crash is not expired again."""
        tools, day = turn.tools, str(turn.facts["day"])
        now = datetime.fromtimestamp(turn.facts["now"], ZoneInfo("UTC"))
        people = tools.directory.people_named(items, lapsed.ATTRIBUTES)
        failed = {
            uid: people.fault(uid) or "there is no such account any more"
            for uid in items
            if uid not in people
        }
        done = [uid for uid, person in people.items() if person.one("shadowExpire") == day]
        due = {person.dn: person for person in people.values() if lapsed.is_due(person, tools.config.time_zone, now)}
        failed |= {
            uid: "renewed, deleted or expired meanwhile"
            for uid, person in people.items()
            if uid not in done and person.dn not in due
        }
        with tools.directory.writing(turn.private and turn.private.connection) as connection:
            refused = connection.change_all(
                [
                    # What is there is 0 or less, which is no expiry (shadow(5)).
                    (dn, [Change("shadowExpire", tuple(person.attributes.get("shadowExpire", [])), (day,))])
                    for dn, person in due.items()
                ]
            )
        failed |= {due[dn].uid: error.message for dn, error in refused.items()}
        for uid in [*done, *(person.uid for person in due.values() if person.uid not in failed)]:
            try:
                tools.admin_host.kadmin.expire(uid, int(day) * DAY_S)
            except NotFound as error:
                failed[uid] = error.message
        return failed


class LeaveMembersList(Bulk[Services]):
    """The members' mailing list."""

    name, backend = "mailing list", mailman.BACKEND

    def items(self, turn: Turn[Services]) -> list[Any]:
        """The same."""
        return list(turn.facts["accounts"])

    def batch(self, turn: Turn[Services], items: list[Any]) -> dict[str, str]:
        """Those that are expired still."""
        directory, faults = turn.tools.directory, dict[str, str]()

        def expired(uids: list[str]) -> list[str]:
            people = directory.people_named(uids, lapsed.ATTRIBUTES)
            faults.update({uid: fault for uid in people.broken if (fault := people.fault(uid))})
            return [uid for uid, person in people.items() if person.one("shadowExpire")]

        opened = leave_for_good(turn.tools, turn.tools.config.members.list, items, expired)
        return faults | dict.fromkeys(opened, "put on the list since")


def _result(facts: Json) -> Json:
    done, failed = ExpireAccounts().outcome(facts)
    return {
        "expired": done,
        "failed": failed,
        "left_out": facts.get("left_out", {}),
        "day": facts["day"],
    }


EXPIRE_MEMBERS: Operation[Services, Private] = Operation(
    name="expire_members", version=1, before=(), after=(ExpireAccounts(), LeaveMembersList()), bulk=True, result=_result,
)
