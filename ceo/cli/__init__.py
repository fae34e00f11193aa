"""The command line, one file a noun; here the list of its commands, and the one place where errors become words and exit statuses.

A command's module is imported when the command is run: `ceo --help` and completion draw from the table alone.
"""

from __future__ import annotations

import importlib
import inspect
import io
import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

import click

from ceo_common.errors import Aborted, CeoError
from ceo_common.text import shown

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

EXIT_CONFIG = 78  # sysexits.h, EX_CONFIG
EXIT_FILE = 66  # EX_NOINPUT
EXIT_UNHEARD = 74  # EX_IOERR: something was changed, and whoever listened left
EXIT_INTERRUPTED = 130

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
            from difflib import get_close_matches  # noqa: PLC0415 - for a mistyped word alone

            near = get_close_matches(args[0], _FLAT, n=1)
            raise click.UsageError(f"there is no command {shown(args[0])!r}" + (f"; did you mean {near[0]}?" if near else ""), ctx)
        return super().resolve_command(ctx, args)

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
        from ceo.tui.run import run  # noqa: PLC0415 - only the menu wants urwid

        run(context.obj.settings)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run; every end has its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if "_CEO_COMPLETE" in os.environ:
        _complete(words)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name that the terminal can't show ends nothing
    as_json = "--json" in words or words[:1] == ["api"]
    context: click.Context | None = None
    try:
        # Not cli.main(): it would end a broken pipe with a status of its own.
        with cli.make_context("ceo", words) as context:
            result = cli.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt, EOFError):
        click.echo("\nceo: interrupted", err=True)
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:  # ceo members list | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing is flushed into it at the end
        sys.exit(EXIT_UNHEARD if context and context.obj and context.obj.wrote else 0)
    except Exception as error:
        _end(error, as_json=as_json)
    sys.exit(result if isinstance(result, int) else 0)


def _complete(words: list[str]) -> NoReturn:
    """Somebody pressed Tab: what fails completes nothing, and says nothing on their line."""
    try:
        cli.main(words, prog_name="ceo", standalone_mode=False)
    except Exception:
        sys.exit(1)
    sys.exit(0)


def _end(error: Exception, *, as_json: bool) -> NoReturn:
    """What is told by its class; what is unforeseen is raised again."""
    from ceo_common.client_config import ConfigError  # noqa: PLC0415 - only a command that came this far has imported them
    from ceo_common.krb5.errors import Krb5Error  # noqa: PLC0415 - as above

    if isinstance(error, CeoError):
        _tell(error, as_json=as_json)
        sys.exit(error.exit_status)
    if isinstance(error, ConfigError):
        text, status, code = str(error), EXIT_CONFIG, "configuration"
    elif isinstance(error, Krb5Error):
        text, status, code = f"Kerberos: {error.message}", 69, "kerberos"
    elif isinstance(error, UnicodeEncodeError):  # a word of the command line
        text, status, code = "what was typed is not UTF-8", 65, "invalid"
    elif isinstance(error, OSError):  # a file that was named: ceod's hosts have errors of their own
        text, status, code = f"{error.strerror}: {error.filename}" if error.filename else str(error), EXIT_FILE, "file"
    else:
        raise error
    if as_json:
        click.echo(json.dumps({"error": text, "code": code, "problems": []}))
    else:
        _say(text)
    sys.exit(status)


def _tell(error: CeoError, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(error.as_json()))
        return
    _say(error.message)
    for problem in error.problems:
        click.echo(f"  {shown(problem.get('field', ''))}: {shown(problem.get('message', ''))}", err=True)
    if isinstance(error, Aborted) and (transaction := error.more.get("transaction")):
        click.echo(f"  For the details: ceo transactions show {shown(transaction)}", err=True)


def _say(text: str) -> None:
    for line in text.splitlines() or [""]:
        click.echo(f"ceo: {shown(line)}", err=True)
