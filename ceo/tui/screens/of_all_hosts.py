"""A table of what every host has some of, newest first; hosts that are silent are named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ceo.tui import keys
from ceo.tui.app import App
from ceo.tui.screens.listing import Listing
from ceo.tui.standing import short

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]
_PAGE = 50
_MOST = 1000  # that a host tells


def newest(count: int) -> str:
    """How many rows these are, in words."""
    return "The newest one" if count == 1 else f"The newest {count}"


class OfAllHosts(Listing):
    """Subclasses say what is gathered; each host is waited for a short while only."""

    def __init__(self, app: App) -> None:
        super().__init__(app)
        self.limit = _PAGE
        self.silent: dict[str, str] = {}

    def load(self) -> None:
        """Ask the hosts."""
        self.ask(lambda _: self.gather(self.app.watching_client()), self._gathered, self._failed)

    def gather(self, client: Client) -> tuple[list[Json], dict[str, str]]:
        """The rows, and why a host did not answer, by host; in a worker's thread."""
        raise NotImplementedError

    def _gathered(self, gathered: tuple[list[Json], dict[str, str]]) -> None:
        rows, self.silent = gathered
        if self.limit <= len(rows) and self.limit < _MOST:
            self.bindings[keys.MORE] = self._more
        else:
            self.bindings.pop(keys.MORE, None)
        self._show(rows)
        if self.silent:
            told = self.told(rows)
            without = ", ".join(short(host) for host in self.silent)
            self.tell("problem", f"{told}{'  ' if told else ''}Without {without}: no answer.  Ctrl-R asks again.")

    def _more(self) -> None:
        self.limit = min(self.limit + _PAGE, _MOST)
        self.load()
