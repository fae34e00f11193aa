"""What this screen is for, and its keys: drawn from what is bound."""

from __future__ import annotations

from ceo.tui import keys
from ceo.tui.app import App
from ceo.tui.screen import Screen
from ceo.tui.widgets.page import Page, Record


class Help(Screen):
    """Of the screen beneath it."""

    title = "Help"
    about = "The keys of the screen that you came from."

    def __init__(self, app: App) -> None:
        super().__init__(app)
        beneath = app.stack[-1]
        seen: dict[keys.Key, None] = {key: None for bindings in [*beneath.bound(), app.bindings] for key in bindings}
        about = getattr(beneath, "about", "")
        self.body = Page([*([about, ""] if about else []), *(Record(", ".join(labels(key)), key.does) for key in seen)])


def labels(key: keys.Key) -> list[str]:
    """Every name of a key, as people say it, the usual one first."""
    return list(dict.fromkeys([key.label, *("Space" if name == " " else name.title().replace(" ", "-") for name in key.names)]))
