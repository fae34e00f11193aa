"""CSV files, read and written; a file that cannot be read is refused in words."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from ceo_common.errors import Invalid

# What the csv module says, and what that means for a file.
_ERRORS = (
    ("unexpected end of data", 'a quotation mark (") opens a cell and none closes it'),
    ("expected after", 'after a closing quotation mark (") the cell has to end'),
    ("field larger", "a cell has more than 131,072 characters"),
)
# Excel, LibreOffice and Google Sheets run a cell that begins like this (OWASP, "CSV Injection").
_FORMULA = re.compile(r"'*[=+\-@\t\r＝＋－＠]")
_NUMBER = re.compile(r"-?[0-9]+([.][0-9]+)?")
# UTF-8 that a program read as Windows-1252 or Latin-1 and wrote as UTF-8 again: the bytes of one
# character stand there as two to four characters.
_LATER = "\x80-\xbf" + bytes(range(128, 160)).decode("cp1252", "ignore")
_TWICE = re.compile(f"[\xc2-\xdf][{_LATER}]|[\xe0-\xef][{_LATER}]{{2}}|[\xf0-\xf4][{_LATER}]{{3}}")

_SEPARATORS = {",": '","', ";": '";"', "\t": "tab"}  # with their names in a sentence

_ROW_LIMIT = 50_000  # characters, each of up to 12 bytes in a request
_BYTES_AT_ONCE = 700_000  # ceod takes requests of 1 MiB

T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """A row of the file; empty cells are left out, and blanks around the others.

    `line` is the line of the file in which the row begins, from 1.
    """

    line: int
    cells: dict[str, str]
    problems: list[str] = field(default_factory=list)


def read(data: bytes, columns: Sequence[str], needed: Sequence[str]) -> list[Row]:
    """The rows.  The first line names the columns, in any order, in capitals or not.

    Commas, semicolons or tabs separate cells: the file's first line says which.  Raises Invalid.
    """
    text = _decoded(data)
    if not text.strip():
        raise Invalid("the file is empty")
    separator = _separator(text)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=separator)
    names: list[str] = []
    rows = []
    first = 1
    try:
        for values in reader:
            if not any(value.strip() for value in values):
                pass  # an empty line, or one of separators alone
            elif names:
                rows.append(_row(first, names, values, separator, needed))
            else:
                names = _names(values, columns, needed)
            first = reader.line_num + 1
    except csv.Error as error:
        raise Invalid(_not_csv(first, reader.line_num, str(error))) from None
    if not rows:
        raise Invalid("the file has column names and no rows")
    return rows


def write(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A CSV file.  A cell that a spreadsheet would run as a formula gets a ' in front.

    read() takes that ' off again.
    """
    return "".join(map(_line_of, [columns, *([_quoted(cell) for cell in row] for row in rows)]))


def double_encoded(text: str) -> str | None:
    """What a text was before it was saved as UTF-8 twice; None where it looks right."""
    mended = _TWICE.sub(lambda match: _once(match[0]), text)
    return None if mended == text else mended


def warnings(text: str) -> list[str]:
    """What looks wrong with a cell's text."""
    found = []
    if mended := double_encoded(text):
        found.append(f'"{text}" looks damaged, as if it was "{mended}": open the file as UTF-8')
    if is_formula(text):
        found.append(f'"{text}" begins like a formula of a spreadsheet')
    return found


def is_formula(text: str) -> bool:
    """Whether a spreadsheet would run this as a formula."""
    return bool(_FORMULA.match(text)) and not _NUMBER.fullmatch(text)


def portions(items: Sequence[T], body: Callable[[T], object], rows: int) -> list[list[T]]:
    """Parts of up to `rows` items, each of which fits into one request; body() gives an item's JSON."""
    parts: list[list[T]] = []
    size = 0
    for item in items:
        more = len(json.dumps(body(item)))
        if not parts or len(parts[-1]) == rows or size + more > _BYTES_AT_ONCE:
            parts.append([])
            size = 0
        parts[-1].append(item)
        size += more
    return parts


def lines_text(lines: Iterable[int]) -> str:
    """Lines of a file in words: line 2; lines 2-5, 7.  They are in order."""
    runs: list[list[int]] = []
    for line in lines:
        if runs and line == runs[-1][1] + 1:
            runs[-1][1] = line
        else:
            runs.append([line, line])
    text = ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
    return f"{'line' if text.isdecimal() else 'lines'} {text}"


def _decoded(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or data[:64].count(0) * 3 > len(data[:64]):
        raise Invalid('the file is UTF-16: save it as "CSV UTF-8"')
    if 0 in data:
        raise Invalid(f"line {_line(data, data.index(0))} has a NUL byte: this is no CSV file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid(f'line {_line(data, error.start)} is not UTF-8: save the file as UTF-8 (in a spreadsheet: "CSV UTF-8")') from None


def _line(data: bytes, position: int) -> int:
    """The number of the line that has this byte; lines end in CR LF, LF or CR."""
    before = data[:position]
    return before.count(b"\n") + before.count(b"\r") - before.count(b"\r\n") + 1


def _separator(text: str) -> str:
    """Whichever is most often in the line of the column names; a comma where none is."""
    first = text.lstrip().splitlines()[0]
    return max(_SEPARATORS, key=first.count)


def _names(values: list[str], columns: Sequence[str], needed: Sequence[str]) -> list[str]:
    """The columns' names as they are in `columns`; "" is a column without one.  Raises Invalid."""
    names = [value.strip().lower() for value in values]
    named = [name for name in names if name]
    known = f"columns are {', '.join(columns)}; commas, semicolons or tabs separate them"
    if unknown := [value for value in values if value.strip() and value.strip().lower() not in columns]:
        raise Invalid(f"the file has a column {unknown[0].strip()[:40]!r}; {known}")
    if doubled := [name for name in named if named.count(name) > 1]:
        raise Invalid(f"the file has the column {doubled[0]} twice: keep one (several terms, addresses or authors go into one cell)")
    if missing := [name for name in needed if name not in named]:
        raise Invalid(f"the file has no column {', '.join(missing)}; its first line has to name the columns")
    return names


def _row(
    line: int, names: list[str], values: list[str], separator: str, needed: Sequence[str]
) -> Row:
    """The row; problems are a cell in a column without a name, and another separator.

    Raises Invalid (too large).
    """
    if sum(map(len, values)) > _ROW_LIMIT:
        raise Invalid(f"line {line} is too large: a row has at most {_ROW_LIMIT:,} characters")
    pairs = [(name, value) for name, value in zip(names, values, strict=False) if value.strip()]
    cells = {name: _unquoted(value.strip()) for name, value in pairs if name}
    extra = [value for name, value in pairs if not name]
    extra += [value.strip() for value in values[len(names) :] if value.strip()]
    named = _SEPARATORS[separator]
    # A short row may have such a character in a text: only where a column is missing is it wrong.
    others = [name for other, name in _SEPARATORS.items() if other != separator and other in "".join(values)]
    if others and len(values) < len(names) and any(name not in cells for name in needed):
        return Row(line, cells, [
            f"the file's first line has a {named} between the columns, and this row has a {others[0]}:"
            " use the same in every line"
        ])
    if not extra:
        return Row(line, cells)
    return Row(line, cells, [f'{extra[0][:40]!r} is in no column: a cell that contains a {named} needs quotation marks (") around it'])


def _not_csv(first: int, last: int, message: str) -> str:
    reason = next((words for part, words in _ERRORS if part in message), message)
    if first == last:
        return f"line {last} is not CSV: {reason}"
    return f"the row of line {first} is not CSV (it goes on to line {last}): {reason}"


def _line_of(cells: Sequence[str]) -> str:
    made = io.StringIO()
    csv.writer(made).writerow(cells)  # with its usual line end CR LF it quotes a CR in a cell, too
    return made.getvalue().removesuffix("\r\n") + "\n"


def _quoted(cell: str) -> str:
    return f"'{cell}" if is_formula(cell) else cell


def _unquoted(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def _once(characters: str) -> str:
    """The character whose UTF-8 bytes these are; itself where they are none's."""
    try:
        return b"".join(_byte(character) for character in characters).decode()
    except UnicodeDecodeError:
        return characters


def _byte(character: str) -> bytes:
    try:
        return character.encode("cp1252")
    except UnicodeEncodeError:
        return character.encode("latin-1")
