"""What every command that writes has in common: rehearsed, confirmed, followed step by step, and told."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from ceo.cli.context import Context
from ceo.cli.steps import Steps
from ceo.cli.table import json_option, print_json
from ceo.progress import follow
from ceo_common.events import Event
from ceo_common.text import shown

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]


@dataclass(frozen=True)
class How:
    """How a command writes."""

    as_json: bool
    dry_run: bool
    yes: bool
    quiet: bool

    @property
    def asking(self) -> bool:
        """Whether somebody is there to be asked, and wants to be."""
        return sys.stdin.isatty() and not (self.as_json or self.yes or self.dry_run)

    def confirm(self, question: str) -> None:
        """Ask before what is not easily taken back.  Raises Abort, UsageError (nobody is there to be asked)."""
        if self.yes or self.dry_run:
            return
        if not sys.stdin.isatty():
            raise click.UsageError("missing: --yes (without a terminal ceo can't ask)")
        click.confirm(shown(question), abort=True, err=True)

    def note(self, text: str) -> None:
        """Something beside the result."""
        if not (self.quiet or self.as_json):
            click.echo(shown(text), err=True)


def writing(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of one that writes, as one argument `how`."""
    @click.option("--dry-run", is_flag=True, help="Check everything and show what would change, with old and new values; change nothing.")
    @click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
    @click.option("--quiet", is_flag=True, help="Print only the result, no steps and no notes.")
    @json_option
    @functools.wraps(function)
    def wrapped(*arguments: Any, as_json: bool, dry_run: bool, yes: bool, quiet: bool, **named: Any) -> Any:
        context = click.get_current_context().find_object(Context)
        assert context
        context.may_write = not dry_run
        return function(*arguments, how=How(as_json, dry_run, yes, quiet), **named)

    return wrapped


def transact(context: Context, how: How, begin: Callable[[Client], Iterator[Event]], tell: Callable[[Json], Iterable[str]]) -> Json:
    """Run a transaction and print its result, whose lines tell() makes; the result, empty of a rehearsal."""
    client = context.client
    client.rehearsing = how.dry_run
    steps = Steps(quiet=how.as_json or how.quiet or how.dry_run)
    last = followed(begin(client), steps)
    if how.dry_run:
        print_rehearsal(dict(last), how)
        return {}
    result = context.result = dict(last.get("result", {}))
    if how.as_json:
        print_json(last)
        return result
    for warning in result.get("warnings") or []:
        how.note(f"Note: {warning}")
    if waiting := last.get("waiting"):
        how.note(f"Not done yet, because the server does not answer; ceod does it later by itself: {', '.join(waiting)}")
    for line in tell(result):
        click.echo(shown(line))
    return result


def followed(events: Iterator[Event], steps: Steps) -> Event:
    """The last event.  Raises as follow(); who interrupts is told how to attach again."""
    try:
        return follow(events, steps)
    except KeyboardInterrupt:
        if steps.transaction:
            click.echo(f"\nceo: ceod continues with it; to follow it again: ceo transactions follow {shown(steps.transaction)}", err=True)
        raise


def change(context: Context, how: How, call: Callable[[Client], Json], tell: Callable[[Json], str]) -> None:
    """A change that is one step, and what to say of it."""
    client = context.client
    client.rehearsing = how.dry_run
    told = context.result = call(client)
    if how.dry_run:
        print_rehearsal(told, how)
    elif how.as_json:
        print_json(told)
    else:
        click.echo(shown(tell(told)))


def print_rehearsal(told: Json, how: How) -> None:
    """What a dry run says: the values that would change, and the steps that would run."""
    plan = {name: value for name, value in told.items() if name not in ("n", "status", "transaction")}
    if how.as_json:
        print_json(plan)
        return
    print_changes(plan.get("changes", []))
    click.echo("Steps:")
    for step in plan.get("steps", []):
        click.echo(f"  {shown(step['name'])}" + ("  (after the commit)" if step["after_commit"] else ""))
    for warning in plan.get("warnings", []):
        click.echo(f"Note: {shown(warning)}", err=True)


def print_changes(changes: list[Json]) -> None:
    """The values that a dry run would change, a line each."""
    if not changes:
        click.echo("This is a dry run.  Nothing would change.")
        return
    click.echo("This is a dry run: nothing is changed.  It would change:")
    for change in changes:
        click.echo(f"  {shown(change_text(change))}")


def change_text(change: Json) -> str:
    """One value that would change, in words."""
    name, old, new = f"{change['what']} of {change['of']}", change["old"], change["new"]
    if old is None:
        return f"{name}: add {new}"
    if new is None:
        return f"{name}: remove {old}"
    return f"{name}: change {old} to {new}"


def show_password(result: Json, name: str = "temporary_password", again: str = "") -> list[str]:
    """The lines of a password that is shown once."""
    if result.get(name):
        return [f"Temporary password: {result[name]}   (shown this once; it has to be changed at the first login)"]
    return [f"The password was shown to the first request only.  For another: {again}"]
