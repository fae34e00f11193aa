"""README's pictures of the menu: the real screens, typed to in a terminal, drawn as SVG.  Run by: make pictures."""

from __future__ import annotations

import io
import time
from itertools import groupby
from pathlib import Path

from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from sandbox import shell
from sandbox.club import OUTSIDE, PASSWORD
from sandbox.state import State
from tests.club.menu import wait_until_known
from tests.club.terminal import Terminal

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
    entry.environment |= {"TERM": "xterm-256color", "KRB5CCNAME": "MEMORY:pictures", "XDG_STATE_HOME": "/users/office1"}
    window = Terminal(shell.command(state, entry, ["ceo"]))
    window.see("You have no Kerberos ticket")
    window.type(PASSWORD, "Enter")
    wait_until_known(window)
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
        row = (window.screen.buffer[y][x] for x in range(window.screen.columns))
        # Word by word: some viewers drop the blanks at an end of a run.
        for (style, _), cells in groupby(row, key=lambda cell: (cell._replace(data=""), cell.data == " ")):
            line.append("".join(cell.data for cell in cells), Style(
                color=colour(style.fg), bgcolor=colour(style.bg), bold=style.bold, underline=style.underscore, reverse=style.reverse))
        console.print(line, soft_wrap=True)
    (_FOLDER / f"{name}.svg").write_text(console.export_svg(title="", theme=_DARK, code_format=_SVG, unique_id=name))


def colour(told: str) -> Color | None:
    """A colour as the terminal emulator says it: default, or six hexadecimal digits."""
    return None if told == "default" else Color.parse(f"#{told}")


if __name__ == "__main__":
    main()
