"""An account examined over every server, and mended."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ceo import doctor
from ceo.tui import keys
from ceo.tui.app import App
from ceo.tui.screen import Screen
from ceo.tui.screens.change_account import temporary_password
from ceo.tui.screens.doing import Doing, Outcome
from ceo.tui.screens.findings import WIDTH
from ceo.tui.screens.findings import lines as lines_of
from ceo.tui.screens.rehearsal import counted
from ceo.tui.screens.review import Review, dry_run_of
from ceo.tui.widgets.page import Page, Record
from ceo_common.errors import CeoError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ceo.tui.widgets.safe import Markup
    from ceo_common.client import Client
    from ceo_common.events import Event

Json = dict[str, Any]
_ORDER = ("problem", "unknown", "ok")


class Examination(Screen):
    """What is wrong first; examined anew whenever it comes to the top."""

    title = "Examine"
    about = "Checks everything that belongs to the account, on every server.  What is wrong comes first, with how to mend it."
    role = "admin"

    def __init__(self, app: App, uid: str) -> None:
        super().__init__(app)
        self.uid = uid
        self.page = Page(["One moment ..."])
        self.body = self.page
        self.findings: list[Json] = []
        self.fixable: list[Json] = []
        self._has_mended = False  # since it was looked at
        self.bindings = {keys.AGAIN: self._look_again}

    def on_top(self) -> None:
        """Examine."""
        self.load()

    def standing_told(self) -> None:
        """Whether one may mend."""
        if self.findings:
            self._found(self.findings)

    def after_write(self) -> None:
        """Enter mends nothing more, until somebody has looked at what is left."""
        self._has_mended = True

    def _look_again(self) -> None:
        self._has_mended = False
        self.load()

    def load(self) -> None:
        """Ask."""
        self.ask(partial(_examine, self.uid), self._found, self._failed)

    def _found(self, findings: list[Json]) -> None:
        self.findings = findings
        self.fixable = [finding for finding in findings if finding["fixable"]]
        lines: list[Markup | Record] = [("heading", f"The account {self.uid}"), ""]
        for finding in sorted(findings, key=lambda finding: _ORDER.index(finding["state"])):
            lines += lines_of(finding, finding["check"])
        self.page.show(lines)
        never = self.app.standing.never("member.mend")
        may_mend = self.fixable and not never and not self._has_mended
        mends = {keys.MEND: self._mend} if may_mend else {}
        self.bindings = {**mends, keys.AGAIN: self._look_again}
        self.tell(*self._verdict(findings, never))

    def _verdict(self, findings: list[Json], never: str) -> tuple[str, str]:
        states = [finding["state"] for finding in findings]
        wrong, unknown = states.count("problem"), states.count("unknown")
        if not wrong and not unknown:
            return "good", "All is well."
        told = "  ".join([*([counted(wrong, "thing is wrong.", "things are wrong.")] if wrong else []),
                          *([f"{unknown} could not be looked at."] if unknown else [])])
        if not self.fixable:
            return "problem", told
        enter = f"Enter mends {'it' if wrong == 1 else f'{len(self.fixable)} of them'}."
        if self._has_mended:
            enter = "To mend what is left: Ctrl-R, then Enter."
        return "problem", f"{told}  {never or enter}"

    def _failed(self, error: CeoError) -> None:
        self.page.show([("problem", error.message)])
        self.bindings = {keys.AGAIN: self._look_again}
        self.tell("problem", "Ctrl-R asks again.")

    def _mend(self) -> None:
        uid = self.uid
        lines: list[Markup | Record] = [("heading", f"To be mended of {uid}"), ""]
        for finding in self.fixable:
            lines += [Record(finding["check"], finding["mend"], WIDTH)]

        def begin(client: Client, key: str) -> Iterator[Event]:
            return client.mend(uid, key)

        doing = partial(Doing, self.app, f"Mend {uid}", begin, self._mended)
        question = f"Enter mends the account {uid}."
        self.app.push(Review(self.app, lines, doing, question=question, dry_run=dry_run_of(begin)))

    def _mended(self, result: Json) -> Outcome:
        done = ("good", f"Mended: {', '.join(result['mended']) or 'what was left to do'}.")
        outcome = temporary_password(result, self.uid) if "temporary_password" in result else Outcome([])
        return Outcome([done, *outcome.lines], outcome.secret, outcome.another)


def _examine(uid: str, client: Any) -> list[Json]:
    return doctor.examine(client, uid)
