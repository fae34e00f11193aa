"""A transaction under way: its steps as they happen, each with its time, and how it ended."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ceo.progress import follow
from ceo.tui import keys
from ceo.tui.app import App
from ceo.tui.screen import SETTLE_S, Screen
from ceo.tui.widgets.page import Page, Record
from ceo.tui.widgets.safe import Markup
from ceo.under_way import Trail
from ceo_common.errors import Aborted, BackendDown, Busy, CeoError, InRecovery, OutcomeUnknown, Unreachable
from ceo_common.events import Event

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]
Begin = Callable[["Client", str], Iterator[Event]]

_SECRET_S = 60
_MARKS = {"queued": "…", "started": "·", "progress": "·", "done": "✓", "undone": "↶", "not_ours": "↶", "waiting": "…", "undo_failed": "✗",
          "skipped": "–"}
_TOLD = {"queued": "waits for its turn", "undone": "undone", "not_ours": "left as it is", "waiting": "waits for its server",
         "undo_failed": "could not be undone"}
_AGAIN = (OutcomeUnknown, Unreachable, BackendDown, Busy, InRecovery)


@dataclass(frozen=True)
class Outcome:
    """What is said at the end.

    `secret` stays until Enter, for a minute after the last key; `another` is a sentence that says
    how to get another one.
    """

    lines: Sequence[Markup | Record]
    secret: Sequence[Markup | Record] = field(default=())
    another: str = ""


class Doing(Screen):
    """Runs a transaction.

    `begin` starts it under a key, so that asking again does nothing twice; `tell` makes words of its result; `completed` is where a key
    leads after a good end, unless it was left meanwhile; `refused` hears an error that came before the first step and says whether the form
    shows it.  `draft` is emptied at a good end, if nobody has typed into it since.  One that only follows what was begun before (`begun`)
    leaves no note for the next start.
    """

    about = "Each step as it happens.  If one fails, those before it are undone.  You may leave: it goes on."
    has_details = True

    def __init__(self, app: App, title: str, begin: Begin, tell: Callable[[Json], Outcome], *, role: str = "admin",
                 completed: Callable[[], None] | None = None, refused: Callable[[CeoError], bool] | None = None,
                 draft: dict[str, str] | None = None, begun: bool = False) -> None:
        super().__init__(app)
        self.title, self.role = title, role
        self._begin, self._tell, self._completed, self._refused = begin, tell, completed, refused
        self._key = str(uuid.uuid4())
        self._draft, self._sent = draft, dict(draft or {})
        self._noted = not begun
        self._begun = False
        self._trail: Trail | None = None
        self._steps: dict[object, _Step] = {}
        self._page = Page()
        self.body = self._page
        self._over: float | None = None
        self._lines: Sequence[Markup | Record] = ()  # what is said of the end
        self._outcome: Outcome | None = None  # one with a secret, until Enter
        self._secret_seen: float | None = None  # by the wall clock: since when the secret is seen
        self._quitting = False  # whether Ctrl-C was the last key
        self._on_top_since = 0.0
        self._known = True
        self._good = False
        self._began = time.monotonic()

    def on_top(self) -> None:
        """Begin, the first time; afterwards somebody may see how it ended."""
        self._on_top_since = time.monotonic()
        if not self._begun:
            self._begun = True
            self._start()
        elif self._over is not None:
            self._seen()

    def show_details(self) -> None:
        """The steps with their times, or without."""
        self._show()

    def _start(self) -> None:
        self._over, self._began = None, time.monotonic()
        self._steps, self._lines = {}, ()
        if self._noted:
            self._trail = self._trail or Trail(self.title, self.app.settings.hosts.of(self.role), self.app.operator)
            self.app.running.append(self)
        self.bindings = {keys.BACK: self._leave_it}
        host = self.app.settings.hosts.of(self.role)
        self.app.waiting_for[id(self)] = host, time.monotonic()
        self.wait()
        self._show()
        self.app.redraw()
        self.app.ask(self._follow, self._done, self._failed)

    def _follow(self, client: Client) -> Event:
        return follow(self._begin(client, self._key), lambda event: self.app.workers.say(partial(self._step, event)))

    def _step(self, event: Event) -> None:
        if self._trail:
            self._trail.known(event["transaction"])
        state = event.get("state")
        if state is None:
            return
        name = event.get("operation", "")
        words, detail = _TOLD.get(state, ""), ""
        if state == "done":
            detail = f"{event.get('elapsed_ms', 0)} ms"
        elif state == "progress":
            words = f"{event.get('done', 0):>7} of {event.get('items', 0)}"
        self._steps[event.get("step", name)] = _Step(state, name, words, detail)
        self._show()

    def _show(self) -> None:
        """The end, if it has come, and the steps; a secret first, so that it is in sight on a small screen."""
        steps = [step.line(details=self.details) for step in self._steps.values()]
        gap = [""] if steps and self._lines else []
        if self._outcome:
            self._page.show([*self._lines, *self._secret_lines(), *gap, *steps])
        else:
            self._page.show([*steps, *gap, *self._lines])

    def _secret_lines(self) -> Sequence[Markup | Record]:
        assert self._outcome
        if self.modal:
            return self._outcome.secret
        return [("problem", f"The password is hidden now.  {self._outcome.another}")]

    def _done(self, last: Event) -> None:
        self._good = True
        for step, shown in self._steps.items():
            if shown.state == "started":  # and never told of again
                self._steps[step] = _Step("skipped", shown.name, "nothing to do")
        outcome = self._tell(last.get("result", {}))
        waiting = last.get("waiting") or []
        warnings = [("problem", f"Note: {warning}") for warning in last.get("result", {}).get("warnings") or []]
        later = [("hint", f"Waits for its server, and is done by itself later: {', '.join(waiting)}")] if waiting else []
        if outcome.secret:
            self._outcome, self.modal = outcome, True
            self.app.unconfirmed.append(self)
        if self._draft is not None and self._draft == self._sent:
            self._draft.clear()
        seconds = time.monotonic() - self._began
        self._end(("good", f"Done in {seconds:.1f} s.  Enter goes on."), [*outcome.lines, *warnings, *later])

    def _failed(self, error: CeoError) -> None:
        early = not self._steps and not isinstance(error, Aborted)
        if early and self in self.app.stack and self._refused and self._refused(error):
            self._stop()
            self._ended()
            self.app.remove(self)
            return
        nothing = "Nothing was done.  " if early and self._known and not isinstance(error, OutcomeUnknown) else ""
        lines: list[Markup | Record] = [("problem", f"{nothing}{error.message}")]
        lines += [f"  {problem['field']}: {problem['message']}" for problem in error.problems]
        if identifier := error.more.get("transaction"):
            lines += ["", ("hint", f"More about it: Transactions in the menu, or: ceo transactions show {identifier}")]
        if isinstance(error, _AGAIN):
            lines += ["", "Ctrl-R asks again; nothing is done twice."]
        self._end(("hint", f"Enter goes back{', with all that was typed' if self._refused else ''}."), lines,
                  known=isinstance(error, Aborted) or (self._known and not isinstance(error, OutcomeUnknown)))
        if isinstance(error, _AGAIN):
            self.bindings[keys.AGAIN] = self._start

    def _end(self, note: Markup, lines: Sequence[Markup | Record], *, known: bool = True) -> None:
        """Where the outcome is not known, of this try or of one before it, the next start looks once more."""
        self._known = known
        self._over = time.monotonic()
        self._stop()
        self.bindings = {keys.GO_ON: self._close, keys.BACK: self._close}
        self.note, self._lines = note, lines
        if self.modal:
            self.bindings = {keys.NOTED: self._close}
            self.note = ("hint", self._outcome.another if self._outcome else "")
        self._show()
        if self.in_sight:
            self._seen()
        else:
            where = "look in the main menu" if self in self.app.under_way else "Esc leads back to it"
            self.app.say("good" if self._good else "problem", f"{self.title}: it has ended; {where}.")

    def _stop(self) -> None:
        self.wait_over()
        self.app.waiting_for.pop(id(self), None)
        if self in self.app.running:
            self.app.running.remove(self)

    def _seen(self) -> None:
        """Somebody sees the end.  The note for the next start stays until a secret is confirmed."""
        if self._outcome is None:
            self._ended()
        elif self.modal and self._secret_seen is None:
            self._secret_seen = time.time()
            self._count_down()
        self.app.redraw()

    def _count_down(self) -> None:
        """Each second; hide the secret a minute after the last key.

        By the wall clock, which goes on while the machine sleeps.  While a lock or a password box
        lies above, nobody sees the secret, and its minute begins anew when it is seen again.
        """
        if not self.modal or self._outcome is None:
            return
        if not self.in_sight:
            self._secret_seen = time.time()
        if self._seconds_left() <= 0:
            self._hide()
            return
        self._tell_seconds_left()
        self.app.loop.set_alarm_in(1, lambda *_: self._count_down())

    def _seconds_left(self) -> float:
        since = max(self._secret_seen or 0.0, self.app.touched)
        return min(_SECRET_S, _SECRET_S - (time.time() - since))

    def _tell_seconds_left(self) -> None:
        another = self._outcome.another if self._outcome else ""
        quitting = "Ctrl-C again leaves without it.  " if self._quitting else ""
        self.tell(
            "heading",
            f"{quitting}Write it down, then press Enter.  Hidden in {math.ceil(self._seconds_left())}"
            f" s; any other key keeps it longer.  {another}",
        )

    def _hide(self) -> None:
        assert self._outcome
        self.modal = False
        self._outcome = replace(self._outcome, secret=())
        self.bindings = {keys.GO_ON: self._close, keys.BACK: self._close}
        self._show()
        self.tell("hint", "Enter goes on.")

    def _leave_it(self) -> None:
        self._refused = self._completed = None  # its form may be gone when it is looked at again, or in use for the next one
        self.app.under_way.append(self)
        self.app.remove(self)

    def _ended(self) -> None:
        if self._trail and self._known:
            self._trail.ended()
            self._trail = None

    def _close(self) -> None:
        """A password stays for a moment after it came in sight, whenever it was there first."""
        since = max(self._over or 0.0, self._on_top_since if self.modal else 0.0)
        if self._over is None or time.monotonic() - since < SETTLE_S:
            return
        self._ended()
        self.modal, self._outcome, self._lines = False, None, ()
        if self in self.app.unconfirmed:
            self.app.unconfirmed.remove(self)
        self._show()
        self.app.remove(self)
        if self._good and self._completed:
            self._completed()
        if self._good:
            self.app.stack[-1].after_write()

    def key(self, name: str) -> bool:
        """While a secret is shown no other key leaves, but the second Ctrl-C in a row."""
        quits, self._quitting = self._quitting, False
        if super().key(name):
            return True
        if not self.modal or any(name in key.names for key in (keys.LOCK, keys.REDRAW)):
            return False
        self._quitting = name in keys.QUIT.names and not quits
        self._tell_seconds_left()
        return self._quitting or name not in keys.QUIT.names


@dataclass(frozen=True)
class _Step:
    state: str
    name: str
    words: str
    detail: str = ""

    def line(self, *, details: bool) -> Markup:
        """The step as a line; its time is a detail."""
        style = {"done": "good", "undo_failed": "problem"}.get(self.state, "choice")
        name = f"{self.name:<28}"
        return style, f"{_MARKS.get(self.state, ' ')} {name} {self.detail if details else self.words}".rstrip()
