"""How the menu looks: its few colours in five palettes, which all read without colour too, its marks, and its title."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping

import urwid

# style: (on dark, on light, with 16 colours on the terminal's own background, without colours, where the background is not known); a colour is
# foreground/background.  A style names both or its colour reads on its background: tests/ceo/test_tui.py measures the contrast.
_STYLES = {
    "title": ("#fff,bold/#036", "#fff,bold/#06a", "white,bold/dark blue", "standout,bold", "#fff,bold/#036"),
    "status": ("#dff/#036", "#fff/#06a", "light gray/dark blue", "standout", "#dff/#036"),
    "alarm": ("#fff,bold/#a00", "#fff,bold/#a00", "white,bold/dark red", "standout,bold", "#fff,bold/#a00"),
    "heading": ("#8cf,bold/", "#036,bold/", "light blue,bold/", "bold", "#66f,bold/"),
    "label": ("#aaa/", "#555/", "default/", "default", "g46/"),
    "field": ("#fff,underline/g19", "#000,underline/g93", "default,underline/", "underline", "default,underline/"),
    "field focus": ("#000/#fd8", "#000/#fd6", "black/brown", "standout", "#000/#fd8"),
    "choice": ("default/", "default/", "default/", "default", "default/"),
    "choice focus": ("#000/#8cf", "#fff/#06a", "black/dark cyan", "standout", "#fff/#06a"),
    "greyed": ("#777/", "g46/", "dark gray/", "default", "g46/"),
    "greyed focus": ("#fff/#555", "#fff/#666", "black/light gray", "standout", "#fff/#555"),
    "problem": ("#f88,bold/", "#a00,bold/", "light red,bold/", "bold", "#d06,bold/"),
    "good": ("#8e8/", "#060/", "default/", "default", "#080/"),
    "hint": ("#999/", "#666/", "default/", "default", "g46/"),
    "secret": ("#000,bold/#fd0", "#000,bold/#fd0", "black/yellow", "standout,bold", "#000,bold/#fd0"),
}
_ON_DARK, _ON_LIGHT, _SIXTEEN, _MONO, _UNKNOWN = range(5)
_LIGHT_BACKGROUNDS = ("7", "9", "10", "11", "12", "13", "14", "15")

# What a terminal without Unicode shows instead, each one cell wide as the original is.
_ASCII = {"✓": "+", "·": ".", "↶": "<", "…": "~", "✗": "!", "→": ">", "›": ">", "•": "*", "–": "-", "│": "|", "─": "-", "█": "#"}

Palette = list[tuple[str, str, str, str, str, str]]


def choose(environ: Mapping[str, str], colours: int, *, is_light: bool | None = None) -> int:
    """Which palette: by the terminal's colours and its background.

    The background is what the terminal answered (`is_light`), else what COLORFGBG says
    (foreground;background).
    """
    if colours == 1:
        return _MONO
    if colours < 256:
        return _SIXTEEN
    background = environ.get("COLORFGBG", "").rpartition(";")[2]
    if is_light is None and not background.isdigit():
        return _UNKNOWN
    is_light = background in _LIGHT_BACKGROUNDS if is_light is None else is_light
    return _ON_LIGHT if is_light else _ON_DARK


def asks_background(environ: Mapping[str, str]) -> bool:
    """Whether the terminal's answer can change the palette.  The Linux console would print the question."""
    colours = urwid.display.raw.Screen().colors
    return not environ.get("TERM", "").startswith("linux") and choose(environ, colours) == _UNKNOWN


def palette(which: int) -> Palette:
    """Entries for urwid: style, 16-colour foreground and background, monochrome, foreground and background of 256."""
    made: Palette = []
    for style, looks in _STYLES.items():
        low_front, _, low_back = looks[_SIXTEEN].partition("/")
        front, _, back = looks[which if which in (_ON_DARK, _ON_LIGHT, _UNKNOWN) else _SIXTEEN].partition("/")
        made.append((style, low_front, low_back or "default", looks[_MONO], front, back or "default"))
    return made


def dress(screen: urwid.display.raw.Screen) -> Palette:
    """The palette for a terminal, whose encoding and number of colours are found by the environment (NO_COLOR, TERM, COLORTERM)."""
    if no_unicode(os.environ):
        urwid.set_encoding("ascii")
    urwid.set_ascii_fallbacks(_ASCII)
    return palette(choose(os.environ, screen.colors))


def no_unicode(environ: Mapping[str, str]) -> bool:
    """Whether the locale is C, in which UTF-8 is Python's idea (PEP 538 sets LC_CTYPE, PEP 540 the encoding) and not the terminal's."""
    asked = environ.get("LC_CTYPE", "")
    asked = environ.get("LC_ALL") or ("" if asked in ("C.UTF-8", "C.utf8", "UTF-8") else asked) or environ.get("LANG") or "C"
    return asked in ("C", "POSIX")


_C = ("CSC", "Club", "Computing", "Campus", "Chaos", "Cubicle", "Coffee")
_E = ("Electronic", "Efficient", "Eclectic", "Elegant", "Eternal", "Essential", "Enlightened")
_OUTPOST_ONE_IN = 8


def title(draw: random.Random) -> str:
    """A C-word, an E-word, and "Office" or now and then "Outpost", as it always was."""
    place = "Outpost" if draw.randrange(_OUTPOST_ONE_IN) == 0 else "Office"
    return f"{draw.choice(_C)} {draw.choice(_E)} {place}"
