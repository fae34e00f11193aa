"""ceo members import|export: many at once, from and to CSV."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

import click

from ceo.cli import completion
from ceo.cli.context import Context, pass_context
from ceo.cli.table import json_option, print_json
from ceo.cli.write import How, writing
from ceo_common.errors import Invalid
from ceo_common.text import shown

if TYPE_CHECKING:
    from ceo.imports import Import, Row

Json = dict[str, Any]
EXIT_BAD_ROWS, EXIT_TAKEN = 65, 73


@click.command(name="import")
@click.argument("file", type=click.File("rb"))
@click.option("--slips", type=click.Path(dir_okay=False, resolve_path=True), metavar="FILE",
              help="Write the temporary passwords into this new file, for its owner alone; else they are printed.")
@click.option("--skip-bad", is_flag=True, help="Add the good rows although others are bad.")
@writing
@pass_context
def import_(context: Context, file: BinaryIO, slips: str | None, skip_bad: bool, how: How) -> int:
    """Sign up the people of a CSV file; cut off in the middle, the same command goes on where it was.

    Its columns: uid, cn, program and, if you like, given_name, sn, terms, non_member_terms, forwarding_addresses; several in one
    cell have a blank or ; between them. Every row is checked before anything is written.

    Example: ceo members import new-members.csv --slips slips.txt --dry-run
    """
    from ceo import imports  # noqa: PLC0415 - heavier than the other commands of members

    if how.as_json and not (slips or how.dry_run):
        raise click.UsageError("missing: --slips (with --json no password is printed)")
    data = file.read()
    rows = imports.read(data, context.settings)
    place = imports.Place(data, context.principal)
    with place.alone():
        begun, near = None if how.dry_run else place.load(), list[Json]()
        if begun:
            how.note(f"Going on where it was cut off: {len(begun.left)} of {len(begun.batches)} batches are left.")
            out = _slips_file(slips or begun.slips, resumed=slips in (None, begun.slips))
        else:
            good, report, near = _checked(context, rows, how)
            if how.dry_run or not good or (report and not skip_bad and not how.asking):
                return _refused(len(good), report, near, how)
            _confirm(len(good), report, how)
            out = _slips_file(slips, resumed=False)
            begun = place.begin([row.member for row in good], slips)
        return _run(context, begun, out, near, how)


def _checked(context: Context, rows: list[Row], how: How) -> tuple[list[Row], list[Json], list[Json]]:
    """The rows that can be added, the report of the others, and lapsed members whom a good row may mean."""
    from ceo import imports  # noqa: PLC0415 - as above

    with _bar(how, "checking", len(rows)) as told:
        bad = imports.problems(context.client, rows, told)
    good = [row for row in rows if row.line not in bad]
    report: list[Json] = [{"line": row.line, "uid": row.uid, "problems": bad[row.line]} for row in rows if row.line in bad]
    if not how.as_json:
        for entry in report:
            for problem in entry["problems"]:
                click.echo(f"line {entry['line']}: {shown(entry['uid'])}: {shown(problem)}", err=True)
    with _bar(how, "looking for near names", len(good)) as told:
        near: list[Json] = [{"line": row.line, "uid": row.uid, "lapsed": lapsed} for row, lapsed in imports.near(context.client, good, told)]
    for entry in near:
        lapsed = entry["lapsed"]
        how.note(f"line {entry['line']}: {entry['uid']}: near {lapsed['uid']} ({lapsed['cn']}), a member until "
                 f"{lapsed['last_term'] or 'never'}; the same person?  Then renew instead.")
    return good, report, near


def _refused(good: int, report: list[Json], near: list[Json], how: How) -> int:
    if how.as_json:
        print_json({"dry_run": how.dry_run, "good": good, "bad": report, "near": near, "added": []})
    elif how.dry_run:
        click.echo(f"{good} rows can be added, {len(report)} can't; nothing was changed.")
    else:
        raise Invalid(f"{len(report)} of {good + len(report)} rows can't be added, and nobody was" + (
            "; for the others: --skip-bad" if good else ""))
    return EXIT_BAD_ROWS if report else 0


def _confirm(good: int, report: list[Json], how: How) -> None:
    how.confirm(f"{len(report)} rows can't be added, as listed above.  Add the other {good}?" if report else
                f"Add {good} {'account' if good == 1 else 'accounts'}?")


def _run(context: Context, begun: Import, out: TextIO | None, near: list[Json], how: How) -> int:
    context.wrote = True

    def slip(member: Json, password: str) -> None:
        if out:
            out.write(_SLIP.format(name=member["cn"], uid=member["uid"], password=password))
            out.flush()
            os.fsync(out.fileno())
        else:
            click.echo(f"{shown(member['uid'])}  {password}")

    total = sum(map(len, begun.batches)) + len(begun.failed)
    done = total - sum(len(begun.batches[number]) for number in begun.left)
    try:
        with _bar(how, "adding", total) as told:
            told(done)
            for count in begun.run(context.client, slip):
                done += count
                told(done)
    except BaseException:
        click.echo("ceo: not all of it is done; the same command goes on where it was", err=True)
        raise
    begun.forget()
    if how.as_json:
        print_json({"dry_run": False, "added": begun.uids, "failed": begun.failed, "without_password": begun.without, "near": near,
                    "slips": begun.slips})
    else:
        for uid, why in begun.failed.items():
            click.echo(f"{shown(uid)}: not added: {shown(why)}", err=True)
        for uid, why in begun.without.items():
            click.echo(f"{shown(uid)}: added, but without a password: {shown(why)}; then: ceo members pwreset {shown(uid)}", err=True)
        added = len(begun.uids)
        click.echo(f"{added} {'account is' if added == 1 else 'accounts are'} ready." + (f"  The slips are in {begun.slips}." if begun.slips else ""),
                   err=True)
    return EXIT_TAKEN if begun.failed or begun.without else 0


_SLIP = """\
  Name:               {name}
  Username:           {uid}
  Temporary password: {password}
  It has to be changed at the first login.
- - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - -
"""


def _slips_file(path: str | None, *, resumed: bool) -> TextIO | None:
    """For its owner alone; a file that is there is another's, unless it was begun by the run that this one goes on with."""
    if path is None:
        return None
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | (os.O_APPEND if resumed else os.O_EXCL)
    try:
        descriptor = os.open(path, flags, 0o600)
    except FileExistsError:
        raise Invalid(f"{path} is there already; the slips need a new file") from None
    except OSError as error:
        raise Invalid(f"the slips can't be written: {error.strerror}: {path}") from None
    if stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o077:
        os.close(descriptor)
        raise Invalid(f"others may read {path}: chmod 600 {path}")
    return os.fdopen(descriptor, "w", encoding="utf-8")


@contextmanager
def _bar(how: How, what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, nothing elsewhere; what it gives hears how many are done."""
    if how.as_json or how.quiet or not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console  # noqa: PLC0415 - heavy
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: PLC0415

    with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)


@click.command()
@click.option("--term", shell_complete=completion.terms, help="Those who are registered for this term.")
@click.option("--group", shell_complete=completion.groups, help="Those who are in this group.")
@click.option("--program", help="Those with this in their program.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Into this file; by default they are printed.")
@json_option
@pass_context
def export(context: Context, /, output: Path | None, as_json: bool, **asked: str | None) -> None:
    """Members as CSV, in the columns that import takes.

    Forwarding addresses are left out: nobody reads those of many.

    Example: ceo members export --term f2026
    """
    from ceo.imports import COLUMNS  # noqa: PLC0415 - heavier than the other commands of members

    found = sorted(context.client.all_members(**{name: value for name, value in asked.items() if value}), key=lambda member: str(member["uid"]))
    made = io.StringIO()
    if as_json:
        json.dump({"members": found}, made, indent=2)
        made.write("\n")
    else:
        # Verbatim for whatever reads it; a terminal is sent nothing that moves its cursor.
        safe = shown if output is None and sys.stdout.isatty() else str
        writer = csv.writer(made, lineterminator="\n")
        writer.writerow(COLUMNS)
        for member in found:
            cells = [member.get(name) or "" for name in COLUMNS]
            writer.writerow([safe(" ".join(cell) if isinstance(cell, list) else cell) for cell in cells])
    if output:
        output.write_text(made.getvalue(), encoding="utf-8")
    else:
        click.echo(made.getvalue(), nl=False)
