"""The databases of an account."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ceo.tui.app import App
from ceo.tui.screens.doing import Begin, Doing, Outcome
from ceo.tui.screens.offering import Offering
from ceo.tui.screens.review import Review, dry_run_of
from ceo.tui.widgets.menu import Choice
from ceo.tui.widgets.page import Record
from ceo.tui.widgets.safe import Markup
from ceo_common.events import Event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ceo_common.client import Client

Json = dict[str, Any]
_KINDS = {"mysql": "MySQL", "postgresql": "PostgreSQL"}


class Databases(Offering[Json]):
    """For each kind: create the database, or reset its password."""

    about = "The MySQL and PostgreSQL databases of a member or a club.  An account has at most one of each kind.  The password is shown once."
    role = "database"

    def __init__(self, app: App, uid: str) -> None:
        super().__init__(app)
        self.uid, self.title = uid, f"Databases of {uid}"

    def fetch(self, client: Client) -> Json:
        """Which there are."""
        return client.databases(self.uid)

    def rows(self, told: Json) -> list[Choice | str]:
        """A heading and a choice for each kind."""
        never = self.app.standing.never("database.change", self.uid)
        rows: list[Choice | str] = []
        for kind, title in _KINDS.items():
            create = Choice(f"Create a {title} database", partial(self._create, kind), "Its password is shown once.", never)
            reset = Choice(f"Reset the {title} password", partial(self._reset, kind), "Another password, after a last look.", never)
            rows += [f"{title}: {self.uid} has {'a' if told[kind] else 'no'} database", reset if told[kind] else create, ""]
        return rows[:-1]

    def _create(self, kind: str) -> None:
        def begin(client: Client, key: str) -> Iterator[Event]:
            return client.create_database(kind, self.uid, key)

        title = f"Create the {_KINDS[kind]} database of {self.uid}"
        lines = [Record("Account", self.uid), Record("Database", _KINDS[kind]), "", "Its password is shown once, at the end."]
        self.app.push(Review(self.app, lines, partial(self._doing, title, begin), role=self.role,
                             question=f"Enter creates the {_KINDS[kind]} database of {self.uid}.", dry_run=dry_run_of(begin)))

    def _reset(self, kind: str) -> None:
        def begin(client: Client, key: str) -> Iterator[Event]:
            return client.reset_database(kind, self.uid, key)

        title = f"Reset the {_KINDS[kind]} password of {self.uid}"
        lines = [Record("Account", self.uid), Record("Database", _KINDS[kind]), "",
                 "The old password stops working at once, for every program that uses it.  What is in the database stays."]
        self.app.push(Review(self.app, lines, partial(self._doing, title, begin), role=self.role,
                             question=f"Enter resets the {_KINDS[kind]} password of {self.uid}.", dry_run=dry_run_of(begin)))

    def _doing(self, title: str, begin: Begin) -> Doing:
        return Doing(self.app, title, begin, outcome, role=self.role)


def outcome(result: Json) -> Outcome:
    """How to reach a database; its password, once."""
    title, file = _KINDS[result["kind"]], result["info_file"]
    another = f"Reset the {title} password, on the page Databases of {result['uid']}, gives another."
    lines: list[Markup | Record] = [("good", f"The {title} database of {result['uid']}:"), Record("Host", result["host"]),
                                    Record("Database", result["database"]), Record("Username", result["username"])]
    if not result["password"]:
        return Outcome([*lines, f"The password was shown where it was asked for first.  {another}"])
    kept = f"It is not shown again, but it is in the file {file} too." if file else "It is not shown again."
    return Outcome(lines, [Record("Password", ("secret", result["password"])), ("hint", kept)], another)
