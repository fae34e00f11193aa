"""How the menu looks: its few colours in four palettes, which all read without colour too, its marks, and its title."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping

import urwid

# style: (on dark, on light, with 16 colours on the terminal's own background, without colours); a colour is foreground/background.
_STYLES = {
    "title": ("#fff,bold/#036", "#fff,bold/#06a", "white,bold/dark blue", "standout,bold"),
    "status": ("#dff/#036", "#fff/#06a", "light gray/dark blue", "standout"),
    "alarm": ("#fff,bold/#a00", "#fff,bold/#a00", "white,bold/dark red", "standout,bold"),
    "heading": ("#8cf,bold/", "#036,bold/", "light cyan,bold/", "bold"),
    "label": ("#aaa/", "#555/", "default/", "default"),
    "field": ("default,underline/g19", "default,underline/g93", "default,underline/", "underline"),
    "field focus": ("#000/#fd8", "#000/#fd6", "black/light gray", "standout"),
    "choice": ("default/", "default/", "default/", "default"),
    "choice focus": ("#000/#8cf", "#fff/#06a", "black/light gray", "standout"),
    "greyed": ("#777/", "#999/", "dark gray/", "default"),
    "greyed focus": ("#fff/#555", "#fff/#888", "white/dark gray", "standout"),
    "problem": ("#f88,bold/", "#a00,bold/", "light red,bold/", "bold"),
    "good": ("#8e8/", "#060/", "light green/", "default"),
    "hint": ("#999/", "#666/", "default/", "default"),
    "secret": ("#000,bold/#fd0", "#000,bold/#fd0", "black/yellow", "standout,bold"),
}
_ON_DARK, _ON_LIGHT, _SIXTEEN, _MONO = range(4)
_LIGHT_BACKGROUNDS = ("7", "9", "10", "11", "12", "13", "14", "15")

# What a terminal without Unicode shows instead, each one cell wide as the original is.
_ASCII = {"✓": "+", "·": ".", "↶": "<", "…": "~", "✗": "!", "→": ">", "›": ">", "•": "*", "–": "-", "│": "|", "─": "-", "█": "#"}

Palette = list[tuple[str, str, str, str, str, str]]


def choose(environ: Mapping[str, str], colours: int) -> int:
    """Which palette: by the terminal's colours and, where it tells (COLORFGBG: foreground;background), whether its background is light."""
    if colours == 1:
        return _MONO
    if colours < 256:
        return _SIXTEEN
    return _ON_LIGHT if environ.get("COLORFGBG", "").rpartition(";")[2] in _LIGHT_BACKGROUNDS else _ON_DARK


def palette(which: int) -> Palette:
    """Entries for urwid: style, 16-colour foreground and background, monochrome, foreground and background of 256."""
    made: Palette = []
    for style, looks in _STYLES.items():
        low_front, _, low_back = looks[_SIXTEEN].partition("/")
        front, _, back = looks[which if which in (_ON_DARK, _ON_LIGHT) else _SIXTEEN].partition("/")
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
