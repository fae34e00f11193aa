"""ceo transactions list|show|resume|abandon."""

from __future__ import annotations

from typing import Any

import click

from ceo import transactions as work
from ceo.cli.context import Context, pass_context
from ceo.cli.noun import Noun
from ceo.cli.number import Number
from ceo.cli.steps import Steps
from ceo.cli.table import Form, json_option, listing, print_json, print_rows
from ceo.cli.write import How, change, followed, writing
from ceo_common.text import shown

_STATES = ["stuck", "checking", "queued", "running", "undoing", "committed", "completed", "aborted", "undo_failed", "abandoned"]


@click.group(cls=Noun)
def transactions() -> None:
    """Show, resume and abandon transactions."""


@transactions.command(name="list")
@click.option("--state", type=click.Choice(_STATES),
              help="Only those in this state; stuck: those that wait for a person, or did not end within ten minutes.")
@click.option("--limit", type=Number(1, 1000), default=20, show_default=True)
@listing
@pass_context
def list_(context: Context, state: str | None, limit: int, form: Form) -> None:
    """List the newest transactions of all hosts.

    Example: ceo transactions list --state aborted
    """
    rows, silent = work.listed(context.client, state=state or "", limit=limit)
    if form.as_json:
        print_json({"transactions": rows, "silent": silent})
    else:
        print_rows(rows, "Summary", "when state operation subject caller transaction", form, {"when": lambda row: work.when(row["created"])})
    if not rows and not form.as_json:
        click.echo("There are no transactions.", err=True)
    for host, why in silent.items():
        click.echo(f"ceo: {host} did not answer: {shown(why)}", err=True)


@transactions.command()
@click.argument("transaction")
@json_option
@pass_context
def show(context: Context, transaction: str, as_json: bool) -> None:
    """Show one transaction: who asked for it, each step, and how it ended.

    Example: ceo transactions show 4b2f0c9e-5d0e-4e1a-9d59-1f6a3a1f0c11
    """
    story = work.find(context.client, transaction)
    if as_json:
        print_json(story)
        return
    click.echo(f"{story['operation']} of {shown(story['subject'])}, asked by {shown(story['caller'])} from {shown(story['remote'])} "
               f"on {work.when(story['created'])}: {story['state']}")
    for step in story["steps"]:
        click.echo(f"  {step['number']:>2}. {shown(step['name']):<20} {shown(work.step_told(step))}")
    if story["error"]:
        click.echo(f"Why: {shown(story['error'].get('error', ''))}")
    if story["reason"]:
        click.echo(f"Abandoned because: {shown(story['reason'])}")


@transactions.command()
@click.argument("transaction")
@json_option
@pass_context
def follow(context: Context, transaction: str, as_json: bool) -> None:
    """Follow a transaction that still runs: its steps and its end.

    Example: ceo transactions follow 4b2f0c9e-5d0e-4e1a-9d59-1f6a3a1f0c11
    """
    story = work.find(context.client, transaction)
    last = followed(context.client.events(story["host"], transaction), Steps(quiet=as_json))
    print_json(last) if as_json else click.echo(f"{story['operation']} of {shown(story['subject'])}: completed")


@transactions.command()
@click.argument("transaction")
@writing
@pass_context
def resume(context: Context, transaction: str, how: How) -> None:
    """Retry now the steps that wait or could not be undone.

    Example: ceo transactions resume 4b2f0c9e-5d0e-4e1a-9d59-1f6a3a1f0c11 --dry-run
    """
    story = work.find(context.client, transaction)
    change(context, how, lambda client: client.resume(story["host"], transaction),
           lambda told: f"ceod tries again; look with: ceo transactions show {transaction}")


@transactions.command()
@click.argument("transaction")
@click.option("--reason", required=True, help="The reason, which is recorded.")
@writing
@pass_context
def abandon(context: Context, transaction: str, reason: str, how: How) -> None:
    """Give up the steps that failed or are stuck, and list what they left behind.

    Example: ceo transactions abandon 4b2f0c9e-5d0e-4e1a-9d59-1f6a3a1f0c11 --reason "removed by hand" --dry-run
    """
    story = work.find(context.client, transaction)
    how.confirm(f"Give up what is left of {transaction}?")
    change(context, how, lambda client: client.abandon(story["host"], transaction, reason), _left)


def _left(told: dict[str, Any]) -> str:
    if not told["left"]:
        return "Abandoned; nothing is left."
    return "Abandoned.  What is left: " + "; ".join(f"{item['step']}: {item['facts']}" for item in told["left"])
