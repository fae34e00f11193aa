"""ceo members: one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from ceo import members as work
from ceo.cli import completion
from ceo.cli.context import Context, pass_context
from ceo.cli.members_many import export, import_
from ceo.cli.members_upkeep import expire, remind
from ceo.cli.table import Form, json_option, listing, print_json, print_record, print_rows
from ceo.cli.write import How, show_password, transact, writing
from ceo_common import terms as term_rules
from ceo_common.errors import NotFound, WouldLose
from ceo_common.text import shown

Json = dict[str, Any]
COUNT = click.IntRange(1, 3 * term_rules.YEARS_AHEAD)
USUAL = "uid cn program terms non_member_terms"


@click.group()
def members() -> None:
    """Members and club representatives."""


for command in (import_, export, expire, remind):
    members.add_command(command)


@members.command()
@click.argument("uid", required=False)
@click.option("--cn", metavar="NAME", help="The full name.")
@click.option("--program", help="The program of study.")
@click.option("--given-name", help="The given name.")
@click.option("--sn", metavar="SURNAME", help="The surname.")
@click.option("--terms", "count", type=COUNT, help="How many terms, from the current one on.")
@click.option("--term", "exact", multiple=True, metavar="TERM", shell_complete=completion.terms, help="An exact term such as f2026; may be repeated.")
@click.option("--rep", is_flag=True, help="As a club representative; there is no fee.")
@click.option("--forward", "addresses", multiple=True, metavar="ADDRESS", help="Forward mail to this address; may be repeated.")
@writing
@pass_context
def add(context: Context, /, uid: str | None, how: How, **given: Any) -> None:
    """Sign somebody up.

    Example: ceo members add jdoe --cn "Jane Doe" --program "Computer Science" --terms 2 --dry-run
    """
    if given["exact"] and given["count"]:
        raise click.UsageError("give --terms or --term, not both")
    if how.asking:
        uid, given = _ask(context, uid, given)
    missing = [flag for flag, value in (("UID", uid), ("--cn", given["cn"]), ("--program", given["program"])) if not value]
    if missing:
        raise click.UsageError(f"missing: {', '.join(missing)}")
    assert uid
    member = work.new_member(
        context.settings, uid=uid, cn=given["cn"], program=given["program"], count=given["count"], exact=list(given["exact"]),
        rep=given["rep"], addresses=list(given["addresses"]), given_name=given["given_name"], sn=given["sn"],
    )
    _near(context, how, uid, given["cn"])
    if how.asking:
        _review(context, member)
        click.confirm("Add this account?", default=True, abort=True, err=True)
    transact(context, how, lambda client: client.add_member(member), lambda result: [
        f"The account {result['uid']} is ready.", *show_password(result, again=f"ceo members pwreset {result['uid']}")])


def _ask(context: Context, uid: str | None, given: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Prompt for what no flag gave, with the university's word as the default."""
    client = context.client  # the password, if there is no ticket, before anything is typed
    uid = uid or click.prompt("Username (the university's userid)", err=True)
    assert uid
    known = work.look_up(client, uid) if not (given["cn"] and given["program"]) else {}
    answers = dict(given)
    answers["cn"] = given["cn"] or click.prompt("Full name", default=known.get("cn"), err=True)
    answers["program"] = given["program"] or click.prompt("Program", default=known.get("program"), err=True)
    for name in ("given_name", "sn"):
        answers[name] = given[name] or (known.get(name) if answers["cn"] == known.get("cn") else None)
    if not given["exact"] and not given["count"]:
        answers["count"] = click.prompt("Number of terms", default=1, type=COUNT, err=True)
    if not given["addresses"]:
        text = click.prompt("Forward mail to (empty: no forwarding)", default="", show_default=False, err=True)
        answers["addresses"] = tuple(work.split(text))
    return uid, answers


def _near(context: Context, how: How, uid: str, cn: str) -> None:
    """Did you mean renew?"""
    for row in work.near(context.client, uid, cn):
        until = row["last_term"] or "never"
        how.note(f"Note: {row['uid']} is {row['cn']}, a member until {until}; the same person?  Then: ceo members renew {row['uid']}")


def _review(context: Context, member: Json) -> None:
    rep = "non_member_terms" in member
    held = member.get("terms") or member["non_member_terms"]
    fee = "free for a representative" if rep else f"${context.settings.fee_per_term * len(held)}"
    rows = [("Username", member["uid"]), ("Name", member["cn"]), ("Program", member["program"]), ("Terms", ", ".join(held)), ("Fee", fee),
            ("Forwarding", ", ".join(member.get("forwarding_addresses", [])) or "none")]
    for name, value in rows:
        click.echo(f"  {name:<11}{shown(value)}", err=True)
    click.echo("Check a photo ID, and that the machine-usage policy is signed.", err=True)


@members.command()
@click.argument("uid", shell_complete=completion.uids)
@json_option
@pass_context
def get(context: Context, uid: str, as_json: bool) -> None:
    """Show everything about somebody.

    Example: ceo members get ctdalek
    """
    member = context.client.member(uid)
    print_json(member) if as_json else print_record(work.described(member))


def _asked(function: Any) -> Any:
    """The options that narrow a search."""
    for name, text, known in (
        ("position", "Members who hold this position.", completion.positions), ("program", "Members whose program contains this text.", None),
        ("group", "Members who are in this group.", completion.groups), ("term", "Members who are registered for this term.", completion.terms),
    ):
        function = click.option(f"--{name}", metavar=name.upper(), help=text, shell_complete=known)(function)
    return function


@members.command(name="list")
@_asked
@listing
@pass_context
def list_(context: Context, /, form: Form, **asked: str | None) -> None:
    """List all members, or those who match every option, sorted by username.

    Example: ceo members list --term f2026 --csv --columns uid,cn
    """
    found = list(context.client.all_members(**{name: value for name, value in asked.items() if value}))
    _print(sorted(found, key=lambda member: str(member["uid"])), form)


@members.command()
@click.argument("text", required=False)
@click.option("--uid", metavar="PART", help="Part of the username alone.")
@_asked
@click.option("--sort", metavar="ORDER", help="Sort by this field (default: uid); a wrong value lists the fields.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many at most.")
@listing
@pass_context
def search(context: Context, /, text: str | None, limit: int, form: Form, **asked: str | None) -> None:
    """Find members by username, name, part of a name, or the sound of a name; former members too.

    Example: ceo members search dalek
    """
    query = {name: value for name, value in asked.items() if value}
    if not (text or query):
        raise click.UsageError("give a TEXT to search for, or an option such as --term")
    rows: dict[str, Json] = {}
    # Who types one word may mean a name or a username.
    for by in (["name", "uid"] if text and "uid" not in query and not text.count(" ") else ["name"] if text else [""]):
        page = context.client.members(size=limit, **query, **({by: text} if text and by else {}))
        rows |= {member["uid"]: member for member in page["members"]}
        if page["found"] > limit:
            click.echo(f"ceo: the first {limit} of {page['found']}; more with --limit", err=True)
    if not rows:
        raise NotFound("no match")
    _print(list(rows.values()), form)


def _print(rows: list[Json], form: Form) -> None:
    print_json({"members": rows}) if form.as_json else print_rows(rows, USUAL, form)


@members.command()
@click.argument("uid", shell_complete=completion.uids)
@click.option("--shell", "login_shell", metavar="PATH", help="The login shell, one of /etc/shells.")
@click.option("--forward", "addresses", multiple=True, metavar="ADDRESS", help="Forward mail to this address only; may be repeated.")
@click.option("--replace", is_flag=True, help="Replace ~/.forward also where it holds more than plain addresses.")
@click.option("--no-forward", is_flag=True, help="Stop forwarding mail.")
@writing
@pass_context
def modify(context: Context, /, uid: str, login_shell: str | None, addresses: tuple[str, ...], no_forward: bool, replace: bool, how: How) -> None:
    """Change a login shell, or where mail is forwarded.

    Example: ceo members modify regular1 --forward me@example.org --dry-run
    """
    if addresses and no_forward:
        raise click.UsageError("give --forward or --no-forward, not both")
    body: Json = ({"login_shell": login_shell} if login_shell else {}) | (
        {"forwarding_addresses": list(addresses)} if addresses or no_forward else {})
    if not body:
        raise click.UsageError("missing: --shell, --forward or --no-forward")
    if replace:
        body["replace"] = True
    try:
        transact(context, how, lambda client: client.modify_member(uid, body), lambda result: [f"{uid} is changed."])
    except WouldLose as error:
        raise WouldLose(f"{error.message}; --replace replaces them", **error.more) from None


@members.command()
@click.argument("uid", shell_complete=completion.uids)
@click.option("--terms", "count", type=COUNT, help="How many terms, starting with the first one that is not paid for.")
@click.option("--term", "exact", multiple=True, metavar="TERM", shell_complete=completion.terms, help="An exact term such as f2026; may be repeated.")
@click.option("--rep", is_flag=True, help="As a club representative; there is no fee.")
@writing
@pass_context
def renew(context: Context, /, uid: str, count: int | None, exact: tuple[str, ...], rep: bool, how: How) -> None:
    """Renew a membership for more terms; a club representative who gets member terms becomes a member.

    Example: ceo members renew regular1 --terms 2 --dry-run
    """
    if exact and count:
        raise click.UsageError("give --terms or --term, not both")
    member = context.client.member(uid)
    if how.asking and not (exact or count):
        count = click.prompt("Number of terms", default=1, type=COUNT, err=True)
    held = list(exact) or work.next_terms(context.settings, member, count or 1)
    if how.asking:
        fee = "free for a representative" if rep else f"${context.settings.fee_per_term * len(held)}"
        click.confirm(f"Register {shown(member['cn'])} ({shown(uid)}) for {', '.join(held)}; fee: {fee}?", default=True, abort=True, err=True)
    transact(context, how, lambda client: client.renew_member(uid, {"non_member_terms" if rep else "terms": held}),
             lambda result: [f"{uid} is registered for {', '.join(held)}."])


def _warn(context: Context, how: How, uid: str) -> None:
    """Say before the question what a reset will not change."""
    client = context.client
    client.rehearsing = True
    *_, last = client.reset_password(uid)
    client.rehearsing = False
    plan: Json = dict(last)
    for warning in plan.get("warnings", []):
        how.note(f"Note: {warning}")


@members.command()
@click.argument("uid", shell_complete=completion.uids)
@writing
@pass_context
def pwreset(context: Context, uid: str, how: How) -> None:
    """Give somebody a temporary password, shown once.

    Example: ceo members pwreset regular1 --dry-run
    """
    if how.asking:
        _warn(context, how, uid)
    how.confirm(f"Reset the password of {uid}?")
    transact(context, how, lambda client: client.reset_password(uid), lambda result: [
        f"The password of {result['uid']} is reset.", *show_password(result, again=f"ceo members pwreset {uid}")])


@members.command()
@click.argument("uid", shell_complete=completion.uids)
@writing
@pass_context
def delete(context: Context, uid: str, how: How) -> None:
    """Delete an account: it is kept, with all its files, until somebody restores it.

    Example: ceo members delete regular1 --dry-run
    """
    how.confirm(f"Delete the account {uid}, which can be restored?")
    transact(context, how, lambda client: client.delete_member(uid), lambda result: [
        f"{uid} is deleted.  To bring it back: ceo members restore {uid}"])


@members.command()
@click.argument("uid", shell_complete=completion.uids)
@writing
@pass_context
def restore(context: Context, uid: str, how: How) -> None:
    """Bring a deleted account back: files, login, groups, mailing lists.

    Example: ceo members restore regular1 --dry-run
    """
    transact(context, how, lambda client: client.restore_member(uid), lambda result: [f"{uid} is back."])


@members.command()
@click.argument("uid", shell_complete=completion.uids)
@writing
@pass_context
def purge(context: Context, uid: str, how: How) -> None:
    """Remove an account for good; in development mode alone.

    Example: ceo members purge regular1 --dry-run
    """
    how.confirm(f"Remove {uid} and all that it has, for good?")
    transact(context, how, lambda client: client.purge_member(uid), lambda result: [f"{uid} is gone for good."])


@members.command()
@click.argument("uid", shell_complete=completion.uids)
@json_option
@pass_context
def uwldap(context: Context, uid: str, as_json: bool) -> None:
    """What the university's directory says of somebody.

    Example: ceo members uwldap jdoe
    """
    told = context.client.uw_person(uid)
    print_json(told) if as_json else print_record(_labelled(told))


def _labelled(told: Json) -> Iterator[tuple[str, str]]:
    labels = {"uid": "Username", "cn": "Name", "given_name": "Given name", "sn": "Surname", "program": "Program"}
    yield from ((labels.get(name, name), str(value)) for name, value in told.items() if value)

