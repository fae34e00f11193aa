"""The menu's frame: a stack of screens, a title, a status line, and the one pipe through which worker threads speak."""

from __future__ import annotations

import contextlib
import os
import queue
import random
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import urwid

from ceo.session import Session
from ceo.tui import theme
from ceo.tui.screen import Screen
from ceo_common.client_config import Client as Settings
from ceo_common.errors import CeoError, Internal
from ceo_common.krb5.errors import Krb5Error
from ceo_common.text import shown

if TYPE_CHECKING:
    from ceo_common.client import Client

_STATUS_S = 20.0


class App:
    """Runs until the last screen is left."""

    def __init__(self, settings: Settings, session: Session, draw: random.Random | None = None) -> None:
        self.settings = settings
        self.session = session
        self.stack: list[Screen] = []
        self._heard: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._title = urwid.Text("")
        self._status = urwid.Text("", wrap=urwid.CLIP)
        self._hint = urwid.Text("", wrap=urwid.CLIP)
        self._name = theme.title(draw or random.Random())  # noqa: S311 - a joke, not a key
        self._client: Client | None = None
        footer = urwid.Pile([urwid.AttrMap(self._hint, "hint"), urwid.AttrMap(self._status, "status")])
        self.frame = urwid.Frame(urwid.SolidFill(" "), header=urwid.AttrMap(self._title, "title"), footer=footer)
        self.loop = urwid.MainLoop(self.frame, theme.PALETTE, unhandled_input=self._key)
        self._pipe = self.loop.watch_pipe(self._hear)

    @property
    def client(self) -> Client:
        """The HTTP client; only worker threads call its methods."""
        if self._client is None:
            self._client = self.session.client()
        return self._client

    # Screens

    def push(self, screen: Screen) -> None:
        """Put a screen on top."""
        self.stack.append(screen)
        self.redraw()
        screen.on_top()

    def pop(self) -> None:
        """Back to the screen below; it is as it was left.  From the last one out."""
        self.stack.pop()
        if not self.stack:
            raise urwid.ExitMainLoop
        self.redraw()
        self.stack[-1].on_top()

    def back_to_first(self) -> None:
        """Back to the main menu."""
        del self.stack[1:]
        self.redraw()
        self.stack[-1].on_top()

    def replace(self, screen: Screen) -> None:
        """Put a screen in the top one's place."""
        self.stack.pop()
        self.push(screen)

    def redraw(self) -> None:
        """The frame around the top screen, when its hint or the stack changed."""
        top = self.stack[-1]
        crumbs = " > ".join(screen.title for screen in self.stack if screen.title)
        self._title.set_text(f" {self._name}" + (f"  >  {crumbs}" if crumbs else ""))
        self._hint.set_text(f" {top.hint}")
        self.frame.body = urwid.Padding(top.body, left=2, right=2)
        self.tell_status()

    def tell_status(self) -> None:
        """Who we are and how long the ticket lives."""
        left = self.session.seconds_left
        ticket = f"ticket {left // 3600} h {left % 3600 // 60:02d} min" if left else "no ticket"
        self._status.set_text(f" {shown(self.session.name)}  |  {ticket}")

    def _key(self, key: object) -> bool:
        return isinstance(key, str) and bool(self.stack) and self.stack[-1].key(key) is None

    # Threads

    def work(self, job: Callable[[], Any], then: Callable[[Any], None], failed: Callable[[CeoError], None]) -> None:
        """Run a job in a thread; its outcome is heard in the loop."""
        def run() -> None:
            try:
                result = job()
            except CeoError as error:
                kept = error
                self.say(lambda: failed(kept))
            except Krb5Error as error:
                told = Internal(f"Kerberos: {error.message}")
                self.say(lambda: failed(told))
            except Exception as error:
                unforeseen = Internal(f"something unforeseen happened: {type(error).__name__}: {error}")
                self.say(lambda: failed(unforeseen))
            else:
                self.say(lambda: then(result))

        threading.Thread(target=run, daemon=True).start()

    def say(self, what: Callable[[], None]) -> None:
        """From any thread: have the loop do something and draw."""
        self._heard.put(what)
        os.write(self._pipe, b".")

    def _hear(self, _data: bytes) -> bool:
        while not self._heard.empty():
            self._heard.get()()
        return True

    def run(self, first: Screen) -> None:
        """Until the last screen is left or Ctrl-C."""
        self.push(first)
        self._tick()
        with contextlib.suppress(KeyboardInterrupt):
            self.loop.run()

    def _tick(self, *_: object) -> None:
        self.tell_status()
        self.loop.set_alarm_in(_STATUS_S, self._tick)
