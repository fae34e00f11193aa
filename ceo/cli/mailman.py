"""ceo mailman list|get|subscribe|unsubscribe."""

from __future__ import annotations

import click

from ceo.cli import completion
from ceo.cli.context import Context, pass_context
from ceo.cli.noun import Noun
from ceo.cli.table import Form, json_option, listing, print_json, print_rows
from ceo.cli.write import How, change, writing


@click.group(cls=Noun)
def mailman() -> None:
    """Mailing lists."""


@mailman.command(name="list")
@listing
@pass_context
def list_(context: Context, form: Form) -> None:
    """List the mailing lists, how many addresses are on each, and the groups whose members are put on it.

    Example: ceo mailman list
    """
    rows = context.client.lists()
    print_json({"lists": rows}) if form.as_json else print_rows(rows, "MailingList", "list members groups", form)


@mailman.command()
@click.argument("uid", shell_complete=completion.uids)
@click.argument("list_name", metavar="LIST", shell_complete=completion.lists)
@writing
@pass_context
def subscribe(context: Context, uid: str, list_name: str, how: How) -> None:
    """Subscribe an account's address to a list.

    Example: ceo mailman subscribe regular1 events --dry-run
    """
    change(context, how, lambda client: client.subscribe(list_name, uid), lambda told: (
        f"The moderator of {list_name} is asked whether {uid} may join." if told["held"] else f"{uid} is on {list_name}."))


@mailman.command()
@click.argument("uid", shell_complete=completion.uids)
@click.argument("list_name", metavar="LIST", shell_complete=completion.lists_of_uid)
@writing
@pass_context
def unsubscribe(context: Context, uid: str, list_name: str, how: How) -> None:
    """Remove an account's address from a list.

    Example: ceo mailman unsubscribe regular1 csc-general --dry-run
    """
    how.confirm(f"Take {uid} off {list_name}?")
    change(context, how, lambda client: client.unsubscribe(list_name, uid), lambda told: f"{uid} was removed from {list_name}.")


@mailman.command()
@click.argument("uid", shell_complete=completion.uids)
@json_option
@pass_context
def get(context: Context, uid: str, as_json: bool) -> None:
    """Show the lists that an account's address is on.

    Example: ceo mailman get ctdalek
    """
    told = context.client.lists_of(uid)
    print_json(told) if as_json else click.echo("\n".join(told["lists"]), nl=bool(told["lists"]))
