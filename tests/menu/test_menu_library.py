"""The library in the menu: the desk's few keys, its refusals, what somebody has, what is overdue, new books."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ceo_common.model.isbn import check_digit
from ceo_common.terms import current
from sandbox.club import BASE_DN
from tests.club.club import Club
from tests.club.menu import choose, opened
from tests.club.terminal import Open, Terminal

CTRL_D, CTRL_O = "\x04", "\x0f"
_READ_S = 0.4  # an Enter counts once a name could be read
_SETTLE_S = 0.8  # a key counts again once what was done could be seen


@pytest.fixture
def reader(club: Club) -> Iterator[str]:
    """Somebody who may borrow and has nothing; in the end they give everything back."""
    uid = str(club.add()["result"]["uid"])
    yield uid
    for loan in club.client("office1").loans_of(uid):
        club.client("office1").give_back(loan["book"], uid)


def _isbn() -> str:
    body = f"9791{random.randrange(10**8):08d}"  # 9790 is music
    return body + check_digit(body)


def _isbn978() -> str:
    body = f"978{random.randrange(10**9):09d}"
    return body + check_digit(body)


def _isbn10(digits: str) -> str:
    return digits[3:12] + check_digit(digits[3:12])


def _book(club: Club, **more: Any) -> dict[str, Any]:
    return club.client("office1").add_book({"title": f"Book {club.name()}", "authors": ["Ann Author"], **more})


def _has(club: Club, book: dict[str, Any]) -> list[str]:
    return [loan["uid"] for loan in club.client("office1").loans_of_book(book["book"])]


def _late(club: Club, loan: dict[str, Any]) -> str:
    """Make a loan overdue, past ceod; the day when it was due."""
    day = (datetime.now(ZoneInfo("America/Toronto")).date() - timedelta(days=900)).isoformat()
    done = club.run_as("root", "psql", "-h", "/run/postgresql", "-U", "postgres", "-X", "-v", "ON_ERROR_STOP=1", "library", host="coffee",
                       text=f"UPDATE loans SET due_on = '{day}' WHERE id = {loan['loan']};")
    assert done.returncode == 0, done.stderr
    return day


def _find(terminal: Open, who: str = "office1") -> Terminal:
    window = opened(terminal, who)
    choose(window, "Book search")
    window.see("Which book?")
    return window


def _desk(terminal: Open) -> Terminal:
    window = opened(terminal)
    window.type("l", "Enter")
    window.see("Lend to", "Scan a book")
    return window


def _lend(window: Terminal, *typed: str) -> None:
    """Type the borrower, and lend once their name could be read."""
    window.type(*typed, "Enter")
    window.see(": Enter lends.")
    window.read(_READ_S)
    window.type("Enter")


def test_lending_takes_five_keys_and_returning_fewer(club: Club, terminal: Open, reader: str) -> None:
    """`l`, Enter, the title, Enter, the borrower, Enter, Enter; back: the title, Enter, Down, Enter."""
    book = _book(club, title=f"Book {random.getrandbits(80):x}")  # like no other test's
    window = _desk(terminal)
    assert window.shows("Enter go on") and not window.shows("Ctrl-O"), "nothing to open yet"
    window.type(book["title"], "Enter")
    window.see("1 of 1 in", "Enter lends", "Enter do it", "Ctrl-O open it")
    window.type(reader, "Enter")
    window.see(f"Test Person ({reader}), member until f2026: Enter lends.")
    assert _has(club, book) == []
    window.read(_READ_S)
    window.type("Enter")
    window.see(f"{reader} has \"{book['title']}\" until", "To undo it within a minute: Z and Enter")
    (loan,) = club.client("office1").loans_of(reader)
    assert loan["book"] == book["book"]
    assert loan["due_on"] in window.text
    window.type("Enter", "Enter")  # too many, which take nothing back
    window.type(book["title"], "Enter")
    window.see("0 of 1 in", f"Take back from {reader}")
    window.type("Enter")
    window.see("Who borrows it?")
    assert _has(club, book) == [reader]
    window.type("Down", "Enter")
    window.see(f"is back from {reader}")
    assert _has(club, book) == []


def test_the_desk_lends_one_scan_after_the_other(club: Club, terminal: Open, reader: str) -> None:
    """One key beyond the scans and the names, however the ISBN is written, and before any answer has come."""
    books = [_book(club, isbn=_isbn978()) for _ in range(3)]
    window = _desk(terminal)
    digits = [book["isbn"] for book in books]
    written = [digits[0], _isbn10(digits[1]), f"{digits[2][:3]}-{digits[2][3]}-{digits[2][4:]}"]
    for book, isbn in zip(books, written, strict=True):
        window.type(f"{isbn}\r{reader}\r")
        window.see(": Enter lends.")
        window.read(_READ_S)
        window.press("Enter")
        window.see(f"{reader} has \"{book['title']}\" until")
    assert window.pressed == ["Enter"] * 3
    assert {loan["book"] for loan in club.client("office1").loans_of(reader)} == {book["book"] for book in books}


def test_a_scan_in_the_borrowers_field_is_the_next_book(club: Club, terminal: Open, reader: str) -> None:
    """Also behind a half-typed name; nothing is lent by it, and no book is put aside without a word."""
    first, second = (_book(club, isbn=_isbn()) for _ in range(2))
    window = _desk(terminal)
    window.type(f"{first['isbn']}\r")
    window.see(first["title"], "1 of 1 in")
    window.type(f"{first['isbn']}\r")
    window.see("The same book was scanned twice")
    window.type(f"{second['isbn']}\r")
    window.see(f"Title {second['title']}", f"\"{first['title']}\" was put aside")
    window.type(f"{reader}{first['isbn']}\r")
    window.see("A book was scanned into this field", "Nothing was lent")
    _lend(window)
    window.see(f"{reader} has \"{second['title']}\" until")
    assert _has(club, first) == []
    assert _has(club, second) == [reader]


def test_a_borrower_goes_with_their_book(club: Club, terminal: Open) -> None:
    """A name that was typed for one book lends no other: the field is empty for each new scan."""
    unknown, first, second = _isbn(), _book(club, isbn=_isbn()), _book(club, isbn=_isbn())
    window = _desk(terminal)
    window.type(f"{unknown}\r")
    window.see("The library has no book with this ISBN")
    window.type("Down", "Down", "regular1", "Enter")
    window.see("The library does not have this book yet.")
    window.type("Up", "Up", f"{first['isbn']}\r")
    window.see(f"Title {first['title']}", "Enter lends")
    window.miss("regular1")
    window.type("Enter")
    window.see("Who borrows it?")
    window.type("nobody-here", "Enter")
    window.see("there is no account 'nobody-here'")
    window.type("Up", f"{second['isbn']}\r")
    window.see(f"Title {second['title']}", f"\"{first['title']}\" was put aside")
    window.miss("nobody-here")
    window.type("Enter")
    window.see("Who borrows it?")
    assert _has(club, first) == _has(club, second) == []


def test_who_scans_a_book_on_loan_twice_reads_how_it_comes_back(
    club: Club, terminal: Open, reader: str
) -> None:
    book = _book(club, isbn=_isbn())
    club.client("office1").lend(book["book"], reader)
    window = _desk(terminal)
    window.type(f"{book['isbn']}\r")
    window.see(f"Take back from {reader}")
    window.type(f"{book['isbn']}\r")
    window.see("scanned twice.  No copy is in", "Down: return or renew it")


def test_a_borrower_who_is_expired_is_renewed_in_the_menu(club: Club, terminal: Open) -> None:
    """Found by a part of the name, and carried back from there."""
    surname = f"Q{club.name()}"
    uid, book = club.add(cn=f"Grace {surname}")["result"]["uid"], _book(club, isbn=_isbn())
    expires = (
        f"dn: uid={uid},ou=People,{BASE_DN}\nchangetype: modify\n"
        "replace: shadowExpire\nshadowExpire: 20000\n"
    )
    assert club.run_as("ctdalek", "ldapmodify", "-Q", text=expires).returncode == 0
    window = _desk(terminal)
    window.type(f"{book['isbn']}\r")
    window.see("Enter lends")
    window.type(surname, "Enter")
    window.see(f"Grace {surname}", "1 found")
    window.type("Enter")
    window.see(f"Lend to {uid}", f"{uid} is expired.  F2 and {uid} opens their page")
    assert not window.shows("ceo members")


def test_a_z_too_late_spoils_no_scan(club: Club, terminal: Open) -> None:
    """Neither one that is refused nor one without its Enter."""
    books = [_book(club, isbn=_isbn()) for _ in range(2)]
    window = _desk(terminal)
    for typed, book in zip((("z", "Enter"), ("Up", "z")), books, strict=True):
        window.type(*typed)
        window.type(f"{book['isbn']}\r")
        window.see(f"Title {book['title']}", "1 of 1 in")


def test_a_scan_on_somebodys_book_page_keeps_their_name(
    club: Club, terminal: Open, reader: str
) -> None:
    book = _book(club, isbn=_isbn())
    window = opened(terminal)
    window.type("/", reader, "Enter")
    window.see("Books on loan", "Home directory")
    window.type("b", "Enter")
    window.see("Lend a book")
    window.type("Enter")
    window.see(f"of what {reader} borrows")
    window.type(f"{book['isbn']}\r")
    window.see(f"Lend to {reader}")
    window.type(f"{book['isbn']}\r")
    window.see("That was a book's ISBN", f"Lend to {reader}")
    _lend(window)
    window.see(f"{reader} has \"{book['title']}\" until")


def test_a_books_page_says_which_keys_undo(club: Club, terminal: Open, reader: str) -> None:
    book = _book(club)
    club.client("office1").lend(book["book"], reader)
    before = club.client("office1").loans_of(reader)
    window = _find(terminal)
    window.type(book["title"], "Enter")
    window.see(f"Take back from {reader}")
    window.type("Down", "Down", "Enter")
    window.see(f"{reader} has \"{book['title']}\" until", "To undo it within a minute: Z and Enter.")
    window.type("z", "Enter")
    window.see("Undone: the renewal of")
    assert club.client("office1").loans_of(reader) == before


def test_an_unknown_isbn_is_added_and_lent(club: Club, terminal: Open, reader: str) -> None:
    isbn, title = _isbn(), f"Book {club.name()}"
    window = _desk(terminal)
    window.type(f"{isbn}\r")
    window.see("The library has no book with this ISBN", "Add this book")
    window.type("Down", "Down", "regular1", "Up", "Enter")
    window.see("Publisher", isbn)
    window.type(title, "Enter", "Ann Author", CTRL_D)
    window.see(f"Title {title}", "Lend to", "1 of 1 in", "is added.  Who borrows it?")
    window.miss("regular1")
    window.type("Enter")
    window.see("Who borrows it?  Type their username.")
    _lend(window, reader)
    window.see(f"{reader} has \"{title}\" until")
    (loan,) = club.client("office1").loans_of(reader)
    assert club.client("office1").book(loan["book"])["isbn"] == isbn


def test_z_undoes_a_loan_a_return_and_a_renewal(club: Club, terminal: Open, reader: str) -> None:
    book = _book(club, isbn=_isbn())
    window = _desk(terminal)
    _lend(window, f"{book['isbn']}\r{reader}")
    window.see(f"{reader} has \"{book['title']}\" until", "Z and Enter")
    window.type("z", "Enter")
    window.see(f"Undone: the loan of \"{book['title']}\" ({reader}).")
    window.miss("Z and Enter")
    assert _has(club, book) == []
    window.type("z", "Enter")
    window.see("There is nothing to undo")
    club.client("office1").lend(book["book"], reader)
    before = club.client("office1").loans_of(reader)
    window.type(f"{book['isbn']}\r")
    for label, sentence, undone in (("Take back", f"is back from {reader}", "return"), ("Renew", f"{reader} has \"{book['title']}\" until", "renewal")):
        window.see(f"{label} f")
        window.type("Down")
        if label == "Renew":
            window.type("Down")
        window.see(f"{reader} {'returns' if label == 'Take back' else 'keeps'}")
        window.type("Enter")
        window.see(sentence, "Z and Enter")
        assert club.client("office1").loans_of(reader) != before
        window.type("z", "Enter")
        window.see(f"Undone: the {undone} of")
        (after,) = club.client("office1").loans_of(reader)
        assert (after["book"], after["due_on"], after["renewals_left"]) == (book["book"], before[0]["due_on"], before[0]["renewals_left"])
        time.sleep(_SETTLE_S)
        window.type(f"{book['isbn']}\r")
    window.type("Esc")


STRAY = ["Enter", "Backspace", " ", "a", "k", "l", "r", "t", "y", "n", "x", "Z", "1", "9", "Enter"]


@pytest.mark.parametrize("screen", ["desk", "book page", "what somebody has", "overdue"])
@pytest.mark.parametrize("seed", [1, 2])
def test_stray_typing_changes_no_loan(club: Club, terminal: Open, reader: str, screen: str, seed: int) -> None:
    """Letters, blanks, Enter, and the same ISBN scanned again and again: every loan is as before."""
    dice = random.Random(seed)
    book, office = _book(club, isbn=_isbn()), club.client("office1")
    _late(club, office.lend(book["book"], reader))
    if screen == "desk":
        window = _desk(terminal)
        window.type(f"{book['isbn']}\r")
    elif screen == "book page":
        window = _find(terminal)
        window.type(f"{book['isbn']}\r")
    elif screen == "what somebody has":
        window = opened(terminal)
        window.type("/", reader, "Enter")
        window.see("1 on loan", "Books on loan")
        window.type("b", "Enter")
    else:
        window = opened(terminal)
        choose(window, "Overdue books")
        window.see("overdue.", reader)
        assert not window.shows("M mail them"), "not office's to send"
        window.type("Enter")
    window.see(*{"what somebody has": ("Take back",), "overdue": ("On loan to",)}.get(screen, (f"Take back from {reader}",)))
    before = office.loans(size=1000)["loans"]
    for typed in (reader, "renew", "take back", book["isbn"], book["isbn"]):
        window.type(typed, "Enter")
    for _ in range(40):
        key = dice.choice([*STRAY, f"{book['isbn']}\r", f"{reader}\r"])
        window.type(key)
    # Help comes behind all of these keys, on any screen.
    window.miss("Back to where you came from")
    window.type("F1")
    window.see("Back to where you came from")
    assert office.loans(size=1000)["loans"] == before


def test_what_was_typed_goes_with_the_page(club: Club, terminal: Open) -> None:
    book = _book(club)
    window = _find(terminal)
    window.type(book["title"], "Enter")
    window.see("Enter lends")
    window.type("regular1", "Esc")
    window.see("Which book?")
    window.type("Enter")
    window.see("Enter lends")
    window.miss("regular1")
    window.type("Enter")
    window.see("Who borrows it?")
    assert _has(club, book) == []


def test_a_lapsed_borrower_of_the_book_renews_nothing(club: Club, terminal: Open) -> None:
    """Neither by typing their name nor by choosing the renewal; both in words."""
    term, office = current("America/Toronto"), club.client("office1")
    uid, book = club.add()["result"]["uid"], _book(club)
    loan = office.lend(book["book"], uid)
    _late(club, loan)
    lapses = f"dn: uid={uid},ou=People,{BASE_DN}\nchangetype: modify\nreplace: term\nterm: {term + -4}\n"
    assert club.run_as("ctdalek", "ldapmodify", "-Q", text=lapses).returncode == 0
    (before,) = office.loans_of(uid)
    try:
        window = _find(terminal)
        window.type(book["title"], "Enter")
        window.see("0 of 1 in; the first was due back on", f"Take back from {uid}")
        window.type(uid, "Enter")
        window.see(f"No copy is in: the only copy is on loan to {uid}")
        window.type("Down", "Down", "Enter")
        window.see(f"{uid} is no member this term")
        assert office.loans_of(uid) == [before]
    finally:
        office.give_back(book["book"], uid)


def test_a_scanned_isbn_opens_its_own_book(club: Club, terminal: Open) -> None:
    """A scanner sends the digits and Enter at once, before there is an answer; and the next scan takes the last one's place."""
    first = _isbn()
    second = first[:11] + str((int(first[11]) + 1) % 10)
    second += check_digit(second)
    books = [_book(club, isbn=isbn) for isbn in (first, second)]
    window = _find(terminal)
    for book in books:
        window.type(f"{book['isbn']}\r")
        window.see(f"Title {book['title']}", book["isbn"])
        window.type("Esc")
        window.see("Which book?", "1 found")
    window.type(_isbn()[:-1] + "X\r")
    window.see("Which book?", "No book fits")


def test_what_is_refused_stands_at_the_field(club: Club, terminal: Open, reader: str) -> None:
    """With the server's reason, and what was typed."""
    office, late, book = club.client("office1"), _book(club), _book(club)
    day = _late(club, office.lend(late["book"], reader))
    window = _find(terminal)
    window.type(book["title"], "Enter")
    window.see("Enter lends")
    window.type("Enter")
    window.see("Who borrows it?")
    for uid, reason in (("rep1", "rep1 is only a club representative this term"), ("nobody-here", "there is no account 'nobody-here'"),
                        (reader, f"{reader} has an overdue book, which has to be returned first: \"{late['title']}\" (due on {day})")):
        window.type("Ctrl-U", uid, "Enter")
        lines = window.see(" ".join(reason.split()[:4])).splitlines()
        field = next(i for i, line in enumerate(lines) if "Lend to" in line)
        assert uid in lines[field], lines
        assert reason in " ".join(" ".join(lines[field + 1:field + 5]).split()), lines
    office.lend(book["book"], "ctdalek")
    window.type("Ctrl-U", "regular1", "Enter")
    window.see("no copy of", "the first is due back on")
    assert _has(club, book) == ["ctdalek"]
    window.type("Esc")
    window.see("0 of 1")
    window.type("Enter")
    window.see("Take back from ctdalek")
    window.type("Down", "Enter")
    window.see("is back from ctdalek")
    assert _has(club, book) == []


def test_what_somebody_has(club: Club, terminal: Open, reader: str) -> None:
    """From their page: renewed, taken back, and another lent to the same person without naming them again."""
    books = [_book(club), _book(club, copies=2), _book(club)]
    for book in books[:2]:
        club.client("office1").lend(book["book"], reader)
    window = terminal("office1", "ceo")
    window.see("Find somebody", "all hosts answer")
    window.type("/", reader, "Enter")
    window.see("2 on loan", "Books on loan")
    window.type("b", "Enter")
    window.see(f"{reader} has 2 books", books[0]["title"], books[1]["title"])
    window.type("Down", "Down", "Enter")
    window.see(f"{reader} has \"{books[0]['title']}\" until")
    assert [loan["renewals_left"] for loan in club.client("office1").loans_of(reader) if loan["book"] == books[0]["book"]] == [0]
    time.sleep(_SETTLE_S)
    at = next(i for i, loan in enumerate(club.client("office1").loans_of(reader)) if loan["book"] == books[0]["book"])
    window.type(*["Down"] * (2 * at + 2))
    window.see("renewed as often as it can be")
    window.type(*["Up"] * (2 * at + 2), *["Down"] * (2 * (1 - at) + 1), "Enter")
    window.see(f"\"{books[1]['title']}\" is back", f"{reader} has 1 book ")
    window.type("Enter")
    window.see("Which book?", f"of what {reader} borrows")
    window.type(books[2]["title"], "Enter")
    window.see(f"Lend to {reader}", ": Enter lends.")
    window.read(_READ_S)
    window.type("Enter")
    window.see(f"{reader} has \"{books[2]['title']}\" until")
    assert {loan["book"] for loan in club.client("office1").loans_of(reader)} == {books[0]["book"], books[2]["book"]}


def test_several_have_it(club: Club, terminal: Open, reader: str) -> None:
    """While a copy is in the cursor is where one lends; who brings theirs is chosen."""
    book = _book(club, copies=3)
    for uid in ("ctdalek", reader):
        club.client("office1").lend(book["book"], uid)
    window = _find(terminal)
    window.type(book["title"], "Enter")
    window.see("1 of 3 in", "Take back from ctdalek", f"Take back from {reader}")
    window.type("Tab", "Down", "Enter")
    window.see(f"is back from {reader}", "2 of 3 in")
    time.sleep(_SETTLE_S)
    window.type("Down", "Down", "Down", "Enter")
    window.see("Add copies", "There are 3 copies now", "How many more")
    window.type("x", "Enter")
    window.see("a number, such as 1")
    window.type("Ctrl-U", "99", "Enter")
    window.see("at most 97 more")
    window.type("Ctrl-U", "2", "Enter")
    window.see("there are 5 copies now", "4 of 5 in")
    window.resize(60, 20)
    window.type(*["Enter"] * 3)  # too many, which add no copy
    window.see("Who borrows it?")
    window.type("Down", "Enter")
    window.see("is back from ctdalek", "5 of 5 in")
    assert _has(club, book) == []


def test_what_is_overdue_and_the_mails(club: Club, terminal: Open, reader: str) -> None:
    """The longest first; the mails are counted, and go after one more Enter, to each once a week."""
    book = _book(club, copies=2)
    _late(club, club.client("office1").lend(book["book"], reader))
    address = f"{reader}@csclub.internal"
    before = len(club.mails(address))
    window = terminal("ctdalek", "ceo")
    window.see("Overdue books", "all hosts answer")
    window.type("o", "Enter")
    text = window.see("overdue.", "Due on", reader)
    assert any(reader in line for line in text.splitlines()[3:8]), text
    window.type("m")
    count = len(club.client("ctdalek").overdue_mails()["mails"])
    window.see(f"Enter sends {count} mail", "Review")
    assert len(club.mails(address)) == before
    window.type("Enter")
    window.see(f"{count} mail", "went out")
    assert book["title"] in club.mails(address)[before]
    window.type("m")
    window.see("Nobody is to be mailed")
    window.type("Enter")
    window.see("1 of 2 in", "overdue", "Enter lends")  # whoever came to look takes nothing back with an Enter too many
    window.type("Down")
    window.see(f"{reader} returns")
    window.type("Enter")
    window.see(f"is back from {reader}")
    window.type("Esc")
    window.see("overdue.")
    assert book["title"] not in window.text and _has(club, book) == []


def test_a_new_book_and_one_that_is_there(club: Club, terminal: Open) -> None:
    """The check digit is looked at as soon as the field is left; an ISBN that the library has leads to its book."""
    there, new, title = _book(club, isbn=_isbn()), _isbn(), f"Book {club.name()}"
    window = terminal("office1", "ceo")
    window.see("Add a book", "all hosts answer")
    choose(window, "Add a book")
    window.see("Publisher")
    wrong = new[:-1] + str((int(new[-1]) + 1) % 10)
    window.type(wrong, "Enter", title, "Enter", "Ann Author; Zoë Zuse")
    window.see("the last digit of this ISBN would be")
    window.type("Up", "Up", "Ctrl-U", there["isbn"], "Enter")
    window.see(f"The library has \"{there['title']}\" already.", "Ctrl-O open it")
    window.type(CTRL_D)
    window.see("Nothing was added")
    window.type(CTRL_O)
    window.see("Copies 1 of 1 in", there["isbn"])
    window.type("Esc")
    window.see(title, "Ann Author; Zoë Zuse")
    window.type("Esc")
    window.see("Library desk")
    window.type("Enter")
    window.see(title, there["isbn"])
    window.type("Ctrl-U", new, "Enter", "Enter", "Enter", "19", CTRL_D)
    window.see("1450", "Nothing was added")
    window.type("99", "Enter", "2nd", "Enter", "Press", "Enter", "3", "Enter")
    window.see(f"\"{title}\", 3 copies, is added")
    (book,) = club.client("regular1").books(q=new)["books"]
    assert {name: book[name] for name in ("title", "authors", "isbn", "year", "edition", "publisher", "copies")} == {
        "title": title, "authors": ["Ann Author", "Zoë Zuse"], "isbn": new, "year": 1999, "edition": "2nd", "publisher": "Press", "copies": 3}
    window.type(CTRL_D)
    window.see("the title is empty", "at least one author")


def test_a_book_without_an_isbn_that_is_there(club: Club, terminal: Open) -> None:
    there = _book(club)
    window = terminal("office1", "ceo")
    window.see("Add a book", "all hosts answer")
    choose(window, "Add a book")
    window.see("Publisher")
    window.type("Enter", there["title"].upper(), "Enter", "Ann Author", CTRL_D)
    window.see("Nothing was added", f"The library has \"{there['title']}\" already.", "Ctrl-O open it")
    window.type(CTRL_O)
    window.see("Copies 1 of 1 in")
    window.type("Esc")
    window.see("Ctrl-O open it")
    window.type(" 2")
    window.miss("Ctrl-O open it")


def test_who_may_not_lend_sees_their_own_and_renews_it(club: Club, terminal: Open) -> None:
    book = _book(club, copies=2)
    for uid in ("ctdalek", "regular1"):
        club.client("office1").lend(book["book"], uid)
    window = _find(terminal, "regular1")
    window.type(book["title"], "Enter")
    text = window.see("On loan to", "Renew for regular1")
    assert "ctdalek" not in text
    window.type("renew", "Enter")
    window.see("Only office staff and the systems committee may lend books.")
    window.type("Down", "Down")
    window.see("regular1 keeps")
    window.type("Enter")
    window.see("regular1 has", "until")
    assert [loan["renewals_left"] for loan in club.client("regular1").loans_of("regular1") if loan["book"] == book["book"]] == [0]
    time.sleep(_SETTLE_S)
    window.type("Down")
    window.see("Only office staff and the systems committee may take books back.")
    window.type("Up")
    window.see("Only office staff and the systems committee may lend books.")
    for uid in ("ctdalek", "regular1"):
        club.client("office1").give_back(book["book"], uid)
