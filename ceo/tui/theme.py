"""The menu's few colours, which all read without colour too, and its title."""

from __future__ import annotations

import random

# name, foreground, background, monochrome
PALETTE = [
    ("title", "white", "dark blue", "bold"),
    ("status", "light gray", "dark blue", "standout"),
    ("heading", "bold", "default", "bold"),
    ("field", "default,underline", "default", "underline"),
    ("field focus", "black", "light gray", "standout"),
    ("choice", "default", "default", "default"),
    ("choice focus", "black", "light gray", "standout"),
    ("problem", "light red", "default", "bold"),
    ("good", "light green", "default", "default"),
    ("hint", "dark gray", "default", "default"),
    ("secret", "black", "yellow", "standout"),
]

_C = ("CSC", "Club", "Computing", "Campus", "Chaos", "Cubicle")
_E = ("Electronic", "Efficient", "Eclectic", "Elegant", "Eternal", "Essential")
_OUTPOST_ONE_IN = 8


def title(draw: random.Random) -> str:
    """A C-word, an E-word, and "Office" or now and then "Outpost", as it always was."""
    place = "Outpost" if draw.randrange(_OUTPOST_ONE_IN) == 0 else "Office"
    return f"{draw.choice(_C)} {draw.choice(_E)} {place}"
