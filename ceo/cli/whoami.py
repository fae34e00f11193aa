"""ceo whoami."""

from __future__ import annotations

import click

from ceo.cli.context import Context, pass_context
from ceo.cli.table import json_option, print_json
from ceo_common.text import shown


@click.command()
@json_option
@pass_context
def whoami(context: Context, as_json: bool) -> None:
    """Show who you are, and how long your ticket is valid.

    Example: ceo whoami
    """
    told = context.client.whoami()
    left = context.session.seconds_left
    if as_json:
        print_json({**told, "ticket_seconds_left": left})
        return
    roles = [name for name in told["standing"] if name not in ("anyone", "signed_in")]
    click.echo(f"{shown(told['principal'])} ({', '.join(shown(r) for r in roles) or 'no role'}); "
               f"the ticket is valid for another {left // 3600} h {left % 3600 // 60:02d} min")
