"""The menu's pure parts: its keys, its looks, its tables, its drafts, its notes of what is under way."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import urwid
from hypothesis import given
from hypothesis import strategies as st

from ceo import members
from ceo.tui import keys, theme
from ceo.tui.screens.help import labels
from ceo.tui.standing import Standing
from ceo.tui.widgets.form import Field, Form
from ceo.tui.widgets.menu import Choice, Menu
from ceo.tui.widgets.page import Page
from ceo.tui.widgets.safe import safe
from ceo.tui.widgets.table import Column, fit, layout
from ceo.under_way import Trail, folder, left_behind
from ceo_common.client_config import Hosts
from ceo_common.permissions import Who
from ceo_common.terms import Term
from ceo_common.text import is_unsafe

TUI = Path(keys.__file__).parent
TABLE = {name: value for name, value in vars(keys).items() if isinstance(value, keys.Key)}
HOSTS = Hosts("a.example.org", "m.example.org", "d.example.org", "d.example.org")


def _trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(TUI.rglob("*.py")):
        yield path, ast.parse(path.read_text())


# Keys


def test_every_key_of_the_table_is_bound_somewhere() -> None:
    used = {node.attr for path, tree in _trees() for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "keys"}
    assert set(TABLE) <= used, set(TABLE) - used


def test_no_code_knows_a_key_that_the_table_does_not() -> None:
    """A name of a key as urwid says it stands in keys.py, and where urwid's own editing keys are set, and nowhere else."""
    names = {name for key in TABLE.values() for name in key.names if len(name) > 1}
    for path, tree in _trees():
        if path.name == "keys.py":
            continue
        # What a widget hands to urwid's own, such as "page up", is no key that is looked for.
        looked_for = {side.value for node in ast.walk(tree) if isinstance(node, ast.Compare) for side in (node.left, *node.comparators)
                      if isinstance(side, ast.Constant) and isinstance(side.value, str)}
        assert not looked_for & names or path.name == "app.py", (path, looked_for & names)


def test_each_key_has_words_for_help() -> None:
    for name, key in TABLE.items():
        assert key.names and key.label and key.does.endswith("."), name
        assert key.label == labels(key)[0] and len(labels(key)) == len({known.lower() for known in key.names}), (name, labels(key))


def test_a_key_does_what_it_is_bound_to() -> None:
    done: list[str] = []
    bindings = {keys.BACK: lambda: done.append("back"), keys.HELP: lambda: done.append("help")}
    assert keys.press(bindings, "f1") and keys.press(bindings, "esc") and not keys.press(bindings, "f9")
    assert done == ["help", "back"]


# Looks


def test_the_title_is_drawn_at_random_as_it_always_was() -> None:
    drawn = {theme.title(random.Random(seed)) for seed in range(500)}
    places = [title.split()[2] for title in drawn]
    assert all(title[0] == "C" and title.split()[1][0] == "E" for title in drawn)
    assert 0 < places.count("Outpost") < places.count("Office")


@pytest.mark.parametrize(("environ", "colours", "which"), [({}, 1, 3), ({}, 16, 2), ({}, 256, 0), ({"COLORFGBG": "15;0"}, 256, 0), ({"COLORFGBG": "0;15"}, 1 << 24, 1),
                                                           ({"COLORFGBG": "0;default;7"}, 256, 1), ({"COLORFGBG": "0;15"}, 16, 2)])
def test_the_palette_is_what_the_terminal_can_show(environ: dict[str, str], colours: int, which: int) -> None:
    assert theme.choose(environ, colours) == which


@pytest.mark.parametrize("which", range(4))
def test_each_palette_is_one_that_urwid_takes(which: int) -> None:
    screen = urwid.display.raw.Screen()
    screen.register_palette(theme.palette(which))
    for style, *_ in theme.palette(which):
        assert screen.resolve_attr(style, 0)


def test_what_is_marked_and_what_is_wrong_read_without_colour() -> None:
    mono = {style: entry[2] for style, *entry in theme.palette(3)}
    assert all("standout" in mono[style] for style in ("choice focus", "field focus", "greyed focus", "secret", "title"))
    assert mono["problem"] == "bold" and mono["choice"] == "default"


@pytest.mark.parametrize(("environ", "plain"), [
    ({"LC_CTYPE": "C.UTF-8", "LANG": "C"}, True), ({"LC_CTYPE": "C.UTF-8"}, True), ({"LC_CTYPE": "C.UTF-8", "LANG": "C.UTF-8"}, False),
    ({"LANG": "en_CA.UTF-8"}, False), ({"LC_ALL": "C", "LANG": "en_CA.UTF-8"}, True), ({"LC_CTYPE": "en_CA.UTF-8"}, False), ({"LC_ALL": "C.UTF-8", "LC_CTYPE": "C.UTF-8"}, False)])
def test_a_locale_that_python_made_up_is_not_the_terminals(environ: dict[str, str], plain: bool) -> None:
    assert theme.no_unicode(environ) is plain


# Text


@given(st.text(), st.integers(1, 60))
def test_a_cell_is_as_wide_as_its_column(text: str, width: int) -> None:
    fitted = fit(str(safe(text)), width)
    assert urwid.calc_width(fitted, 0, len(fitted)) == width
    assert not any(is_unsafe(c) for c in fitted)


def test_columns_that_have_no_room_are_left_out() -> None:
    columns = [Column("a", str, 10), Column("b", str), Column("c", str, least=70), Column("d", str, 6)]
    assert layout(columns, 100) == [10, 39, 39, 6]
    assert layout(columns, 60) == [10, 40, 0, 6]
    assert sum(layout(columns, 60)) + 2 * 2 == 60


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.tuples(st.just("hint"), inner), max_leaves=8))
def test_nothing_unsafe_is_shown(markup: object) -> None:
    from ceo.tui.widgets.safe import plain

    assert not any(is_unsafe(c) for c in plain(safe(markup)))


# Widgets


def _menu(told: list[tuple[str, str]], took: list[str]) -> Menu:
    rows: list[Choice | str] = ["People", Choice("Alpha", lambda: took.append("a"), "first"), Choice("Beta", lambda: took.append("b"), never="not yours"), "More",
            Choice("Bravo", lambda: took.append("c"), "third")]
    return Menu(rows, lambda style, text: told.append((style, text)))


def test_a_letter_jumps_and_what_is_grey_says_why() -> None:
    told: list[tuple[str, str]] = []
    took: list[str] = []
    menu = _menu(told, took)
    assert menu.marked.label == "Alpha" and told[-1] == ("hint", "first")
    for key, label in (("b", "Beta"), ("enter", "Beta"), ("b", "Beta"), ("b", "Bravo"), ("enter", "Bravo"), ("b", "Bravo"), ("b", "Beta"), ("down", "Bravo"), ("down", "Alpha"),
                       ("up", "Bravo"), ("home", "Alpha"), ("end", "Bravo"), ("page up", "Alpha")):
        assert menu.keypress((30, 10), key) is None
        assert menu.marked.label == label, key
    assert took == ["c"] and ("problem", "not yours") in told
    assert menu.keypress((30, 10), "x") == "x"


def test_a_menu_that_is_shown_anew_keeps_its_mark() -> None:
    menu = _menu([], [])
    menu.keypress((30, 10), "end")
    menu.show([Choice("Zulu", lambda: None), Choice("Bravo", lambda: None)])
    assert menu.marked.label == "Bravo"


def _press(form: Form, *typed: str) -> list[str | None]:
    return [form.keypress((60, 20), key) for key in typed]


def test_a_form_keeps_its_draft_and_gives_it_back() -> None:
    accepted: list[dict[str, str]] = []
    draft: dict[str, str] = {}
    fields = {"uid": Field("Username"), "terms": Field("Terms", "1"), "password": Field("Password", mask="*")}
    form = Form(fields, lambda: accepted.append(form.texts()), draft=draft)
    _press(form, *"jdoe", "enter", "2", "enter", *"secret", "enter")
    assert accepted == [{"uid": "jdoe", "terms": "2", "password": "secret"}]
    assert draft == {"uid": "jdoe", "terms": "2"}
    again = Form({"uid": Field("Username"), "terms": Field("Terms", "1"), "password": Field("Password", mask="*")}, lambda: None, draft=draft)
    assert again.texts() == {"uid": "jdoe", "terms": "2", "password": ""}
    again.clear()
    assert again.texts() == {"uid": "", "terms": "1", "password": ""} and draft == {}


def test_slash_and_question_mark_are_text_where_there_is_text() -> None:
    form = Form({"a": Field("A"), "secret": Field("S", mask="*")}, lambda: None)
    assert _press(form, "/", "?") == ["/", "?"]
    assert _press(form, "x", "/", "?", "tab", "?", "/") == [None] * 6
    assert form.texts() == {"a": "x/?", "secret": "?/"}


@given(st.lists(st.sampled_from(["a", "é", "enter", "tab", "shift tab", "up", "down", "left", "right", "backspace", "ctrl u", "ctrl n", "ctrl d", "esc", "home"]), max_size=60))
def test_no_row_of_keys_breaks_a_form(typed: list[str]) -> None:
    form = Form({"a": Field("A"), "b": Field("B", "1"), "c": Field("C")}, lambda: form.complain({"b": "no"}), head=["A form"])
    _press(form, *typed)
    canvas = form.render((40, 10), focus=True)
    assert canvas.rows() == 10


def test_a_page_scrolls_and_shows_what_it_is_given() -> None:
    page = Page([f"line {i}" for i in range(50)])
    assert b"line 0" in b"".join(page.render((20, 5)).text)
    for _ in range(20):
        assert page.keypress((20, 5), "page down") is None
    assert b"line 49" in b"".join(page.render((20, 5)).text)


# Who one is


def test_what_is_grey_is_grey_by_the_rules_that_ceod_enforces() -> None:
    standing = Standing(HOSTS)
    assert standing.never("member.expire") == ""  # not known yet: ceod decides
    standing.who, standing.uid, standing.groups = frozenset({Who.ANYONE, Who.SIGNED_IN, Who.OFFICE}), "me", frozenset({"chess"})
    assert standing.never("member.add") == "" and standing.never("member.shell", "me") == "" and standing.never("database.change", "chess") == ""
    assert standing.never("member.shell", "you") == "Only the account's owner and the systems committee may change a login shell."
    assert standing.never("database.change", "you") and standing.never("member.expire")
    assert standing.never("member.pwreset", "you") == ""  # whether an account is fresh, ceod knows


def test_a_silent_host_is_told_by_what_needs_it() -> None:
    standing = Standing(HOSTS, silent={"m.example.org": "no answer"})
    assert standing.down("mail") == "m does not answer: no answer" and standing.down("admin") == ""


# What is under way


def test_what_a_menu_left_is_found_only_when_it_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    seen, left = Trail("Sign up a", "h", "me"), Trail("Sign up b", "h", "me")
    left.known("4711")
    assert list(left_behind("me")) == []  # both are locked by a menu that runs
    seen.ended()
    assert left._file
    left._file.close()  # as the end of the process does
    ((begun, path),) = left_behind("me")
    assert (begun.title, begun.host, begun.transaction) == ("Sign up b", "h", "4711") and path.parent.stat().st_mode & 0o077 == 0
    (folder() / "bad.json").write_text("{")
    assert len(list(left_behind("me"))) == 1
    assert list(left_behind("you")) == []  # who shares the login is told of their own alone


def test_a_full_disk_costs_the_note_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/nowhere")
    trail = Trail("Sign up a", "h", "me")
    trail.known("4711")
    trail.ended()
    assert list(left_behind("me")) == []


def test_a_disk_that_fills_up_later_costs_the_note_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    trail = Trail("Sign up a", "h", "me")
    assert trail._file
    trail._file.close()
    trail._file = Path("/dev/full").open("r+b", buffering=0)
    trail.known("4711")
    trail.ended()
    assert list(folder().iterdir()) == []


@pytest.mark.parametrize("held", [["f2020", "zz"], ["zz"], []])
def test_what_is_no_term_in_the_directory_ends_nothing(held: list[str]) -> None:
    member = {"terms": held, "non_member_terms": ["w2019"] if held else [], "deleted": False, "is_club": False, "expired": False}
    assert members.last_term(member) == ("f2020" if "f2020" in held else "w2019" if held else "")
    assert members.standing_of(member, Term.parse("f2026")) == "lapsed"
