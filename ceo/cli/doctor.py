"""ceo doctor."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from ceo import doctor as work
from ceo.cli.context import Context, pass_context
from ceo.cli.steps import Steps
from ceo.cli.table import print_json
from ceo.cli.write import How, followed, print_rehearsal, sent_again, show_password, writing
from ceo_common.config import CLIENT_FILE
from ceo_common.errors import CeoError, NotFound
from ceo_common.text import shown

EXIT_PROBLEM = 1
EXIT_UNKNOWN = 75  # sysexits.h, EX_TEMPFAIL: ask again later
_STATES = {"ok": "ok", "problem": "PROBLEM", "unknown": "unknown"}

Json = dict[str, Any]


@click.command()
@click.argument("uid", required=False)
@click.option("--directory", is_flag=True, help="Examine the entries of all accounts and groups.")
@click.option("--fix", is_flag=True, help="Repair the problems of the account UID that ceod can repair.")
@writing
@pass_context
def doctor(
    context: Context, /, how: How, uid: str | None, fix: bool, directory: bool
) -> int:
    """Check this machine, or an account on every server; each problem is shown with its repair.

    With --directory, examine what is written into LDAP: entries that are broken, second names,
    attributes with options, numbers that are shared or were chosen by hand, members who are not
    there.  Most of it was written past ceod, which leaves it out of every list.

    Exit status: 0 when all is well, 1 when something is wrong, 75 when something could not be looked at.

    Example: ceo doctor regular1 --fix --dry-run
    """
    context.may_write &= fix
    if directory and (uid is not None or fix):
        raise click.UsageError(
            "--directory can't be combined with UID or --fix; to repair an account: ceo doctor UID --fix"
        )
    if uid is None:
        if fix:
            raise click.UsageError("--fix needs a username: ceo doctor UID --fix")
        rows = (
            work.examine_directory(context.client)
            if directory
            else work.examine_machine(context.session, work.config_path(CLIENT_FILE))
        )
        found = _shown(rows, how)
        if how.as_json:
            print_json({"findings": found})
        return _status(found)
    if fix:
        how.exact("doctor", uid, "--fix")
    outcome: Json = {}
    if fix and sent_again(lambda: _repair(context, how, uid), how):
        found, outcome = _examined_again(context, how, uid), {"result": context.result}
    else:
        found = _shown(work.examine(context.client, uid), how)
        if fix and any(finding["fixable"] for finding in found):
            found, outcome = _mended(context, how, uid, found)
        elif fix:
            how.note("There is nothing that ceod can repair.")
    if how.as_json:
        print_json({"findings": found, **outcome})
    return _status(found)


def _mended(
    context: Context, how: How, uid: str, found: list[Json]
) -> tuple[list[Json], Json]:
    """The findings after the repair, and the outcome of the repair."""
    if how.dry_run:
        return found, _dry_run(context, how, uid)
    how.note("To be repaired:")
    for finding in found:
        if finding["fixable"]:
            how.note(f"  {finding['check']}: {finding['mend']}")
    how.confirm(f"Repair the account {uid}?")
    result = _repair(context, how, uid)
    return _examined_again(context, how, uid), {"result": result}


def _dry_run(context: Context, how: How, uid: str) -> Json:
    client = context.client
    client.rehearsing = True
    plan = dict(followed(client.mend(uid), Steps(quiet=True)))
    if not how.as_json:
        print_rehearsal(plan, how)
    names = ("operation", "subject", "changes", "steps", "warnings")
    return {"rehearsal": {name: plan[name] for name in names}}


def _repair(context: Context, how: How, uid: str) -> Json:
    """The result.  Raises NotFound (there is nothing to repair), as followed()."""
    client = context.client
    client.key = how.key
    last = followed(client.mend(uid), Steps(quiet=how.as_json or how.quiet))
    result = context.result = dict(last.get("result", {}))
    for warning in result.get("warnings", []):
        how.note(f"Note: {warning}")
    if waiting := last.get("waiting"):
        how.note(
            "Not done yet, because the server does not answer; ceod does it later by itself:"
            f" {', '.join(waiting)}"
        )
    if "temporary_password" in result and not how.as_json:
        for line in show_password(result, again=f"ceo members pwreset {uid}"):
            click.echo(shown(line))
    return result


def _examined_again(context: Context, how: How, uid: str) -> list[Json]:
    """The findings after a repair; that they can't be had does not lose the repair's result."""
    how.note("Examined again:")
    try:
        return _shown(work.examine(context.client, uid), how)
    except NotFound:
        how.note(f"There is no account {uid}, and nothing of it is left.")
        return []
    except CeoError as error:
        again = f"run ceo doctor {uid} again; the repair was made"
        return _shown([work.finding("account check", "unknown", uid, error.message, again)], how)


def _shown(findings: Iterable[Json], how: How) -> list[Json]:
    """The findings, each printed as it is found."""
    found = []
    for finding in findings:
        found.append(finding)
        if not how.as_json and not (how.quiet and finding["state"] == "ok"):
            click.echo(f"{_STATES[finding['state']]:<8} {shown(finding['check']):<24} {shown(finding['looked_at'])}: {shown(finding['found'])}")
            if finding["mend"]:
                click.echo(f"{'':<8} {'':<24} -> {shown(finding['mend'])}")
    return found


def _status(found: list[Json]) -> int:
    return {"problem": EXIT_PROBLEM, "unknown": EXIT_UNKNOWN, "ok": 0}[work.verdict(found)]
