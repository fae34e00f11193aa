"""README's pictures of the menu: the real screens, typed to in a terminal, drawn as SVG.  Run by: make pictures.

What differs from run to run (the title, passwords, times) is drawn as one and the same, so that a
picture changes when its screen does.
"""

from __future__ import annotations

import io
import re
import time
from itertools import groupby
from pathlib import Path

from pyte.screens import Char
from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from sandbox import shell
from sandbox.club import OUTSIDE, PASSWORD
from sandbox.state import State
from tests.club.terminal import Terminal

# What differs from run to run, and what is drawn instead.
_VARIES = {
    re.compile(r"^ C\w+ E\w+ (Office|Outpost)"): " CSC Electronic Office",
    re.compile(r"[a-z2-9]{4}(-[a-z2-9]{4}){3}"): "h7kd-w3mp-x9tn-b4rc",
    re.compile(r"\d+ h \d\d min"): "9 h 59 min",
    re.compile(r" +\d+ ms"): "      42 ms",
    re.compile(r"\d+\.\d s\b"): "1.2 s",
    re.compile(r"\b\d\d s\b"): "60 s",
    re.compile(r"\b[fws]20\d\d\b"): "f2026",
}
_START_S = 60  # a club that has just started answers slowly
_FOLDER = Path(__file__).parent / "pictures"
_DARK = TerminalTheme((24, 24, 27), (222, 222, 222), [(0, 0, 0)] * 8, [(0, 0, 0)] * 8)
# rich's own has a font from elsewhere, a window's frame and a shadow.
_SVG = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {terminal_width} {terminal_height}">
<style>
.{unique_id}-matrix {{ font-family: "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs>{lines}</defs>
<rect width="{terminal_width}" height="{terminal_height}" rx="8" fill="#18181b"/>
{backgrounds}<g class="{unique_id}-matrix">{matrix}</g>
</svg>
"""


def main() -> None:
    """Sign somebody up, find them, look at them."""
    _FOLDER.mkdir(exist_ok=True)
    state = State(OUTSIDE)
    entry = shell.resolve(state, "office1")
    entry.environment |= {"TERM": "xterm-256color", "COLORFGBG": "15;0", "KRB5CCNAME": "MEMORY:pictures", "XDG_STATE_HOME": "/users/office1"}
    window = Terminal(shell.command(state, entry, ["ceo"]))
    window.see("You have no Kerberos ticket", seconds=_START_S)
    window.type(PASSWORD, "Enter")
    window.see("Sign up a member", "all hosts answer", seconds=_START_S)
    draw(window, "menu")
    window.type("Enter")
    window.see("Full name")
    window.type("jdoe", "Tab")
    window.see("Jane Doe")
    window.type("Enter", "Enter")
    window.see("Enter adds the account")
    window.type("Enter")
    window.see("then press Enter")
    draw(window, "sign-up")
    time.sleep(1)  # a key counts when the end could be seen
    window.type("Enter")
    window.see("Sign up a club rep")
    window.type("/", "jdoe", "Enter")
    window.see("Home directory", "csc-general", "Renew as a member")
    draw(window, "person")
    window.close()


def draw(window: Terminal, name: str) -> None:
    """Write the screen as it is now."""
    console = Console(record=True, width=window.screen.columns, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for y in range(window.screen.lines):
        line = Text()
        row = always([window.screen.buffer[y][x] for x in range(window.screen.columns)])
        # Word by word: some viewers drop the blanks at an end of a run.
        for (style, _), cells in groupby(row, key=lambda cell: (cell._replace(data=""), cell.data == " ")):
            line.append("".join(cell.data for cell in cells), Style(
                color=colour(style.fg), bgcolor=colour(style.bg), bold=style.bold, underline=style.underscore, reverse=style.reverse))
        console.print(line, soft_wrap=True)
    (_FOLDER / f"{name}.svg").write_text(console.export_svg(title="", theme=_DARK, code_format=_SVG, unique_id=name))


def always(row: list[Char]) -> list[Char]:
    """A row of the screen without what differs from run to run, as broad as before."""
    cells = list(row)
    for varies, instead in _VARIES.items():
        text = "".join(cell.data or "\0" for cell in cells)  # the second half of a broad letter
        for found in reversed(list(varies.finditer(text))):
            first = cells[found.start()]
            cells[found.start() : found.end()] = [first._replace(data=c) for c in instead]
    return [*cells, *[cells[-1]] * len(row)][: len(row)]


def colour(told: str) -> Color | None:
    """A colour as the terminal emulator says it: default, or six hexadecimal digits."""
    return None if told == "default" else Color.parse(f"#{told}")


if __name__ == "__main__":
    main()
