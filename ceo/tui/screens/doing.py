"""A transaction under way: its steps as they happen, each with its time, and how it ended."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
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
    """What is said at the end; `secret` leaves the screen after a minute or a key."""

    lines: Sequence[Markup | Record]
    secret: Sequence[Markup | Record] = field(default=())


class Doing(Screen):
    """Runs a transaction.

    `begin` starts it under a key, so that asking again does nothing twice; `tell` makes words of its result; `completed` is where a key
    leads after a good end, unless it was left meanwhile; `refused` hears an error that came before the first step and says whether the form
    shows it.  `draft` is emptied at a good end, if nobody has typed into it since.  One that only follows what was begun before (`begun`)
    leaves no note for the next start.
    """

    about = "Each step as it happens.  If one fails, those before it are undone.  You may leave: it goes on."

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
        self._steps: dict[object, tuple[str, str, str]] = {}  # state, name, what is told of it
        self._page = Page()
        self.body = self._page
        self._over: float | None = None
        self._rest: Sequence[Markup | Record] | None = None  # what stays when the secret has left the screen, until its minute began
        self._known = True
        self._good = False
        self._began = time.monotonic()

    def on_top(self) -> None:
        """Begin, the first time; afterwards somebody may see how it ended."""
        if not self._begun:
            self._begun = True
            self._start()
        elif self._over is not None:
            self._seen()

    def _start(self) -> None:
        self._over, self._began = None, time.monotonic()
        self._steps = {}
        if self._noted:
            self._trail = self._trail or Trail(self.title, self.app.settings.hosts.of(self.role), self.app.operator)
            self.app.running.append(self)
        self.bindings = {keys.BACK: self._leave_it}
        self.note = ("hint", "One moment ...")
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
        told = _TOLD.get(state, "")
        if state == "done":
            told = f"{event.get('elapsed_ms', 0):>7} ms"
        elif state == "progress":
            told = f"{event.get('done', 0):>7} of {event.get('items', 0)}"
        self._steps[event.get("step", name)] = (state, name, told)
        self._show()

    def _show(self, after: Sequence[Markup | Record] = ()) -> None:
        steps = [({"done": "good", "undo_failed": "problem"}.get(state, "choice"), f"{_MARKS.get(state, ' ')} {name:<28} {told}")
                 for state, name, told in self._steps.values()]
        self._page.show([*steps, *([""] if steps and after else []), *after])

    def _done(self, last: Event) -> None:
        self._good = True
        for step, (state, name, _) in self._steps.items():
            if state == "started":  # and never told of again
                self._steps[step] = ("skipped", name, "nothing to do")
        outcome = self._tell(last.get("result", {}))
        waiting = last.get("waiting") or []
        warnings = [("problem", f"Note: {warning}") for warning in last.get("result", {}).get("warnings") or []]
        later = [("hint", f"Done by itself when its server is back: {', '.join(waiting)}")] if waiting else []
        rest: list[Markup | Record] = [*outcome.lines, *warnings, *later]
        self._rest = rest if outcome.secret else None
        if self._draft is not None and self._draft == self._sent:
            self._draft.clear()
        self._end(("good", f"Done in {time.monotonic() - self._began:.1f} s.  Any key goes on."), [*rest, *outcome.secret])

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
            lines += ["", ("hint", f"Its story: Transactions, or: ceo transactions show {identifier}")]
        if isinstance(error, _AGAIN):
            lines += ["", "Ctrl-R asks again; nothing is done twice."]
        self._end(("hint", f"Any key goes back{', with all that was typed' if self._refused else ''}."), lines,
                  known=isinstance(error, Aborted) or (self._known and not isinstance(error, OutcomeUnknown)))
        if isinstance(error, _AGAIN):
            self.bindings[keys.AGAIN] = self._start

    def _end(self, note: Markup, lines: Sequence[Markup | Record], *, known: bool = True) -> None:
        """Where the outcome is not known, of this try or of one before it, the next start looks once more."""
        self._known = known
        self._over = time.monotonic()
        self._stop()
        self.bindings = {keys.GO_ON: self._close}
        self.note = note
        self._show(lines)
        if self.in_sight:
            self._seen()
        else:
            where = "look in the main menu" if self in self.app.under_way else "Esc leads back to it"
            self.app.say("good" if self._good else "problem", f"{self.title}: it has ended; {where}.")

    def _stop(self) -> None:
        if self in self.app.running:
            self.app.running.remove(self)

    def _seen(self) -> None:
        """Somebody sees the end; from now on a secret has its minute."""
        self._ended()
        if self._rest is not None:
            self._forget_later(self._rest, time.time() + _SECRET_S)
            self._rest = None
        self.app.redraw()

    def _forget_later(self, rest: Sequence[Markup | Record], at: float) -> None:
        """By the wall clock, which goes on while the machine sleeps."""
        if time.time() >= at:
            self._show([*rest, ("hint", "(what was secret has left the screen)")])
        else:
            self.app.loop.set_alarm_in(1, lambda *_: self._forget_later(rest, at))

    def _leave_it(self) -> None:
        self._refused = self._completed = None  # its form may be gone when it is looked at again, or in use for the next one
        self.app.under_way.append(self)
        self.app.remove(self)

    def _ended(self) -> None:
        if self._trail and self._known:
            self._trail.ended()
            self._trail = None

    def _close(self) -> None:
        if self._over is None or time.monotonic() - self._over < SETTLE_S:
            return
        self._ended()
        self._show()
        self.app.remove(self)
        if self._good and self._completed:
            self._completed()

    def key(self, name: str) -> bool:
        """At the end any key goes on, but for those that work everywhere and have nothing to do with it."""
        if super().key(name):
            return True
        if self._over is None or any(name in key.names for key in (keys.QUIT, keys.LOCK, keys.REDRAW)):
            return False
        self._close()
        return True
