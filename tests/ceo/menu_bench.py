"""A menu without a terminal, whose answers come when a test gives them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ceo.tui.app import App, Doors, Layer
from ceo.tui.screen import Screen
from ceo.tui.screens.help import Help
from ceo.tui.screens.people import People
from ceo.tui.screens.sign_in import Lock, SignIn
from ceo.tui.widgets.safe import plain
from ceo_common.client_config import Client as Settings
from ceo_common.client_config import Hosts
from ceo_common.errors import CeoError
from ceo_common.permissions import Who

SIZE = (80, 24)
STAFF = frozenset({Who.SIGNED_IN, Who.OFFICE})
HOSTS = Hosts("a.example.org", "m.example.org", "d.example.org", "d.example.org")


class Bench:
    """The menu of somebody of the office, with a ticket; `questions` are those without an answer."""

    def __init__(self) -> None:
        session = SimpleNamespace(name="office1", seconds_left=3600, ticket=object())
        doors = Doors(people=People, help=Help, lock=Lock, sign_in=SignIn, welcome=lambda _: None)
        self.app = App(Settings("R", "example.org", HOSTS), cast(Any, session), doors)
        self.app.operator = "office1"
        self.app.standing.who = STAFF
        self.app.loop.screen_size = SIZE
        self.questions: list[tuple[Callable[[Any], None], Callable[[CeoError], None]]] = []
        self.jobs: list[Callable[[], Any]] = []  # all that workers were given
        cast(Any, self.app.workers).start = self._start

    def _start(
        self,
        job: Callable[[], Any],
        then: Callable[[Any], None],
        failed: Callable[[CeoError], None],
    ) -> None:
        self.jobs.append(job)
        self.questions.append((then, failed))

    def open(self, *screens: Screen) -> None:
        """Put screens on top, one after the other."""
        for screen in screens:
            self.app.push(screen)

    def press(self, *names: str) -> None:
        """Keys as urwid calls them."""
        for name in names:
            self.app.press(name)

    def type(self, text: str) -> None:
        """Each letter as a key."""
        self.press(*text)

    def answer(self, answer: Any, question: int = -1) -> None:
        """Give a question its answer or its error."""
        then, failed = self.questions.pop(question)
        if isinstance(answer, CeoError):
            failed(answer)
        else:
            then(answer)

    @property
    def note(self) -> str:
        """The line beneath the screen on top."""
        return plain(self.app.stack[-1].note)


def text_of(screen: Layer) -> str:
    """What a screen's body shows."""
    return "\n".join(screen.body.render(SIZE, focus=True).decoded_text)


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A menu of its own for each test."""
    yield Bench()
