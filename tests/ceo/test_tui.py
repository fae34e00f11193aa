"""The menu's pure parts: its keys, its looks, its tables, its drafts, its notes of what is under way."""

from __future__ import annotations

import ast
import importlib
import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import urwid
from hypothesis import given
from hypothesis import strategies as st
from pyte.screens import Char

from ceo import members
from ceo.tui import keys, theme
from ceo.tui.app import crumbs
from ceo.tui.hints import hints_of
from ceo.tui.incoming import Background, Incoming, Pasted, Typed
from ceo.tui.screens.help import labels
from ceo.tui.standing import Standing
from ceo.tui.terminal import Terminal
from ceo.tui.widgets.form import Field, Form
from ceo.tui.widgets.menu import Choice, Menu
from ceo.tui.widgets.page import Page, Record
from ceo.tui.widgets.safe import safe
from ceo.tui.widgets.table import Column, Table, fit, layout
from ceo.under_way import Trail, folder, left_behind
from ceo_common.client_config import Hosts
from ceo_common.permissions import Who
from ceo_common.terms import Term
from ceo_common.text import is_unsafe, shown

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


@pytest.mark.parametrize(("environ", "colours", "which"), [({}, 1, 3), ({}, 16, 2), ({}, 256, 4), ({"COLORFGBG": "15;0"}, 256, 0), ({"COLORFGBG": "0;15"}, 1 << 24, 1),
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
    # A joiner may be the last character before the cut: it is of no width, and does nothing there.
    assert not any(is_unsafe(c) for c in fitted.replace("\u200c", "").replace("\u200d", ""))


def test_columns_that_have_no_room_are_left_out() -> None:
    columns = [Column("a", str, 10), Column("b", str), Column("c", str, least=70), Column("d", str, 6)]
    assert layout(columns, 100) == [10, 38, 38, 6]
    assert layout(columns, 60) == [10, 39, 0, 6]
    assert sum(layout(columns, 60)) + 2 * 2 == 60 - 1, "a blank before the bar"


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.tuples(st.just("hint"), inner), max_leaves=8))
def test_nothing_unsafe_is_shown(markup: object) -> None:
    for piece in _pieces(safe(markup)):
        assert shown(piece) == piece


def _pieces(markup: Any) -> list[str]:
    """The texts of markup."""
    if isinstance(markup, str):
        return [markup]
    inner = [markup[1]] if isinstance(markup, tuple) else markup
    return [piece for part in inner for piece in _pieces(part)]


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
    for key, label in (("b", "Beta"), ("enter", "Beta"), ("b", "Beta"), ("b", "Bravo"), ("enter", "Bravo"), ("b", "Beta"), ("b", "Bravo"), ("b", "Beta"), ("down", "Bravo"), ("down", "Alpha"),
                       ("up", "Bravo"), ("home", "Alpha"), ("end", "Bravo"), ("page up", "Alpha")):
        assert menu.keypress((30, 10), key) == (key if (key, label) == ("enter", "Beta") else None)
        assert menu.marked.label == label, key
    assert took == ["c"] and ("problem", "not yours") in told
    assert menu.keypress((30, 10), "x") == "x"


def test_a_letter_marks_the_same_choice_from_anywhere() -> None:
    """A scan goes to the desk, not to the lock that begins with the same letter."""
    menu = Menu(
        [Choice(label, lambda: None) for label in ("Library desk", "Book search", "Lock the screen")],
        lambda *_: None,
    )
    for before in ("Book search", "Lock the screen"):
        menu.show(menu.data, before)
        menu.keypress((30, 10), "l")
        assert menu.marked.label == "Library desk"
    menu.keypress((30, 10), "l")
    assert menu.marked.label == "Lock the screen"


def test_a_menu_that_is_shown_anew_keeps_its_mark() -> None:
    menu = _menu([], [])
    menu.keypress((30, 10), "end")
    menu.show([Choice("Zulu", lambda: None), Choice("Bravo", lambda: None)])
    assert menu.marked.label == "Bravo"


def test_a_menu_that_rests_takes_nothing_until_a_choice_is_marked() -> None:
    """A letter typed before, an arrow and a click mark one again; a grey one takes no Enter."""
    took: list[str] = []
    menu = _menu([], took)
    for key, label in (("b", "Beta"), ("b", "Beta"), ("up", "Bravo"), ("down", "Alpha")):
        menu.keypress((30, 10), "b")
        menu.rest()
        menu.show(menu.data)  # asked anew meanwhile
        assert [menu.keypress((30, 10), enter) for enter in ("enter", " ")] == ["enter", " "]
        assert keys.CHOOSE not in menu.bindings
        assert "choice focus" not in _styles(menu)
        menu.keypress((30, 10), key)
        assert menu.marked.label == label
        assert (keys.CHOOSE in menu.bindings) is not bool(menu.marked.never)
        assert "greyed focus" in _styles(menu) or "choice focus" in _styles(menu)
    menu.rest()
    menu.mouse_event((30, 10), "mouse press", 1, 2, 4, focus=True)
    assert took == ["c"]
    menu.show(["One moment ..."])
    assert keys.CHOOSE not in menu.bindings


def _styles(menu: Menu) -> set[object]:
    return {style for row in menu.render((30, 10), focus=True).content() for style, _, _ in row}


def test_a_click_on_what_writes_marks_it_and_another_does_it() -> None:
    """The second of a double click is no other."""
    told: list[tuple[str, str]] = []
    took: list[str] = []
    rows = [Choice(label, partial(took.append, label), "x.", writes=True) for label in ("A", "B")]
    menu = Menu(rows, lambda style, text: told.append((style, text)))
    for row, label in ((1, "B"), (0, "A")):
        menu.mouse_event((30, 10), "mouse press", 1, 2, row, focus=True)
        assert menu.marked.label == label
        assert took == []
        assert told[-1] == ("heading", "x.  Enter or another click does it.")
    for clicked_before_s, taken in ((0.0, []), (1.0, ["A"])):
        menu._clicked_at -= clicked_before_s
        menu.mouse_event((30, 10), "mouse press", 1, 2, 0, focus=True)
        assert took == taken


def _shown(widget: urwid.Widget) -> str:
    return " ".join(b" ".join(widget.render((70, 20)).text).decode().split())


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
    kept = "Ctrl-N empties the form."
    assert kept not in _shown(form)
    assert kept in _shown(again)
    again.clear()
    assert kept not in _shown(again)
    assert again.texts() == {"uid": "", "terms": "1", "password": ""} and draft == {}


def test_what_was_not_typed_just_now_gives_way_to_a_letter() -> None:
    """A suggestion, what is known of somebody, what was left: the same for all, and End keeps it."""
    fields = {name: Field(name, "1") for name in ("suggested", "known", "left", "typed")}
    form = Form(fields, lambda: None, draft={"left": "old"})
    form.suggest("known", "Jane")
    fields["typed"].fill("y")
    assert [field.gives_way for field in fields.values()] == [True, True, True, False]
    _press(form, "x", "down", "end", "x", "down", "x", "down", "x")
    assert form.texts() == {"suggested": "x", "known": "Janex", "left": "x", "typed": "yx"}
    assert not any(field.gives_way for field in fields.values())


def test_slash_and_question_mark_are_text_where_there_is_text() -> None:
    form = Form({"a": Field("A"), "secret": Field("S", mask="*")}, lambda: None)
    assert _press(form, "/", "?") == ["/", "?"]
    assert _press(form, "x", "/", "?", "tab", "?", "/") == [None] * 6
    assert form.texts() == {"a": "x/?", "secret": "?/"}


def test_the_cursor_stays_in_a_field() -> None:
    """In a small window Page-Up goes to the lines above, where letters would go nowhere."""
    form = Form({"password": Field("Password", mask="*")}, lambda: None, head=["Locked.", "Open it."])
    for key in ("page up", "page up", "k"):
        form.keypress((60, 3), key)
        form.render((60, 3), True)
    assert form.text("password") == "k"


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
    reason = "m.example.org does not answer on port 9987: timed out"
    assert Standing(HOSTS, silent={"m.example.org": reason}).down("mail") == reason


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


@pytest.mark.parametrize(
    ("term", "is_bold"), [("linux", True), ("screen", False), ("xterm", False)]
)
def test_grey_is_not_bold_black(monkeypatch: pytest.MonkeyPatch, term: str, is_bold: bool) -> None:
    monkeypatch.setenv("TERM", term)
    assert Terminal().fg_bright_is_bold is is_bold


# What a terminal sends


def _parts(*reads: bytes) -> list[Typed | Pasted | Background]:
    incoming = Incoming()
    return [part for read in reads for part in incoming.feed(read)]


@pytest.mark.parametrize(("data", "text"), [
    (b"Jane Doe\x0e", "Jane Doe"), (b"krb5\r", "krb5"), (b"krb5\r\n", "krb5"), (b"a\r\n\r\n", "a"), (b"a\rb\tc\n", "a b c"), (b"/home/x", "/home/x"),
    (b"\x1b[31mred\x1b[0m", "red"), (b"a\x1b]0;title\x07b", "ab"), (b"\x1b[A\x1bOP\x03\x04x", "x"), (b"\x1b\x1b", ""), ("José 漢\u202e".encode(), "José 漢"),
    ("a\u200cb".encode(), "a\u200cb"), (b"\xe9", ""), (b"", "")])
def test_a_paste_is_text_whatever_is_inside(data: bytes, text: str) -> None:
    assert _parts(b"\x1b[200~" + data + b"\x1b[201~") == [Pasted(text)]


@given(st.binary(max_size=60), st.lists(st.integers(1, 9), max_size=30))
def test_a_paste_is_the_same_however_it_is_cut_into_reads(data: bytes, cuts: list[int]) -> None:
    """But for its beginning: an escape sequence that is cut is urwid's to keep."""
    data = data.replace(b"\x1b[201~", b"").replace(b"\x1b[200~", b"") + b"\x1b[201~"
    reads, at = [b"x\x1b[200~"], 0
    for cut in cuts:
        reads.append(data[at : at + cut])
        at += cut
    pasted = [part for part in _parts(*reads, data[at:], b"y") if isinstance(part, Pasted)]
    assert pasted == [part for part in _parts(b"\x1b[200~" + data) if isinstance(part, Pasted)]
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in pasted[0].text)


def test_a_paste_whose_end_is_lost_ends_by_itself() -> None:
    incoming = Incoming()
    assert incoming.feed(b"\x1b[200~abc\x03") == [] and incoming.waits_s > 0
    assert incoming.lost() == [Pasted("abc"), Typed(b"\x03")]  # the key of somebody who waits
    assert incoming.feed(b"d\x1b[A") == [Typed(b"d\x1b[A")] and incoming.waits_s == 0
    assert incoming.lost() == []


@pytest.mark.parametrize("cut", range(1, 16))
@pytest.mark.parametrize("end", [b"\x1b[201~", b""])
def test_the_rest_of_a_paste_that_stalled_presses_no_key(cut: int, end: bytes) -> None:
    pasted = b"jane\rdoe\rmore\r x\r"
    incoming = Incoming()
    parts = incoming.feed(b"\x1b[200~" + pasted[:cut]) + incoming.lost()
    parts += incoming.feed(pasted[cut:] + end) + ([] if end else incoming.lost())
    assert not [part for part in parts if isinstance(part, Typed)]
    assert incoming.feed(b"\r") == [Typed(b"\r")] and incoming.waits_s == 0


def test_a_key_after_a_lost_end_is_a_key() -> None:
    for key in (b"\r", b"x", b"\x1b[A", "é".encode()):
        incoming = Incoming()
        incoming.feed(b"\x1b[200~abc")
        assert incoming.lost() == [Pasted("abc")]
        assert incoming.feed(key) == [Typed(key)]
        assert incoming.feed(b"9780131103627\r") == [Typed(b"9780131103627\r")]


def test_a_long_paste_is_cut_and_says_so() -> None:
    incoming = Incoming()
    for _ in range(1000):
        assert incoming.feed(b"x" * 1000 if incoming.waits_s else b"\x1b[200~") == []
    (pasted,) = incoming.feed(b"\x1b[201~")
    assert isinstance(pasted, Pasted) and pasted.is_cut and len(pasted.text) == 1 << 16


@pytest.mark.parametrize(("answer", "is_light"), [
    (b"rgb:ffff/ffff/ffff", True), (b"rgb:fdfd/f6f6/e3e3", True), (b"rgb:0000/0000/0000", False), (b"rgb:1/2/3", False), (b"rgba:ff/ff/ff/ff", True)])
@pytest.mark.parametrize("end", [b"\x07", b"\x1b\\"])
def test_the_terminals_answer_is_no_key(answer: bytes, is_light: bool, end: bytes) -> None:
    data = b"\x1b]11;" + answer + end
    assert _parts(b"a" + data + b"b") == [Typed(b"a"), Background(is_light), Typed(b"b")]
    for at in range(2, len(data)):  # an Esc alone is a key, until more comes
        assert _parts(data[:at], data[at:]) == [Background(is_light)]


def test_an_answer_that_stays_unfinished_types_nothing_and_alt_bracket_is_a_key() -> None:
    incoming = Incoming()
    assert incoming.feed(b"\x1b]11;rgb:ff") == [] and incoming.lost() == []
    assert incoming.feed(b"\x1b]") == [] and incoming.lost() == [Typed(b"\x1b]")]


@pytest.mark.parametrize(("encoding", "data", "keys_"), [
    ("ascii", b"Jos\xc3\xa9", "José"), ("iso-8859-1", b"Jos\xc3\xa9", "José"), ("iso-8859-1", b"Jos\xe9 x", "José x"), ("utf-8", b"Jos\xc3\xa9", "José"),
    ("koi8-r", "Дом".encode(), "Дом"), ("koi8-r", "Дом".encode("koi8-r"), "Дом"), ("ascii", b"Jos\xe9x", ["J", "o", "s", "<233>", "x"])])
def test_letters_are_what_was_typed_in_any_locale(encoding: str, data: bytes, keys_: str | list[str]) -> None:
    """A locale of one byte a letter in a terminal that sends UTF-8 never makes two letters of one."""
    heard: list[object] = []
    before = urwid.util.get_encoding()
    urwid.set_encoding(encoding)
    try:
        terminal = Terminal()
        terminal._hear = lambda typed, _raw: heard.extend(typed)
        terminal.parse_input(None, None, [*data, ord(".")])  # the rest of a letter is waited for
    finally:
        urwid.set_encoding(before)
    assert heard == [*keys_, "."]


# Fields


def _typed(field: Field, *typed: str) -> str:
    for key in typed:
        field.keypress((60,), key)
    return field.text


def test_a_paste_goes_into_a_field_as_text() -> None:
    field = Field("A", "suggested")
    field.paste("/home/x?")
    assert field.text == "/home/x?" and field.takes("/") and field.takes("?")
    field.paste("x" * 2000)
    assert len(field.text) == 1000 and "1,000" in field._under[1]
    assert _typed(field, "y") == field.text and len(field.text) == 1000


def test_a_field_is_edited_as_a_shell_s_line_is() -> None:
    field = Field("A")
    assert _typed(field, *"one two three") == "one two three"
    assert _typed(field, "meta b", "ctrl left", "X") == "one Xtwo three"
    assert _typed(field, "meta f", "ctrl k") == "one Xtwo"
    assert _typed(field, "ctrl w") == "one" and _typed(field, "home", "ctrl right", "!") == "one!"
    assert _typed(field, "ctrl u") == ""
    assert [_typed(field, "ctrl _") for _ in range(6)] == ["one!", "one", "one Xtwo", "one Xtwo three", "one two three", ""]
    assert "secret" not in str(vars(_secret("secret"))["_before"])


def _secret(typed: str) -> Field:
    field = Field("S", mask="*")
    _typed(field, *typed, "ctrl u")
    return field


# Hints


def _hints(width: int, *bindings: keys.Bindings, is_text: str = "") -> list[str]:
    return [f"{hint.label} {hint.word}" for hint in hints_of(bindings, width, lambda name: name in is_text)]


_EVERYWHERE: keys.Bindings = dict.fromkeys((keys.BACK, keys.PEOPLE, keys.HELP, keys.LOCK), lambda: None)
_OWN: keys.Bindings = dict.fromkeys((keys.AGAIN, keys.CONFIRM, keys.OPEN_INSTEAD), lambda: None)


def test_what_matters_most_stays_in_the_hints() -> None:
    whole = ["Enter do it", "Ctrl-R again", "Ctrl-O open it", "Esc back", "/ find", "? help"]
    assert _hints(100, _OWN, _EVERYWHERE) == whole
    assert _hints(70, _OWN, _EVERYWHERE) == [hint for hint in whole if hint != "/ find"]
    assert _hints(50, _OWN, _EVERYWHERE) == ["Enter do it", "Ctrl-R again", "Esc back", "? help"]
    assert _hints(10, _OWN, _EVERYWHERE) == ["Enter do it", "Esc back"]


def test_a_key_that_is_text_now_is_not_offered() -> None:
    assert _hints(100, _EVERYWHERE, is_text="/?") == ["Esc back", "F2 find", "F1 help"]


_ENTER = {"choose", "open", "next", "go on", "do it"}


def test_one_key_has_one_word_on_every_screen() -> None:
    """Enter alone has several, for what it does to what is marked; only "do it" changes anything."""
    words: dict[str, set[str]] = {}
    for key in TABLE.values():
        for name in key.names if key.word else ():
            words.setdefault(name, set()).add(key.word)
    assert words.pop("enter") == _ENTER
    assert words.pop(" ") <= _ENTER
    assert all(len(of_key) == 1 for of_key in words.values()), words
    assert [name for name, key in TABLE.items() if key.word == "do it"] == ["CONFIRM"]


# Looks on every background


def _luminance(r: int, g: int, b: int) -> float:
    """Relative luminance (WCAG 2.1)."""
    parts = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in (r, g, b)]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


@pytest.mark.parametrize(("which", "grounds"), [
    (0, [(0, 0, 0), (0, 43, 54)]), (1, [(255, 255, 255), (253, 246, 227)]),
    (2, [(0, 0, 0), (255, 255, 255)]), (4, [(0, 0, 0), (255, 255, 255)])])
def test_every_style_reads_on_its_background(which: int, grounds: list[tuple[int, int, int]]) -> None:
    """At least 3.8 to 1, for a text that is bold or stands beside others (WCAG 2.1 asks for 3 there)."""
    screen = urwid.display.raw.Screen()
    screen.set_terminal_properties(colors=256)
    for style, *_, front, back in theme.palette(which):
        assert ("default" in front) <= (back == "default"), f"{style}: a background alone"
        spec = urwid.display.AttrSpec(front, back, 256)
        for ground in grounds:
            values = spec.get_rgb_values()
            ink = values[:3] if values[0] is not None else tuple(255 - c for c in ground)
            paper = values[3:] if values[3] is not None else ground
            high, low = sorted((_luminance(*ink), _luminance(*paper)), reverse=True)
            assert (high + 0.05) / (low + 0.05) > 3.8, (style, ground)


# Tables


def test_a_title_that_is_cut_keeps_its_end() -> None:
    title = "The Art of Computer Programming, Volume 2"
    assert fit(title, 24, keeps_end=True) == "The Art of Comp…Volume 2"
    assert "Volume 2" not in fit(title, 24)


@given(st.text(), st.integers(1, 60))
def test_a_cell_that_keeps_its_end_is_as_wide_as_its_column(text: str, width: int) -> None:
    fitted = fit(str(safe(text)), width, keeps_end=True)
    assert urwid.calc_width(fitted, 0, len(fitted)) == width


@pytest.mark.parametrize("count", [5, 63])
def test_the_head_of_a_table_stands_above_its_columns(count: int) -> None:
    columns = [Column("Username", lambda row: row["uid"], 12), Column("Name", lambda _: "name"), Column("Program", lambda _: "program", least=74)]
    canvas = Table(columns, None, [{"uid": i} for i in range(count)]).render((76, 20), focus=True)
    head, row = (line.decode() for line in list(canvas.text)[:2])
    assert head.index("Name") == row.index("name") and head.index("Program") == row.index("program")


# README's pictures


def test_a_picture_does_not_show_what_differs_from_run_to_run() -> None:
    always = importlib.import_module("docs.pictures").always  # mypy takes the folder of that name
    runs = (
        " Coffee Elegant Outpost  ›  Sign up jdoe",
        " CSC Electronic Office  ›  Sign up jdoe",
        "  ✓ LDAP user              7 ms  ab2d-efgh-jk3m-npqr  in 8.9 s, 57 s left, f2026, 9 h 02 min",
        "  ✓ LDAP user           1234 ms  h7kd-w3mp-x9tn-b4rc  in 11.8 s, 58 s left, w2031, 10 h 00 min",
    )
    drawn = ["".join(cell.data for cell in always([Char(c) for c in run.ljust(120)])) for run in runs]
    assert drawn[0] == drawn[1]
    assert drawn[2] == drawn[3]
    assert all(len(row) == 120 for row in drawn)


# What stands beside something else


@pytest.mark.parametrize("made", [Field("x" * 30), Record("x" * 30, "value"), Record("漢" * 15, "value")])
def test_a_label_does_not_touch_what_stands_beside_it(made: urwid.Widget) -> None:
    (line,) = made.render((60,)).decoded_text
    beside = urwid.calc_text_pos(line, 0, len(line), Record.LABEL)[0]
    assert line[beside - 2] != " " == line[beside - 1], line


def test_no_letter_touches_the_bar() -> None:
    page = Page(["x" * 200, Record("Label", "y" * 200)])
    field = Field("Label")
    field.under("problem", "z" * 200)
    form = Form({"label": field}, lambda: None)
    menu = Menu([Choice("A", lambda: None), Record("Label", "y" * 200), "z" * 200], lambda *_: None)
    for widget in (page, form, menu):
        below = widget.render((40, 5), focus=True).decoded_text[1:]
        assert {line[-2] for line in below} == {" "}, below


@pytest.mark.parametrize(
    ("titles", "width", "way"),
    [
        ([], 58, "Club Office"),
        (["Find somebody", "ada", "Renew"], 58, "Club Office  ›  Find somebody  ›  ada  ›  Renew"),
        (["Find somebody", "ada", "Renew"], 40, "Club Office  ›  …  ›  ada  ›  Renew"),
        (["Find somebody", "ada", "Reset the password of ada"], 42, "…  ›  Reset the password of ada"),
        (["Reset the password of ada"], 40, "…  ›  Reset the password of ada"),
    ],
)
def test_the_last_title_is_whole(titles: list[str], width: int, way: str) -> None:
    assert crumbs("Club Office", titles, width) == way
