"""The menu's frame: a stack of screens between a title and a status line, the keys that work everywhere, and what goes on behind them."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

import urwid

from ceo.session import Session
from ceo.tui import keys, standing, theme
from ceo.tui.hints import Hints, clauses, hints_of
from ceo.tui.incoming import Background, Pasted
from ceo.tui.standing import Standing
from ceo.tui.terminal import Loop, Terminal
from ceo.tui.undoable import Undoable
from ceo.tui.widgets.form import LOST_LETTER, Field, is_lost_letter
from ceo.tui.widgets.safe import Markup, plain, safe
from ceo.tui.workers import Workers
from ceo_common.client_config import Client as Settings
from ceo_common.errors import CeoError, Internal, Unauthenticated
from ceo_common.krb5.errors import Krb5Error

if TYPE_CHECKING:
    from ceo_common.client import Client

T = TypeVar("T")
_TICK_S = 1.0
_LOOK_S = 30.0
_LOOK_AGAIN_S = 3.0  # while it is not known who one is, or a host is silent
_RESIZED = "window resize"
_LOOK_ANSWER_S = 5.0
_CRUMB = "  ›  "  # between two titles
_ENDS = (signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP)
_CONFIRMS = (keys.CONFIRM, keys.LAST_LOOK, keys.MEND, keys.GO_ON)  # the note says what Enter does
# An Enter so soon behind what no page takes is its end: of a scan, or of text that was pasted.
_BURST_S = 0.5
_SCAN_IGNORED = "A scan was ignored: books are scanned at the Library desk."
_TEXT_IGNORED = "Text was ignored, with its Enter: there is no field here."
_PASTE_IGNORED = "What was pasted was ignored: there is no field here."
_GIVES_WAY = "Typing replaces, End keeps."
WAIT_S = 2  # what takes no longer than this is not told of


class Layer(Protocol):
    """What the frame asks of a screen."""

    title: str
    body: urwid.Widget
    note: Markup  # the line beneath the body
    role: str  # of the host that it needs, or nothing
    locked: bool  # whether no key works but its own, and nothing beneath is to be seen
    finds_people: bool  # whether it is the one that finds somebody
    only_shows: bool  # whether nothing is lost when it is left
    modal: bool  # whether it is left by its own keys alone, so that no hint names others

    def on_top(self) -> None:
        """It came to the top, first or again."""

    def after_write(self) -> None:
        """A transaction above it has ended well and was left."""

    def left(self) -> None:
        """It was taken off the stack."""

    def standing_told(self) -> None:
        """It has become known, or has changed, what one may do."""

    def focused_field(self) -> Field | None:
        """The field with the cursor."""

    def bound(self) -> list[keys.Bindings]:
        """The keys that work now: its own, and those of the widget in its focus."""

    def key(self, name: str) -> bool:
        """A key that no widget wanted; whether it was used."""


@dataclass(frozen=True)
class Doors:
    """The screens that open from everywhere; given from outside, because screens know the frame and not the other way round."""

    people: Callable[[App], Layer]
    help: Callable[[App], Layer]
    lock: Callable[[App], Layer]
    sign_in: Callable[[App], Layer]
    welcome: Callable[[App], Layer | None]  # what there is to tell as soon as it is known who uses the menu


class App:
    """Runs until the last screen is left.  Screens share through it: the client, who we are, drafts, and what is under way."""

    def __init__(self, settings: Settings, session: Session, doors: Doors, draw: random.Random | None = None) -> None:
        self.settings = settings
        self.session = session
        self.doors = doors
        self.turned_away: CeoError | None = None
        self.ended_by = 0  # the number of the signal that ended the menu
        self.operator = ""  # who uses the menu, once it is known
        self.standing = Standing(settings.hosts)
        self.stack: list[Layer] = []
        self.drafts: dict[str, dict[str, str]] = {}
        self.undoable: Undoable | None = None  # the last change of a loan
        self.found = ""  # whose page was opened last by finding them
        self.running: list[Layer] = []  # transactions whose end has not come
        self.under_way: list[Layer] = []  # those that were left to themselves, until somebody looks
        self.unconfirmed: list[Layer] = []  # those whose password nobody confirmed to have seen
        # What is waited for: the host, and since when (time.monotonic); by thread or by screen.
        self.waiting_for: dict[int, tuple[str, float]] = {}
        self._waiting: list[Callable[[], None]] = []  # what goes on when there is a ticket again
        self._client: Client | None = None
        self._dry_run_client: Client | None = None
        self._making = threading.Lock()
        self.touched = time.time()  # of the wall clock, which goes on while the machine sleeps
        self._looked = time.monotonic()
        self._looking = False
        self._ignored = ("", 0.0)  # the last letter that no page took, and when (time.monotonic())
        self._shut = False
        self._name = theme.title(draw or random.Random())  # noqa: S311 - a joke, not a key
        self.bindings: dict[keys.Key, keys.Action] = {
            keys.BACK: self.pop, keys.PEOPLE: self.find, keys.HELP: lambda: self.push(doors.help(self)),
            keys.LOCK: self.lock, keys.QUIT: self.leave}
        self._title = urwid.Text("", wrap=urwid.CLIP)
        self._note = Hints(self.press)
        self._hint = Hints(self.press, wrap=urwid.CLIP)
        self._status, self._hosts = urwid.Text("", wrap=urwid.CLIP), urwid.Text("", wrap=urwid.CLIP)
        head = urwid.Pile([urwid.AttrMap(self._title, "title"), urwid.Divider()])
        status = urwid.AttrMap(urwid.Columns([self._status, ("pack", self._hosts)], dividechars=1), "status")
        foot = urwid.Pile([urwid.Padding(self._note, left=1, right=1), urwid.Padding(urwid.AttrMap(self._hint, "hint"), left=1, right=1), status])
        self.frame = urwid.Frame(urwid.SolidFill(" "), header=head, footer=foot)
        self.screen = Terminal(asks_background=theme.asks_background(os.environ))
        self.bindings[keys.REDRAW] = self.screen.clear
        self.loop = Loop(self.frame, theme.dress(self.screen), screen=self.screen, input_filter=self._typed, unhandled_input=self._key)
        self.loop.unforeseen, self.loop.after_input = self._unforeseen, self._show_hints
        self.loop.ignores = self._ends_a_burst
        self.workers = Workers(self.loop, self._unforeseen)

    # Screens

    def push(self, screen: Layer) -> None:
        """Put a screen on top.

        Nothing but a password box opens above a lock or a password box: an answer that comes while
        the menu is locked opens its screen below, and it is seen once the menu is open again.
        """
        below = next((i for i, lower in enumerate(self.stack) if lower.locked), len(self.stack))
        if below < len(self.stack) and not screen.locked:
            self.stack.insert(below, screen)
            return
        self.stack.append(screen)
        self.redraw()
        screen.on_top()

    def pop(self) -> None:
        """Back to the screen below; it is as it was left.  From the last one out."""
        self.stack.pop().left()
        if not self.stack:
            raise urwid.ExitMainLoop
        self.redraw()
        self.stack[-1].on_top()

    def remove(self, screen: Layer) -> None:
        """Take a screen off the stack, wherever it is."""
        if self.stack[-1] is screen:
            self.pop()
        elif screen in self.stack:
            self.stack.remove(screen)
            screen.left()

    def replace(self, old: Layer, new: Layer) -> None:
        """Put a screen in the place of another; what lies above it stays there."""
        if self.stack[-1] is old:
            self.stack.pop().left()
            self.push(new)
        elif old in self.stack:
            self.stack[self.stack.index(old)] = new
            old.left()

    def back_to_first(self) -> None:
        """Back to the main menu."""
        while len(self.stack) > 1:
            self.stack.pop().left()
        self.redraw()
        self.stack[-1].on_top()

    def find(self) -> None:
        """Find somebody; there is one such screen at most.

        Screens above it that only show something give way to it; from any other it opens anew.
        """
        above = next((i for i, screen in enumerate(self.stack) if screen.finds_people), None)
        if above is not None and all(screen.only_shows for screen in self.stack[above + 1 :]):
            while not self.stack[-1].finds_people:
                self.stack.pop().left()
            self.redraw()
            self.stack[-1].on_top()
            return
        if above is not None:
            self.remove(self.stack[above])
        self.push(self.doors.people(self))

    def leave(self) -> None:
        """End the menu; what was begun goes on without it."""
        raise urwid.ExitMainLoop

    def turn_away(self, error: CeoError) -> None:
        """End the menu for somebody who may not use it."""
        self.turned_away = error
        self.leave()

    def redraw(self) -> None:
        """The frame around the top screen."""
        top = self.stack[-1]
        down = self.standing.down(top.role) if top.role else ""
        banner = urwid.Pile([urwid.AttrMap(urwid.Padding(urwid.Text(safe(down)), left=1, right=1), "alarm"), urwid.Divider()]) if down else None
        self.frame.body = urwid.Padding(urwid.Frame(top.body, header=banner), left=2, right=2)
        self._title.set_text(safe(self._crumbs()))
        self._show_hints()
        self._tell_status()

    def _show_hints(self) -> None:
        """The keys that work now, in the line beneath the note; a click on one presses it, and on the note the key that a clause begins with."""
        top = self.stack[-1]
        bindings = [*top.bound(), *([] if top.locked or top.modal else [self.bindings])]
        field = top.focused_field()
        # Nothing lies behind the main menu, and a screen that finds people is no way to Find.
        finds_people = any(keys.PEOPLE in binding for binding in top.bound())
        hidden = [keys.BACK] if top is self.stack[0] else [keys.PEOPLE] if finds_people else []
        bindings = [
            {key: action for key, action in binding.items() if key not in hidden}
            for binding in bindings
        ]
        hints = hints_of(bindings, self.screen.width - 2, is_text=field.takes if field else lambda _: False)
        self._hint.show([(safe(f"{hint.label} {hint.word}"), hint.name) for hint in hints], "   ")
        clickable = {hint.label: hint.name for hint in hints}
        if not any(key in _CONFIRMS for binding in bindings for key in binding):
            clickable.pop(keys.CONFIRM.label, None)
        pieces = clauses(safe(top.note), clickable)
        if field and field.gives_way:
            gap = "  " if plain(top.note) else ""
            pieces.append((("hint", f"{gap}{_GIVES_WAY}"), ""))
        self._note.show(pieces)

    def _crumbs(self) -> str:
        if self.stack[-1].locked:
            return f" {self._name}"
        titles = [screen.title for screen in self.stack if screen.title]
        return f" {crumbs(self._name, titles, self.screen.width - 2)}"

    def _tell_status(self) -> None:
        left = self.session.seconds_left
        ticket = f"ticket {left // 3600} h {left % 3600 // 60:02d} min" if left else "no ticket"
        who = f" {self.operator or self.session.name}"
        silent = [standing.short(host) for host in self.standing.silent]
        told: Markup = ("alarm", f" {', '.join(silent)} silent ") if silent else "all hosts answer " if self.standing.who is not None else ""
        if waits := self._longest_wait():
            told = [f"{waits}  ", told] if silent else f"{waits} "
        self._hosts.set_text(safe(told))
        whole = f"{who}  |  {ticket}"
        has_room = len(whole) + 1 + len(plain(told)) <= self.screen.width
        self._status.set_text(safe(whole if has_room else who))

    def _longest_wait(self) -> str:
        """Which host has been waited for longest, in words; empty where none is waited for."""
        host, began = min(self.waiting_for.copy().values(), key=lambda wait: wait[1], default=("", 0.0))
        seconds = int(time.monotonic() - began)
        return f"waiting for {standing.short(host)}, {seconds} s" if host and seconds >= WAIT_S else ""

    # Keys

    def _typed(self, typed: list[object], _raw: list[int]) -> list[object]:
        """What was typed, before any widget sees it."""
        if _RESIZED in typed:
            self.loop.set_alarm_in(0, lambda *_: self.redraw())  # the crumbs and hints that there is room for
        if any(key != _RESIZED and not isinstance(key, Background) for key in typed):
            self.touched = time.time()
        return [key for key in typed if not self._is_no_key(key)]

    def _is_no_key(self, came: object) -> bool:
        """Take what is no key: a paste, the colour of the background."""
        if isinstance(came, Background):
            which = theme.choose(os.environ, self.screen.colors, is_light=came.is_light)
            self.screen.register_palette(theme.palette(which))
            self.screen.clear()
        elif isinstance(came, Pasted):
            try:
                self._paste(came)
            except Exception as error:
                self._unforeseen(error)
        else:
            return False
        return True

    def _paste(self, pasted: Pasted) -> None:
        """Into the field with the cursor; elsewhere it does nothing."""
        if field := self.stack[-1].focused_field():
            field.paste(pasted.text, is_cut=pasted.is_cut)
            self._show_hints()
        elif pasted.text:
            self._tell_ignored(_PASTE_IGNORED)

    def _ignore(self, letter: str) -> None:
        self._ignored = letter, time.monotonic()

    def _ends_a_burst(self, key: object) -> bool:
        """Whether a key is the Enter at the end of a scan, or of pasted text, that no page takes.

        Nobody who reads a page presses a wrong key and Enter at once, and an Enter does what is
        shown.  A blank, which is often another name of Enter, counts the same outside of a field.
        A key that no text has, such as Esc or an arrow, ends the burst before.
        """
        if isinstance(key, str) and len(key) > 1 and key not in keys.CONFIRM.names:
            self._ignored = "", 0.0
        letter, came = self._ignored
        if time.monotonic() - came > _BURST_S or key not in keys.GO_ON.names:
            return False
        if key not in keys.CONFIRM.names and self.stack[-1].focused_field():
            return False
        self._ignore(letter)  # the next line of the same text is no better
        self._tell_ignored(_SCAN_IGNORED if letter.isdigit() else _TEXT_IGNORED)
        return True

    def _tell_ignored(self, sentence: str) -> None:
        """Say it before what the page says, which is still so."""
        top = self.stack[-1]
        note = plain(top.note)
        for before in (_SCAN_IGNORED, _TEXT_IGNORED, _PASTE_IGNORED):
            note = note.removeprefix(before).lstrip()
        self.say("problem", f"{sentence}  {note}".rstrip())

    def press(self, name: str) -> None:
        """As if a key was pressed; for a click on its hint."""
        self.loop.process_input([name])

    def _key(self, key: object) -> bool:
        """A key that no widget wanted."""
        if not isinstance(key, str):
            return False
        top = self.stack[-1]
        bound = (bound for binding in (*top.bound(), self.bindings) for bound in binding)
        if len(key) == 1 and not any(key in other.names for other in bound):
            self._ignore(key)
        if is_lost_letter(key) and top.focused_field():
            top.note = ("problem", LOST_LETTER)
            self.redraw()
            return True
        return top.key(key) or (not top.locked and keys.press(self.bindings, key))

    def _unforeseen(self, error: Exception) -> None:
        self.say("problem", f"Something unforeseen happened, which is a fault of this program: {type(error).__name__}: {error}")

    def say(self, style: str, told: str) -> None:
        """Say something beneath whatever screen is on top, unless that is locked."""
        if self.stack and not self.stack[-1].locked:
            self.stack[-1].note = (style, told)
            self.redraw()

    # What waits for a server

    def ask(
        self,
        job: Callable[[Client], T],
        then: Callable[[T], None],
        failed: Callable[[CeoError], None],
        *,
        is_repeated: bool = False,
    ) -> None:
        """Have a worker ask; one of the two hears how it ended.

        Where the ticket has ended the password is asked for first.
        """

        def again() -> None:
            self.ask(job, then, failed, is_repeated=True)

        def refused(error: CeoError) -> None:
            if not isinstance(error, Unauthenticated):
                failed(error)
            elif not self._still_has_ticket():
                self.sign_in(again)
            elif not is_repeated:  # asked with a ticket that ended; there is another by now
                self._client = None
                again()
            else:
                failed(error)

        if self._has_ticket():
            self.workers.start(lambda: job(self.client()), then, refused)
        else:
            self.sign_in(again)

    def client(self) -> Client:
        """The HTTP client; for workers' threads, because making it takes a while."""
        with self._making:
            if self._client is None:
                self._client = self.session.client()
                self._client.waiting = self.waiting_for
            return self._client

    def dry_run_client(self) -> Client:
        """A client of its own that only asks what would be done; for workers' threads, too."""
        with self._making:
            if self._dry_run_client is None:
                self._dry_run_client = self.session.client()
                self._dry_run_client.rehearsing = True
                self._dry_run_client.waiting = self.waiting_for
            return self._dry_run_client

    def _has_ticket(self) -> bool:
        """Whether whoever uses the menu has one; somebody else's that came into the same cache does not count."""
        return self.session.seconds_left > 0 or self._still_has_ticket()

    def _still_has_ticket(self) -> bool:
        """What the cache says now: somebody may have emptied it."""
        with contextlib.suppress(Krb5Error):
            if self.session.find() and self.operator in ("", self.session.name):
                self.operator = self.session.name
                return True
        self.session.ticket = None
        return False

    def sign_in(self, then: Callable[[], None] | None = None) -> None:
        """Have the password box get a ticket, and go on.  A lock gets one too."""
        self._waiting += [then] if then else []
        if not self.stack[-1].locked:
            self.push(self.doors.sign_in(self))

    def signed_in(self) -> None:
        """There is a ticket, for the first time or again: go on with what waited for it."""
        self._client = self._dry_run_client = None
        if not self.operator:
            self.operator = self.session.name
            self._welcome()
        waiting, self._waiting = self._waiting, []
        self._look()
        for then in waiting:
            then()

    def lock(self) -> None:
        """Show nothing until the password is given; a box that asks for it already gives way to the lock."""
        if not self.operator or self._shut:
            return
        while self.stack[-1].locked:
            self.stack.pop().left()
        self.push(self.doors.lock(self))

    def shut(self, yes: bool) -> None:
        """Whether the menu can't be left, for a shell or at all."""
        self._shut = yes
        self.screen.shut(yes)

    # In the background

    def run(self, first: Layer) -> None:
        """Until the last screen is left."""
        self.push(first)
        if self._has_ticket():
            self._welcome()
        else:
            self.sign_in()
        self.loop.set_alarm_in(0, self._begin)
        for number in _ENDS:
            signal.signal(number, self._end)
        try:
            self.loop.run()
        except KeyboardInterrupt:
            pass
        except Exception as error:  # in drawing, or in an alarm: the terminal is given back by now
            self.turned_away = Internal(f"the menu ended, which is a fault of this program: {type(error).__name__}: {error}")

    def _end(self, number: int, _frame: object) -> None:
        """A signal ends the menu as Ctrl-C does: in the loop, so that the terminal is given back."""
        self.ended_by = number
        self.workers.say(self.leave)

    def _welcome(self) -> None:
        if welcome := self.doors.welcome(self):
            self.push(welcome)

    def _begin(self, *_: object) -> None:
        self._look()
        self._tick()

    def _tick(self, *_: object) -> None:
        idle = self.settings.lock_after_min * 60
        if idle and time.time() - self.touched > idle and self.operator:
            self.lock()
        elif self.operator and not self._has_ticket():
            self.sign_in()
        is_all_known = self.standing.who is not None and not self.standing.silent
        if time.monotonic() - self._looked > (_LOOK_S if is_all_known else _LOOK_AGAIN_S):
            self._look()
        self.redraw()
        self.loop.set_alarm_in(_TICK_S, self._tick)

    def _look(self) -> None:
        """Ask who we are and which hosts answer; once at a time."""
        if not self.session.ticket or self._looking:
            return
        self._looking = True
        self.workers.start(lambda: standing.look(self.watching_client()), self._saw, self._saw_nothing)

    def watching_client(self) -> Client:
        """A client that waits for no host for long: for what looks at several, so that a silent one does not hold up the others."""
        client = self.session.client()
        client.answer_s = _LOOK_ANSWER_S
        return client

    def _saw(self, note: Callable[[Standing], None]) -> None:
        before = self.standing.who, self.standing.groups
        note(self.standing)
        self._has_looked()
        if before != (self.standing.who, self.standing.groups):
            for screen in self.stack:
                screen.standing_told()
        self.redraw()

    def _saw_nothing(self, _: CeoError) -> None:
        self._has_looked()

    def _has_looked(self) -> None:
        self._looking, self._looked = False, time.monotonic()


def crumbs(name: str, titles: list[str], width: int) -> str:
    """The way from the main menu to a screen, the middle of it left out where there is no room.

    The last title says whose account it is about, so the menu's name goes before that is cut.
    """
    way = [name, *titles]
    while way[1:-1] not in ([], ["…"]) and len(_CRUMB.join(way)) > width:
        del way[1 if way[1] != "…" else 2]
        way[1:1] = ["…"] if way[1] != "…" else []
    if titles and len(_CRUMB.join(way)) > width:
        way = ["…", titles[-1]]
    return _CRUMB.join(way)
