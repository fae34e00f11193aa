"""Adding the books of a CSV file: checked whole, then added a batch at a time, each under a key.

The batches and their keys are saved before the first is sent. A run after a crash sends the same
batches under the same keys, and ceod adds none of them twice.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ceo import sheet
from ceo.imports import save_durably
from ceo_common.errors import Busy, Invalid, OutcomeUnknown
from ceo_common.model import isbn as isbn_rules

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]

COLUMNS = ("title", "authors", "isbn", "year", "edition", "publisher", "copies")
_NEEDED = ("title", "authors")
_NUMBERS = ("year", "copies")
_TEXTS = ("title", "edition", "publisher")
BATCH = 500
_PATIENCE_S = 90.0  # for a batch that ceod still adds for the run before


@dataclass(frozen=True)
class Row:
    """A row of the file; `problems` are those of its cells."""

    line: int
    book: Json
    problems: list[str] = field(default_factory=list)


@dataclass
class Checked:
    """What the check of the rows found, by line."""

    problems: dict[int, list[str]] = field(default_factory=dict)
    doubles: dict[int, str] = field(default_factory=dict)  # where the same book is already
    repeated: set[int] = field(default_factory=set)  # the doubles of an earlier row of the file

    def is_refused(self, row: Row, *, again: bool = True) -> bool:
        """Whether a row can't be added; with `again` a double without an ISBN can."""
        has_double = row.line in self.doubles
        return row.line in self.problems or (has_double and not (again and "isbn" not in row.book))


def read(data: bytes) -> list[Row]:
    """The rows of a file.  Raises Invalid."""
    rows = sheet.read(data, COLUMNS, _NEEDED)
    return [Row(row.line, _book(row.cells), row.problems) for row in rows]


def _book(cells: dict[str, str]) -> Json:
    """A request's body."""
    book: Json = dict(cells)
    authors = [author.strip() for author in cells.get("authors", "").split(";")]
    book["authors"] = [author for author in authors if author]
    for name in _NUMBERS:
        if cells.get(name, "").isdecimal() and len(cells[name]) < 10:
            book[name] = int(cells[name])
    return book


def warnings(row: Row) -> list[str]:
    """What looks wrong in a row although ceod takes it."""
    texts = [(name, str(row.book[name])) for name in _TEXTS if name in row.book]
    texts += [("authors", author) for author in row.book["authors"]]
    return [f"{name}: {warning}" for name, text in texts for warning in sheet.warnings(text)]


def check(client: Client, rows: list[Row], progress: Callable[[int], None]) -> Checked:
    """What keeps rows from being added; progress() gets how many are checked."""
    checked = Checked({row.line: list(row.problems) for row in rows if row.problems})
    _check_among(rows, checked)
    done = 0
    for part in sheet.portions(rows, lambda row: row.book, BATCH):
        asked = [row for row in part if not checked.is_refused(row)]
        # ceod tells malformed rows alone, and looks for doubles once there are none.
        while asked and (malformed := _check_part(client, asked, checked)):
            asked = [row for row in asked if row.line not in malformed]
        done += len(part)
        progress(done)
    return checked


def _check_among(rows: list[Row], checked: Checked) -> None:
    """Find the same book in two rows: by its ISBN, or without one by title and authors."""
    lines: dict[tuple[str, ...], int] = {}
    for row in rows:
        number = str(row.book.get("isbn", ""))
        if isbn_rules.problem(number) is None:
            key: tuple[str, ...] = (isbn_rules.normal(number),)
        elif number:
            continue
        else:
            key = (str(row.book.get("title", "")).casefold(), *map(str.casefold, row.book["authors"]))
        if (first := lines.setdefault(key, row.line)) != row.line:
            checked.doubles[row.line] = f"line {first} has the same book"
            checked.repeated.add(row.line)


def _check_part(client: Client, rows: list[Row], checked: Checked) -> set[int]:
    """Note what ceod finds; the lines of malformed rows.  Raises Invalid."""
    try:
        problems: list[dict[str, str]] = client.check_books([row.book for row in rows])["problems"]
    except Invalid as error:
        problems = error.problems
        if not problems:
            raise
    malformed: set[int] = set()
    for problem in problems:
        _, index, where = [*problem["field"].split(".", 2), "", ""][:3]  # books.3.isbn
        if not index.isdecimal() or int(index) >= len(rows):
            raise Invalid("the rows have problems", problems=problems)
        row = rows[int(index)]
        if "row" in problem:
            first = rows[int(problem["row"])].line
            checked.doubles.setdefault(row.line, f"line {first} has the same book")
        elif "book" in problem:
            checked.doubles.setdefault(row.line, problem["message"])
        else:
            where = where or "row"
            checked.problems.setdefault(row.line, []).append(f"{where}: {problem['message']}")
            malformed.add(row.line)
    return malformed


@dataclass
class BookImport:
    """One file's import."""

    path: str
    begun: float
    again: bool  # whether books without an ISBN are added although the library has the same
    batches: list[list[Json]]
    keys: list[str]  # the Idempotency-Key of each batch
    books: list[list[int] | None]  # the numbers of each batch's books, once it is added
    left_out: list[str] = field(default_factory=list)  # books that were there by then, in words

    @classmethod
    def begin(cls, path: Path, books: list[Json], *, again: bool) -> BookImport:
        """Begin, and save it."""
        batches = sheet.portions(books, lambda book: book, BATCH)
        keys = [str(uuid.uuid4()) for _ in batches]
        begun = cls(str(path), time.time(), again, batches, keys, [None] * len(batches))
        begun.save()
        return begun

    @classmethod
    def load(cls, path: Path) -> BookImport | None:
        """What was begun with the same file, or None.  Raises Invalid."""
        try:
            return cls(**json.loads(path.read_text()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            raise Invalid(f"{path} is damaged; after rm {path} look with ceo library import --dry-run which books are there already") from None

    def save(self) -> None:
        """On disk when it returns."""
        save_durably(Path(self.path), asdict(self))

    def forget(self) -> None:
        """All of it is done."""
        Path(self.path).unlink(missing_ok=True)

    @property
    def numbers(self) -> list[int]:
        """Of all books that are added."""
        return [number for numbers in self.books for number in numbers or []]

    @property
    def left(self) -> int:
        """How many books are to be added."""
        pairs = zip(self.batches, self.books, strict=True)
        return sum(len(batch) for batch, numbers in pairs if numbers is None)

    def run(self, client: Client) -> Iterator[int]:
        """Add what is left, and yield how many after each batch.

        Raises OutcomeUnknown, Unreachable and the like: another run goes on.
        """
        for i, batch in enumerate(self.batches):
            if self.books[i] is None:
                self.books[i] = self._add(client, i)
                self.save()
                yield len(batch)

    def _add(self, client: Client, i: int) -> list[int]:
        """Add a batch, less the books that are there meanwhile; the numbers of the others."""
        until = time.monotonic() + _PATIENCE_S
        while self.batches[i]:
            client.key = self.keys[i]
            try:
                return client.add_books(self.batches[i], again=self.again)
            except Invalid as error:
                there = _there(error)
                if len(there) == len(self.batches[i]):
                    # All or none: an earlier run sent it, and its answer was lost.
                    return list(there.values())
                self._leave_out(i, there)
            except Busy:
                if time.monotonic() > until:
                    raise
                time.sleep(1)
            except OutcomeUnknown:
                if (numbers := self._numbers_there(client, i)) is not None:
                    return numbers
                if time.monotonic() > until:
                    if not self.again:
                        # So long no request runs: it ended without adding them.
                        self.keys[i] = str(uuid.uuid4())
                        self.save()
                    raise
                time.sleep(1)
            finally:
                client.key = None
        return []

    def _leave_out(self, i: int, there: dict[int, int]) -> None:
        """Take the books out of a batch that somebody added meanwhile."""
        batch = self.batches[i]
        self.left_out += [f"{batch[row]['title']}: somebody added it meanwhile, as book {book}" for row, book in there.items()]
        self.batches[i] = [book for row, book in enumerate(batch) if row not in there]
        self.keys[i] = str(uuid.uuid4())
        self.save()

    def _numbers_there(self, client: Client, i: int) -> list[int] | None:
        """The numbers of a batch's books when the library has them all: then it was added, for
        before the import it had none of them.
        """
        if self.again:
            return None
        problems = client.check_books(self.batches[i])["problems"]
        numbers = [int(problem["book"]) for problem in problems if "book" in problem]
        return numbers if len(numbers) == len(self.batches[i]) else None


def _there(error: Invalid) -> dict[int, int]:
    """The numbers of the books that are there, by row.  Raises the error if it is about something else."""
    there: dict[int, int] = {}
    for problem in error.problems:
        _, row, _ = [*problem["field"].split(".", 2), "", ""][:3]
        if "book" not in problem or not row.isdecimal():
            raise error
        there[int(row)] = int(problem["book"])
    if not there:
        raise error
    return there
