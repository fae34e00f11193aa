"""What will be written, once more before it is written; ceod has checked it by then."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ceo.progress import follow
from ceo.tui import keys
from ceo.tui.app import App
from ceo.tui.screen import SETTLE_S, Screen, message_of
from ceo.tui.screens.plan import plan_lines
from ceo.tui.widgets.page import Page, Record
from ceo.tui.widgets.safe import Markup
from ceo_common.errors import BackendDown, Busy, CeoError, InRecovery, Unreachable
from ceo_common.events import Event

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]
DryRun = Callable[["Client"], Json]  # what the daemon would do; raises what refuses it
AGAIN_ERRORS = (BackendDown, Busy, InRecovery, Unreachable)


class Review(Screen):
    """Lines to read, and beneath them what the daemon's dry run says will change.

    Enter goes on to what `go` makes, in this one's place, as soon as the dry run allows it; Esc goes
    back to where it can be changed.  `refused` hears what the dry run refuses, and says whether the
    form shows it: then this screen leaves.  `shown` are the changes that `lines` already tell,
    `noted` sentences that have to be read before Enter counts.
    """

    title = "Review"
    about = (
        "Read it once more.  Nothing has been changed yet.  It is checked while you read;"
        " Enter waits for that."
    )
    has_details = True
    waits_for = "One moment: it is being checked ..."

    def __init__(self, app: App, lines: Sequence[Markup | Record], go: Callable[[], Screen | None], *, role: str = "admin", question: str,
                 dry_run: DryRun | None = None, refused: Callable[[CeoError], bool] | None = None,
                 shown: Sequence[str] = (), noted: Sequence[str] = ()) -> None:
        super().__init__(app)
        self.role = role
        self.lines: Sequence[Markup | Record] = lines
        self.page = Page(lines)
        self.body = self.page
        self.question = question
        self.go = go
        self.shown = shown
        self.noted = noted
        self.plan: Json | None = None  # the answer of the dry run
        self.refusal: list[Markup] = []  # why there is none
        self._dry_run, self._refused = dry_run, refused
        self._has_asked = False  # for the dry run
        self._is_wanted = False  # whether Enter came before the answer
        self._warned = 0.0  # time.monotonic() when warnings were shown last
        self.bindings = {keys.CONFIRM: self._confirm}
        self.note = ("heading", question)

    def on_top(self) -> None:
        """Ask for the dry run, the first time."""
        if self._dry_run and not self._has_asked:
            self.check()

    def hold(self) -> None:
        """Let no Enter count before this could be read: nobody has seen a form of it."""
        self._warned = time.monotonic()

    def check(self) -> None:
        """Ask the daemon what it would do."""
        dry_run = self._dry_run
        assert dry_run
        self.bindings.pop(keys.AGAIN, None)
        self.bindings[keys.CONFIRM], self.refusal = self._confirm, []
        self._has_asked = True
        self.show()  # with what has to be read, which may be known already
        self.wait(f"{self.question}  It is being checked ...", "Enter goes on as soon as it is checked.")
        self.ask(lambda _: dry_run(self.app.dry_run_client()), self._checked, self._not_checked, about="dry run")

    def is_ready(self) -> bool:
        """Whether everything is known that Enter waits for."""
        return self._dry_run is None or self.plan is not None

    def warnings(self) -> list[Markup]:
        """Lines that have to be read before Enter counts."""
        answered = (self.plan or {}).get("warnings") or []
        return [("problem", f"Note: {warning}") for warning in (*self.noted, *answered)]

    def show_details(self) -> None:
        """All changes, or without those that are details."""
        self.show()

    def show(self) -> None:
        """The lines, the warnings and what will change."""
        plan = self.plan or {}
        changes = plan_lines(plan, shown=() if self.details else self.shown, details=self.details)
        rest = [*self.warnings(), *self.refusal]
        self.page.show([*self.lines, *([""] if changes else []), *changes, *([""] if rest else []), *rest])

    def go_on(self) -> None:
        """The answer is there: show it, and go on if Enter was pressed before and nothing new is to be read."""
        self.show()
        if not self.is_ready():
            return
        self.wait_over()
        self.tell("heading", self.question)
        if self.warnings():
            self._warned = time.monotonic()
        elif self._is_wanted and self.in_sight:
            self._leave()
        self._is_wanted = False

    def _checked(self, plan: Json) -> None:
        self.plan = plan
        self.go_on()

    def _not_checked(self, error: CeoError) -> None:
        self.wait_over()
        self._is_wanted = False
        if self._refused and self._refused(error):
            self.app.remove(self)
            return
        can_retry = isinstance(error, AGAIN_ERRORS)
        self.bindings.pop(keys.CONFIRM, None)
        if can_retry:
            self.bindings[keys.AGAIN] = self.check
        reasons = [f"  {problem['field']}: {problem['message']}" for problem in error.problems]
        verdict = "This could not be checked" if can_retry else "This is refused"
        self.refusal = [("problem", f"{verdict}: {message_of(error)}"), *reasons]
        self.show()
        self.tell("problem", f"Nothing was changed.  {'Ctrl-R asks again; ' if can_retry else ''}Esc goes back.")

    def _confirm(self) -> None:
        if time.monotonic() - self._warned < SETTLE_S:
            return  # pressed before anybody could read the warnings
        if self.is_ready():
            self._leave()
        else:
            self._is_wanted = True
            self.wait(self.waits_for, "It goes on by itself as soon as it is checked.")

    def _leave(self) -> None:
        if following := self.go():
            self.app.replace(self, following)


def dry_run_of(begin: Callable[[Client, str], Iterator[Event]]) -> DryRun:
    """The dry run of a transaction, from what begins it."""
    return lambda client: dict(follow(begin(client, str(uuid.uuid4())), lambda _: None))
