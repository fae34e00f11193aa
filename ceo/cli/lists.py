"""ceo memberlist|expiredaccounts|inactive: the lists of 2010, by their old names."""

from __future__ import annotations

from typing import Any

import click

from ceo.cli import completion
from ceo.cli.context import Context, pass_context
from ceo.cli.members_upkeep import remind
from ceo.cli.number import Number
from ceo.cli.table import Form, listing, print_json, print_rows
from ceo_common import terms as term_rules
from ceo_common.errors import Invalid

Json = dict[str, Any]
_WHO = "uid cn program last_term expired"


@click.command()
@click.argument("term", required=False, shell_complete=completion.terms)
@listing
@pass_context
def memberlist(context: Context, term: str | None, form: Form) -> None:
    """The members of a term: the current one unless another is named.

    Example: ceo memberlist f2026
    """
    wanted = str(term_rules.current(context.settings.time_zone)) if term is None else term
    try:
        term_rules.Term.parse(wanted)
    except ValueError as error:
        raise Invalid(str(error)) from None
    everybody = context.client.all_members(term=wanted)
    members = [member for member in everybody if wanted in member["terms"]]
    members.sort(key=lambda member: str(member["cn"]).casefold())
    _print(members, "Member", "cn program uid", form, f"nobody is a member in {wanted}")


@click.command()
@click.option("--email", is_flag=True, help="Also mail a reminder to them (ceo members remind).")
@click.option("--yes", is_flag=True, help="With --email: don't ask.")
@click.option("--dry-run", is_flag=True, help="With --email: show who would be mailed.")
@listing
@click.pass_context
def expiredaccounts(click_context: click.Context, email: bool, yes: bool, dry_run: bool, form: Form) -> None:
    """The accounts that are expired.

    Example: ceo expiredaccounts --email --dry-run
    """
    if email and (form.as_json or form.as_csv):
        other = "--json" if form.as_json else "--csv"
        raise click.UsageError(f"give --email or {other}, not both: ceo members remind sends the mails alone")
    if not email and (yes or dry_run):
        raise click.UsageError("--yes and --dry-run need --email: the list alone changes nothing")
    context: Context = click_context.obj
    _print(context.client.expired(), "Lapsed", _WHO, form, "no account is expired")
    if email:
        click_context.invoke(remind, yes=yes, as_json=False, dry_run=dry_run, quiet=False, key=None)


@click.command()
@click.argument("terms", type=Number(1, 300), metavar="N")
@listing
@pass_context
def inactive(context: Context, terms: int, form: Form) -> None:
    """People who have not been members for N terms.

    Example: ceo inactive 3
    """
    rows = context.client.inactive(terms)
    _print(rows, "Lapsed", _WHO, form, f"nobody is inactive for {terms} terms")


def _print(rows: list[Json], kind: str, usual: str, form: Form, nobody: str) -> None:
    if not rows and not form.as_json:
        click.echo(f"ceo: {nobody}", err=True)
    print_json({"members": rows}) if form.as_json else print_rows(rows, kind, usual, form)
