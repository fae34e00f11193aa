"""Remind those in their grace month to renew, each once a term."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from ceod.operations import lapsed
from ceod.operations.private import Private
from ceod.services import smtp
from ceod.services.all import Services
from ceod.services.entry import People, Person
from ceod.transaction.record import Record
from ceod.transaction.step import Bulk, Json, Operation, Turn

NAME = "remind_members"
_REMEMBERED_S = 120 * 86400.0  # longer than any grace month
_DAY_S = 86400.0


def plan(services: Services, record: Record, now: datetime) -> tuple[People, int]:
    """Who is to be reminded and was not for this lapse, and how many mails this day still has room for."""
    before = record.arguments_since(NAME, now.timestamp() - _REMEMBERED_S)
    reminded = {(item["uid"], item["last_term"]) for _, told in before for item in told["accounts"]}
    over = lapsed.to_remind(services.directory, services.config.time_zone, now)
    due = over.those(lambda person: (person.uid, str(person.last_term)) not in reminded)
    return due, room(before, now.timestamp(), services.config.members.remind_a_day)


def room(before: list[tuple[float, Json]], now: float, a_day: int) -> int:
    """How many more mails may go, after those of the last 24 hours."""
    return max(0, a_day - sum(len(told["accounts"]) for created, told in before if created > now - _DAY_S))


def arguments(people: list[Person], zone: str, now: datetime) -> Json:
    """What is journaled before the first mail."""
    return {"now": now.timestamp(), "accounts": [
        {"uid": person.uid, "cn": person.one("cn"), "last_term": str(person.last_term), "is_rep": not person.attributes.get("term"),
         "expires_on": lapsed.grace_ends_at(person.last_term, zone).date().isoformat()} for person in people if person.last_term]}


class Remind(Bulk[Services]):
    """The mails."""

    name, backend = "reminders", smtp.BACKEND

    def items(self, turn: Turn[Services]) -> list[Any]:
        """As they were listed."""
        return list(turn.facts["accounts"])

    def batch(self, turn: Turn[Services], items: list[Any]) -> dict[str, str]:
        """Those who did not renew meanwhile; may come twice after a crash, under one Message-ID."""
        tools, now = turn.tools, datetime.fromtimestamp(turn.facts["now"], ZoneInfo("UTC"))
        people = tools.directory.people_named([item["uid"] for item in items], lapsed.ATTRIBUTES)
        over = {uid for uid, person in people.items() if person.expires is None and lapsed.is_over(person, tools.config.time_zone, now)}
        mailer, domain = tools.admin_host.smtp, tools.config.domain
        refused = mailer.send_all(
            [
                mailer.mail(
                    "reminder",
                    f"{item['uid']}@{domain}",
                    f"{turn.transaction}.reminder.{item['uid']}",
                    **item,
                )
                for item in items
                if item["uid"] in over
            ]
        )
        left_out = [item["uid"] for item in items if item["uid"] not in over]
        return {uid: people.fault(uid) or "renewed or gone meanwhile" for uid in left_out} | {
            address.partition("@")[0]: why for address, why in refused.items()
        }


def _result(facts: Json) -> Json:
    done, failed = Remind().outcome(facts)
    return {"reminded": done, "failed": failed, "left_out": facts.get("left_out", {})}


REMIND_MEMBERS: Operation[Services, Private] = Operation(
    name=NAME, version=1, before=(), after=(Remind(),), bulk=True, result=_result,
)
