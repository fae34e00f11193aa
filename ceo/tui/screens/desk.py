"""The library's desk: scan a book, type who borrows it, Enter; and the next one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import urwid

from ceo.tui import keys
from ceo.tui.app import App
from ceo.tui.screen import message_of
from ceo.tui.screens.add_book import AddBook
from ceo.tui.screens.book import BookPage, back_from, copies_in, on_loan
from ceo.tui.screens.borrower import Borrower
from ceo.tui.screens.library import Library
from ceo.tui.screens.loan import WithLoans, all_out, has_until, loans_of, split_scan
from ceo.tui.widgets.form import Field
from ceo.tui.widgets.menu import Choice
from ceo.tui.widgets.page import Record
from ceo.tui.widgets.safe import Markup
from ceo_common.errors import CeoError
from ceo_common.model import isbn

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]
_BOOK, _LEND = "Book", "Lend to"
_ABOUT_LENDING = "Who borrows it?  Type their username; Enter names them, then Enter lends."
_KEPT = 3  # sentences about what was done; with two loans they fit on 24 lines


class Desk(WithLoans):
    """Two fields: the book and who borrows it; their name is shown before Enter lends.

    Enter in the first looks the book up and goes to the second at once, so that what is typed
    before the answer is not lost.  A scan in the second is the next book, never a borrower.
    """

    title = "Library desk"
    about = (
        "Scan a book (or type its ISBN or a part of its title); scan or type who borrows it, Enter:"
        " compare the name with their card, and Enter lends.  A part of a name finds people.  "
        "Scan a book that is on loan, and Down goes to returning and renewing it."
    )
    home = _BOOK

    def __init__(self, app: App) -> None:
        super().__init__(app)
        self.book: Json | None = None
        self.loans: list[Json] = []
        self.unknown = ""  # the ISBN that the library does not have
        self.sought = ""  # what is being looked up
        self.lends_to = ""  # whose Enter came before the book was known
        self.texts_sent = ("", "")  # of both fields, when the last change was sent
        self.scanned_meanwhile = ""  # the next book, while the one before is still being lent
        self.done: list[Markup] = []  # the newest first
        self.scan = Field(f"  {_BOOK}")
        self.field = Field(f"  {_LEND}")
        urwid.connect_signal(self.scan.edit, "postchange", lambda *_: self.scan.under("", ""))
        self.borrower = Borrower(self, self.field, self._lend)
        self.menu.show(self._rows(), _BOOK)

    def on_top(self) -> None:
        """Whoever was found meanwhile may be the borrower."""
        super().on_top()
        self.borrower.on_top(takes_found=self.book is not None)

    def fetch(self, client: Client) -> tuple[Json, list[Json]] | None:
        """The book that is on the desk, and who has it."""
        return self._with_loans(client, client.book(self.book["book"])) if self.book else None

    def show(self, told: tuple[Json, list[Json]] | None) -> None:
        """The mark stays where it is."""
        if told and self.book and told[0]["book"] == self.book["book"]:
            self.book, self.loans = told
        self.menu.show(self._rows())

    def changed(self, sentence: str) -> None:
        """Note it below, and go on with the next book, which may be scanned already."""
        self._note(("good", sentence))
        scanned, self.scanned_meanwhile = self.scanned_meanwhile, ""
        rest = self._typed_meanwhile()
        self._next()
        super().changed(sentence)
        if scanned:
            self._look_up(scanned)
        if rest:
            (self.field if scanned else self.scan).fill(rest)

    def change(
        self,
        what: str,
        job: Callable[[Client], Json],
        sentence: Callable[[Json], str],
        refused: Callable[[CeoError], None] | None = None,
    ) -> None:
        """What is typed from now on is about the next book."""
        if not self._writing:
            self.texts_sent = self.scan.text, self.field.text
        super().change(what, job, sentence, refused)

    def _typed_meanwhile(self) -> str:
        """What was typed while the last change was under way: the beginning of the next scan."""
        book, uid = self.texts_sent
        if not uid.startswith(self.field.text):
            return self.field.text.removeprefix(uid).strip()
        return "" if self.scan.text == book else self.scan.text

    def undone(self, sentence: str) -> None:
        """The book that is on the desk stays there."""
        self._note(("good", sentence))
        super().changed(sentence)
        if self.book:
            self._show_rows(_LEND)
        self._wrote = 0.0  # the mark is in a field, where an Enter too many does nothing

    def _rows(self) -> list[Choice | Record | str]:
        never, book = self.app.standing.never, self.book
        rows: list[Choice | Record | str] = [
            Choice(
                _BOOK,
                self._scanned,
                "Scan a book, or type its ISBN or its title.",
                asks=self.scan,
            ),
            *self._adding(),
            Choice(
                _LEND,
                self._lend,
                self._about_lending(),
                never("library.lend"),
                self.field,
                writes=True,
            ),
            "",
        ]
        if book:
            known = (
                ("Title", book["title"]),
                ("Authors", "; ".join(book["authors"])),
                ("Copies", copies_in(book)),
            )
            rows += [*(Record(label, value) for label, value in known), "", *on_loan(self.loans)]
            rows += [self.take_back(loan, back_from(loan["uid"])) for loan in self.loans]
            rows += [self.renew(loan, f"Renew for {loan['uid']}") for loan in self.loans]
        done = [Record("Done" if i == 0 else "", sentence) for i, sentence in enumerate(self.done)]
        return [*rows, *([] if rows[-1] == "" else [""]), *done] if done else rows

    def _adding(self) -> list[Choice]:
        """Right below the Book field, so that Down leads to it."""
        if not self.unknown:
            return []
        about = f"ISBN {self.unknown}; then back to this desk."
        never = self.app.standing.never("library.add")
        return [Choice("Add this book", self._add, about, never)]

    def _about_lending(self) -> str:
        if self.book and not self.book["copies_in"]:
            return f"{all_out(self.book, self.loans)}  Down: return or renew it."
        return _ABOUT_LENDING

    def _show_rows(self, mark: str) -> None:
        self.bindings.pop(keys.OPEN_INSTEAD, None)
        if self.book:
            self.bindings[keys.OPEN_INSTEAD] = partial(self._open, self.book)
        self.menu.show(self._rows(), mark)
        self.app.redraw()

    # The book

    def _scanned(self) -> None:
        typed = self.scan.text
        if self.is_undo(typed):
            self.scan.fill("")
            self.undo()
        elif typed in keys.UNDO_LOAN.names:
            self.scan.fill("")
            self.scan.under("problem", "There is nothing to undo: it was done, or a minute is over.")
        elif len(typed) > 1:
            self._look_up(split_scan(typed)[1] or typed)
        else:
            self.scan.fill(typed, typed=False)  # the next scan takes its place
            self.tell("hint", "Scan a book, or type its ISBN or its title.")

    def _look_up(self, typed: str) -> None:
        """Put aside what was on the desk; another book has another borrower."""
        before = self.book
        if before is None or typed not in (before["isbn"], before["title"]):
            self.field.fill("")
        if before and typed not in (before["isbn"], before["title"]):
            self._note(("hint", f'"{before["title"]}" was put aside: nothing was done with it.'))
        self.scan.fill(typed, typed=False)
        self.book, self.loans, self.unknown, self.lends_to = None, [], "", ""
        self.sought = typed
        self._show_rows(_LEND)
        self.tell("hint", "One moment ...")
        self.ask(
            partial(self._search, typed),
            partial(self._answered, typed),
            self._not_answered,
            about="scan",
        )

    def _search(self, typed: str, client: Client) -> tuple[int, tuple[Json, list[Json]] | None]:
        """How many books match, and the only one with its loans."""
        page = client.books(q=typed, size=1)
        books = page["books"]
        return page["found"], self._with_loans(client, books[0]) if page["found"] == 1 else None

    def _with_loans(self, client: Client, book: Json) -> tuple[Json, list[Json]]:
        return book, loans_of(client, book["book"], self.app.standing.uid or self.app.operator)

    def _answered(self, typed: str, answer: tuple[int, tuple[Json, list[Json]] | None]) -> None:
        count, only = answer
        if typed != self.sought:
            return
        self.sought = ""
        if self.scan.text != typed:
            self.lends_to = ""  # somebody means another book by now
        if only:
            self._put(*only)
        elif count:
            self._back_to_scan()
            self.go_to(Library(self.app, text=typed, picked=lambda book: self._put(book, [])))
        elif isbn.problem(typed) is None:
            self.unknown = isbn.normal(typed)
            self._back_to_scan()
            self.scan.under("problem", "The library has no book with this ISBN.  Down and Enter: add it.")
        else:
            self._back_to_scan()
            self.scan.under("problem", f"No book matches.  {_why_no_isbn(typed)}".strip())

    def _not_answered(self, error: CeoError) -> None:
        self.sought = ""
        self._back_to_scan()
        self.complain(error)

    def _back_to_scan(self) -> None:
        """The next scan takes the place of this one; what was typed about the borrower stays."""
        self.lends_to = ""
        self._show_rows(_BOOK)

    def _put(self, book: Json, loans: list[Json]) -> None:
        """Put a book on the desk."""
        self.book, self.loans, self.unknown = book, loans, ""
        self.scan.fill(book["isbn"] or book["title"], typed=False)
        self._show_rows(_LEND)
        self.menu.moved()
        uid, self.lends_to = self.lends_to, ""
        if uid and uid == self.field.text:  # an Enter counts for what the field held then
            self._lend()
        elif not loans and book["copies_in"] < book["copies"]:
            self.load()

    def _add(self) -> None:
        self.app.push(AddBook(self.app, self.unknown, self._added))

    def _added(self, book: Json) -> None:
        """A name that was typed before the book existed does not count."""
        self.field.fill("")
        self._put(book, [])
        self.said = f'"{book["title"]}" is added.  Who borrows it?  Type their username.'
        self._note(("good", f'"{book["title"]}" is added.'))
        self._show_rows(_LEND)
        self.tell("good", self.said)

    def _open(self, book: Json) -> None:
        self.app.push(BookPage(self.app, book))

    # The borrower

    def _lend(self) -> None:
        uid, scanned = split_scan(self.field.text)
        if self.is_undo(uid):
            self.field.fill("")
            self.undo()
        elif scanned and self._writing:
            self.field.fill(uid)
            self.scanned_meanwhile = scanned
        elif scanned and uid:
            self.field.fill(uid)
            self.field.under(
                "problem",
                "A book was scanned into this field.  Nothing was lent; scan it again afterwards.",
            )
        elif scanned:
            self._scanned_instead(scanned)
        elif not uid:
            self.field.under("problem", "Who borrows it?  Type their username.")
        elif self.sought:
            self.lends_to = uid
        elif self.unknown:
            self.field.under(
                "problem", "The library does not have this book yet.  Up and Enter: add it first."
            )
        elif self.book is None:
            self.menu.go_home()
            self.tell("problem", "Scan the book first; then type who borrows it.")
        elif problem := all_out(self.book, self.loans):
            self.field.under("problem", f"{problem}  Nothing was lent.")
        elif self.borrower.is_named(uid):
            self._send(self.book, uid)
        else:
            self.borrower.ask(self.book["book"], uid)

    def _scanned_instead(self, scanned: str) -> None:
        """The next book; the one before was not lent, and somebody has to know that."""
        self.field.fill("")
        before = self.book
        if before and before["isbn"] == scanned:
            self.tell("hint", f"The same book was scanned twice.  {self._about_lending()}")
            return
        self._look_up(scanned)

    def _send(self, book: Json, uid: str) -> None:
        number, name = book["book"], self.borrower.name
        self.field.fill(uid)  # the cursor behind it: what is typed meanwhile is the next scan
        self.change(
            f'Lending "{book["title"]}"',
            lambda client: client.lend(number, uid),
            lambda loan: has_until(loan, name),
            partial(self._refused, book),
        )

    def _refused(self, book: Json, error: CeoError) -> None:
        """The field shows why; a scan that has begun goes on as the next book, and is not cut."""
        scanned, self.scanned_meanwhile = self.scanned_meanwhile, ""
        if rest := self._typed_meanwhile():
            self._note(("problem", f'"{book["title"]}" was not lent: {message_of(error)}'))
            self.field.fill("")
            self.scan.fill(rest)
            self._show_rows(_BOOK)
            return
        again = "  The next book was not looked up: scan it again." if scanned else ""
        self.field.under("problem", f"{message_of(error)}{again}")
        self.menu.moved()

    def _next(self) -> None:
        self._wrote = 0.0  # the fields are empty, so that an Enter too many does nothing
        self.book, self.loans, self.unknown, self.lends_to = None, [], "", ""
        for field in (self.scan, self.field):
            field.fill("")
        self._show_rows(_BOOK)

    def _note(self, sentence: Markup) -> None:
        """Put a sentence first; one that is there already moves up."""
        self.done = [sentence, *(other for other in self.done if other != sentence)][:_KEPT]


def _why_no_isbn(typed: str) -> str:
    """For digits that were to be an ISBN: which rule they break."""
    digits = sum(c.isdigit() for c in typed)
    problem = isbn.problem(typed) if digits >= len(typed) - 4 and digits >= 8 else ""
    return f"{problem[:1].upper()}{problem[1:]}." if problem else ""
