"""Text on its way to the terminal: whatever a widget shows goes through here, so that nothing from outside moves the cursor."""

from __future__ import annotations

from typing import Any

import urwid

from ceo_common.text import shown

# A text, or what urwid calls markup: ("style", text), or a list of both.
Markup = Any


def safe(markup: Markup) -> Markup:
    """The markup with each text's unsafe characters written out."""
    if isinstance(markup, str):
        return shown(markup)
    if isinstance(markup, tuple):
        style, inner = markup
        return (style, safe(inner))
    return [safe(part) for part in markup]


def text(markup: Markup, wrap: str = urwid.SPACE) -> urwid.Text:
    """A widget with safe text."""
    return urwid.Text(safe(markup), wrap=wrap)


def labelled(markup: Markup) -> urwid.Widget:
    """A label of one line, and a blank before what stands beside it, however long it is."""
    return urwid.Padding(text(markup, urwid.ELLIPSIS), right=1)


def plain(markup: Markup) -> str:
    """The text of markup, without its styles."""
    if isinstance(markup, str):
        return markup
    if isinstance(markup, tuple):
        return plain(markup[1])
    return "".join(plain(part) for part in markup)
