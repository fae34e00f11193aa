"""ceo library import: the books of a CSV file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

import click

from ceo import sheet
from ceo.cli.context import Context, pass_context
from ceo.cli.input_file import InputFile
from ceo.cli.table import print_json
from ceo.cli.write import How, importing
from ceo_common.errors import Invalid

if TYPE_CHECKING:
    from ceo.book_import import BookImport, Checked, Row

Json = dict[str, Any]
EXIT_BAD_ROWS = 65
_NAMED = 10  # of many that are alike, so many are named


@click.command(name="import")
@click.argument("file", type=InputFile())
@click.option(
    "--doubles",
    type=click.Choice(["skip", "add"]),
    help="Books that are there already: leave them out, or add those without an ISBN once more.",
)
@importing
@pass_context
def import_(context: Context, file: BinaryIO, doubles: str | None, how: How) -> int:
    """Add the books of a CSV file. If it is interrupted, the same command continues.

    The columns: title, authors (with ; between), isbn, year, edition, publisher, copies. Every row
    is checked first; while one has a problem, no book is added.

    Example: ceo library import new-books.csv --dry-run
    """
    from ceo import book_import  # noqa: PLC0415 - heavier than the other commands of library
    from ceo.imports import Place  # noqa: PLC0415 - as above

    data = file.read()
    rows = book_import.read(data)
    place = Place(data, context.principal, "books")
    with place.alone():
        if not how.dry_run and (begun := book_import.BookImport.load(place.path)):
            how.note(f"Going on where it was cut off: {begun.left} books are left.")
            return _add(context, begun, how)
        checked = book_import.check(context.client, rows, lambda done: None)
        good = [row for row in rows if not checked.is_refused(row, again=doubles == "add")]
        problems, open_doubles = _problems(rows, checked, doubles)
        if problems or open_doubles or how.dry_run:
            if not (problems or open_doubles):
                _note_left_out(rows, good, checked, how)
            return _report(good, problems, open_doubles, checked, how)
        _note_warnings(good, how)
        _note_left_out(rows, good, checked, how)
        if not good:
            return _added([], how)
        how.confirm(f"Add {_count(len(good))}?")
        begun = book_import.BookImport.begin(place.path, [row.book for row in good], again=doubles == "add")
        return _add(context, begun, how)


def _problems(
    rows: list[Row], checked: Checked, doubles: str | None
) -> tuple[list[Json], list[Json]]:
    """What has to be put right, and the doubles about which something has to be decided."""
    problems, open_doubles = list[Json](), list[Json]()
    for row in rows:
        field = f"line {row.line}"
        found = checked.problems.get(row.line, [])
        problems += [{"field": field, "message": message} for message in found]
        may_be_added = doubles == "add" and not checked.is_refused(row)
        if row.line in checked.doubles and doubles != "skip" and not may_be_added:
            open_doubles.append({"field": field, "message": checked.doubles[row.line]})
    return problems, open_doubles


def _report(
    good: list[Row], problems: list[Json], open_doubles: list[Json], checked: Checked, how: How
) -> int:
    """Of a dry run, or of a file that has problems.  Raises Invalid."""
    count = len(problems) + len(open_doubles)
    if how.as_json:
        doubles = [{"line": line, "message": text} for line, text in checked.doubles.items()]
        print_json({"books": len(good), "problems": problems + open_doubles, "doubles": doubles})
    elif count:
        hint = "; to leave out what is there already: --doubles skip" if open_doubles else ""
        said = problems + _shortened(open_doubles)
        problem = "1 problem" if count == 1 else f"{count:,} problems"
        raise Invalid(f"{problem}; no book was added{hint}", problems=said)
    else:
        _note_warnings(good, how)
        click.echo(f"{_count(len(good))} can be added; nothing was changed.")
    return EXIT_BAD_ROWS if count else 0


def _shortened(doubles: list[Json]) -> list[Json]:
    """The doubles of a file that was imported before are one line."""
    if len(doubles) <= _NAMED:
        return doubles
    lines = sheet.lines_text(int(double["field"].removeprefix("line ")) for double in doubles)
    return [{"field": f"{len(doubles):,} doubles", "message": f"{lines}; --json names each"}]


def _note_left_out(rows: list[Row], good: list[Row], checked: Checked, how: How) -> None:
    """Say why rows are left out; a second row of the file adds no copies to the first."""
    left_out = {row.line for row in rows} - {row.line for row in good}
    if there := left_out - checked.repeated:
        how.note(f"Left out, because the library has them: {_count(len(there))}.")
    again = sorted(left_out & checked.repeated)
    for line in again[:_NAMED]:
        how.note(f"Left out, with its copies: line {line}, because {checked.doubles[line]}.")
    if more := again[_NAMED:]:
        how.note(f"Left out for the same reason: {sheet.lines_text(more)}.")


def _note_warnings(rows: list[Row], how: How) -> None:
    from ceo.book_import import warnings  # noqa: PLC0415 - as above

    for row in rows:
        for warning in warnings(row):
            how.note(f"Note: line {row.line}: {warning}")


def _add(context: Context, begun: BookImport, how: How) -> int:
    try:
        for count in begun.run(context.client):
            if begun.left:
                how.note(f"{_count(count)} added, {begun.left} left.")
    except BaseException:
        click.echo("ceo: not all books were added; run the same command again to continue", err=True)
        raise
    begun.forget()
    context.result = {"books": begun.numbers}
    for message in begun.left_out:
        how.note(f"Note: not added: {message}")
    return _added(begun.numbers, how)


def _added(numbers: list[int], how: How) -> int:
    if how.as_json:
        print_json({"books": numbers})
    else:
        click.echo(f"{_count(len(numbers))} {'is' if len(numbers) == 1 else 'are'} added.")
    return 0


def _count(books: int) -> str:
    return "1 book" if books == 1 else f"{books} books"
