"""Answers that come at an unlucky moment: above a lock, after another key, while the next book is scanned."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ceo.tui import keys
from ceo.tui.app import App
from ceo.tui.hints import clauses
from ceo.tui.screen import SETTLE_S, Screen
from ceo.tui.screens.add_book import AddBook
from ceo.tui.screens.book import BookPage
from ceo.tui.screens.borrower import Borrowers
from ceo.tui.screens.change_account import Delete, Forwarding
from ceo.tui.screens.copies import Copies
from ceo.tui.screens.databases import Databases
from ceo.tui.screens.desk import Desk
from ceo.tui.screens.doing import Doing, Outcome
from ceo.tui.screens.examination import Examination
from ceo.tui.screens.groups import Group
from ceo.tui.screens.groups_of import GroupsOf
from ceo.tui.screens.help import Help
from ceo.tui.screens.how_it_ended import _is_lost
from ceo.tui.screens.library import Library
from ceo.tui.screens.lists import Lists, TakeOff
from ceo.tui.screens.loans import Loans
from ceo.tui.screens.main_menu import MainMenu
from ceo.tui.screens.people import People
from ceo.tui.screens.person import Person
from ceo.tui.screens.programs import Programs
from ceo.tui.screens.review import Review
from ceo.tui.screens.sign_in import Lock
from ceo.tui.undoable import Undoable
from ceo.tui.widgets.safe import plain
from ceo_common.errors import OutcomeUnknown, Unreachable, WouldLose, WrongState
from ceo_common.permissions import Who
from tests.ceo.menu_bench import Bench, bench

__all__ = ["bench"]

MEMBER: dict[str, Any] = {
    "uid": "jdoe",
    "cn": "Jane Doe",
    "forwarding_addresses": ["|procmail"],
    "login_shell": "/bin/bash",
}
_LOST = WouldLose("some lines are lost", lost=["|procmail"])


def _kinds(bench: Bench) -> list[type]:
    return [type(screen) for screen in bench.app.stack]


# The lock


def test_an_answer_opens_no_screen_above_a_lock(bench: Bench) -> None:
    bench.open(Screen(bench.app), Forwarding(bench.app, MEMBER))
    bench.press("ctrl u", *"jane@example.org", "enter")
    bench.press("f9")
    bench.answer(_LOST)
    assert _kinds(bench) == [Screen, Forwarding, Review, Lock]
    bench.press("/", "esc")
    assert _kinds(bench) == [Screen, Forwarding, Review, Lock]
    assert bench.questions == []
    bench.app.remove(bench.app.stack[-1])
    assert len(bench.questions) == 1  # the new last look is checked once somebody sees it


def test_a_last_look_that_is_refused_gives_way_to_the_next_where_it_is(bench: Bench) -> None:
    bench.open(Screen(bench.app), Forwarding(bench.app, MEMBER))
    bench.press("ctrl u", *"jane@example.org", "enter")
    before = bench.app.stack[-1]
    bench.answer(_LOST)
    assert _kinds(bench) == [Screen, Forwarding, Review]
    assert bench.app.stack[-1] is not before
    bench.press("f1")
    bench.answer(_LOST)
    assert _kinds(bench)[:3] == [Screen, Forwarding, Review]
    assert len(bench.app.stack) == 4


@pytest.mark.parametrize("box", ["lock", "sign_in"])
def test_whatever_opens_while_the_menu_is_locked_opens_below(bench: Bench, box: str) -> None:
    bench.open(Screen(bench.app))
    getattr(bench.app, box)()
    bench.open(Screen(bench.app), Screen(bench.app))
    assert bench.app.stack[-1].locked
    assert [screen.locked for screen in bench.app.stack] == [False, False, False, True]


# The library's desk

ISBN = "9780131103627"
BOOK: dict[str, Any] = {
    "book": 1,
    "isbn": "9780596520687",
    "title": "A book",
    "authors": ["Ann Author"],
    "copies": 1,
    "copies_in": 1,
    "due_back": None,
    "year": None,
    "edition": None,
    "publisher": None,
}
LOAN: dict[str, Any] = {
    "loan": 7,
    "book": 1,
    "uid": "jdoe",
    "title": "A book",
    "due_on": "2026-12-24",
    "change": 5,
    "renewals_left": 1,
    "overdue": False,
}


def _scanned(bench: Bench) -> Desk:
    """A desk where a book is being looked up, the cursor in the borrower's field."""
    desk = Desk(bench.app)
    bench.open(Screen(bench.app), desk)
    bench.answer(None)
    bench.press(*BOOK["isbn"], "enter")
    return desk


READER: dict[str, Any] = {
    "uid": "jdoe",
    "cn": "Jane Doe",
    "terms": ["f2099"],
    "non_member_terms": [],
    "deleted": False,
    "is_club": False,
    "expired": False,
}


def _name(bench: Bench, page: Desk | BookPage) -> None:
    """Say who is to borrow the book, and let somebody read it."""
    bench.answer(READER)
    page.borrower._shown_at -= 1


def _lending(bench: Bench) -> Desk:
    """A desk whose loan is under way."""
    desk = _scanned(bench)
    bench.answer((1, (BOOK, [])))
    bench.press(*"jdoe", "enter")
    _name(bench, desk)
    bench.press("enter")
    assert desk._writing
    return desk


@pytest.mark.parametrize("cut", range(1, len(ISBN)))
@pytest.mark.parametrize("is_lent", [True, False])
def test_a_scan_is_whole_when_the_answer_comes_in_its_middle(bench: Bench, cut: int, is_lent: bool) -> None:
    desk = _lending(bench)
    bench.press(*ISBN[:cut])
    bench.answer(LOAN if is_lent else WrongState("jdoe has an overdue book"))
    bench.press(*ISBN[cut:], "enter")
    assert desk.sought == ISBN
    assert desk.field.text == ""
    assert any(("jdoe has" if is_lent else "was not lent: jdoe has an overdue book") in plain(line) for line in desk.done)


def test_a_scan_that_came_with_a_refused_loan_has_to_be_scanned_again(bench: Bench) -> None:
    desk = _lending(bench)
    bench.press(*ISBN, "enter")
    assert desk.scanned_meanwhile == ISBN
    bench.answer(WrongState("jdoe has an overdue book"))
    assert "The next book was not looked up: scan it again." in plain(desk.field._under)
    assert desk.field.text == "jdoe"


def test_a_scan_that_came_with_a_loan_is_looked_up_and_the_one_after_it_too(bench: Bench) -> None:
    desk = _lending(bench)
    bench.press(*ISBN, "enter", *ISBN[:5])
    bench.answer(LOAN)
    assert desk.sought == ISBN
    bench.press(*ISBN[5:], "enter")
    assert desk.field.text == ""
    assert desk.sought == ISBN


@pytest.mark.parametrize("edit", [["backspace", "backspace"], ["x"], ["ctrl u", *"asmith"]])
def test_an_enter_counts_for_the_borrower_who_was_typed_then(bench: Bench, edit: list[str]) -> None:
    desk = _scanned(bench)
    bench.press(*"jdoe", "enter", *edit)
    bench.answer((1, (BOOK, [])))
    assert bench.questions == []
    assert desk.book == BOOK


def test_an_enter_counts_for_the_book_that_was_typed_then(bench: Bench) -> None:
    _scanned(bench)
    bench.press(*"jdoe", "enter", "up", *ISBN)
    bench.answer((1, (BOOK, [])))
    assert bench.questions == []


def test_an_enter_before_the_answer_counts_when_nothing_was_changed(bench: Bench) -> None:
    desk = _scanned(bench)
    bench.press(*"jdoe", "enter")
    bench.answer((1, (BOOK, [])))
    assert desk.borrower.uid == "jdoe"
    _name(bench, desk)
    bench.press("enter")
    assert desk._writing


# The borrower's name


def test_nothing_is_lent_before_the_name_could_be_read(bench: Bench) -> None:
    desk = _scanned(bench)
    bench.answer((1, (BOOK, [])))
    bench.press(*"jdoe", *["enter"] * 3)
    assert len(bench.questions) == 1
    bench.answer(READER)
    bench.press("enter")
    assert not desk._writing
    assert plain(desk.field._under) == "Jane Doe (jdoe), member until f2099: Enter lends."
    desk.borrower._shown_at -= 1
    bench.press("enter")
    assert desk._writing
    bench.answer(LOAN)
    assert any('"A book" until 2026-12-24 (Jane Doe)' in plain(line) for line in desk.done)


@pytest.mark.parametrize("typed", [["backspace"], ["end", "x"], [*"asmith"]])
def test_a_name_is_about_nobody_else(bench: Bench, typed: list[str]) -> None:
    """Also where another one is typed before the answer has come."""
    desk = _scanned(bench)
    bench.answer((1, (BOOK, [])))
    bench.press(*"jdoe", "enter")
    _name(bench, desk)
    bench.press(*typed)
    assert desk.field._under == ("", "")
    bench.press("enter", "x")
    bench.answer(READER)
    assert desk.borrower.name == ""
    bench.press("enter")
    assert not desk._writing


def test_a_scan_takes_the_place_of_who_is_named(bench: Bench) -> None:
    desk = _scanned(bench)
    bench.answer((1, (BOOK, [])))
    bench.press(*"jdoe", "enter")
    _name(bench, desk)
    bench.press(*ISBN, "enter")
    assert desk.sought == ISBN
    assert desk.field.text == ""
    assert not desk._writing


def test_a_part_of_a_name_opens_those_whom_it_fits(bench: Bench) -> None:
    desk = _scanned(bench)
    bench.answer((1, (BOOK, [])))
    bench.press(*"Jane", "enter")
    bench.answer([READER])
    assert _kinds(bench)[-1] is Borrowers
    assert "find" not in bench.app._hint.text
    cast(Borrowers, bench.app.stack[-1])._open(READER)
    assert bench.app.stack[-1] is desk
    assert desk.field.text == "jdoe"
    _name(bench, desk)
    bench.press("ctrl u", *"nobody", "enter")
    bench.answer([])
    assert "there is no account 'nobody'" in plain(desk.field._under)
    assert bench.app.stack[-1] is desk


@pytest.mark.parametrize("make", [Desk, lambda app: BookPage(app, BOOK)])
def test_whom_somebody_went_to_find_is_carried_back(
    bench: Bench, make: Callable[[App], Desk | BookPage]
) -> None:
    """Where nobody is named yet; who was found before the page was opened is nobody's borrower."""
    bench.app.found = "earlier"
    page = make(bench.app)
    bench.open(Screen(bench.app), page)
    if isinstance(page, Desk):
        page._put(BOOK, [])
    assert page.field.text == ""
    bench.press(*"hopp", "f2")
    people = cast(People, bench.app.stack[-1])
    people._open(READER)
    bench.press("esc", "esc")
    assert page.field.text == "jdoe"
    _name(bench, page)
    bench.app.found = "asmith"
    bench.press("f1", "esc")
    assert page.field.text == "jdoe"
    bench.press("enter")
    assert page._writing


def test_a_borrower_who_is_known_is_named_at_once(bench: Bench) -> None:
    page = BookPage(bench.app, BOOK, "jdoe")
    bench.open(Screen(bench.app), page)
    _name(bench, page)
    bench.press("enter")
    assert page._writing


def test_a_silent_host_of_accounts_keeps_no_book_in(bench: Bench) -> None:
    desk = _scanned(bench)
    bench.answer((1, (BOOK, [])))
    bench.press(*"jdoe", "enter")
    silent = SimpleNamespace(member=_raise(Unreachable("a does not answer")))
    asked: list[tuple[int, str]] = []
    cast(Any, bench.app)._dry_run_client = SimpleNamespace(lend=lambda *which: asked.append(which))
    bench.answer(desk.borrower._look_up(1, "jdoe", cast(Any, silent)))
    assert asked == [(1, "jdoe")]
    assert "could not be asked: Enter lends." in plain(desk.field._under)
    desk.borrower._shown_at -= 1
    bench.press("enter")
    assert desk._writing


def _raise(error: Exception) -> Callable[[str], Any]:
    def ask(_: str) -> Any:
        raise error

    return ask


def test_undoing_leaves_the_book_on_the_desk(bench: Bench) -> None:
    """Its fields too, and the undoing is noted."""
    desk = _scanned(bench)
    bench.answer((1, (BOOK, [])))
    bench.app.undoable = Undoable.now(5, '"A book" (jdoe)')
    bench.press("z", "enter")
    bench.answer({"kind": "lend", "loan": LOAN})
    assert desk.book == BOOK
    assert desk.scan.text == BOOK["isbn"]
    assert desk.menu.marked.label == "Lend to"
    assert "Undone: the loan of" in plain(desk.done[0])


def test_a_change_can_be_undone_at_once(bench: Bench) -> None:
    """An Enter too many changes nothing within a moment, but Z and Enter is none."""
    page = BookPage(bench.app, BOOK)
    bench.open(Screen(bench.app), page)
    bench.answer((BOOK, []))
    bench.press(*"jdoe", "enter")
    _name(bench, page)
    bench.press("enter")
    bench.answer(LOAN)
    bench.answer((BOOK, []))
    bench.press("z", "enter")
    assert len(bench.questions) == 1


def test_down_leads_from_an_unknown_isbn_to_adding_its_book(bench: Bench) -> None:
    desk = _scanned(bench)
    bench.answer((0, None))
    assert "Down and Enter: add it" in plain(desk.scan._under)
    bench.press("down", "enter")
    assert _kinds(bench)[-1] is AddBook


# What somebody has


def _loans(bench: Bench, *numbers: int) -> Loans:
    """The loans of jdoe, by number; each of another book."""
    loans = Loans(bench.app, "jdoe")
    bench.open(Screen(bench.app), loans)
    _reload(bench, *numbers)
    return loans


def _reload(bench: Bench, *numbers: int) -> None:
    bench.answer([{**LOAN, "loan": number, "title": f"Book {number}"} for number in numbers])


@pytest.mark.parametrize("word", ["zoe", "z1", "z ", "zz top"])
@pytest.mark.parametrize("start", ["home", "down", "end"])
def test_a_name_that_begins_with_z_undoes_nothing(bench: Bench, word: str, start: str) -> None:
    bench.app.undoable = Undoable.now(5, '"A book" (jdoe)')
    _loans(bench, 1, 2)
    bench.press(start, *word)
    assert bench.questions == []
    bench.press("enter")
    assert _kinds(bench)[-1] is Library


@pytest.mark.parametrize("start", ["home", "down", "end"])
def test_z_and_enter_undo_where_there_is_no_field(bench: Bench, start: str) -> None:
    _loans(bench, 1, 2)
    bench.press(start, "z", "down")
    assert bench.questions == []
    bench.app.undoable = Undoable.now(5, '"A book" (jdoe)')
    bench.press(start, "z")
    assert bench.questions == []
    assert 'Enter undoes your last loan, return or renewal: "A book" (jdoe).' in bench.note
    bench.press("enter")
    assert len(bench.questions) == 1
    bench.answer({"kind": "lend", "loan": LOAN})
    _reload(bench, 1)
    assert "Undone: the loan of" in bench.note


def test_an_answer_takes_back_what_z_asked(bench: Bench) -> None:
    bench.app.undoable = Undoable.now(5, '"A book" (jdoe)')
    loans = _loans(bench, 1)
    bench.press("z")
    loans.load()
    _reload(bench, 1)
    bench.press("enter")
    assert _kinds(bench)[-1] is Library


def test_the_mark_stays_on_the_loan_and_on_no_other(bench: Bench) -> None:
    loans = _loans(bench, 1, 2, 3)
    bench.press("down", "down", "down")
    assert "Book 2" in bench.note
    loans.load()
    _reload(bench, 2, 3)
    assert "Book 2" in bench.note
    loans.load()
    _reload(bench, 3)
    assert loans.menu.marked.label == "Lend a book"


def test_a_key_that_a_field_types_is_no_hint(bench: Bench) -> None:
    desk = Desk(bench.app)
    bench.open(Screen(bench.app), desk)
    bench.app.undoable = Undoable.now(5, '"A book" (jdoe)')
    desk.bind_undo()
    assert "undo" not in bench.app._hint.text
    bench.app.push(Loans(bench.app, "jdoe"))
    assert "Z undo" in bench.app._hint.text


# The last look


def _review(bench: Bench) -> tuple[Review, list[str]]:
    gone: list[str] = []
    review = Review(
        bench.app,
        ["a line"],
        lambda: gone.append("gone"),
        question="Enter adds it; Ctrl-O opens jdoe1 instead.",
        dry_run=lambda _: {},
    )
    bench.open(Screen(bench.app), review)
    return review, gone


@pytest.mark.parametrize("is_early", [True, False])
def test_an_enter_before_a_warning_could_be_read_does_nothing(bench: Bench, is_early: bool) -> None:
    review, gone = _review(bench)
    if is_early:
        bench.press("enter")
    bench.answer({"warnings": ["the mail may not arrive"]})
    bench.press("enter")
    assert gone == []
    review._warned -= SETTLE_S
    bench.press("enter")
    assert gone == ["gone"]


def test_an_enter_before_the_answer_goes_on_when_there_is_no_warning(bench: Bench) -> None:
    _, gone = _review(bench)
    bench.press("enter")
    bench.answer({"warnings": []})
    assert gone == ["gone"]


def test_checking_again_leaves_the_other_keys(bench: Bench) -> None:
    review, gone = _review(bench)
    review.bindings[keys.OPEN_INSTEAD] = lambda: gone.append("opened")
    bench.answer(Unreachable("a does not answer"))
    bench.press("enter")
    bench.press("ctrl r")
    bench.answer({"warnings": []})
    bench.press("ctrl o")
    assert gone == ["opened"]
    assert keys.AGAIN not in review.bindings


def _click(bench: Bench, words: str) -> None:
    """Click on the middle of some words of the note."""
    note = bench.app._note
    for row, text in enumerate(note.render((78,)).text):
        if (at := text.decode().find(words)) >= 0:
            note.mouse_event((78,), "mouse press", 1, at + len(words) // 2, row, False)
            return
    raise AssertionError(words)


def test_a_click_on_the_note_presses_the_key_that_is_clicked(bench: Bench) -> None:
    review, gone = _review(bench)
    review.bindings[keys.OPEN_INSTEAD] = lambda: gone.append("opened")
    bench.answer({"warnings": []})
    _click(bench, "opens jdoe1")
    assert gone == ["opened"]
    _click(bench, "adds it")
    assert gone == ["opened", "gone"]
    bench.app._note.mouse_event((78,), "mouse press", 1, 70, 0, False)
    assert gone == ["opened", "gone"]


@pytest.mark.parametrize(
    ("note", "pressed"),
    [
        ("Enter adds it; Ctrl-O opens jdoe1 instead.", ["enter", "ctrl o"]),
        ("2 are wrong.  Enter mends 2 of them.", ["", "enter"]),
        ("h is silent  Enter asks again, Esc goes back.", ["", "esc"]),
        ("Type jdoe, or Esc to leave it.", ["", "esc"]),
        ("Write it down, then press Enter.  Hidden in 3 s.", ["", ""]),
        ("Entering it takes 1.5 s, jdoe.", [""]),
        ("", [""]),
    ],
)
def test_each_clause_of_a_note_has_the_key_that_it_begins_with(note: str, pressed: list[str]) -> None:
    names = {"Enter": "enter", "Ctrl-O": "ctrl o", "Esc": "esc"}
    pieces = clauses(("heading", note), names)
    assert [name for _, name in pieces] == pressed
    assert plain([piece for piece, _ in pieces]) == note
    assert all(style == "heading" for (style, _), _ in pieces)


def test_deleting_asks_again_where_no_answer_came(bench: Bench) -> None:
    bench.open(Screen(bench.app), Delete(bench.app, MEMBER))
    bench.answer(Unreachable("a does not answer"))
    assert "Ctrl-R asks again" in bench.note
    bench.press("ctrl r")
    bench.answer({"changes": [], "warnings": []})
    bench.press(*"jdoe", "enter")
    assert _kinds(bench)[-1] is Doing


# A password that is shown once


def test_a_password_that_ended_under_another_screen_stays_until_it_was_seen(bench: Bench) -> None:
    outcome = Outcome([], ["h7kd-w3mp"], "Another way.")
    doing = Doing(bench.app, "Reset jdoe", lambda *_: iter([]), lambda _: outcome, begun=True)
    bench.open(Screen(bench.app), doing)
    bench.press("f1")
    bench.answer({"result": {}})
    assert doing._over
    doing._over -= 60
    bench.press("esc", "enter")
    assert bench.app.stack[-1] is doing
    doing._on_top_since -= SETTLE_S
    bench.press("enter")
    assert bench.app.stack[-1] is not doing


def test_mending_names_the_way_to_another_password(bench: Bench) -> None:
    screen = Examination(bench.app, "jdoe")
    outcome = screen._mended({"mended": ["principal"], "temporary_password": "h7kd-w3mp"})
    assert "Password reset" in outcome.another


@pytest.mark.parametrize("result", [None, {"mended": ["home"]}, {"temporary_password_lost": True}])
def test_a_password_that_mending_gave_and_nobody_saw_is_lost(result: dict[str, Any] | None) -> None:
    story = {"state": "completed", "operation": "mend_account", "result": result}
    assert _is_lost(story) is bool(result and "temporary_password_lost" in result)
    assert not _is_lost({**story, "state": "aborted"})


# After a change

SYSCOM = frozenset({Who.SIGNED_IN, Who.SYSCOM})
_PROGRAMS = {
    "changes": [{"uid": "jdoe", "old": "", "new": "Physics"}],
    "looked_at": 1,
    "unknown": 0,
}
_BROKEN = {
    "state": "problem",
    "check": "home",
    "found": "none",
    "looked_at": "",
    "mend": "make it",
    "fixable": True,
}
_GROUP = {"members": ["jdoe"], "gid_number": 1, "lists": [], "implies": []}


@pytest.mark.parametrize(
    ("make", "answer", "key"),
    [
        (lambda app: Databases(app, "jdoe"), {"mysql": False, "postgresql": True}, "r"),
        (lambda app: Lists(app, "jdoe"), ["events"], "e"),
        (lambda app: GroupsOf(app, "jdoe"), ["www"], "w"),
        (lambda app: Group(app, "www"), _GROUP, "t"),
        (lambda app: Examination(app, "jdoe"), [_BROKEN], "ctrl r"),
        (Programs, _PROGRAMS, "ctrl r"),
    ],
)
def test_after_a_change_enter_begins_no_other(
    bench: Bench, make: Callable[[App], Any], answer: Any, key: str
) -> None:
    """Until somebody marks a choice, or looks again at what is left."""
    bench.app.standing.who = SYSCOM
    screen = make(bench.app)
    bench.open(Screen(bench.app), screen)
    bench.answer(answer)
    screen.after_write()
    screen.load()
    bench.answer(answer)
    assert key == "ctrl r" or "first letter" in bench.note
    bench.press(*["enter"] * 6)
    assert bench.app.stack[-1] is screen
    bench.press(key)
    if bench.questions:
        bench.answer(answer)
    bench.press("enter")
    assert bench.app.stack[-1] is not screen


def test_copies_that_were_added_are_not_added_once_more(bench: Bench) -> None:
    page = BookPage(bench.app, BOOK)
    bench.open(page)
    bench.answer((BOOK, []))
    bench.press("down", "enter", "enter")
    assert _kinds(bench) == [BookPage, Copies]
    bench.answer({**BOOK, "copies": 2})
    bench.press(*["enter"] * 4)
    assert _kinds(bench) == [BookPage]


# The frame


def test_help_is_not_stacked_and_quit_is_not_marked_by_who_comes_back(bench: Bench) -> None:
    menu = MainMenu(bench.app)
    bench.open(menu)
    bench.press("esc")
    assert menu.sections.focused.marked.label == "Quit"
    assert "Esc back" not in bench.app._hint.text
    bench.press("?")
    assert _kinds(bench) == [MainMenu, Help]
    assert "Esc back" in bench.app._hint.text
    bench.press("?")
    assert _kinds(bench) == [MainMenu]
    assert menu.sections.focused.marked.label == "Find somebody"


# Password resets


@pytest.mark.parametrize(("fresh", "offered"), [(True, True), (False, False), (None, True)])
def test_office_staff_are_offered_only_a_reset_that_they_may_do(
    bench: Bench, fresh: bool | None, offered: bool
) -> None:
    """None: an older ceod does not say whom they signed up, and decides itself."""
    told = {"program": "", "uid_number": 1, "home_directory": "/users/jdoe", "groups": []}
    kinds = {"terms": [], "non_member_terms": [], "positions": [], "is_club": False}
    state = {"expired": False, "deleted": False, "signed_up_just_now": fresh}
    bench.open(Person(bench.app, "jdoe"))
    bench.answer({**MEMBER, **told, **kinds, **state}, 0)
    bench.press("p", "enter")
    assert ("later, send the person to the systems committee" in bench.note) is not offered
    assert (Review in _kinds(bench)) is offered


# Mailing lists


def test_what_ends_after_its_screen_is_named_by_what_it_does(bench: Bench) -> None:
    bench.open(Lists(bench.app, "jdoe"))
    bench.answer(["events"])
    bench.open(TakeOff(cast(Lists, bench.app.stack[0]), "events"))
    bench.answer({"changes": [], "warnings": []})
    bench.press("enter", "esc")
    bench.answer({}, 0)
    assert bench.note == "Taking jdoe off events: done."


# Adding to the library


def _sent_keys(bench: Bench, method: str) -> list[str]:
    """The Idempotency-Key of each request that workers were given."""
    sent: list[str] = []
    client = SimpleNamespace(**{method: lambda *values: sent.append(values[-1])})
    cast(Any, bench.app)._client = client
    for job in bench.jobs:
        job()
    assert all(uuid.UUID(key) for key in sent)
    return sent


def test_copies_whose_answer_was_lost_are_asked_for_under_the_same_key(bench: Bench) -> None:
    bench.open(Copies(bench.app, BOOK, lambda _: None))
    for typed in ("", "", "2"):
        bench.press(*typed, "enter")
        bench.answer(OutcomeUnknown("the connection ended before it answered"))
        assert "Nobody knows whether they were added." in bench.note
    first, again, other = _sent_keys(bench, "add_copies")
    assert first == again
    assert other != first


def test_a_book_whose_answer_was_lost_is_asked_for_under_the_same_key(bench: Bench) -> None:
    screen = AddBook(bench.app)
    bench.open(Screen(bench.app), screen)
    for answer in (OutcomeUnknown("the connection ended"), {**BOOK}, {**BOOK}):
        screen.fields["title"].fill("A book")
        screen.fields["authors"].fill("Ann Author")
        screen._wrote = 0.0
        bench.press("ctrl d")
        bench.answer(answer)
        is_lost = isinstance(answer, OutcomeUnknown)
        assert ("Nobody knows whether it was added" in bench.note) is is_lost
    first, again, another = _sent_keys(bench, "add_book")
    assert first == again
    assert another != first
