"""ceo log."""

from __future__ import annotations

import click

from ceo import transactions as work
from ceo.cli.context import Context, pass_context
from ceo.cli.table import Form, listing, print_json, print_rows
from ceo_common.text import shown


@click.command()
@click.option("--host", help="Of this host alone; of all of them by default.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many rows of each host at most.")
@listing
@pass_context
def log(context: Context, host: str | None, limit: int, form: Form) -> None:
    """Who did what, newest first: one's own doings, for the systems committee everybody's.

    Example: ceo log --limit 10
    """
    rows, silent = work.audit(context.client, hosts=[host] if host else context.client.hosts.all(), limit=limit)
    if form.as_json:
        print_json({"rows": rows, "silent": silent})
    else:
        print_rows(rows, "when who what subject outcome", form, {"when": lambda row: work.when(row["at"])})
    for name, why in silent.items():
        click.echo(f"ceo: {name} did not answer: {shown(why)}", err=True)
