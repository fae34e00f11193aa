"""More copies of a book that is there."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from ceo.tui.app import App
from ceo.tui.screen import Screen
from ceo.tui.widgets.form import Field, Form
from ceo_common.errors import CeoError, OutcomeUnknown

Json = dict[str, Any]
ASKS_AGAIN = "Enter asks again; nothing is added twice."


class Copies(Screen):
    """One field; `added` hears what is to be said on the book's page."""

    title = "Add copies"
    about = "How many copies the library has got more of this book."
    role = "library"

    def __init__(self, app: App, book: Json, added: Callable[[str], None]) -> None:
        super().__init__(app)
        self.book, self.added = book, added
        self.keys: dict[str, str] = {}  # the Idempotency-Key by what was typed
        self.form = Form({"copies": Field("How many more", "1")}, self._accept, writes=True,
                         head=[("heading", book["title"]), "", f"There {'is' if book['copies'] == 1 else 'are'} {count(book['copies'])} now."])
        self.body = self.form
        self.tell("hint", "Enter adds them.")

    def _accept(self) -> None:
        number, typed = self.book["book"], self.form.text("copies")
        if problem := number_problem(typed, "such as 1"):
            self.form.complain({"copies": problem})
        else:
            # The same key for the same number: an Enter after a lost answer adds nothing twice.
            key = self.keys.setdefault(typed, str(uuid.uuid4()))
            self.write(f"Copies of \"{self.book['title']}\"", lambda client: client.add_copies(number, int(typed), key),
                       self._done, self._refused)

    def _done(self, book: Json) -> None:
        self.added(f"Of \"{book['title']}\" there are {count(book['copies'])} now.")
        self.app.remove(self)

    def _refused(self, error: CeoError) -> None:
        self.form.refuse(error)
        if isinstance(error, OutcomeUnknown):
            self.tell("problem", f"Nobody knows whether they were added.  {ASKS_AGAIN}")
        else:
            self.tell("hint", "Enter adds them.")


def count(copies: int) -> str:
    """So many copies, in words."""
    return f"{copies} {'copy' if copies == 1 else 'copies'}"


def number_problem(typed: str, such_as: str) -> str:
    """Why this is no number that a form can send, or nothing."""
    return "" if typed.isascii() and typed.isdigit() and len(typed) < 10 else f"a number, {such_as}"
