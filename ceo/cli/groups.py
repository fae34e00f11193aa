"""ceo clubs, ceo groups, ceo positions."""

from __future__ import annotations

from typing import Any

import click

from ceo.cli import completion
from ceo.cli.context import Context, pass_context
from ceo.cli.noun import Noun
from ceo.cli.table import Form, json_option, listing, print_json, print_record, print_rows
from ceo.cli.write import How, transact, writing
from ceo_common.errors import Changed, NotFound
from ceo_common.text import shown

Json = dict[str, Any]


@click.group(cls=Noun)
def clubs() -> None:
    """Clubs, which have an account and a group."""


@clubs.command(name="list")
@listing
@pass_context
def list_clubs(context: Context, form: Form) -> None:
    """List the clubs, and how many people may act as each.

    Example: ceo clubs list
    """
    rows = context.client.clubs()
    print_json({"clubs": rows}) if form.as_json else print_rows(rows, "ClubSummary", "uid cn members", form)


@clubs.command(name="get")
@click.argument("uid", shell_complete=completion.clubs)
@json_option
@pass_context
def get_club(context: Context, uid: str, as_json: bool) -> None:
    """Show a club, and who may act as it.

    Example: ceo clubs get go-club
    """
    club = context.client.club(uid)
    if as_json:
        print_json(club)
        return
    state = "deleted" if club["deleted"] else "expired" if club["expired"] else ""
    rows = [("Username", club["uid"]), ("Name", club["cn"]), ("User number", str(club["uid_number"])),
            ("Home directory", club["home_directory"]), ("Members", " ".join(club["members"])), ("State", state)]
    print_record([(name, value) for name, value in rows if value])


@clubs.command(name="add")
@click.argument("uid")
@click.option("--cn", metavar="NAME", required=True, help="The club's name.")
@writing
@pass_context
def add_club(context: Context, uid: str, cn: str, how: How) -> None:
    """Make a club: an account without a password, its group, and the right of its members to act as it.

    Example: ceo clubs add chess-club --cn "Chess Club" --dry-run
    """
    transact(context, how, lambda client: client.add_club({"uid": uid, "cn": cn}), lambda result: [
        f"The club {result['uid']} is ready.  Give it a representative: ceo groups add-member {result['uid']} UID"])


@click.group(cls=Noun)
def groups() -> None:
    """Groups and their members."""


@groups.command(name="add")
@click.argument("group")
@writing
@pass_context
def add_group(context: Context, group: str, how: How) -> None:
    """Make a group.

    Example: ceo groups add webcom --dry-run
    """
    transact(context, how, lambda client: client.add_group(group), lambda result: [f"The group {result['cn']} is ready."])


@groups.command()
@click.argument("group", shell_complete=completion.groups)
@json_option
@pass_context
def get(context: Context, group: str, as_json: bool) -> None:
    """Show the members of a group, and the groups and lists that belong to it.

    Example: ceo groups get syscom
    """
    told = context.client.group(group)
    if as_json:
        print_json(told)
        return
    rows = [("Group", told["cn"]), ("Group number", str(told["gid_number"] or "")), ("Members", " ".join(told["members"])),
            ("Lists", " ".join(told["lists"])), ("Groups that follow", " ".join(told["implies"]))]
    print_record([(name, value) for name, value in rows if value])


@groups.command()
@click.argument("text", required=False, default="", shell_complete=completion.groups)
@listing
@pass_context
def search(context: Context, text: str, form: Form) -> None:
    """List the groups whose name contains TEXT, or all groups, without each account's own group.

    Example: ceo groups search com
    """
    rows = [row for row in context.client.groups() if text.lower() in row["cn"].lower()]
    if not rows:
        raise NotFound("no group name contains that text")
    if form.as_json:
        print_json({"groups": rows})
        return
    print_rows(rows, "GroupSummary", "cn gid_number members", form)


@groups.command()
@click.argument("group", shell_complete=completion.groups)
@click.argument("uid", shell_complete=completion.uids)
@writing
@pass_context
def add_member(context: Context, group: str, uid: str, how: How) -> None:
    """Add somebody to a group, and to the groups and lists that belong to it.

    Example: ceo groups add-member office regular1 --dry-run
    """
    transact(context, how, lambda client: client.add_to_group(group, uid), _outcomes)


@groups.command()
@click.argument("group", shell_complete=completion.groups)
@click.argument("uid", shell_complete=completion.uids)
@writing
@pass_context
def remove_member(context: Context, group: str, uid: str, how: How) -> None:
    """Remove somebody from a group, and from the groups and lists that belong to it.

    Example: ceo groups remove-member go-club rep1 --dry-run
    """
    how.confirm(f"Take {uid} out of {group}, and of the groups and lists that belong to it?")
    transact(context, how, lambda client: client.remove_from_group(group, uid), _outcomes)


def _outcomes(result: Json) -> list[str]:
    return [f"{result['uid']}, {group}: {outcome}" for group, outcome in result["groups"].items()]


@click.group(cls=Noun)
def positions() -> None:
    """The positions of the club."""


@positions.command(name="get")
@json_option
@pass_context
def get_positions(context: Context, as_json: bool) -> None:
    """Show who holds each position.

    Example: ceo positions get
    """
    told = context.client.positions()
    if as_json:
        print_json(told)
        return
    print_record([(f"{name} *" if name in told["required"] else name, " ".join(uids) or "nobody") for name, uids in told["positions"].items()])
    click.echo("* has to be held by somebody", err=True)


@positions.command(name="set")
@click.argument("pairs", metavar="POSITION=UID,... ...", nargs=-1, required=True, shell_complete=completion.holders)
@writing
@pass_context
def set_positions(context: Context, pairs: tuple[str, ...], how: How) -> None:
    """Set who holds a position.  POSITION= without a name empties it; positions that are not named do not change.

    Example: ceo positions set librarian=regular1 imapd= --dry-run
    """
    wanted: dict[str, list[str]] = {}
    for pair in pairs:
        name, equals, uids = pair.partition("=")
        if not equals:
            raise click.UsageError(f"{pair!r} is not POSITION=UID,...")
        wanted[name] = [uid for uid in uids.split(",") if uid]
    held = context.client.positions()["positions"]
    changes = {name: new for name, new in wanted.items() if sorted(new) != sorted(held.get(name, []))}
    if how.asking:
        for name, new in changes.items():
            click.echo(f"  {shown(name)}: {shown(' '.join(held.get(name, [])) or 'nobody')} -> {shown(' '.join(new) or 'nobody')}", err=True)
    how.confirm(f"Change {len(changes)} {'position' if len(changes) == 1 else 'positions'}?")
    if how.asking:
        # The question may have stood there for an hour.
        _check_unchanged(context, {name: held.get(name, []) for name in changes})
    transact(context, how, lambda client: client.set_positions(wanted), lambda result: [
        f"{name}: {' '.join(uids) or 'nobody'}" for name, uids in wanted.items()] if result["changed"] else ["Nothing changed."])


def _check_unchanged(context: Context, before: dict[str, list[str]]) -> None:
    """Look whether the same people hold the positions as in the question.  Raises Changed."""
    held = context.client.positions()["positions"]
    changed = [name for name, uids in before.items() if sorted(held.get(name, [])) != sorted(uids)]
    if changed:
        raise Changed(
            f"somebody else changed {', '.join(changed)} meanwhile, so nothing was changed;"
            " run the command again to see who holds them now"
        )
