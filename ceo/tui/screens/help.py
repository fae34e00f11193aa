"""What this screen is for, and its keys: drawn from what is bound."""

from __future__ import annotations

from ceo.tui import keys
from ceo.tui.app import App
from ceo.tui.screen import Screen
from ceo.tui.widgets.page import Page, Record

_WIDTH = 24


class Help(Screen):
    """Of the screen beneath it."""

    title = "Help"
    only_shows = True
    about = "The keys of the screen that you came from."

    def __init__(self, app: App) -> None:
        super().__init__(app)
        self.bindings = {keys.HELP: app.pop}
        beneath = app.stack[-1]
        own, *of_widgets = beneath.bound()
        seen = dict.fromkeys(key for bindings in (own, app.bindings, *of_widgets) for key in bindings)
        about = getattr(beneath, "about", "")
        self.body = Page([*([about, ""] if about else []), *(Record(", ".join(labels(key)), key.does, _WIDTH) for key in seen)])


def labels(key: keys.Key) -> list[str]:
    """Every name of a key, as people say it, the usual one first."""
    others = (name.title().replace("Meta", "Alt").replace(" ", "-") if name != " " else "Space" for name in key.names)
    return list(dict.fromkeys([key.label, *others]))
