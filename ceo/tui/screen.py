"""What all screens have in common."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

import urwid

from ceo.tui import keys
from ceo.tui.app import WAIT_S, App
from ceo.tui.standing import short
from ceo.tui.widgets.form import Field
from ceo.tui.widgets.safe import Markup
from ceo_common.errors import CeoError

if TYPE_CHECKING:
    from ceo_common.client import Client

T = TypeVar("T")

# By the state of an account that a change is refused for: what it is, and what to do about it.
_WANTED = {
    "expired": ("expired", "renew the membership"),
    "deleted": ("deleted", "restore the account"),
}
SETTLE_S = 0.7  # a key that was typed before the end of something could be seen does nothing to it


class Screen:
    """One screen: a title for the breadcrumbs, a body that keeps what was typed while others lie above it, keys, and a line of note.

    `about` is what help says of it to somebody who sees it for the first time.
    """

    title = ""
    about = ""
    role = ""
    locked = False
    finds_people = False
    only_shows = False
    modal = False
    has_details = False

    def __init__(self, app: App) -> None:
        self.app = app
        self.body: urwid.Widget = urwid.SolidFill(" ")
        self.bindings: dict[keys.Key, Callable[[], None]] = {}
        self.note: Markup = ""
        self.details = False  # whether times, numbers and internal names are shown
        self._asked: dict[str, int] = {}
        self._writing = False
        self._waits_since: float | None = None
        self._wait_texts = "", ""
        self._wrote = 0.0

    def on_top(self) -> None:
        """It came to the top, first or again."""

    def after_write(self) -> None:
        """A transaction above it has ended well and was left: an Enter too many must write nothing."""

    def left(self) -> None:
        """It was taken off the stack."""

    def standing_told(self) -> None:
        """It has become known, or has changed, what one may do."""

    def bound(self) -> list[keys.Bindings]:
        """The screen's own keys, and those of the widgets down to the one in focus."""
        theirs = (getattr(widget, "bindings", None) for widget in _focused(self.body))
        own = [self.bindings, *self._detail_bindings()]
        return [*own, *(bindings for bindings in theirs if isinstance(bindings, Mapping))]

    def _detail_bindings(self) -> list[keys.Bindings]:
        return [{keys.DETAILS: self._toggle_details}] if self.has_details else []

    def _toggle_details(self) -> None:
        self.details = not self.details
        self.show_details()
        self.app.redraw()

    def show_details(self) -> None:
        """Draw the screen anew: `details` has changed.  For screens that have details."""

    def focused_field(self) -> Field | None:
        """The field with the cursor."""
        return next((widget for widget in _focused(self.body) if isinstance(widget, Field)), None)

    def key(self, name: str) -> bool:
        """A key that no widget wanted."""
        return any(
            keys.press(bindings, name) for bindings in (self.bindings, *self._detail_bindings())
        )

    def tell(self, style: str, told: str) -> None:
        """Say something in the line beneath the body."""
        self.note = (style, told)
        if self.in_sight:
            self.app.redraw()

    @property
    def in_sight(self) -> bool:
        """Whether it is on top: what an answer opens or does on its own is done only then."""
        return bool(self.app.stack) and self.app.stack[-1] is self

    def go_to(self, screen: Screen) -> None:
        """Put a screen above this one, if this one still is on top: for what an answer opens."""
        if self.in_sight:
            self.app.push(screen)

    def ask(self, job: Callable[[Client], T], then: Callable[[T], None], failed: Callable[[CeoError], None] | None = None, *,
            about: str = "") -> None:
        """Have a worker read something; the answer is heard only while this screen is still there.

        Of several questions about the same (all are, where nothing is said), only the last one's answer is heard.  A failure is told
        beneath, if nowhere else.
        """
        self._asked[about] = number = self._asked.get(about, 0) + 1

        def counts() -> bool:
            return self in self.app.stack and self._asked[about] == number

        def heard(told: T) -> None:
            if counts():
                then(told)

        def refused(error: CeoError) -> None:
            if counts():
                (failed or self.complain)(error)

        self.app.ask(job, heard, refused)

    def write(self, what: str, job: Callable[[Client], T], then: Callable[[T], None], failed: Callable[[CeoError], None] | None = None, *,
              draft: dict[str, str] | None = None) -> None:
        """Have a worker change something in one step, one at a time; `what` says it in words.

        Its end is told even where this screen has been left.  At a good end the draft is emptied, if nobody has typed into it since, and an
        Enter that was typed before the end could be seen changes nothing more.
        """
        if self._writing or time.monotonic() - self._wrote < SETTLE_S:
            return
        self._writing, sent = True, dict(draft or {})
        self.wait()

        def done(told: T) -> None:
            self._writing, self._wrote = False, time.monotonic()
            self.wait_over()
            if draft is not None and draft == sent:
                draft.clear()
            if self in self.app.stack:
                then(told)
            else:
                self.app.say("good", f"{what}: done.")

        def refused(error: CeoError) -> None:
            self._writing = False
            self.wait_over()
            if self in self.app.stack:
                (failed or self.complain)(error)
            else:
                self.app.say("problem", f"{what}: {error.message}")

        self.app.ask(job, done, refused)

    # Waiting for a host

    def wait(self, first: str = "One moment ...", then: str = "You may leave with Esc: it goes on.") -> None:
        """Say `first`, and soon which host is waited for, for how long, and `then`; until wait_over()."""
        is_new = self._waits_since is None
        self._waits_since = since = self._waits_since or time.monotonic()
        self._wait_texts = first, then
        self._tell_wait()
        if is_new:
            self._tell_wait_each_second(since)

    def wait_over(self) -> None:
        """The answer is there."""
        self._waits_since = None

    def _tell_wait_each_second(self, since: float) -> None:
        if self._waits_since == since:
            self._tell_wait()
            self.app.loop.set_alarm_in(1, lambda *_: self._tell_wait_each_second(since))

    def _tell_wait(self) -> None:
        first, then = self._wait_texts
        seconds = int(time.monotonic() - (self._waits_since or 0.0))
        host = short(self.app.settings.hosts.of(self.role)) if self.role else "an answer"
        text = f"Waiting for {host}, {seconds} s.  {then}" if seconds >= WAIT_S else first
        self.tell("hint", text)

    def complain(self, error: CeoError) -> None:
        """Tell of an error beneath the body."""
        why = "; ".join(problem["message"] for problem in error.problems)
        message = message_of(error)
        self.tell("problem", f"{message}: {why}" if why else message)


def message_of(error: CeoError) -> str:
    """What happened; of an account that is expired or deleted, what to do next in the menu."""
    wanted = _WANTED.get(str(error.more.get("state", "")))
    if wanted is None:
        return error.message
    state, action = wanted
    uid = error.more.get("uid", "")
    return f"{uid} is {state}.  F2 and {uid} opens their page: {action} there, and try again."


def _focused(body: urwid.Widget) -> Iterator[urwid.Widget]:
    """The widgets from the body down to the one with the cursor."""
    widget: urwid.Widget | None = body
    while widget is not None:
        yield widget
        if isinstance(widget, urwid.WidgetWrap):
            widget = widget._w
        elif isinstance(widget, urwid.WidgetDecoration):
            widget = widget.original_widget
        else:
            widget = getattr(widget, "focus", None)
