"""Reading a file of books, and an import of books that ends anywhere: nothing is added twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ceo import book_import
from ceo.book_import import BookImport
from ceo_common.errors import Busy, CeoError, Invalid, OutcomeUnknown, Unreachable

Json = dict[str, Any]


class Shelf:
    """What an import asks of ceod: checks, and batches by key; it fails where it is told to."""

    def __init__(self) -> None:
        self.books: list[Json] = []
        self.answers: dict[str, list[int]] = {}
        self.begun: set[str] = set()
        self.key: str | None = None
        self.calls = 0
        self.fails: dict[int, tuple[str, Exception]] = {}

    def check_books(self, books: list[Json]) -> Json:
        if malformed := [i for i, book in enumerate(books) if book["title"] == "bad"]:
            problems = [{"field": f"books.{i}.title", "message": "is bad"} for i in malformed]
            raise Invalid("the request has problems", problems=problems)
        there = [i for i, book in enumerate(books) if book in self.books]
        return {"problems": [{"field": f"books.{i}.title", "message": "is there", "book": str(self.books.index(books[i]))} for i in there]}

    def add_books(self, books: list[Json], *, again: bool) -> list[int]:
        self.calls += 1
        when, error = self.fails.get(self.calls, ("", None))
        if when == "before" and error:
            raise error
        assert self.key
        if self.key in self.begun:
            raise OutcomeUnknown("began, and ceod ended")
        if self.key not in self.answers:
            if not again and (problems := self.check_books(books)["problems"]):
                raise Invalid("can't be added", problems=problems)
            first = len(self.books)
            self.books += books
            self.answers[self.key] = list(range(first, len(self.books)))
        if when == "after" and error:
            raise error
        if when == "forgotten" and error:  # ceod ended before it kept its answer
            self.begun.add(self.key)
            raise error
        return self.answers[self.key]


BOOKS: list[Json] = [{"title": f"Book {i}", "authors": ["A"]} for i in range(2 * book_import.BATCH + 1)]
ERRORS = [Unreachable("down"), Busy("at work"), OutcomeUnknown("cut")]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.code)
@pytest.mark.parametrize("call", [1, 2, 3])
def test_whatever_fails_no_book_is_added_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str, error: CeoError, call: int) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    shelf, path = Shelf(), tmp_path / "books.json"
    shelf.fails = {call: (when, error)}
    BookImport.begin(path, BOOKS, again=False)
    for _ in range(5):
        begun = BookImport.load(path)
        assert begun
        try:
            list(begun.run(shelf))  # type: ignore[arg-type]
        except CeoError:
            continue
        break
    assert shelf.books == BOOKS
    assert begun
    assert begun.numbers == list(range(len(BOOKS)))
    assert begun.left == 0
    assert shelf.key is None


def test_an_answer_that_ceod_did_not_keep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library is asked whether it has the batch; where that says nothing, somebody has to look."""
    shelf, path = Shelf(), tmp_path / "books.json"
    shelf.fails = {2: ("forgotten", OutcomeUnknown("look"))}
    begun = BookImport.begin(path, BOOKS, again=False)
    list(begun.run(shelf))  # type: ignore[arg-type]
    assert shelf.books == BOOKS
    assert begun.numbers == list(range(len(BOOKS)))
    shelf = Shelf()
    shelf.fails = {2: ("forgotten", OutcomeUnknown("look"))}
    monkeypatch.setattr(book_import, "_PATIENCE_S", 0)
    begun = BookImport.begin(path, BOOKS, again=True)
    with pytest.raises(OutcomeUnknown):
        list(begun.run(shelf))  # type: ignore[arg-type]


def test_a_request_that_never_ended_is_sent_anew_by_another_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_import, "_PATIENCE_S", 0)
    shelf = Shelf()
    for again in (False, True):
        path = tmp_path / f"{again}.json"
        shelf.fails = {shelf.calls + 1: ("before", OutcomeUnknown("began and never ended"))}
        begun = BookImport.begin(path, [{"title": str(again), "authors": ["A"]}], again=again)
        key = begun.keys[0]
        with pytest.raises(OutcomeUnknown):
            list(begun.run(shelf))  # type: ignore[arg-type]
        saved = BookImport.load(path)
        assert saved
        assert (saved.keys[0] == key) == again  # nobody can tell whether one more copy was added


def test_what_somebody_adds_meanwhile_is_left_out(tmp_path: Path) -> None:
    """A batch is added without it."""
    shelf = Shelf()
    begun = BookImport.begin(tmp_path / "books.json", BOOKS, again=False)
    shelf.books = [BOOKS[3], BOOKS[book_import.BATCH]]
    list(begun.run(shelf))  # type: ignore[arg-type]
    assert sorted(book["title"] for book in shelf.books) == sorted(book["title"] for book in BOOKS)
    assert begun.left_out == [
        "Book 3: somebody added it meanwhile, as book 0",
        f"Book {book_import.BATCH}: somebody added it meanwhile, as book 1",
    ]
    assert len(begun.numbers) == len(BOOKS) - 2


def test_what_is_there_or_in_the_file_twice() -> None:
    shelf = Shelf()
    shelf.books = [{"title": "There", "authors": ["A", "B"]}]
    text = "title,authors,isbn\nThere,A;B,\nNew,C,\nnew,C,\nbad,D,\nOne,E,0131103628\nTwo,F,[978-0-13-110362-7]\nThree,G,1\nFour,H,1\n"
    rows = book_import.read(text.encode())
    checked = book_import.check(shelf, rows, lambda done: None)  # type: ignore[arg-type]
    assert checked.problems == {5: ["title: is bad"]}
    assert checked.doubles == {
        2: "is there",
        4: "line 3 has the same book",
        7: "line 6 has the same book",
    }
    assert checked.repeated == {4, 7}
    refused = {again: [row.line for row in rows if checked.is_refused(row, again=again)] for again in (True, False)}
    assert refused == {True: [5, 7], False: [2, 4, 5, 7]}


def test_what_only_ceod_takes_for_the_same_book() -> None:
    """Accents do not count; the line is the file's, not the request's."""

    class Accents(Shelf):
        def check_books(self, books: list[Json]) -> Json:
            assert [book["title"] for book in books] == ["Déjà", "Deja"]
            return {"problems": [{"field": "books.1.title", "message": "row 0", "row": "0"}]}

    rows = book_import.read("title,authors,copies\nX,Y,no\nDéjà,A,\nDeja,A,\n".encode())
    rows = [row for row in rows if row.line > 2]
    checked = book_import.check(Accents(), rows, lambda done: None)  # type: ignore[arg-type]
    assert (checked.problems, checked.doubles) == ({}, {4: "line 3 has the same book"})
    assert not checked.is_refused(rows[1])
    assert checked.is_refused(rows[1], again=False)


def test_a_damaged_state_file_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "books.json"
    assert BookImport.load(path) is None
    BookImport.begin(path, BOOKS, again=False)
    path.write_text(path.read_text()[:50])
    with pytest.raises(Invalid, match="is damaged"):
        BookImport.load(path)


def test_books_as_rows() -> None:
    (row,) = book_import.read('Title;Authors;Year;Copies\nJosÃ©;"A; B";1999;x\n'.encode())
    assert row.book == {"title": "JosÃ©", "authors": ["A", "B"], "year": 1999, "copies": "x"}
    assert book_import.warnings(row) == ['title: "JosÃ©" looks damaged, as if it was "José": open the file as UTF-8']
