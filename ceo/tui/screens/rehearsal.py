"""What would be done to many accounts, as a table, before any of it is done."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ceo.tui import keys
from ceo.tui.app import App
from ceo.tui.screens.doing import Doing, Outcome
from ceo.tui.screens.listing import Listing
from ceo.tui.screens.review import Review
from ceo.tui.widgets.table import Column

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ceo.tui.widgets.page import Record
    from ceo.tui.widgets.safe import Markup
    from ceo_common.client import Client
    from ceo_common.events import Event

Json = dict[str, Any]

WHO = (Column("Username", lambda row: row["uid"], 16), Column("Name", lambda row: row["cn"]), Column("Program", lambda row: row["program"], least=70),
       Column("Last term", lambda row: row["last_term"] or "none", 9))


class Rehearsal(Listing):
    """Subclasses say what is rehearsed, what is done, and how both are told.  Rehearsed anew whenever it comes to the top."""

    role = "admin"
    opens = False

    def __init__(self, app: App) -> None:
        super().__init__(app)
        self.plan: Json = {}
        self._has_run = False  # since it was looked at

    def after_write(self) -> None:
        """Enter begins nothing: the rows are others now, and somebody has to look at them."""
        self._has_run = True

    def load(self) -> None:
        """Rehearse."""
        self.ask(self.rehearse, self._planned, self._failed)

    def _look_again(self) -> None:
        self._has_run = False
        self.load()

    def rehearse(self, client: Client) -> Json:
        """The plan; in a worker's thread."""
        raise NotImplementedError

    def rows(self, plan: Json) -> list[Json]:
        """Its rows."""
        return list(plan["members"])

    def ready(self) -> None:
        """There are rows: what can be done with them."""
        if not self._has_run:
            self.bindings[keys.LAST_LOOK] = self._last_look

    def last_look(self) -> tuple[Sequence[Markup | Record], str]:
        """What stands in the last look, and what Enter does there."""
        raise NotImplementedError

    def begin(self, client: Client, key: str) -> Iterator[Event]:
        """Do it."""
        raise NotImplementedError

    def outcome(self, result: Json) -> Outcome:
        """What came of it."""
        raise NotImplementedError

    def _planned(self, plan: Json) -> None:
        self.plan = plan
        self.empty = (
            "All accounts that are due are being changed just now."
            if plan.get("left_out")
            else type(self).empty
        )
        self.bindings = {}
        rows = self.rows(plan)
        if rows:
            self.ready()
        self.bindings[keys.AGAIN] = self._look_again
        self._show(rows)
        if rows and self._has_run:
            self.tell("hint", f"{self.told(rows)}  For another run: Ctrl-R, then Enter.")

    def _last_look(self) -> None:
        lines, question = self.last_look()
        doing = partial(Doing, self.app, self.title, self.begin, self.outcome)
        self.app.push(Review(self.app, lines, doing, question=question))


def counted(number: int, one: str, many: str) -> str:
    """A number with its noun."""
    return f"{number} {one if number == 1 else many}"


def outcome_of(result: Json, did: str) -> Outcome:
    """How many were done, and who was not and why; `did` is the result's own word."""
    failed = result.get("failed") or {}
    done = ("good" if result[did] else "problem", f"{counted(result[did], 'account was', 'accounts were')} {did}.")
    missed: list[Markup | Record] = ["", ("problem", f"{counted(len(failed), 'was', 'were')} not:")] if failed else []
    left_out = result.get("left_out") or {}
    kept: list[Markup | Record] = (
        ["", ("problem", f"{counted(len(left_out), 'was', 'were')} left out, for another run:")]
        if left_out
        else []
    )
    return Outcome([done, *missed, *(f"  {uid:<16} {why}" for uid, why in sorted(failed.items())),
                    *kept, *(f"  {uid:<16} {why}" for uid, why in sorted(left_out.items()))])


def left_out(plan: Json) -> str:
    """Whom a plan leaves out, as an end of a sentence's line; empty where that is nobody."""
    uids = list(plan.get("left_out") or {})
    shown = ", ".join(uids[:3]) + (", ..." if len(uids) > 3 else "")
    return f"  Left out, because they are being changed just now: {shown}." if uids else ""
