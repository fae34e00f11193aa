"""The command line, one file a noun; here the top and the one place where errors become words and exit statuses."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence

import click

from ceo.cli.context import Context
from ceo_common.config import CLIENT_FILE, ConfigError, load_client
from ceo_common.errors import Aborted, CeoError
from ceo_common.krb5.errors import Krb5Error
from ceo_common.text import shown

EXIT_CONFIG = 78  # sysexits.h, EX_CONFIG
EXIT_INTERRUPTED = 130


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ceo")
@click.pass_context
def cli(context: click.Context) -> None:
    """The club's electronic office: accounts and memberships.  Without a command it opens the menu."""
    context.obj = Context(load_client(os.environ.get("CEO_CONFIG", CLIENT_FILE)))
    if context.invoked_subcommand is None:
        from ceo.tui.run import run  # noqa: PLC0415 - only the menu wants urwid

        run(context.obj.settings)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run; every end has its exit status."""
    from ceo.cli import members, transactions, whoami  # noqa: PLC0415 - they import this package's context

    for command in (members.members, transactions.transactions, whoami.whoami):
        cli.add_command(command)
    words = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in words
    try:
        result = cli.main(words, prog_name="ceo", standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("\nceo: interrupted", err=True)
        sys.exit(EXIT_INTERRUPTED)
    except ConfigError as error:
        _say(str(error))
        sys.exit(EXIT_CONFIG)
    except Krb5Error as error:
        _say(f"Kerberos: {error.message}")
        sys.exit(69)
    except CeoError as error:
        _tell(error, as_json=as_json)
        sys.exit(error.exit_status)
    sys.exit(result if isinstance(result, int) else 0)


def _tell(error: CeoError, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(error.as_json()))
        return
    _say(error.message)
    for problem in error.problems:
        click.echo(f"  {shown(problem.get('field', ''))}: {shown(problem.get('message', ''))}", err=True)
    if isinstance(error, Aborted) and (transaction := error.more.get("transaction")):
        click.echo(f"  The story: ceo transactions show {shown(transaction)}", err=True)


def _say(text: str) -> None:
    for line in text.splitlines() or [""]:
        click.echo(f"ceo: {shown(line)}", err=True)
