"""The command line, one file a noun; here the list of its commands, and the one place where errors become words and exit statuses.

A command's module is imported when the command is run: `ceo --help` and completion draw from the table alone.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import inspect
import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ceo import interrupts, streams
from ceo.cli.near import add_near
from ceo.cli.noun import missing_command
from ceo_common.errors import Aborted, CeoError, NotFound
from ceo_common.text import shown

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from ceo.cli.context import Context

EXIT_CONFIG = 78  # sysexits.h, EX_CONFIG
EXIT_FILE = 66  # EX_NOINPUT
EXIT_UNFORESEEN = 70  # EX_SOFTWARE
EXIT_LOST = 74  # EX_IOERR: a result, or a file, could not be written
EXIT_INTERRUPTED = 130

# The errors of a disk, as a file that was opened is written to.
_NOT_TAKEN = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)

# By section, in the order of `ceo --help`: the name, the module and the command in it, and what it does.
COMMANDS: dict[str, dict[str, tuple[str, str, str]]] = {
    "People": {
        "members": ("members", "members", "Members and club representatives."),
        "clubs": ("groups", "clubs", "Clubs, which have an account and a group."),
        "groups": ("groups", "groups", "Groups and their members."),
        "positions": ("groups", "positions", "The positions of the club."),
        "updateprograms": ("members_upkeep", "updateprograms", "Update members' programs from the university's directory."),
    },
    "Services of an account": {
        "mysql": ("databases", "mysql", "MySQL databases of accounts."),
        "postgresql": ("databases", "postgresql", "PostgreSQL databases of accounts."),
        "mailman": ("mailman", "mailman", "Mailing lists."),
        "library": ("library", "library", "The library's books and loans."),
    },
    "Legacy reports": {
        "memberlist": ("lists", "memberlist", "The members of a term: the current one unless another is named."),
        "expiredaccounts": ("lists", "expiredaccounts", "The accounts that are expired."),
        "inactive": ("lists", "inactive", "People who have not been members for N terms."),
    },
    "Running it": {
        "transactions": ("transactions", "transactions", "Show, resume and abandon transactions."),
        "log": ("log", "log", "Who did what: the audit log of every host."),
        "whoami": ("whoami", "whoami", "Show who you are, and how long your ticket is valid."),
        "doctor": ("doctor", "doctor", "Find problems of this machine, an account or the directory, and repair them."),
        "api": ("api", "api", "Send one request to ceod, for scripts."),
        "completion": ("completion", "completion", "Print the shell code for completion with Tab."),
    },
}
_FLAT = {name: row for section in COMMANDS.values() for name, row in section.items()}


class Top(click.Group):
    """The group of all commands, by the table."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return list(_FLAT)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command; its module is imported now."""
        if cmd_name not in _FLAT:
            return None
        module, attribute, _ = _FLAT[cmd_name]
        command: click.Command = getattr(importlib.import_module(f"ceo.cli.{module}"), attribute)
        _keep_examples(command)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """As click, but with what may have been meant."""
        if args[0] not in _FLAT and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise missing_command(ctx, args[0], list(_FLAT), {"version": "ceo --version"})
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click, but -v says how to see the version."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if error.option_name not in ("-v", "-V"):
                raise
            message = f"there is no option {error.option_name}: run ceo --version, or ceo --help"
            raise click.UsageError(message, ctx) from None

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """The commands from the table, and the options."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - for the Tab key alone

        found = [CompletionItem(name, help=text) for name, (_, _, text) in _FLAT.items() if name.startswith(incomplete)]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """By section."""
        for section, commands in COMMANDS.items():
            with formatter.section(section):
                formatter.write_dl([(name, text) for name, (_, _, text) in commands.items()])


def _keep_examples(command: click.Command) -> None:
    """Mark each paragraph `Example:` of the help of a command, and of those below it, with click's \\b: as it stands, not filled."""
    command.help = inspect.cleandoc(command.help or "").replace("\n\nExample: ", "\n\n\b\nExample: ")
    for sub in command.commands.values() if isinstance(command, click.Group) else ():
        _keep_examples(sub)


@click.group(cls=Top, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]},
             epilog="More about a command: ceo members add --help.  The manual: man ceo.")
@click.version_option(package_name="ceo")
@click.pass_context
def cli(context: click.Context) -> None:
    """The club's electronic office: accounts and memberships.  Without a command it opens the menu."""
    from ceo.cli.context import Context  # noqa: PLC0415 - not for --help

    context.obj = Context()
    if context.invoked_subcommand is None:
        from ceo.tui.run import run, terminal_problem  # noqa: PLC0415 - only the menu wants urwid

        if problem := terminal_problem():
            raise click.UsageError(problem, context)
        run(context.obj.settings)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run; every end has its exit status, and words on standard error."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if "_CEO_COMPLETE" in os.environ:
        _complete(words)
    streams.claim()
    interrupts.catch()
    if not streams.is_output_open():
        _say("standard output is closed, so no result could be shown; nothing was done")
        sys.exit(EXIT_LOST)
    context: click.Context | None = None
    try:
        # Not cli.main(): it would end a broken pipe with a status of its own.
        with cli.make_context("ceo", words) as context:
            try:
                result = cli.invoke(context)
            except NotFound as error:
                if context.invoked_subcommand != "api":  # which prints the answer as it is
                    add_near(error, context.obj)
                raise
        sys.stdout.flush()
        status = result if isinstance(result, int) else 0
    except click.exceptions.Exit as stop:
        status = stop.exit_code
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except (click.Abort, KeyboardInterrupt, EOFError):
        click.echo("\nceo: interrupted", err=True)
        status = EXIT_INTERRUPTED
    except streams.OutputLost as lost:
        status = _end_without_output(lost, context.obj if context else None)
    except Exception as error:
        status = _end(error, as_json="--json" in words or words[:1] == ["api"])
    sys.exit(status)


def _complete(words: list[str]) -> NoReturn:
    """Somebody pressed Tab: what fails completes nothing, and says nothing on their line."""
    try:
        cli.main(words, prog_name="ceo", standalone_mode=False)
    except Exception:
        sys.exit(1)
    sys.exit(0)


def _end_without_output(lost: streams.OutputLost, run: Context | None) -> int:
    """Say what became of a command whose result nobody got; the exit status."""
    may_write = run is not None and run.may_write
    if lost.reader_left and not may_write:  # ceo members list | head
        return 0
    _say(f"standard output: {lost.strerror}")
    if run is not None and run.wrote:
        _say(_lost_result(run.result))
    elif may_write:
        _say("nothing was changed")
    return EXIT_LOST


def _lost_result(result: dict[str, Any] | None) -> str:
    if result is None:
        return (
            "The change was sent, but what came of it could not be shown: ceo transactions list"
        )
    uid = shown(result.get("uid", ""))
    if result.get("temporary_password"):
        return (
            f"The account {uid} exists; its password could not be shown: ceo members pwreset {uid}"
        )
    if result.get("password"):
        kind = result["kind"]
        return f"The {kind} database of {uid} exists; its password could not be shown: ceo {kind} pwreset {uid}"
    return "The change was made; only its result could not be shown."


def _end(error: Exception, *, as_json: bool) -> int:
    """Say what went wrong; the exit status."""
    known = error if isinstance(error, CeoError) else None
    text, status, code = (known.message, known.exit_status, known.code) if known else _unlike_ours(error)
    if as_json:
        body = known.as_json() if known else {"error": text, "code": code, "problems": []}
        with contextlib.suppress(streams.OutputLost):
            click.echo(json.dumps(body))
            return status
    _say(text.replace("Idempotency-Key", "--key"))  # the option's name for it
    if known:
        _say_details(known)
    return status


def _unlike_ours(error: Exception) -> tuple[str, int, str]:
    """Text, exit status and code of an error that is none of the family that crosses the wire."""
    from ceo_common.client_config import ConfigError  # noqa: PLC0415 - only a command that came this far has imported them
    from ceo_common.krb5.errors import Krb5Error  # noqa: PLC0415 - as above

    if isinstance(error, ConfigError):
        return str(error), EXIT_CONFIG, "configuration"
    if isinstance(error, Krb5Error):
        return f"Kerberos: {error.message}", 69, "kerberos"
    if isinstance(error, UnicodeError):  # a word of the command line, or an answer to a question
        return "what was typed is not UTF-8", 65, "invalid"
    if isinstance(error, OSError):  # a file that was named: ceod's hosts have errors of their own
        text = f"{error.strerror}: {error.filename}" if error.filename else str(error.strerror or error)
        return text, EXIT_LOST if error.errno in _NOT_TAKEN else EXIT_FILE, "file"
    import traceback  # noqa: PLC0415 - for a fault of ceo alone

    *_, frame = traceback.extract_tb(error.__traceback__)
    place = f"{os.path.basename(frame.filename)}, line {frame.lineno}"
    text = f"this is a fault of ceo, please report it: {type(error).__name__}: {error} ({place})"
    return text, EXIT_UNFORESEEN, "internal"


def _say_details(error: CeoError) -> None:
    for problem in error.problems:
        if problem.get("message") == error.message:
            continue  # it was said already
        click.echo(f"  {shown(problem.get('field', ''))}: {shown(problem.get('message', ''))}", err=True)
    if isinstance(error, Aborted) and (transaction := error.more.get("transaction")):
        click.echo(f"  For the details: ceo transactions show {shown(transaction)}", err=True)


def _say(text: str) -> None:
    for line in text.splitlines() or [""]:
        click.echo(f"ceo: {shown(line)}", err=True)
