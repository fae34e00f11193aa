"""Mailing those whose membership is over and whose account is not expired yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ceo.tui.screens.doing import Outcome
from ceo.tui.screens.rehearsal import WHO, Rehearsal, counted, left_out, outcome_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ceo.tui.widgets.page import Record
    from ceo.tui.widgets.safe import Markup
    from ceo_common.client import Client
    from ceo_common.events import Event

Json = dict[str, Any]


class Reminders(Rehearsal):
    """One mail for each lapse, and only so many mails a day."""

    title = "Remind members"
    about = ("Members whose last term is over, but not the month after it: each gets one mail that says when the account expires.  "
             "Nobody gets a second mail about the same lapse, and ceod sends only so many mails a day.")
    columns = WHO
    empty = "There is nobody to remind now."

    def rehearse(self, client: Client) -> Json:
        """Who gets a mail."""
        return client.reminders()

    def told(self, rows: list[Json]) -> str:
        """How many, of how many."""
        due, count, missing = self.plan["due"], self.plan["count"], left_out(self.plan)
        if due and not count and not missing:
            return f"{counted(due, 'member is', 'members are')} to be reminded, but today's mails are used up; tomorrow there are more."
        if not rows:
            return missing.strip()
        more = f", {count} of them today" if due > count else ""
        return f"{counted(due, 'member is', 'members are')} to be reminded{more}.{missing}"

    def last_look(self) -> tuple[Sequence[Markup | Record], str]:
        """How many mails go."""
        count = self.plan["count"]
        return ([f"{counted(count, 'mail goes', 'mails go')} out, to the members that were listed.", "", "A mail that is sent can't be taken back."],
                f"Enter sends {counted(count, 'mail', 'mails')}.")

    def begin(self, client: Client, key: str) -> Iterator[Event]:
        """Send them."""
        return client.remind_members(key)

    def outcome(self, result: Json) -> Outcome:
        """How many, and who was not."""
        return outcome_of(result, "reminded")
