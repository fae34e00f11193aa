"""The directory examined: entries of accounts and groups that are not as they should be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ceo import doctor
from ceo.tui import keys
from ceo.tui.app import App
from ceo.tui.screen import Screen
from ceo.tui.screens.findings import lines as lines_of
from ceo.tui.screens.rehearsal import counted
from ceo.tui.widgets.page import Page, Record
from ceo_common.errors import CeoError

if TYPE_CHECKING:
    from ceo.tui.widgets.safe import Markup

Json = dict[str, Any]


class Directory(Screen):
    """What is wrong, by the entry; asked anew with a key."""

    title = "Directory"
    about = (
        "The entries of all accounts and groups in LDAP: what is broken, has second names, shares a"
        " number or names nobody, with how to mend it.  Much of it was written past ceod, which"
        " leaves it out of every list."
    )
    role = "admin"

    def __init__(self, app: App) -> None:
        super().__init__(app)
        self.page = Page(["One moment ..."])
        self.body = self.page
        self.bindings = {keys.AGAIN: self.load}

    def on_top(self) -> None:
        """Examine the directory whenever the screen is shown."""
        self.load()

    def load(self) -> None:
        """Have ceod examine the directory, and show what it says."""
        self.ask(doctor.examine_directory, self._show, self._failed)

    def _show(self, findings: list[Json]) -> None:
        lines: list[Markup | Record] = [("heading", "The directory"), ""]
        for finding in findings:
            lines += lines_of(finding, finding["check"])
        self.page.show(lines)
        wrong = sum(finding["state"] != "ok" for finding in findings)
        well = ("good", "All is well.")
        sentence = counted(wrong, "thing is wrong.", "things are wrong.")
        self.tell(*(("problem", sentence) if wrong else well))

    def _failed(self, error: CeoError) -> None:
        self.page.show([("problem", error.message)])
        self.tell("problem", "Ctrl-R asks again.")
