"""ceo members add|get|pwreset."""

from __future__ import annotations

import sys
from typing import Any

import click

from ceo import members as work
from ceo.cli.context import Context, json_option, pass_context, print_json
from ceo.cli.steps import Steps
from ceo_common import terms as term_rules
from ceo_common.events import Event
from ceo_common.text import shown


@click.group()
def members() -> None:
    """Members and club representatives."""


@members.command()
@click.argument("uid", required=False)
@click.option("--cn", metavar="NAME", help="The full name.")
@click.option("--program", help="The program of study.")
@click.option("--given-name", help="The given name.")
@click.option("--sn", metavar="SURNAME", help="The surname.")
@click.option("--terms", "count", type=click.IntRange(1, 3 * term_rules.YEARS_AHEAD), help="How many terms, from the current one on.")
@click.option("--term", "exact", multiple=True, metavar="TERM", help="An exact term such as f2026; may be repeated.")
@click.option("--rep", is_flag=True, help="A club representative, who pays nothing.")
@click.option("--forward", "addresses", multiple=True, metavar="ADDRESS", help="Forward mail there; may be repeated.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@json_option
@pass_context
def add(context: Context, /, uid: str | None, yes: bool, as_json: bool, **given: Any) -> None:
    """Sign somebody up.

    Example: ceo members add jdoe --cn "Jane Doe" --program "Computer Science" --terms 2
    """
    if given["exact"] and given["count"]:
        raise click.UsageError("give --terms or --term, not both")
    asking = sys.stdin.isatty() and not as_json and not yes
    client = context.client
    if asking:
        uid, given = _ask(context, uid, given)
    missing = [flag for flag, value in (("UID", uid), ("--cn", given["cn"]), ("--program", given["program"])) if not value]
    if missing:
        raise click.UsageError(f"missing: {', '.join(missing)}")
    assert uid
    member = work.new_member(
        context.settings, uid=uid, cn=given["cn"], program=given["program"], count=given["count"], exact=list(given["exact"]),
        rep=given["rep"], addresses=list(given["addresses"]), given_name=given["given_name"], sn=given["sn"],
    )
    if asking:
        _review(context, member)
        click.confirm("Add this account?", default=True, abort=True, err=True)
    steps = Steps(quiet=as_json)
    _finish(lambda: work.create_member(client, member, steps), steps, as_json=as_json)


def _ask(context: Context, uid: str | None, given: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Prompt for what no flag gave, with the university's word as the default."""
    uid = uid or click.prompt("Username (the university's userid)", err=True)
    assert uid
    known = work.look_up(context.client, uid) if not (given["cn"] and given["program"]) else {}
    answers = dict(given)
    answers["cn"] = given["cn"] or click.prompt("Full name", default=known.get("cn"), err=True)
    answers["program"] = given["program"] or click.prompt("Program", default=known.get("program"), err=True)
    for name in ("given_name", "sn"):
        answers[name] = given[name] or (known.get(name) if answers["cn"] == known.get("cn") else None)
    if not given["exact"] and not given["count"]:
        answers["count"] = click.prompt("Number of terms", default=1, type=click.IntRange(1, 3 * term_rules.YEARS_AHEAD), err=True)
    if not given["addresses"]:
        text = click.prompt("Forward mail to (empty: nowhere)", default="", show_default=False, err=True)
        answers["addresses"] = tuple(work.split(text))
    return uid, answers


def _review(context: Context, member: dict[str, Any]) -> None:
    rep = "non_member_terms" in member
    held = member.get("terms") or member["non_member_terms"]
    fee = "free for a representative" if rep else f"${context.settings.fee_per_term * len(held)}"
    rows = [("Username", member["uid"]), ("Name", member["cn"]), ("Program", member["program"]), ("Terms", ", ".join(held)), ("Fee", fee),
            ("Forwarding", ", ".join(member.get("forwarding_addresses", [])) or "nowhere")]
    for name, value in rows:
        click.echo(f"  {name:<11}{shown(value)}", err=True)
    click.echo("Check a photo ID, and that the machine-usage policy is signed.", err=True)


@members.command()
@click.argument("uid")
@json_option
@pass_context
def get(context: Context, uid: str, as_json: bool) -> None:
    """Show everything about somebody.

    Example: ceo members get ctdalek
    """
    member = context.client.member(uid)
    if as_json:
        print_json(member)
        return
    for name, value in work.described(member):
        click.echo(f"{name + ':':<20}{shown(value)}")


@members.command()
@click.argument("uid")
@click.option("--yes", is_flag=True, help="Don't ask.")
@json_option
@pass_context
def pwreset(context: Context, uid: str, yes: bool, as_json: bool) -> None:
    """Give somebody a temporary password, shown once.

    Example: ceo members pwreset regular1 --yes
    """
    client = context.client
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("missing: --yes")
        click.confirm(f"Reset the password of {shown(uid)}?", abort=True, err=True)
    steps = Steps(quiet=as_json)
    _finish(lambda: work.reset_password(client, uid, steps), steps, as_json=as_json)


def _finish(run: Any, steps: Steps, *, as_json: bool) -> None:
    """Run a transaction and show its result."""
    try:
        last: Event = run()
    except KeyboardInterrupt:
        if steps.transaction:
            click.echo(f"\nceo: it goes on without you; look with: ceo transactions show {steps.transaction}", err=True)
        raise
    if as_json:
        print_json(last)
        return
    result = last.get("result", {})
    for warning in result.get("warnings", []):
        click.echo(f"Note: {shown(warning)}", err=True)
    if waiting := last.get("waiting"):
        click.echo(f"Waits for its server, and is done by itself later: {shown(', '.join(waiting))}", err=True)
    click.echo(f"The account {shown(result['uid'])} is ready." if "cn" in result else f"The password of {shown(result['uid'])} is reset.")
    if result.get("temporary_password"):
        click.echo(f"Temporary password: {shown(result['temporary_password'])}   (shown this once; it has to be changed at the first login)")
    else:
        click.echo(f"The password was shown to whoever asked first. To get another: ceo members pwreset {shown(result['uid'])}")
