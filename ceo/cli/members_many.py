"""ceo members import|export: many at once, from and to CSV."""

from __future__ import annotations

import json
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from ceo.cli import completion
from ceo.cli.context import Context, pass_context
from ceo.cli.input_file import InputFile
from ceo.cli.output_file import NotCreated, check_new, write_whole
from ceo.cli.table import json_option, print_json
from ceo.cli.write import How, importing
from ceo.members import check_narrowing
from ceo_common.errors import Invalid
from ceo_common.text import shown

if TYPE_CHECKING:
    from ceo.imports import Import, Row

Json = dict[str, Any]
EXIT_BAD_ROWS, EXIT_TAKEN = 65, 73
_PRINT = "-"  # in place of an output file
_NAMED = 10  # whom a note names at most


@click.command(name="import")
@click.argument("file", type=InputFile())
@click.option("--slips", type=click.Path(dir_okay=False, resolve_path=True), metavar="FILE",
              help="Write the temporary passwords into this new file, which only you can read (default: print them).")
@click.option("--skip-bad", is_flag=True, help="Add the good rows even when others have problems.")
@importing
@pass_context
def import_(context: Context, file: BinaryIO, slips: str | None, skip_bad: bool, how: How) -> int:
    """Sign up the people of a CSV file.  If it is interrupted, the same command continues.

    Its columns: uid, cn, program and, optionally, given_name, sn, terms, non_member_terms, forwarding_addresses; several in one
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
        begun = None if how.dry_run else place.load()
        if begun:
            how.note(f"Continuing the interrupted import: {len(begun.left)} of {len(begun.batches)} batches are left.")
            return _run(context, begun, _resumed_slips(begun, slips), None, how)
        if slips:
            check_new(slips)
        checked = _checked(context, rows, how)
        if how.dry_run or not checked.good or (checked.bad and not skip_bad and not how.asking):
            return _refused(checked, how)
        _confirm(checked, how)
        out = _slips_file(slips, resumed=False)
        begun = place.begin([row.member for row in checked.good], slips)
        return _run(context, begun, out, checked, how)


@dataclass(frozen=True)
class _Checked:
    """What the check of a file's rows found; the last three are reports, a row each."""

    good: list[Row]
    bad: list[Json]
    warnings: list[Json]
    near: list[Json]  # lapsed members whom a good row may mean

    def as_json(self) -> Json:
        return {"bad": self.bad, "warnings": self.warnings, "near": self.near}


def _checked(context: Context, rows: list[Row], how: How) -> _Checked:
    """Check the rows, and print what is wrong with them."""
    from ceo import imports  # noqa: PLC0415 - as in export()

    with _bar(how, "checking", len(rows)) as told:
        problems = imports.problems(context.client, rows, told)
    good = [row for row in rows if row.line not in problems]
    bad: list[Json] = [{"line": row.line, "uid": row.uid, "problems": problems[row.line]} for row in rows if row.line in problems]
    warnings: list[Json] = [{"line": row.line, "uid": row.uid, "warnings": found} for row in good if (found := imports.warnings(row))]
    if not how.as_json:
        _print_rows(bad, "problems", "")
    if not (how.as_json or how.quiet):
        _print_rows(warnings, "warnings", "Note: ")
    with _bar(how, "looking for near names", len(good)) as told:
        near: list[Json] = [{"line": row.line, "uid": row.uid, "lapsed": lapsed} for row, lapsed in imports.near(context.client, good, told)]
    for entry in near:
        lapsed = entry["lapsed"]
        how.note(f"line {entry['line']}: {entry['uid']}: near {lapsed['uid']} ({lapsed['cn']}), a member until "
                 f"{lapsed['last_term'] or 'never'}; the same person?  Then renew instead.")
    return _Checked(good, bad, warnings, near)


def _print_rows(report: list[Json], kind: str, label: str) -> None:
    """A line for each problem; of many that are alike one, with the lines of the file."""
    from ceo import sheet  # noqa: PLC0415 - as in export()

    said = [(entry, message) for entry in report for message in entry[kind]]
    alike: dict[str, list[int]] = {}
    for entry, message in said:
        alike.setdefault(_of_anybody(entry, message), []).append(entry["line"])
    for entry, message in said:
        common = _of_anybody(entry, message)
        lines = alike.get(common, [])
        if 0 < len(lines) <= _NAMED:
            click.echo(f"{label}line {entry['line']}: {shown(entry['uid'])}: {shown(message)}", err=True)
        elif lines:
            click.echo(f"{label}{sheet.lines_text(lines)}: {shown(common)}", err=True)
            alike[common] = []


def _of_anybody(entry: Json, message: str) -> str:
    """A message without whom it is about."""
    return re.sub(rf"\b{re.escape(entry['uid'])}\b", "UID", message) if entry["uid"] else message


def _refused(checked: _Checked, how: How) -> int:
    good, bad = len(checked.good), len(checked.bad)
    if how.as_json:
        print_json({"dry_run": how.dry_run, "good": good, **checked.as_json(), "added": []})
    elif how.dry_run:
        click.echo(f"{_rows(good)} can be added, {bad} can't; nothing was changed.")
    else:
        hint = "; for the others: --skip-bad" if good else ""
        raise Invalid(f"{bad} of {_rows(good + bad)} can't be added, so nobody was added{hint}")
    return EXIT_BAD_ROWS if bad else 0


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def _confirm(checked: _Checked, how: How) -> None:
    good, bad = len(checked.good), len(checked.bad)
    how.confirm(f"{_rows(bad)} can't be added, as listed above.  Add the other {good}?" if bad else
                f"Add {good} {'account' if good == 1 else 'accounts'}?")


def _run(context: Context, begun: Import, out: BinaryIO | None, checked: _Checked | None, how: How) -> int:
    """Add what is left; `checked` is None where a run that was cut off goes on."""
    def slip(member: Json, password: str) -> None:
        if out:
            _append(out, _SLIP.format(name=member["cn"], uid=member["uid"], password=password))
        else:
            click.echo(f"{shown(member['uid'])}  {password}")

    total = sum(map(len, begun.batches)) + len(begun.failed)
    done = total - sum(len(begun.batches[number]) for number in begun.left)
    try:
        with _bar(how, "adding", total, prints=out is None) as told:
            told(done)
            for count in begun.run(context.client, slip):
                done += count
                told(done)
    except BaseException:
        click.echo("ceo: not everything is done; run the same command again to continue", err=True)
        raise
    dead = begun.dead_passwords(context.client) if checked is None else {}
    begun.forget()
    if how.as_json:
        near = checked.near if checked else []
        print_json({"dry_run": False, "added": begun.uids, "failed": begun.failed, "without_password": begun.without, "near": near,
                    "slips": begun.slips, "earlier_slips": begun.earlier_slips, "dead_passwords": dead})
    else:
        _print_result(begun, dead)
    return EXIT_TAKEN if begun.failed or begun.without else 0


def _print_result(begun: Import, dead: dict[str, str]) -> None:
    for uid, why in begun.failed.items():
        click.echo(f"{shown(uid)}: not added: {shown(why)}", err=True)
    for uid, why in begun.without.items():
        click.echo(f"{shown(uid)}: added, but without a password: {shown(why)}; then: ceo members pwreset {shown(uid)}", err=True)
    for uid, why in dead.items():
        click.echo(f"{shown(uid)}: {shown(why)}", err=True)
    added = len(begun.uids)
    files = " and ".join(map(shown, begun.slips_files))
    click.echo(f"{added} {'account is' if added == 1 else 'accounts are'} ready." + (f"  The slips are in {files}." if files else ""), err=True)


_END = "- " * 35 + "-\n"
_SLIP = f"""\
  Name:               {{name}}
  Username:           {{uid}}
  Temporary password: {{password}}
  It has to be changed at the first login.
{_END}"""
_USERNAME = re.compile("^  Username: +(.*)$", re.MULTILINE)


def _append(out: BinaryIO, slip: str) -> None:
    """Write a slip whole, or nothing of it.  Raises OSError."""
    before = out.seek(0, os.SEEK_END)
    try:
        data = slip.encode()
        while data:  # a write may take a part
            data = data[out.write(data) :]
        os.fsync(out.fileno())
    except OSError:
        os.ftruncate(out.fileno(), before)
        raise


def _resumed_slips(begun: Import, path: str | None) -> BinaryIO | None:
    """The file for the slips that are left; whoever has a slip in an earlier one keeps it."""
    files = begun.slips_files
    are_all = bool(files) and all(map(os.path.exists, files))
    begun.has_slips_of([uid for earlier in files for uid in _slips_in(earlier)], are_all=are_all)
    out = _slips_file(path or begun.slips, resumed=path is None or path in files)
    begun.use_slips(path or begun.slips)
    return out


def _slips_in(path: str) -> list[str]:
    """Usernames of the whole slips in a file; half a slip at its end is cut off.  Raises Invalid."""
    try:
        with Path(path).open("r+b") as file:
            slips, end, _ = file.read().rpartition(_END.encode())
            file.truncate(len(slips + end))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise Invalid(f"the slips of the run before can't be read: {path}: {error}") from None
    return _USERNAME.findall(slips.decode(errors="replace"))


def _slips_file(path: str | None, *, resumed: bool) -> BinaryIO | None:
    """For its owner alone; a file that is there is another's, unless it was begun by the run that this one goes on with."""
    if path is None:
        return None
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | (0 if resumed else os.O_EXCL)
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        raise NotCreated(f"{path} can't be made for the slips: {error.strerror}") from None
    if stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o077:
        os.close(descriptor)
        raise NotCreated(f"others may read {path}: chmod 600 {path}")
    return os.fdopen(descriptor, "r+b", buffering=0)


@contextmanager
def _bar(
    how: How, what: str, total: int, *, prints: bool = False
) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, nothing elsewhere; what it gives hears how many are done.

    With `prints` results are printed meanwhile: where they go to the terminal there is no bar.
    """
    is_taken = prints and sys.stdout.isatty()
    if how.as_json or how.quiet or is_taken or not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console  # noqa: PLC0415 - heavy
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: PLC0415

    with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)


@click.command()
@click.option("--term", shell_complete=completion.terms, help="Members who are registered for this term.")
@click.option("--group", shell_complete=completion.groups, help="Members who are in this group.")
@click.option("--program", help="Members whose program contains this text.")
@click.option(
    "--output", type=click.Path(dir_okay=False, allow_dash=True), metavar="FILE", default=_PRINT,
    help="Write into this file (default: -, which prints).",
)  # fmt: skip
@json_option
@pass_context
def export(context: Context, /, output: str, as_json: bool, **asked: str | None) -> None:
    """Members as CSV, in the columns that import takes.

    Left out, because import could not take them: clubs, deleted accounts, members without a term or a program, the
    representative's terms of those who became members, and all forwarding addresses. --json has everything but the addresses.

    Example: ceo members export --term f2026
    """
    from ceo import sheet  # noqa: PLC0415 - heavier than the other commands of members
    from ceo.imports import COLUMNS, export_cells, unexported  # noqa: PLC0415 - as in export()

    query = {name: value for name, value in asked.items() if value is not None}
    found = sorted(context.client.all_members(**query), key=lambda member: str(member["uid"]))
    if not found:
        check_narrowing(context.client, query)
    if as_json:
        text = json.dumps({"members": found}, indent=2) + "\n"
    else:
        # Verbatim for whatever reads it; a terminal is sent nothing that moves its cursor.
        safe = shown if output == _PRINT and sys.stdout.isatty() else str
        rows = [[safe(cell) for cell in export_cells(member)] for member in found if not unexported(member)]
        text = sheet.write(COLUMNS, rows)
        _note_unexported(found)
    if output == _PRINT:
        click.echo(text, nl=False)
    else:
        write_whole(output, text)


def _note_unexported(members: list[Json]) -> None:
    """Say who is not in the file, and why."""
    from ceo.imports import unexported  # noqa: PLC0415 - as in export()

    reasons: dict[str, list[str]] = {}
    for member in members:
        if reason := unexported(member):
            reasons.setdefault(f"left out, {reason}", []).append(member["uid"])
        elif member.get("terms") and member.get("non_member_terms"):
            reasons.setdefault("representatives before they became members: only their member terms are in the file", []).append(member["uid"])
    for reason, uids in reasons.items():
        more = f" and {len(uids) - _NAMED} more" if len(uids) > _NAMED else ""
        click.echo(f"Note: {reason}: {', '.join(map(shown, uids[:_NAMED]))}{more}", err=True)
