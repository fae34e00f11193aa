"""A new book of the library."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

from ceo.tui import keys
from ceo.tui.app import App
from ceo.tui.screen import Screen
from ceo.tui.screens.book import BookPage
from ceo.tui.screens.copies import ASKS_AGAIN, count, number_problem
from ceo.tui.widgets.form import Field, Form
from ceo_common.errors import CeoError, Exists, Invalid, OutcomeUnknown
from ceo_common.model import isbn, names

Json = dict[str, Any]


class AddBook(Screen):
    """The form; once a book is added it is empty again, for the next one of the pile.

    With `added` it adds one book of this ISBN, and leads back to whoever asked for it.
    """

    title = "Add a book"
    about = ("Title and authors are needed, several authors with ; between them; the rest as far as it is known.  The ISBN can be scanned: "
             "if the library has the book already, its page opens with Ctrl-O, where copies are added.")
    role = "library"

    def __init__(self, app: App, scanned: str = "", added: Callable[[Json], None] | None = None) -> None:
        super().__init__(app)
        self.added = added
        self.request_keys: dict[str, str] = {}  # the Idempotency-Key by the book that was sent
        # The field, and its text, by which the library has the book already.
        self._held: tuple[str, str] | None = None
        self.fields = {"isbn": Field("ISBN"), "title": Field("Title"), "authors": Field("Authors"), "year": Field("Year"),
                       "edition": Field("Edition"), "publisher": Field("Publisher"), "copies": Field("Copies", "1")}
        draft = {} if added else app.drafts.setdefault(self.title, {})
        self.form = Form(self.fields, self._accept, draft=draft, leaving=self._leaving, changed=self._changed,
                         head=[("hint", "Enter goes from field to field; from the last one, or with Ctrl-D from any, the book is added.")],
                         writes=True)
        self.body = self.form
        if scanned:
            self.fields["isbn"].fill(scanned)
            self.form.go_to("title")

    # The ISBN

    def _changed(self) -> None:
        if self._held and self.form.text(self._held[0]) != self._held[1]:
            self._held = None
            del self.bindings[keys.OPEN_INSTEAD]
            self.app.redraw()

    def _leaving(self, name: str) -> None:
        """Leaving the ISBN: is it one, and is it new?"""
        typed = self.form.text("isbn")
        if name != "isbn" or not typed:
            return
        if problem := isbn.problem(typed):
            self.fields["isbn"].under("problem", problem)
        else:
            self.ask(lambda client: client.books(q=typed)["books"], partial(self._looked_up, typed), lambda _: None)  # adding will say it

    def _looked_up(self, typed: str, found: list[Json]) -> None:
        if found and typed == self.form.text("isbn"):
            self._there("isbn", found[0])

    def _there(self, name: str, book: Json) -> None:
        """The library has it: its page can be opened instead."""
        self._held = name, self.form.text(name)
        self.bindings[keys.OPEN_INSTEAD] = lambda: self.app.push(BookPage(self.app, book))
        self.fields[name].under("problem", f"The library has \"{book['title']}\" already.  Ctrl-O opens it, to add copies.")
        self.app.redraw()

    # Adding

    def _problems(self) -> dict[str, str]:
        texts = self.form.texts()
        found = {
            "title": "that is an ISBN; the title stands on the cover" if isbn.problem(texts["title"]) is None else
            names.text_problem(texts["title"], "the title", 512),
            "authors": None if _authors(texts["authors"]) else "at least one author; several with ; between them",
            "isbn": isbn.problem(texts["isbn"]) if texts["isbn"] else None,
            "year": number_problem(texts["year"], "such as 1999") if texts["year"] else None,
            "copies": number_problem(texts["copies"], "such as 1"),
        }
        return {name: problem for name, problem in found.items() if problem}

    def _accept(self) -> None:
        problems = self._problems()
        self.form.complain(problems)
        if problems:
            self.tell("hint", "Nothing was added.")
            return
        texts = {name: text for name, text in self.form.texts().items() if text}
        numbers: Json = {name: int(texts[name]) for name in ("year", "copies") if name in texts}
        book: Json = {**texts, "authors": _authors(texts["authors"]), **numbers}
        # The same key for the same book: an Enter after a lost answer adds nothing twice.
        key = self.request_keys.setdefault(repr(book), str(uuid.uuid4()))
        self.write(f"Adding \"{texts['title']}\"", lambda client: client.add_book(book, key), self._added, self._refused,
                   draft=self.form.draft)

    def _added(self, book: Json) -> None:
        self.request_keys.clear()
        if self.added:
            self.app.remove(self)
            self.added(book)
            return
        self.form.clear()
        self.tell("good", f"\"{book['title']}\", {count(book['copies'])}, is added.")

    def _refused(self, error: CeoError) -> None:
        if isinstance(error, OutcomeUnknown):
            self.tell("problem", f"Nobody knows whether it was added: {error.message}.  {ASKS_AGAIN}")
            return
        self.tell("problem", "Nothing was added." if isinstance(error, Exists | Invalid) else error.message)
        if isinstance(error, Invalid):
            self.form.refuse(error)
        if isinstance(error, Exists):
            name = "isbn" if self.form.text("isbn") else "title"
            self.form.go_to(name)
            self.ask(lambda client: client.book(error.more["book"]), partial(self._there, name))


def _authors(typed: str) -> list[str]:
    return [author.strip() for author in typed.split(";") if author.strip()]
