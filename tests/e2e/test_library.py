"""The library: every rule of the desk, the search, the mails, and what PostgreSQL itself holds of it."""

from __future__ import annotations

import json
import random
import threading
import time
import unicodedata
import uuid
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import make_url

from ceo_common.errors import BackendDown, CeoError, Deleted, Exists, Forbidden, Invalid, NotFound, WrongState
from ceo_common.model.isbn import check_digit
from ceo_common.terms import current
from ceod.library import search, undo
from ceod.library.tables import REVISION
from sandbox.club import BASE_DN, PYTHON
from sandbox.services import PSQL
from tests.club.club import Club

COFFEE = "coffee.csclub.internal"
ZONE = "America/Toronto"


def _sql(club: Club, text: str, *options: str) -> list[str]:
    """Lines that psql prints."""
    done = club.run_as("root", PSQL, "-h", "/run/postgresql", "-U", "postgres", "-AtX", "-v", "ON_ERROR_STOP=1", *options, "library",
                       text=text, host="coffee")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def _today() -> date:
    return datetime.now(ZoneInfo(ZONE)).date()


def _isbn() -> str:
    body = f"9791{random.randrange(10**8):08d}"  # 9790 is music
    return body + check_digit(body)


def _book(club: Club, **more: Any) -> dict[str, Any]:
    """A new book of its own title."""
    return club.client("office1").add_book({"title": f"Book {club.name()}", "authors": ["Ann Author"], **more})


def _late(club: Club, loan: dict[str, Any], days: int = 1) -> None:
    _sql(club, f"UPDATE loans SET due_on = '{_today() - timedelta(days=days)}' WHERE id = {loan['loan']};")


@pytest.fixture(scope="module")
def members(club: Club) -> list[str]:
    """Members of this term who have nothing from the library."""
    busy = set(_sql(club, "SELECT uid FROM loans WHERE returned_at IS NULL;"))
    found = club.entries(f"(&(objectClass=member)(term={current(ZONE)})(!(shadowExpire=*)))").values()
    return sorted({entry["uid"][0].decode() for entry in found} - busy - {"ctdalek", "office1", "regular1"})


@pytest.fixture
def readers(club: Club, members: list[str]) -> Iterator[Iterator[str]]:
    """The same, one after the other; in the end they give everything back."""
    yield iter(members)
    theirs = ", ".join(f"'{uid}'" for uid in members)
    _sql(club, f"UPDATE loans SET returned_at = now(), returned_by = 'test' WHERE returned_at IS NULL AND uid IN ({theirs});")


# Adding


def test_authors_are_stored_in_their_order(club: Club) -> None:
    """The program before never stored them."""
    authors = ["Zoë Zuse", "Ann Author", "O'Neil; DROP TABLE authors"]
    book = _book(club, authors=authors, year=1999, edition="2nd", publisher="Éditions")
    assert club.client("regular1").book(book["book"]) == book
    assert (book["authors"], book["copies"], book["copies_in"], book["due_back"], book["isbn"]) == (authors, 1, 1, None, None)
    rows = _sql(club, f"SELECT name FROM book_authors JOIN authors ON authors.id = author WHERE book = {book['book']} ORDER BY place;")
    assert rows == authors


def test_a_book_is_added_by_its_isbn_once(club: Club) -> None:
    digits = f"{random.randrange(10**9):09d}"
    ten = f"{digits[0]}-{digits[1:4]} {digits[4:]}-{check_digit(digits)}"
    book = _book(club, isbn=ten)
    assert book["isbn"] == f"978{digits}" + check_digit(f"978{digits}")
    for again in (ten, book["isbn"], f"{book['isbn'][:3]}-{book['isbn'][3:]}"):
        with pytest.raises(Exists, match=f"as book {book['book']}, .* add a copy of it instead") as caught:
            _book(club, isbn=again)
        assert caught.value.more["book"] == book["book"]
    assert club.client("office1").add_copies(book["book"], 2)["copies"] == 3
    with pytest.raises(NotFound, match="there is no book"):
        club.client("office1").add_copies(2**31 - 1)
    with pytest.raises(Invalid, match="100 copies at most"):
        club.client("office1").add_copies(book["book"], 98)


def test_one_isbn_from_two_desks_at_once(club: Club) -> None:
    isbn = _isbn()
    told = _at_once([lambda: _book(club, isbn=isbn)["book"]] * 4)
    assert [type(one) for one in told].count(Exists) == 3, told


def test_a_book_without_an_isbn_is_added_once(club: Club) -> None:
    """By its title and its authors; accents, capitals and the form of a letter do not count."""
    office, title = club.client("office1"), f"Déjà {uuid.uuid4().hex}"
    book: dict[str, Any] = {"title": title, "authors": ["José Author", "B. Author"]}
    number = office.add_book(book)["book"]
    decomposed = unicodedata.normalize("NFD", title)
    for again in (
        book,
        {**book, "title": decomposed, "year": 1999},
        {"title": title.upper(), "authors": ["jose author", "b. author"]},
    ):
        for rehearsing in (True, False):
            office.rehearsing = rehearsing
            with pytest.raises(Exists, match=f"as book {number}: add a copy of it") as caught:
                office.add_book(again)
            assert caught.value.more["book"] == number
    office.add_book({**book, "isbn": _isbn()})
    office.add_book({**book, "authors": ["B. Author"]})
    assert office.books(q=title)["found"] == 3


def test_one_title_from_two_desks_at_once(club: Club) -> None:
    title = f"Book {club.name()}"
    told = _at_once([lambda: _book(club, title=title)["book"]] * 4)
    assert [type(one) for one in told].count(Exists) == 3, told


def test_one_book_in_two_rows(club: Club) -> None:
    office, title = club.client("office1"), f"Déjà {uuid.uuid4().hex}"
    book: dict[str, Any] = {"title": title, "authors": ["Ann Author"]}
    same = {"title": title.upper(), "authors": ["ann author"]}
    rows = [{**book, "title": f"{title} 2"}, book, {**book, "isbn": _isbn()}, same, book]
    problems = office.check_books(rows)["problems"]
    assert [(problem["field"], problem["row"]) for problem in problems] == [
        ("books.3.title", "1"),
        ("books.4.title", "1"),
    ]
    with pytest.raises(Invalid, match="2 of 5 books can't be added") as caught:
        office.add_books(rows)
    assert caught.value.problems == problems
    assert office.books(q=title)["found"] == 0
    assert len(office.add_books(rows, again=True)) == 5


@pytest.mark.parametrize(("change", "field", "message"), [
    ({"title": ""}, "title", "the title is empty"), ({"title": " x"}, "title", "blank"), ({"title": "x" * 513}, "title", "more than 512"),
    ({"title": "a\x1b[31mb"}, "title", "control"), ({"title": "a\0b"}, "title", "control"), ({"title": "a\u202eb"}, "title", "invisible"),
    ({"authors": []}, "authors", "may not be empty"), ({"authors": ["x", "x"]}, "authors", "x is listed twice"),
    ({"authors": ["a\nb"]}, "authors.0", "control"), ({"authors": ["x" * 129]}, "authors.0", "more than 128"), ({"authors": None}, "authors", ""),
    ({"isbn": "9780131103628"}, "isbn", "would be 7"), ({"isbn": ""}, "isbn", "10 or 13"), ({"year": 99999999999}, "year", "2199"),
    ({"year": "1999"}, "year", "whole number"), ({"edition": ""}, "edition", "empty"), ({"publisher": "a\rb"}, "publisher", "control"),
    ({"copies": 0}, "copies", "1"), ({"copies": 101}, "copies", "100"), ({"oops": 1}, "oops", "unknown field"),
], ids=lambda value: str(value)[:20].encode("ascii", "backslashreplace").decode() if isinstance(value, dict) else "")
def test_a_book_that_is_refused(club: Club, change: dict[str, Any], field: str, message: str) -> None:
    with pytest.raises(Invalid) as caught:
        _book(club, **change)
    (problem,) = caught.value.problems
    assert problem["field"] == field and message in problem["message"]


def test_many_books_at_once_or_none(club: Club) -> None:
    office, title = club.client("office1"), uuid.uuid4().hex
    rows: list[dict[str, Any]] = [{"title": f"{title} {i}", "authors": ["Ann Author", f"Author {i}"], "isbn": _isbn(), "copies": 2} for i in range(40)]
    checked = office.check_books(rows)
    assert (checked["books"], checked["problems"]) == (40, [])
    assert office.books(q=title)["found"] == 0
    numbers = office.add_books(rows)
    assert [office.book(number)["title"] for number in numbers[:3]] == [row["title"] for row in rows[:3]]
    assert office.books(q=title)["found"] == 40
    more = [{"title": f"{title} new", "authors": ["x"]}, rows[7], rows[3]]
    problems = office.check_books(more)["problems"]
    assert [(problem["field"], f"as book {numbers[i]}" in problem["message"]) for problem, i in zip(problems, (7, 3), strict=True)] == [
        ("books.1.isbn", True), ("books.2.isbn", True)]
    with pytest.raises(Invalid, match="2 of 3 books can't be added, and so none was") as caught:
        office.add_books(more)
    assert caught.value.problems == problems and office.books(q=f"{title} new")["found"] == 0
    with pytest.raises(Invalid) as caught:
        office.add_books([rows[0], {"title": "", "authors": ["x", "x"]}, rows[0]])
    assert {problem["field"] for problem in caught.value.problems} == {"books.1.title", "books.1.authors", "books.2.isbn"}


# Finding


@pytest.mark.parametrize(("question", "title"), [
    ("c programming language", "The C Programming Language"), ("kernighan ritchie", "The C Programming Language"),
    ("0-13-110362-8", "The C Programming Language"), ("9780131103627", "The C Programming Language"), ("78013110", "The C Programming Language"),
    ("godel", "Gödel, Escher, Bach"), ("GÖDEL ESCHER", "Gödel, Escher, Bach"), ("goedel bach", None), ("hofstadter", "Gödel, Escher, Bach"),
    ("design paterns", "Design Patterns"), ("tannenbaum networks", "Computer Networks"), ("stroustroup", "The C++ Programming Language"),
    ("mithical man", "The Mythical Man-Month"), ("gorithms introduction cormen", "Introduction to Algorithms"), ("unix pike", "The Unix Programming Environment"),
    ("element de cryptography", "Éléments de Cryptography"), ("schemer", "The Little Schemer"), ("9780131103620", None), ("zzyzx", None),
])
def test_books_are_found_the_nearest_first(club: Club, question: str, title: str | None) -> None:
    page = club.client("regular1").books(q=question)
    assert (page["books"][0]["title"] if page["books"] else None) == title, [book["title"] for book in page["books"]]


SIGNS = ["The C Programming Language", "The C++ Programming Language", "C# in Depth", "Learning F#", ".NET Core in Action", "Pro ASP.NET",
         "R in Action", "Objective-C", "Computer Networks", "Real-World Cryptography", "Net Neutrality", "Programming in C. A Primer", "C--",
         "Q*: The Search (A* and Q*)"]


@pytest.fixture(scope="module")
def signs(club: Club) -> Iterator[dict[int, str]]:
    """Titles with signs that are no letters, by the book's number."""
    by = f"Sign {club.name()}"
    numbers = club.client("office1").add_books([{"title": title, "authors": [by]} for title in SIGNS])
    yield dict(zip(numbers, SIGNS, strict=True))
    listed = ",".join(map(str, numbers))
    _sql(club, f"DELETE FROM copies WHERE book IN ({listed}); DELETE FROM book_authors WHERE book IN ({listed}); DELETE FROM books WHERE id IN ({listed});")


@pytest.mark.parametrize(("question", "titles"), [
    ("c++", {"The C++ Programming Language"}), ("C#", {"C# in Depth"}), ("f#", {"Learning F#"}), (".NET", {".NET Core in Action"}), ("R", {"R in Action"}),
    ("c", {"The C Programming Language", "Programming in C. A Primer"}), ("c programming", {"The C Programming Language", "Programming in C. A Primer"}),
    ("Ｃ＋＋", {"The C++ Programming Language"}), ("a*", {"Q*: The Search (A* and Q*)"}), ("c--", {"C--"}), ("c# depth", {"C# in Depth"}),
    ("c×", set()), ("c'; --", set()), ("%", set()), ("c_", set()),
])
def test_a_title_with_signs_is_found_first(club: Club, signs: dict[int, str], question: str, titles: set[str]) -> None:
    """Trigrams know letters and digits alone: to them C, C++ and C# are one."""
    office = club.client("office1")
    found = office.books(q=question, size=1000)["books"]
    first = [signs[book["book"]] for book in found if book["book"] in signs][: len(titles)]
    assert set(first) == titles


def test_a_title_of_characters_that_are_words(club: Club) -> None:
    """U+FDFA is eighteen letters in its plain form, and an index takes so many bytes."""
    title = "\ufdfa" * 512
    numbers = [_book(club, title=title, authors=[f"Author {i}"])["book"] for i in range(2)]
    found = club.client("regular1").books(q=title[:64], size=1)
    assert found["found"] == 2 and found["books"][0]["title"] == title
    after = club.client("regular1").books(q=title[:64], size=1, after=found["next"])
    assert [page["books"][0]["book"] for page in (found, after)] == numbers and after["next"] is None


@pytest.mark.parametrize("question", [None, "the", "algorithms", "prog"])
def test_pages_of_books_hold_each_once(club: Club, question: str | None) -> None:
    query = {"q": question} if question else {}
    whole = club.client("regular1").books(size=1000, **query)
    assert whole["next"] is None and whole["found"] == len(whole["books"]) > 3
    numbers: list[int] = []
    after: dict[str, str] = {}
    while True:
        page = club.client("regular1").books(size=whole["found"] // 4 + 1, **query, **after)
        numbers += [book["book"] for book in page["books"]]
        assert page["found"] == whole["found"]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert numbers == [book["book"] for book in whole["books"]] and len(set(numbers)) == len(numbers)


def test_a_search_is_served_by_the_indexes(club: Club) -> None:
    """Among a few hundred books PostgreSQL would rather read them all; that it need not is shown here, that it does not by make bench."""
    dialect = make_url("postgresql+psycopg2://").get_dialect()()
    for question in ("paterns gamma", "78013110", None):
        statement = search.statement(question or "", size=10, after=None).compile(dialect=dialect, compile_kwargs={"literal_binds": True})
        plan = "\n".join(_sql(club, f"SET enable_seqscan = off; EXPLAIN {str(statement).replace('%%', '%')};"))
        assert ("books_by_words" if question else "books_in_order") in plan and (question != "78013110" or "books_by_isbn" in plan), plan


def test_what_can_be_undone_is_found_by_an_index(club: Club) -> None:
    """Not by reading all that somebody ever lent."""
    dialect = make_url("postgresql+psycopg2://").get_dialect()()
    statement = undo.newest_of("office1").compile(dialect=dialect, compile_kwargs={"literal_binds": True})
    plan = "\n".join(_sql(club, f"SET enable_seqscan = off; EXPLAIN {statement};"))
    (condition,) = [line for line in plan.splitlines() if "Index Cond" in line]
    assert "changes_by_person" in plan, plan
    assert "changed_by = " in condition, plan
    assert "changed_at >= " in condition, plan


@pytest.fixture(scope="module")
def tables(club: Club) -> list[str]:
    """What the library's database is made of."""
    return _sql(club, _TABLES)


_TABLES = "SELECT relname, relkind, relnatts, relacl FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY relname;"
HOSTILE = ["%", "_", "\\", "'", "''; DROP TABLE books; --", "%s %(x)s", "$1", ":name", "a\\' OR 1=1", "{}", "((", "100% _\\", "ζω", "??", "日本語", "x" * 128]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_means_something_to_sql_is_stored_and_found_as_it_is(club: Club, tables: list[str], text: str) -> None:
    title = f"{text} {club.name()}"[-512:]
    book = _book(club, title=title, authors=[text], edition=text, publisher=text)
    assert {book[name] for name in ("edition", "publisher")} == {text} and (book["title"], book["authors"]) == (title, [text])
    assert club.client("regular1").book(book["book"]) == book
    assert club.client("regular1").books(q=title[-128:].strip())["books"][0]["book"] == book["book"]
    client, part = club.client("office1"), quote(text, safe="")
    for method, path in (("POST", f"/books/{book['book']}/loans/{part}"), ("DELETE", f"/books/{part}/loans/regular1")):
        with pytest.raises(NotFound, match="there is no"):
            client._library(method, path, {})
    assert _sql(club, _TABLES) == tables


@pytest.mark.parametrize("query", [
    "q=", "q=%00", "q=%1b", "q=a&q=b", "size=0", "size=1001", "oops=1", "q=" + "x" * 129, "after=x", "after=[1]", "after=[1,2,3]", "after=[1,%22a%22,99999999999]",
    "after=[1,%22%5cu0000%22,1]", "after=[1,%22%5cud800%22,1]", "after=" + "[" * 3000, "after=[true,%22%22,null]",
])
def test_questions_that_are_refused(club: Club, query: str) -> None:
    status, body = club.curl("regular1", f"/library/books?{query}", url=f"https://{COFFEE}:9987/api")
    assert status == 400 and json.loads(body)["code"] == "invalid", body
    if "q" not in query:
        assert club.curl("office1", f"/library/loans?{query}", url=f"https://{COFFEE}:9987/api")[0] == 400


@pytest.mark.parametrize("book", ["0", "-1", "x", "2147483648", "99999999999999999999", "1e3", "٣", "%00"])
def test_a_book_that_is_none(club: Club, book: str) -> None:
    with pytest.raises(NotFound, match="there is no book"):
        club.client("regular1")._library("GET", f"/books/{book}")


# Lending


def test_lent_renewed_and_returned(club: Club, readers: Iterator[str]) -> None:
    office, uid, book = club.client("office1"), next(readers), _book(club, copies=2)
    loan = office.lend(book["book"], uid)
    due = _today() + timedelta(days=14)
    assert (loan["uid"], loan["title"], loan["copy_number"], loan["lent_by"]) == (uid, book["title"], 1, "office1")
    assert (loan["due_on"], loan["overdue"], loan["renewals_left"]) == (due.isoformat(), False, 1) and abs(loan["lent_at"] - time.time()) < 60
    assert club.client("regular1").book(book["book"]) == book | {"copies_in": 1}
    assert office.loans_of(uid) == office.loans_of_book(book["book"]) == [loan]
    with pytest.raises(WrongState, match=r"has .* already: it can be renewed"):
        office.lend(book["book"], uid)
    _sql(club, f"UPDATE loans SET due_on = '{_today()}' WHERE id = {loan['loan']};")
    assert office.loans_of(uid)[0]["overdue"] is False  # until the end of the day
    renewed = office.renew_loan(book["book"], uid)
    assert (renewed["due_on"], renewed["renewals_left"]) == (due.isoformat(), 0)
    with pytest.raises(WrongState, match="was renewed once already: it has to be returned by the end of"):
        office.renew_loan(book["book"], uid)
    assert office.give_back(book["book"], uid)["loan"] == loan["loan"]
    assert club.client("regular1").book(book["book"]) == book and office.loans_of(uid) == []
    assert office.lend(book["book"], uid)["renewals_left"] == 1
    rows = [row for row in club.client("ctdalek").log(COFFEE, limit=200)["rows"] if row.get("book") == book["book"]]
    assert [(row["who"], row["what"], row["subject"], row["outcome"], row["title"]) for row in rows[:4]] == [
        ("office1", what, uid, "done", book["title"]) for what in ("library.lend", "library.return", "library.renew", "library.lend")]


def test_returning_a_book_one_does_not_have(club: Club, readers: Iterator[str]) -> None:
    """The program before took it back from whoever had it."""
    office, has, has_not, book = club.client("office1"), next(readers), next(readers), _book(club)
    loan = office.lend(book["book"], has)
    with pytest.raises(NotFound, match=f"{has_not} does not have"):
        office.give_back(book["book"], has_not)
    with pytest.raises(NotFound, match="does not have"):
        office.renew_loan(book["book"], has_not)
    assert office.loans_of_book(book["book"]) == [loan]
    office.give_back(book["book"], has)
    with pytest.raises(NotFound, match=f"{has} does not have"):
        office.give_back(book["book"], has)


def test_lent_only_to_members_of_this_term(club: Club, readers: Iterator[str]) -> None:
    office, book = club.client("office1"), _book(club)["book"]
    term = current(ZONE)
    lapsed = club.add(terms=[str(term + -4)])["result"]["uid"]
    expired, deleted = next(readers), next(readers)
    head = "dn: uid={},ou=People,%s\nchangetype: modify\n" % BASE_DN
    days = {expired: 20000, deleted: 1}
    change = "\n".join(f"{head.format(uid)}add: shadowExpire\nshadowExpire: {day}\n" for uid, day in days.items())
    assert club.run_as("ctdalek", "ldapmodify", "-Q", text=change).returncode == 0
    try:
        for uid, why in ((lapsed, f"is no member this term .{term}.: books are lent to those who are members"), ("rep1", "is only a club representative this term"),
                         ("go-club", "is a club: this is for"), (deleted, "was deleted"), (expired, "is expired")):
            with pytest.raises((Deleted, Invalid, WrongState), match=why):
                office.lend(book, uid)
        with pytest.raises(NotFound, match="there is no account 'no-such-one'"):
            office.lend(book, "no-such-one")
        assert office.book(book)["copies_in"] == 1
    finally:
        admin = club.ldap_as(club.key("ceod/admin"))  # nobody else takes the mark of a deletion away
        for uid in days:
            assert admin.modify(f"uid={uid},ou=People,{BASE_DN}", {"shadowExpire": [("MODIFY_REPLACE", [])]}), admin.result


def test_nothing_more_while_a_book_is_overdue(club: Club, readers: Iterator[str]) -> None:
    office, uid, first, second = club.client("office1"), next(readers), _book(club), _book(club)
    loan = office.lend(first["book"], uid)
    _late(club, loan)
    due = (_today() - timedelta(days=1)).isoformat()
    with pytest.raises(WrongState, match=rf"{uid} has an overdue book, which has to be returned first: \"{first['title']}\" \(due on {due}\)"):
        office.lend(second["book"], uid)
    assert loan | {"due_on": due, "overdue": True} in office.overdue()
    office.give_back(first["book"], uid)
    assert office.lend(second["book"], uid)["uid"] == uid


def test_a_copy_by_its_number(club: Club, readers: Iterator[str]) -> None:
    office, book = club.client("office1"), _book(club, copies=2)["book"]
    assert office.lend(book, next(readers), copy=2)["copy_number"] == 2
    with pytest.raises(WrongState, match="copy 2 is lent"):
        office.lend(book, next(readers), copy=2)
    with pytest.raises(NotFound, match="numbered from 1 to 2"):
        office.lend(book, next(readers), copy=3)
    assert office.lend(book, next(readers))["copy_number"] == 1
    with pytest.raises(WrongState, match=f"no copy of .* is in the library: the first is due back on {_today() + timedelta(days=14)}"):
        office.lend(book, next(readers))
    assert office.book(book)["due_back"] == (_today() + timedelta(days=14)).isoformat()


def test_who_renews_what(club: Club, readers: Iterator[str]) -> None:
    """Oneself, but not what is overdue; the office, even then."""
    office, member, book = club.client("office1"), club.client("regular1"), _book(club)["book"]
    loan = office.lend(book, "regular1")
    assert loan in member.loans_of("regular1")
    _late(club, loan)
    try:
        with pytest.raises(Forbidden, match="Only office staff and the systems committee may renew an overdue loan"):
            member.renew_loan(book, "regular1")
        _sql(club, f"UPDATE loans SET due_on = '{_today()}' WHERE id = {loan['loan']};")
        assert member.renew_loan(book, "regular1")["renewals_left"] == 0
        _sql(club, f"UPDATE loans SET renewed = 0 WHERE id = {loan['loan']};")
        _late(club, loan)
        assert office.renew_loan(book, "regular1")["overdue"] is False
    finally:
        office.give_back(book, "regular1")
    for ask in (lambda: member.renew_loan(book, "ctdalek"), lambda: member.loans_of("ctdalek"), member.loans, member.overdue,
                lambda: member.lend(book, "regular1"), office.send_overdue_mails):
        with pytest.raises(Forbidden):
            ask()


def test_lapsed_expired_and_deleted_borrowers_renew_nothing(club: Club, readers: Iterator[str]) -> None:
    """The rules of lending hold for a renewal too, for the office as for oneself; returning goes on."""
    office, term = club.client("office1"), current(ZONE)
    lapsed, rep, expired, deleted = (next(readers) for _ in range(4))
    books = {uid: _book(club)["book"] for uid in (lapsed, rep, expired, deleted)}
    before = {uid: office.lend(book, uid) for uid, book in books.items()}
    entries = {uid: club.entries(f"(uid={uid})").popitem()[1] for uid in books}
    head = "dn: uid={},ou=People,%s\nchangetype: modify\n" % BASE_DN
    past = f"replace: term\nterm: {term + -4}\n"
    change = "\n".join((
        head.format(lapsed) + past, head.format(rep) + past + f"-\nadd: nonMemberTerm\nnonMemberTerm: {term}\n",
        head.format(expired) + "add: shadowExpire\nshadowExpire: 20000\n", head.format(deleted) + "add: shadowExpire\nshadowExpire: 1\n"))
    assert club.run_as("ctdalek", "ldapmodify", "-Q", text=change).returncode == 0
    try:
        for uid, why in ((lapsed, f"is no member this term .{term}."), (rep, "is only a club representative this term"),
                         (expired, "is expired; renew it first"), (deleted, "was deleted")):
            for days in (0, 900):  # overdue or not
                _late(club, before[uid], days)
                with pytest.raises((Deleted, WrongState), match=f"^{uid} {why}"):
                    office.renew_loan(books[uid], uid)
                assert [loan["renewals_left"] for loan in office.loans_of(uid)] == [1]
            done = club.run_as("office1", "ceo", "library", "renew", str(books[uid]), uid)
            assert done.returncode == 73, done
            assert uid in done.stderr
            assert office.give_back(books[uid], uid)["uid"] == uid
    finally:
        admin = club.ldap_as(club.key("ceod/admin"))
        for uid, entry in entries.items():
            values = {name: [("MODIFY_REPLACE", [value.decode() for value in entry.get(name, [])])] for name in ("term", "nonMemberTerm", "shadowExpire")}
            assert admin.modify(f"uid={uid},ou=People,{BASE_DN}", values), admin.result


# Undoing


def test_a_loan_a_renewal_and_a_return_are_undone(club: Club, readers: Iterator[str]) -> None:
    """By whoever did it, within a minute; asked again, nothing happens once more."""
    office, uid, book = club.client("office1"), next(readers), _book(club)["book"]
    assert office.undo_loan_change(office.lend(book, uid)["change"])["kind"] == "lend"
    assert office.loans_of(uid) == []
    lent = office.lend(book, uid)
    _sql(club, f"UPDATE loans SET due_on = '{_today() + timedelta(days=3)}' WHERE id = {lent['loan']};")
    (before,) = office.loans_of(uid)
    renewed = office.renew_loan(book, uid)
    undone = office.undo_loan_change(renewed["change"])
    assert (undone["kind"], undone["undone"], undone["seconds_left"]) == ("renew", True, 0)
    assert undone["loan"] == before
    assert office.loans_of(uid) == [before]
    returned = office.give_back(book, uid)
    for planned in (1, 0):
        office.rehearsing = True
        assert len(office.undo_loan_change(returned["change"])["changes"]) == planned
        office.rehearsing = False
        assert office.undo_loan_change(returned["change"])["loan"] == before
        assert office.loans_of(uid) == [before]
    rows = [row for row in club.client("ctdalek").log(COFFEE, limit=200)["rows"] if row.get("book") == book and row["what"] == "library.undo"]
    assert [(row["who"], row["subject"], row["outcome"], row["kind"], row["change"]) for row in rows[:2]] == [
        ("office1", uid, "done", "return", returned["change"]), ("office1", uid, "done", "renew", renewed["change"])]
    assert len(rows) == 3
    (last,) = [change for change in office.loan_changes() if change["loan"]["book"] == book]
    assert last["change"] == lent["change"]
    assert 0 < last["seconds_left"] <= 60
    assert all(change["loan"]["book"] != book for change in club.client("ctdalek").loan_changes())


def test_one_undoes_ones_own_renewal(club: Club) -> None:
    office, member, book = club.client("office1"), club.client("regular1"), _book(club)["book"]
    office.lend(book, "regular1")
    try:
        renewed = member.renew_loan(book, "regular1")
        with pytest.raises(Forbidden, match="Only whoever lent, renewed or took back a book may undo it"):
            office.undo_loan_change(renewed["change"])
        assert member.undo_loan_change(renewed["change"])["loan"]["renewals_left"] == 1
    finally:
        office.give_back(book, "regular1")


def test_what_can_no_longer_be_undone(club: Club, readers: Iterator[str]) -> None:
    """After a minute, after something else was done, and when the copy is with somebody else; in words, and nothing changes."""
    office, other, uid, second = club.client("office1"), club.client("ctdalek"), next(readers), next(readers)
    one, two = _book(club)["book"], _book(club, copies=2)["book"]
    loan = office.lend(one, uid)
    with pytest.raises(Forbidden, match="You are ctdalek"):
        other.undo_loan_change(loan["change"])
    _sql(club, f"UPDATE loan_changes SET changed_at = now() - interval '61 s' WHERE id = {loan['change']};")
    with pytest.raises(WrongState, match=r"more than 60 seconds old .* take the book back instead"):
        office.undo_loan_change(loan["change"])
    assert loan["change"] not in [change["change"] for change in office.loan_changes()]
    returned = other.give_back(one, uid)
    with pytest.raises(WrongState, match="more than 60 seconds old"):
        office.undo_loan_change(loan["change"])
    _sql(club, f"UPDATE loan_changes SET changed_at = now() WHERE id = {loan['change']};")
    with pytest.raises(WrongState, match="ctdalek noted a return of it since"):
        office.undo_loan_change(loan["change"])
    office.lend(one, second)
    with pytest.raises(WrongState, match=f"{second} borrowed it meanwhile"):
        other.undo_loan_change(returned["change"])
    assert office.loans_of(uid) == []
    # Another copy of the same book: nobody has two.
    office.lend(two, uid)
    back = office.give_back(two, uid)
    office.lend(two, uid, copy=2)
    with pytest.raises(WrongState, match=f"{uid} borrowed it meanwhile"):
        office.undo_loan_change(back["change"])
    assert [loan["copy_number"] for loan in office.loans_of(uid)] == [2]
    for number in (2**31 - 1, 0):
        with pytest.raises(NotFound, match="there is no change"):
            office.undo_loan_change(number)


def test_an_undo_at_two_desks_at_once_is_one(club: Club, readers: Iterator[str]) -> None:
    office, uid, book = club.client("office1"), next(readers), _book(club)["book"]
    office.lend(book, uid)
    returned = office.give_back(book, uid)
    answers = _at_once([lambda: office.undo_loan_change(returned["change"])] * 4)
    assert all(isinstance(answer, dict) and answer["undone"] for answer in answers), answers
    assert [loan["loan"] for loan in office.loans_of(uid)] == [returned["loan"]]
    # Undone or lent to somebody else: one of the two.
    for who in (next(readers), next(readers)):
        returned = office.give_back(book, office.loans_of_book(book)[0]["uid"])
        answers = _at_once([lambda: office.undo_loan_change(returned["change"]), lambda: club.client("ctdalek").lend(book, who)])  # noqa: B023
        assert sum(isinstance(answer, dict) for answer in answers) == 1, answers
        assert len(office.loans_of_book(book)) == 1


def test_the_command_undoes_the_last_change(club: Club, readers: Iterator[str]) -> None:
    office, uid, book = club.client("office1"), next(readers), _book(club)

    def ceo(*words: str) -> tuple[int, str, str]:
        done = club.run_as("office1", "ceo", "library", *words)
        return done.returncode, done.stdout.strip(), done.stderr.strip()

    status, _, note = ceo("lend", str(book["book"]), uid)
    (loan,) = office.loans_of(uid)
    assert (status, note) == (0, f"Within a minute you can undo this: ceo library undo {loan['change']}")
    assert ceo("undo", "--dry-run")[0] == 0
    assert office.loans_of(uid) == [loan]
    assert ceo("undo")[0] == 2  # nobody is there to be asked
    assert ceo("undo", "--yes") == (0, f"Undone: the loan of {book['title']} ({uid}).", "")
    assert ceo("undo", str(loan["change"]))[0] == 0
    assert office.loans_of(uid) == []
    _sql(club, "UPDATE loan_changes SET changed_at = changed_at - interval '61 s' WHERE changed_by = 'office1';")
    status, _, note = ceo("undo", "--yes")
    assert status == 66
    assert "there is nothing to undo" in note


def _at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    told: list[Any] = [None] * len(calls)
    start = threading.Barrier(len(calls))

    def run(i: int) -> None:
        start.wait()
        try:
            told[i] = calls[i]()
        except CeoError as error:
            told[i] = error

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return told


def test_a_book_is_not_lent_twice(club: Club, readers: Iterator[str]) -> None:
    """In the program before it was: two desks, one copy, at the same moment."""
    desks, who = [club.client("office1"), club.client("ctdalek")], [next(readers) for _ in range(4)]
    for copies in (1, 1, 1, 3):
        book = _book(club, copies=copies)["book"]
        told = _at_once([partial(desks[i % 2].lend, book, who[i]) for i in range(4)])
        lent = [one for one in told if isinstance(one, dict)]
        assert len(lent) == copies and len({loan["copy_number"] for loan in lent}) == copies, told
        assert all(isinstance(one, WrongState) and "no copy of" in one.message for one in told if not isinstance(one, dict)), told
        assert sorted(loan["loan"] for loan in desks[0].loans_of_book(book)) == sorted(loan["loan"] for loan in lent)
    # And whatever ceod does, PostgreSQL says no.
    again = f"INSERT INTO loans (book, copy, uid, lent_at, lent_by, due_on) SELECT book, copy, 'x', now(), 'x', now() FROM loans WHERE id = {lent[0]['loan']};"
    done = club.run_as("root", PSQL, "-h", "/run/postgresql", "-U", "postgres", "-AtX", "library", text=again, host="coffee")
    assert "one_loan_a_copy" in done.stderr
    assert _at_once([lambda: desks[0].give_back(book, lent[0]["uid"]) and "back"] * 3).count("back") == 1


def test_one_reader_at_two_desks_gets_one_copy(club: Club, readers: Iterator[str]) -> None:
    uid, book = next(readers), _book(club, copies=4)["book"]
    told = _at_once([lambda: club.client("office1").lend(book, uid)] * 4)
    assert sum(isinstance(one, dict) for one in told) == 1, told


def test_everything_that_is_lent_in_pages(club: Club) -> None:
    office = club.client("office1")
    whole = office.loans(size=1000)
    assert whole["found"] == len(whole["loans"]) >= 28 and whole["next"] is None
    assert [loan["due_on"] for loan in whole["loans"]] == sorted(loan["due_on"] for loan in whole["loans"])
    loans: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    while True:
        page = office.loans(size=11, **after)
        loans += page["loans"]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert loans == whole["loans"]


# Mails


def test_overdue_mails_go_once_a_week(club: Club, readers: Iterator[str]) -> None:
    syscom, uid, books = club.client("ctdalek"), next(readers), [_book(club), _book(club, title=f"Zweites Buch, ü {club.name()}")]
    loans = [club.client("office1").lend(book["book"], uid) for book in books]
    address = f"{uid}@csclub.internal"
    for loan in loans:
        _late(club, loan, 3)
    _sql(club, "INSERT INTO loans (book, copy, uid, lent_at, lent_by, due_on) "
               f"VALUES ({_book(club)['book']}, 1, 'longgone', now(), 'office1', '{_today() - timedelta(days=400)}');")
    before = len(club.mails(address))
    plan = syscom.overdue_mails()
    assert [[loan["book"] for loan in mail["loans"]] for mail in plan["mails"] if mail["uid"] == uid] == [[book["book"] for book in books]]
    assert plan["gone"] == ["longgone"] and len(club.mails(address)) == before
    # Two at once: the mails are shared out, and each goes once.
    sent = _at_once([syscom.send_overdue_mails] * 2)
    assert sorted(mail["uid"] for told in sent for mail in told["mails"]) == [mail["uid"] for mail in plan["mails"]]
    (mail,) = club.mails(address)[before:]
    assert "Subject: Overdue at the library: 2 books" in mail and books[0]["title"] in mail and f"due on {_today() - timedelta(days=3)}" in mail
    assert syscom.send_overdue_mails()["mails"] == [] and syscom.overdue_mails()["mails"] == []
    rows = club.client("ctdalek").log(COFFEE, limit=200)["rows"]
    told = [row["books"] for row in rows if row["what"] == "library.remind" and row["subject"] == uid]
    assert told.count([book["book"] for book in books]) == 1
    # A week later, about the one that is still out; by the timer, whose ticket is the host's own.
    club.client("office1").give_back(books[0]["book"], uid)
    _sql(club, f"UPDATE loans SET reminded_at = now() - interval '7 days' WHERE uid = '{uid}';")
    timer = club.run_as("root", "sh", "-c", f"kinit -c /tmp/cc-timer -k ceod/{COFFEE} && KRB5CCNAME=/tmp/cc-timer curl -sS --cacert /etc/csc/ca.pem --negotiate -u : "
                        f"--service-name ceod -X POST https://{COFFEE}:9987/api/library/overdue/remind", host="coffee")
    assert [mail["uid"] for mail in json.loads(timer.stdout)["mails"]] == [uid], timer
    (mail,) = club.mails(address)[before + 1:]
    assert books[0]["title"] not in mail and "Subject: Overdue at the library: 1 book\n" in mail.replace("\r", "")
    _sql(club, "DELETE FROM loans WHERE uid = 'longgone';")


def test_a_mail_that_could_not_go_is_still_to_go(club: Club, readers: Iterator[str]) -> None:
    uid, book = next(readers), _book(club)["book"]
    _late(club, club.client("office1").lend(book, uid))
    club.service("mail", "stop", "smtp")
    try:
        with pytest.raises(BackendDown, match=r"0 of 1 mails were sent") as caught:
            club.client("ctdalek").send_overdue_mails()
        assert caught.value.backend == "smtp"
    finally:
        club.service("mail", "start", "smtp")
    assert [mail["uid"] for mail in club.client("ctdalek").send_overdue_mails()["mails"]] == [uid]


# PostgreSQL and its schema


def test_members_with_a_role_do_not_come_into_the_library(club: Club) -> None:
    assert _sql(club, "SELECT has_database_privilege('pg_monitor', 'library', 'CONNECT');") == ["f"]


def test_a_schema_that_is_not_ours(club: Club) -> None:
    office = club.client("office1")
    try:
        for version, why in (("0000", "older than .* run python -m ceod.library.migrate"), ("9999", "newer than .* upgrade ceod")):
            _sql(club, f"UPDATE alembic_version SET version_num = '{version}';")
            with pytest.raises(BackendDown, match=why):
                office.books()
        started = club.run_as("root", str(PYTHON), "-c", "from ceod.api import create_app\ncreate_app()", host="coffee")
        assert started.returncode != 0 and "CannotStart: the library's database is at 9999, newer than" in started.stderr
    finally:
        _sql(club, f"UPDATE alembic_version SET version_num = '{REVISION}';")
    assert office.books(size=1)["found"] > 200


def test_the_migrations_make_what_the_tables_say(club: Club) -> None:
    """Of a database that is not there, twice over."""
    code = """if True:
        import sqlalchemy as sa
        from alembic.autogenerate import compare_metadata
        from alembic.runtime.migration import MigrationContext
        from ceo_common.config import load_daemon
        from ceod.library.database import Database, WrongSchema
        from ceod.library.migrate import migrate
        from ceod.library.tables import metadata
        settings = load_daemon().postgresql
        database = Database(settings, "library_two")
        try:
            database.check()
        except WrongSchema as error:
            print(error)
        print(migrate(settings, "library_two"))
        print(migrate(settings, "library_two"))
        print(database.run(lambda connection: compare_metadata(MigrationContext.configure(connection), metadata)))
    """
    try:
        done = club.run_as("root", str(PYTHON), "-W", "ignore", "-c", code, host="coffee")
    finally:
        _sql(club, "DROP DATABASE IF EXISTS library_two;")
    assert done.stdout.splitlines() == [
        "PostgreSQL has no database 'library_two': run python -m ceod.library.migrate", f"library_two: made, now at {REVISION}",
        f"library_two: at {REVISION}, nothing to do", "[]"], done


def test_a_frozen_server_is_told_of_in_time(club: Club) -> None:
    club.service("coffee", "signal", "postgresql", signal="STOP")
    begun = time.monotonic()
    try:
        told = _at_once([lambda: club.client("office1").books(), lambda: club.client("office1").lend(1, "regular1")])
    finally:
        club.service("coffee", "signal", "postgresql", signal="CONT")
    assert all(isinstance(error, BackendDown) and error.backend == "postgresql" for error in told), told
    assert time.monotonic() - begun < 10
    assert club.client("office1").books(size=1)["found"] > 200
