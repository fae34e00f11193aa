"""ceo members: one at a time."""

from __future__ import annotations

import contextlib
import functools
import shlex
from collections.abc import Iterator
from typing import Any

import click

from ceo import members as work
from ceo.cli import completion
from ceo.cli.context import Context, pass_context
from ceo.cli.members_many import export, import_
from ceo.cli.members_upkeep import expire, remind
from ceo.cli.noun import Noun
from ceo.cli.number import Number
from ceo.cli.prompts import prompt
from ceo.cli.table import Form, json_option, listing, print_json, print_record, print_rows
from ceo.cli.write import How, change_text, show_password, transact, writing
from ceo_common import terms as term_rules
from ceo_common.errors import (
    BackendDown,
    Busy,
    Deleted,
    Exists,
    Forbidden,
    InRecovery,
    Invalid,
    LeftBehind,
    NotFound,
    TooMany,
    Unreachable,
    WouldLose,
)
from ceo_common.model import names
from ceo_common.text import shown

Json = dict[str, Any]
COUNT = Number(1, 3 * term_rules.YEARS_AHEAD)
USUAL = "uid cn program terms non_member_terms"


@click.group(cls=Noun)
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
    if how.asking and not (how.has_given_key and uid and given["cn"] and given["program"]):
        member = _asked_member(context, uid, given)
    else:
        # With a key the account may be this command's own, so ceod's word that it exists is no problem to ask about.
        missing = [flag for flag, value in (("UID", uid), ("--cn", given["cn"]), ("--program", given["program"])) if not value]
        if missing:
            raise click.UsageError(f"missing: {', '.join(missing)}")
        assert uid
        member = _new_member(context, uid, given)
    _near(context, how, member["uid"], member["cn"])
    how.exact("members add", *_add_words(member))
    if how.asking:
        _review(context, member)
    if how.asking or not given["exact"]:
        how.confirm(_add_question(context, member, how), default=True, instead="--yes, or --term for exact terms")
    transact(context, how, lambda client: client.add_member(member), lambda result: [
        f"The account {result['uid']} is ready.", *show_password(result, again=f"ceo members pwreset {result['uid']}")])


def _new_member(context: Context, uid: str, given: dict[str, Any]) -> Json:
    return work.new_member(
        context.settings, uid=uid, cn=given["cn"], program=given["program"], count=given["count"], exact=list(given["exact"]),
        rep=given["rep"], addresses=list(given["addresses"]), given_name=given["given_name"], sn=given["sn"],
    )


def _add_words(member: Json) -> list[str]:
    """The arguments that add exactly this member; what it lacks is left out."""
    words = [member["uid"]] if member.get("uid") else []
    options = [("cn", "--cn"), ("program", "--program"), ("given_name", "--given-name"), ("sn", "--sn")]
    words += [word for name, option in options if name in member for word in (option, member[name])]
    words += [word for term in _terms_of(member) for word in ("--term", term)]
    words += [word for address in member.get("forwarding_addresses", []) for word in ("--forward", address)]
    return [*words, "--rep"] if "non_member_terms" in member else words


def _terms_of(member: Json) -> list[str]:
    return list(member.get("terms") or member.get("non_member_terms", []))


def _add_question(context: Context, member: Json, how: How) -> str:
    if how.asking:
        return "Add this account?"
    terms = _terms_of(member)
    fee = work.fee(context.settings, terms, rep="non_member_terms" in member)
    return f"Add {member['uid']} for {', '.join(terms)}; fee: {fee}?"


def _asked_member(context: Context, uid: str | None, given: dict[str, Any]) -> Json:
    """The member, by prompts for what no flag gave; what ceod would refuse is asked for again."""
    client = context.client  # the password, if there is no ticket, before anything is typed
    answers: dict[str, Any] = given | {"uid": uid}
    problems: dict[str, str] = {}
    with _kept_answers(answers):
        while True:
            _ask_for_missing(context, answers, problems)
            member = _new_member(context, answers["uid"], answers)
            try:
                work.dry_run(client, functools.partial(client.add_member, member))
            except (Invalid, Exists, Deleted, LeftBehind) as error:
                problems = work.by_field(error) or {"uid": error.message}
                _show_problems(problems)
            else:
                return member


@contextlib.contextmanager
def _kept_answers(answers: dict[str, Any]) -> Iterator[None]:
    """Where ceod can't be asked now, say the command that goes on with the answers so far."""
    try:
        yield
    except (BackendDown, Busy, InRecovery, TooMany, Unreachable) as error:
        command = shlex.join(["ceo", "members", "add", *_words_so_far(answers)])
        error.message += f"\nTo go on with your answers later, run: {command}"
        raise


def _words_so_far(answers: dict[str, Any]) -> list[str]:
    member = {name: answers[name] for name in ("uid", "cn", "program", "given_name", "sn") if answers[name]}
    member["non_member_terms" if answers["rep"] else "terms"] = list(answers["exact"])
    member["forwarding_addresses"] = list(answers["addresses"])
    count = [] if answers["exact"] or not answers["count"] else ["--terms", str(answers["count"])]
    return [*_add_words(member), *count]


_ASKED = ("uid", "cn", "program", "terms", "forwarding_addresses")


def _show_problems(problems: dict[str, str]) -> None:
    """Raises Invalid where it is nothing that a prompt asks for."""
    if not problems.keys() & set(_ASKED):
        message = "; ".join(problems.values())
        raise Invalid(message, problems=[{"field": field, "message": text} for field, text in problems.items()])
    for text in problems.values():
        click.echo(f"Error: {shown(text)}", err=True)


def _ask_for_missing(context: Context, answers: dict[str, Any], problems: dict[str, str]) -> None:
    """Prompt for each answer that is missing or has a problem; one that is there is the default."""
    settings, client = context.settings, context.client

    def needs(field: str, value: Any) -> bool:
        return not value or field in problems

    if needs("uid", answers["uid"]):
        answers["uid"] = prompt("Username (the university's userid)", lambda text: work.username_refusal(client, settings, text),
                                default=answers["uid"] if problems else None)
    uid = answers["uid"]
    known = {} if answers["cn"] and answers["program"] else work.look_up(client, uid)
    if needs("cn", answers["cn"]):
        answers["cn"] = prompt("Full name", lambda text: names.full_name_problem(text, uid), default=answers["cn"] or known.get("cn"))
    if needs("program", answers["program"]):
        answers["program"] = prompt("Program", lambda text: names.text_problem(text, "the program"),
                                    default=answers["program"] or known.get("program"))
    for name in ("given_name", "sn"):
        answers[name] = answers[name] or (known.get(name) if answers["cn"] == known.get("cn") else None)
    if needs("terms", answers["exact"] or answers["count"]):
        text = prompt("Number of terms", lambda text: work.terms_problem(settings, text), default="1")
        answers["exact"] = tuple(work.wanted_terms(settings, text))
    if needs("forwarding_addresses", answers["addresses"] or answers.get("no_addresses")):
        # A refused address is no default: Enter has to mean no forwarding again.
        text = prompt("Forward mail to (empty: no forwarding)", work.addresses_problem, default="")
        answers["addresses"] = tuple(work.split(text))
        answers["no_addresses"] = not text


def _near(context: Context, how: How, uid: str, cn: str) -> None:
    """Did you mean renew?"""
    rows: list[Json] = []
    with contextlib.suppress(Forbidden):  # then the sign-up is refused, with its own rule
        rows = work.near(context.client, uid, cn)
    for row in rows:
        if how.has_given_key and row["uid"] == uid:
            continue  # this very command made that account
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
    query = {name: value for name, value in asked.items() if value is not None}
    found = list(context.client.all_members(**query))
    if not found:
        work.check_narrowing(context.client, query)
        click.echo("ceo: no match", err=True)
    _print(sorted(found, key=lambda member: str(member["uid"])), form)


@members.command()
@click.argument("text", required=False)
@click.option("--uid", metavar="PART", help="Part of the username alone.")
@_asked
@click.option("--sort", metavar="ORDER", help="Sort by this field (default: uid); a wrong value lists the fields.")
@click.option(
    "--limit", type=Number(1, 1000), default=50, show_default=True, help="How many at most."
)
@listing
@pass_context
def search(context: Context, /, text: str | None, limit: int, form: Form, **asked: str | None) -> None:
    """Find members by username, name, part of a name, or the sound of a name; former members too.

    Example: ceo members search dalek
    """
    query = {name: value for name, value in asked.items() if value is not None}
    if not (text or any(query.values())):
        raise click.UsageError("give a TEXT to search for, or an option such as --term")
    rows: dict[str, Json] = {}
    most = 0
    # Who types one word may mean a name or a username.
    for by in (["name", "uid"] if text and "uid" not in query and not text.count(" ") else ["name"] if text else [""]):
        page = context.client.members(size=limit, **query, **({by: text} if text and by else {}))
        rows |= {member["uid"]: member for member in page["members"] if member["uid"] not in rows}
        most = max(most, page["found"])
    found = list(rows.values())[:limit]
    if max(most, len(rows)) > limit:
        click.echo(f"ceo: these are the first {limit}; --limit shows more", err=True)
    if not rows:
        work.check_narrowing(context.client, query)
        raise NotFound("no match")
    _print(found, form)


def _print(rows: list[Json], form: Form) -> None:
    print_json({"members": rows}) if form.as_json else print_rows(rows, "Member", USUAL, form)


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
        if uid != context.principal.partition("@")[0]:
            _confirm_for_another(context, how, uid, body)
        transact(context, how, lambda client: client.modify_member(uid, body), lambda result: [f"{uid} is changed."])
    except WouldLose as error:
        raise WouldLose(f"{error.message}; --replace replaces them", **error.more) from None


def _confirm_for_another(context: Context, how: How, uid: str, body: Json) -> None:
    """Show what another person's account has now and would have, and ask.

    Raises as dry_run(), and as confirm().
    """
    if how.yes or how.dry_run:
        return
    client = context.client
    plan = work.dry_run(client, functools.partial(client.modify_member, uid, body))
    if not plan["changes"]:
        return
    for change in plan["changes"]:
        click.echo(shown(change_text(change)), err=True)
    how.confirm(f"Change this for {uid}?")


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
    if how.has_given_key and not exact:
        # What was renewed by the first run would be counted from by the second.
        raise click.UsageError("with --key name the terms, such as --term f2026: a number of terms means other terms the second time")
    member = context.client.member(uid)
    if exact:
        wanted = _exact_terms(exact)
    else:
        if how.asking and not count:
            count = int(prompt("Number of terms", _count_problem, default="1"))
        wanted = work.next_terms(context.settings, member, count or 1)
    held = {*member["terms"], *(member["non_member_terms"] if rep else [])}
    already, new = [term for term in wanted if term in held], [term for term in wanted if term not in held]
    if not new:
        _told_already(how, uid, already)
        return
    if already:
        how.note(f"Note: {uid} is registered for {', '.join(already)} already.")
    how.exact("members renew", uid, *(word for term in new for word in ("--term", term)), *(["--rep"] if rep else []))
    if not how.asking:
        _note_past(context, how, new)
    if how.asking or not exact:
        if registered := work.registered_note(context.settings, member, new):
            how.note(f"Note: {registered}")
        fee = work.fee(context.settings, new, rep=rep)
        how.confirm(f"Register {member['cn']} ({uid}) for {_with_past(context, new)}; fee: {fee}?", default=True,
                    instead=f"--yes, or {' '.join(f'--term {term}' for term in new)}")
    if not exact:
        how.note(f"{uid} pays for {', '.join(new)}: {work.fee(context.settings, new, rep=rep)}.")
    transact(context, how, lambda client: client.renew_member(uid, {"non_member_terms" if rep else "terms": new}),
             lambda result: [f"{uid} is registered for {', '.join(new)}."])


def _past(context: Context, terms: list[str]) -> list[str]:
    now = term_rules.current(context.settings.time_zone)
    return [term for term in terms if term_rules.Term.parse(term) < now]


def _with_past(context: Context, terms: list[str]) -> str:
    """Terms for a question, which says of each one that is over that it is."""
    past = _past(context, terms)
    return ", ".join(f"{term} (already over)" if term in past else term for term in terms)


def _note_past(context: Context, how: How, terms: list[str]) -> None:
    if past := _past(context, terms):
        how.note(f"Note: {', '.join(past)} {'is' if len(past) == 1 else 'are'} already over.")


def _exact_terms(exact: tuple[str, ...]) -> list[str]:
    """Raises Invalid."""
    try:
        return list(dict.fromkeys(str(term_rules.Term.parse(text)) for text in exact))
    except ValueError as error:
        raise Invalid(str(error), problems=[{"field": "terms", "message": str(error)}]) from None


def _count_problem(text: str) -> str | None:
    most = 3 * term_rules.YEARS_AHEAD
    if text.isascii() and text.isdigit() and 1 <= int(text[:4]) <= most:
        return None
    return f"give a number from 1 to {most}"


def _told_already(how: How, uid: str, terms: list[str]) -> None:
    """Everything that was asked for is so: that is no error."""
    if how.as_json:
        result = {"uid": uid, "terms": [], "non_member_terms": [], "unexpired": False, "warnings": [], "already": terms}
        print_json({"status": "completed", "result": result, "waiting": []})
    else:
        click.echo(shown(f"{uid} is registered for {', '.join(terms)} already; nothing was changed."))


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

