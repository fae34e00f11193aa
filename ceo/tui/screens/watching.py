"""A screen that asks anew by itself for as long as it is on top."""

from __future__ import annotations

from ceo.tui import keys
from ceo.tui.app import App
from ceo.tui.screen import Screen


class Watching(Screen):
    """Subclasses say what is looked at; Ctrl-R looks at once."""

    every_s = 10.0

    def __init__(self, app: App) -> None:
        super().__init__(app)
        self.bindings = {keys.AGAIN: self.look}
        self._alarm: object = None

    def on_top(self) -> None:
        """Look, and go on looking."""
        self.look()
        self._wait()

    def left(self) -> None:
        """Look no more."""
        self.app.loop.remove_alarm(self._alarm)

    def look(self) -> None:
        """Ask."""
        raise NotImplementedError

    def _wait(self) -> None:
        self.app.loop.remove_alarm(self._alarm)
        self._alarm = self.app.loop.set_alarm_in(self.every_s, lambda *_: self._again())

    def _again(self) -> None:
        if self.in_sight:
            self.look()
        self._wait()
