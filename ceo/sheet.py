"""CSV files that people were asked for: read with the numbers of their lines, and refused in words."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from ceo_common.errors import Invalid

EXTRA = "(more cells than columns)"


def rows(data: bytes, columns: Sequence[str], needed: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """The rows, each with the number of its (last) line: what stands in its cells, blanks around it and empty ones left out.

    The first line names the columns, in any order.  Raises Invalid.
    """
    reader = csv.DictReader(io.StringIO(_text(data), newline=""), strict=True)
    try:
        names = [name.strip() for name in reader.fieldnames or []]
        reader.fieldnames = names
        if unknown := [name for name in names if name not in columns]:
            raise Invalid(f"the file has a column {unknown[0][:40]!r}; columns are {', '.join(columns)}")
        if missing := [name for name in needed if name not in names]:
            raise Invalid(f"the file has no column {', '.join(missing)}; its first line has to name the columns")
        found = [(reader.line_num, _cells(row)) for row in reader]
    except csv.Error as error:
        raise Invalid(f"line {reader.line_num} is not CSV: {error}") from None
    if not found:
        raise Invalid("the file has no rows")
    return found


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Invalid(f"line {line} is not UTF-8: save the file as UTF-8 (a spreadsheet asks when it saves)") from None


def _cells(row: dict[str, str]) -> dict[str, str]:
    extra = row.pop(None, None)  # type: ignore[call-overload]
    cells = {name: value.strip() for name, value in row.items() if value and value.strip()}
    return cells | ({EXTRA: " ".join(extra)} if extra else {})
