"""What every command that writes has in common: rehearsed, confirmed, followed step by step, and told."""

from __future__ import annotations

import contextlib
import functools
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from ceo.cli.context import Context
from ceo.cli.prompts import confirm
from ceo.cli.repeat import repeat_command, with_key
from ceo.cli.steps import Steps
from ceo.cli.table import json_option, print_json
from ceo.progress import follow
from ceo_common.errors import BackendDown, Busy, CeoError, NotFound, OutcomeUnknown
from ceo_common.events import Event
from ceo_common.text import shown

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]


@dataclass
class How:
    """How a command writes."""

    as_json: bool
    dry_run: bool
    yes: bool
    quiet: bool
    key: str  # the Idempotency-Key: given, or made for this run
    has_given_key: bool
    words: list[str]  # the command behind `ceo`, as it is repeated: with the key

    @classmethod
    def of_command(
        cls, key: uuid.UUID | None, *, as_json: bool, dry_run: bool, yes: bool, quiet: bool
    ) -> How:
        """For the command that was typed, under its key or a new one."""
        words, name = sys.argv[1:], str(key or uuid.uuid4())
        if key is None:
            depth = len(click.get_current_context().command_path.split()) - 1
            words = with_key(words, depth, name)
        return cls(as_json, dry_run, yes, quiet, name, key is not None, words)

    @property
    def may_repeat(self) -> bool:
        """Whether this may be a confirmed change that was sent before.

        Then the plan must not come first: of a change that was made it says that nothing is left.
        """
        return self.has_given_key and self.yes and not self.dry_run

    @property
    def asking(self) -> bool:
        """Whether somebody is there to be asked, and wants to be."""
        return sys.stdin.isatty() and not (self.as_json or self.yes or self.dry_run)

    def confirm(self, question: str, *, default: bool = False, instead: str = "--yes") -> None:
        """Ask before a change, unless nobody wants to be asked.

        Raises Declined, Abort (interrupted), UsageError (nobody is there to be asked; `instead` are
        the options that need no answer).
        """
        if self.yes or self.dry_run:
            return
        if not sys.stdin.isatty():
            raise click.UsageError(f"missing: {instead} (without a terminal ceo can't ask)")
        confirm(question, default=default)

    def note(self, text: str) -> None:
        """Something beside the result."""
        if not (self.quiet or self.as_json):
            click.echo(shown(text), err=True)

    def exact(self, command: str, *arguments: str) -> None:
        """Say what the command means in full: so it is repeated, whatever was asked for or counted.

        With --yes, because only what was confirmed is sent.
        """
        flags = [flag for flag, is_given in (("--json", self.as_json), ("--quiet", self.quiet)) if is_given]
        words = command.split()
        self.words = with_key([*words, "--yes", *flags, *arguments], len(words), self.key)


key_option = click.option(
    "--key", type=click.UUID, metavar="UUID",
    help="Name this change: the same command with the same key changes nothing twice.",
)


def _writing(function: Callable[..., Any], *, is_keyed: bool) -> Callable[..., Any]:
    @click.option("--dry-run", is_flag=True, help="Check everything and show what would change, with old and new values; change nothing.")
    @click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
    @click.option("--quiet", is_flag=True, help="Print only the result, no steps and no notes.")
    @json_option
    @functools.wraps(function)
    def wrapped(
        *arguments: Any, as_json: bool, dry_run: bool, yes: bool, quiet: bool, key: uuid.UUID | None = None, **named: Any,
    ) -> Any:
        context = click.get_current_context().find_object(Context)
        assert context
        context.may_write = not dry_run
        how = How.of_command(key, as_json=as_json, dry_run=dry_run, yes=yes, quiet=quiet)
        if not is_keyed:
            return function(*arguments, how=how, **named)
        with repeatable(context, how):
            return function(*arguments, how=how, **named)

    return key_option(wrapped) if is_keyed else wrapped


def writing(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of one that writes, as one argument `how`."""
    return _writing(function, is_keyed=True)


def importing(function: Callable[..., Any]) -> Callable[..., Any]:
    """As writing(), for a command that sends many requests and goes on by itself where it ended."""
    return _writing(function, is_keyed=False)


@contextlib.contextmanager
def repeatable(context: Context, how: How) -> Iterator[None]:
    """Where the outcome is not known, say how to repeat the command so that it is done once.

    Raises OutcomeUnknown with the command, also for who interrupts a change that was sent.
    """
    try:
        yield
    except OutcomeUnknown as error:
        raise _with_command(error.message, how, error) from None
    except BackendDown as error:
        if not error.more.get("unknown"):
            raise
        raise _with_command(error.message, how, error) from None
    except KeyboardInterrupt:
        if how.dry_run or not context.wrote or context.result is not None:
            raise
        raise _with_command("interrupted; what was sent may be done all the same", how) from None


def _with_command(message: str, how: How, error: CeoError | None = None) -> OutcomeUnknown:
    command = repeat_command(how.words)
    more = (error.more if error else {}) | {"key": how.key, "command": command}
    if not how.as_json:
        message = f"{message}\nTo learn the outcome, or to do it now, run: {command}"
    return OutcomeUnknown(message, **more)


def transact(context: Context, how: How, begin: Callable[[Client], Iterator[Event]], tell: Callable[[Json], Iterable[str]]) -> Json:
    """Run a transaction and print its result, whose lines tell() makes; the result, empty of a rehearsal."""
    client = context.client
    client.rehearsing, client.key = how.dry_run, how.key
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


def sent_again(send: Callable[[], object], how: How) -> bool:
    """Send a change under its key before anything is planned, if it may have been sent before.

    Returns whether that was all.  Where ceod does not know the key and has nothing to do, or can't
    do it now, the plan says so in full.
    """
    if not how.may_repeat:
        return False
    try:
        send()
    except (NotFound, Busy):
        return False
    return True


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
    client.rehearsing, client.key = how.dry_run, how.key
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
