"""What commands print: one document of JSON, a record, or a table, as people or scripts want it."""

from __future__ import annotations

import functools
import io
import json
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import click

from ceo import sheet
from ceo_common.text import shown

Json = dict[str, Any]

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")


@dataclass(frozen=True)
class Form:
    """How a listing is printed; `columns` None is the usual ones."""

    as_json: bool
    as_csv: bool
    columns: list[str] | None
    pager: bool


# The keys of each kind of row.  They are written down here, so that a wrong column is refused also where
# there is no row; the models are slow to import.
KEYS = {
    "Member": "uid cn uid_number gid_number home_directory login_shell program given_name sn terms non_member_terms positions groups"
              " is_club expired deleted forwarding_addresses forwarding_problem signed_up_just_now",
    "Lapsed": "uid cn program last_term expired",
    "GroupSummary": "cn gid_number members",
    "ClubSummary": "uid cn members expired deleted",
    "MailingList": "list members groups",
    "Book": "book title authors isbn year edition publisher copies copies_in due_back",
    "Loan": "loan book title copy_number uid lent_at lent_by due_on overdue renewals_left change",
    "Summary": "transaction operation caller subject state created committed ended error host",
    "ProgramChange": "uid old new what of",
    "log": "n at who remote what subject transaction outcome error host",
    "chain": "host state problem rows erased head accepted",
}


def listing(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of a listing, as one argument `form`."""
    @json_option
    @click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values with a heading.")
    @click.option("--columns", metavar="NAME,...", help="Print these columns, in this order; --columns=help lists them.")
    @click.option("--pager/--no-pager", default=True, help="Show long output in a pager; only on a terminal.")
    @functools.wraps(function)
    def wrapped(*arguments: Any, as_json: bool, as_csv: bool, columns: str | None, pager: bool, **named: Any) -> Any:
        if as_json and (as_csv or columns is not None):
            other = "--csv" if as_csv else "--columns"
            raise click.UsageError(f"give --json or {other}, not both: JSON always has every field")
        form = Form(as_json, as_csv, None if columns is None else columns.split(","), pager)
        return function(*arguments, form=form, **named)

    return wrapped


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=True))


def print_record(rows: Iterable[tuple[str, str]]) -> None:
    """Labels and texts, aligned."""
    for name, value in rows:
        click.echo(f"{name + ':':<20}{shown(value)}")


def print_rows(rows: list[Json], kind: str, usual: str, form: Form, more: dict[str, Callable[[Json], Any]] | None = None) -> None:
    """Rows of a kind of KEYS as a table.

    `usual` names the columns that are shown unless others are asked for; each is a key of the rows or
    of `more`, which makes a cell from a row.  Raises UsageError (no such column).
    """
    made = more or {}
    known = list(dict.fromkeys([*usual.split(), *made, *KEYS[kind].split()]))
    if form.columns == ["help"]:
        click.echo("\n".join(known))
        return
    columns = form.columns or usual.split()
    if (unknown := [name for name in columns if name not in known]):
        raise click.UsageError(f"no column {unknown[0]!r}; there are: {', '.join(known)}")
    cells = [[_text(made[name](row) if name in made else row.get(name)) for name in columns] for row in rows]
    if form.as_csv:
        _print_csv(columns, cells)
    elif sys.stdout.isatty():
        _print_for_people(columns, cells, form)
    elif rows:
        _print_plain(columns, cells)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _print_csv(columns: list[str], cells: list[list[str]]) -> None:
    # Verbatim for whatever reads it; a terminal is sent nothing that moves its cursor.
    safe = shown if sys.stdout.isatty() else str
    click.echo(sheet.write(columns, [[safe(cell) for cell in row] for row in cells]), nl=False)


def _print_plain(columns: list[str], cells: list[list[str]]) -> None:
    """Two blanks between the columns, nothing cut off."""
    rows = [[name.upper() for name in columns], *([shown(cell) for cell in row] for row in cells)]
    from wcwidth import wcswidth  # noqa: PLC0415 - heavy

    widths = [max(wcswidth(row[i]) for row in rows) for i in range(len(columns))]
    for row in rows:
        click.echo("  ".join(cell + " " * (width - wcswidth(cell)) for cell, width in zip(row, widths, strict=True)).rstrip())


def _print_for_people(columns: list[str], cells: list[list[str]], form: Form) -> None:
    import shutil  # noqa: PLC0415 - four milliseconds

    from rich.console import Console  # noqa: PLC0415 - heavy
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    size = shutil.get_terminal_size()
    made = io.StringIO()
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for name in columns:
        table.add_column(name.replace("_", " ").capitalize(), overflow="fold")
    for row in cells:
        table.add_row(*(Text(shown(cell)) for cell in row))
    # Without TERM, or with one that can do nothing, rich writes no colour.
    Console(file=made, force_terminal=os.environ.get("TERM", "dumb") != "dumb", width=size.columns).print(table)
    text = made.getvalue()
    if form.pager and text.count("\n") >= size.lines:
        os.environ.setdefault("LESS", "-FRX")
        click.echo_via_pager(text)
    else:
        click.echo(text, nl=False)
    click.echo(f"{len(cells)} {'row' if len(cells) == 1 else 'rows'}", err=True)
