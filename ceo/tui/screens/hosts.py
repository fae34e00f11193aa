"""How the club's hosts are, and the servers behind each."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from ceo import doctor
from ceo.tui import keys
from ceo.tui.app import App
from ceo.tui.screens.directory import Directory
from ceo.tui.screens.findings import lines
from ceo.tui.screens.rehearsal import counted
from ceo.tui.screens.watching import Watching
from ceo.tui.standing import short
from ceo.tui.widgets.page import Grid, Page, Record
from ceo_common.errors import CeoError

if TYPE_CHECKING:
    from ceo.tui.widgets.safe import Markup
    from ceo_common.client import Client

Json = dict[str, Any]
_WAY = ("name", "port", "TLS", "clock")


class Hosts(Watching):
    """Each host is asked by itself, so that a silent one does not hold up what the others say."""

    title = "Hosts"
    has_details = True
    about = ("Each host of the club: its name, its port, its certificate and clock, and the servers behind it.  "
             "Tab shows how long each took to answer.  "
             "What is wrong comes with how to mend it.  Looked at anew every ten seconds.  "
             "D examines the directory.")

    def __init__(self, app: App) -> None:
        super().__init__(app)
        self.page = Page()
        self.body = self.page
        self.found: dict[str, list[Json]] = {}
        self._asking: set[str] = set()
        self._show()
        self.standing_told()

    def show_details(self) -> None:
        """With how long each server took, or without."""
        self._show()

    def standing_told(self) -> None:
        """Whether one may examine the directory."""
        if not self.app.standing.never("directory.examine"):
            self.bindings = {**self.bindings, keys.DIRECTORY: self._directory}

    def _directory(self) -> None:
        self.app.push(Directory(self.app))

    def look(self) -> None:
        """Ask every host that is not being asked still."""
        for host in self.app.settings.hosts.all():
            if host not in self._asking:
                self._asking.add(host)
                self.ask(partial(self._examine, host), partial(self._found, host), partial(self._failed, host), about=host)

    def _examine(self, host: str, _client: Client) -> list[Json]:
        trusted = doctor.authorities(self.app.settings)
        way = list(doctor.examine_host(self.app.settings, host, self.app.watching_client(), trusted=trusted["state"] == "ok"))
        return way if trusted["state"] == "ok" else [trusted, *way]

    def _found(self, host: str, findings: list[Json]) -> None:
        self._asking.discard(host)
        self.found[host] = findings
        self._show()
        wrong = sum(finding["state"] != "ok" for findings in self.found.values() for finding in findings)
        sentence = counted(wrong, "thing is wrong", "things are wrong") if wrong else "All is well"
        self.tell("problem" if wrong else "hint", f"{sentence}, {datetime.now():%H:%M:%S}.")

    def _failed(self, host: str, error: CeoError) -> None:
        self._found(host, [doctor.finding(short(host), "problem", host, error.message)])

    def _show(self) -> None:
        told: list[Markup | Record] = [self._ticket()]
        peers = {short(host) for host in self.app.settings.hosts.all()}
        for host in self.app.settings.hosts.all():
            if host in self.found:
                told += ["", *_host(host, self.found[host], peers, details=self.details)]
            else:
                told += ["", ("heading", host), "  One moment ..."]
        self.page.show(told)

    def _ticket(self) -> Record:
        ticket, left = self.app.session.ticket, self.app.session.seconds_left
        if ticket is None:
            return Record("Your ticket", ("problem", "there is none"))
        told = f"{ticket.client}, for another {left // 3600} h {left % 3600 // 60:02d} min"
        if not ticket.forwardable:
            return Record("Your ticket", ("problem", f"{told}: it can't be forwarded, so that nothing can be written with it.  Mend: kinit -f"))
        return Record("Your ticket", ("problem" if left < doctor.SHORT_TICKET_S else "choice", told))


def _host(host: str, findings: list[Json], peers: set[str], *, details: bool) -> list[Markup | Record]:
    """The way to it in its heading, then what is wrong with how to mend it, then the servers that answer."""
    well = [finding for finding in findings if finding["state"] == "ok"]
    answer = _took if details else _name
    way = [answer(finding) for finding in well if _name(finding) in _WAY]
    servers = [[("good", "✓ "), answer(finding)] for finding in well if _name(finding) not in _WAY]
    found: list[Markup | Record] = [[("heading", host), ("good", f"   ✓ {', '.join(way)}" if way else "")]]
    for finding in findings:
        found += lines(_brief(finding, peers), _name(finding)) if finding["state"] != "ok" else []
    return [*found, *([Grid(servers)] if servers else [])]


def _brief(finding: Json, peers: set[str]) -> Json:
    """Where the host stands above it already; how to mend another of our hosts stands beneath that one."""
    return {**finding, "looked_at": "", "mend": "" if _name(finding) in peers else finding["mend"]}


def _name(finding: Json) -> str:
    return str(finding["check"].partition(": ")[2] or finding["check"])


def _took(finding: Json) -> str:
    """Its name, and where it was timed, how long it took."""
    _, answers, time = finding["found"].partition("answers after ")
    return f"{_name(finding)} {time}" if answers else _name(finding)
