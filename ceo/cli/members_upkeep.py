"""ceo members expire|remind, ceo updateprograms: what the systems committee and cron run over many at once."""

from __future__ import annotations

from typing import Any

import click

from ceo.cli import completion
from ceo.cli.context import Context, pass_context
from ceo.cli.number import Number
from ceo.cli.table import Form, print_json, print_rows
from ceo.cli.write import How, change_text, sent_again, transact, writing
from ceo_common.errors import Changed

_TABLE = Form(as_json=False, as_csv=False, columns=None, pager=False)
_WHO = "uid cn program last_term expired"


@click.command()
@click.option(
    "--count", type=Number(1), help="Expire exactly so many, or nobody if another number is due."
)
@writing
@pass_context
def expire(context: Context, count: int | None, how: How) -> None:
    """Expire the accounts whose last term and grace month are over, a limited number in one run.

    Example: ceo members expire --dry-run
    """
    def send(exact_count: int) -> None:
        transact(context, how, lambda client: client.expire_members(exact_count), lambda result: _counted(result, "expired"))

    if count and sent_again(lambda: send(count), how):
        return
    plan = context.client.expiry()
    if how.dry_run:
        _show(plan, how)
        return
    if not plan["count"]:
        _nothing(how, "expired", "nobody is due", plan)
        return
    if count and not plan["count"] <= count <= plan["count"] + len(plan.get("left_out") or {}):
        raise Changed(
            f"{plan['count']} accounts would be expired, not {count}, so nobody was;"
            " to see them: ceo members expire --dry-run"
        )
    if not how.quiet and not how.as_json:
        print_rows(plan["members"], "Lapsed", _WHO, _TABLE)
    _note_left_out(plan, how)
    how.confirm(f"Expire these {plan['count']} of {plan['due']} who are due?")
    how.exact("members expire", "--count", str(count or plan["count"]))
    send(count or plan["count"])


@click.command()
@writing
@pass_context
def remind(context: Context, how: How) -> None:
    """Mail a reminder to members whose membership is over and whose account is not expired yet.  Each gets one mail, until they renew.

    Example: ceo members remind --dry-run
    """
    def send() -> None:
        transact(context, how, lambda client: client.remind_members(), lambda result: _counted(result, "reminded"))

    how.exact("members remind")
    if sent_again(send, how):
        return
    plan = context.client.reminders()
    if how.dry_run:
        _show(plan, how)
        return
    if not plan["count"]:
        _nothing(how, "reminded", "there is nobody to remind", plan)
        return
    _note_left_out(plan, how)
    how.confirm(f"Mail {plan['count']} of {plan['due']} who are to be reminded?")
    send()


@click.command()
@click.argument("uids", nargs=-1, shell_complete=completion.uids)
@writing
@pass_context
def updateprograms(context: Context, uids: tuple[str, ...], how: How) -> None:
    """Update programs from the university's directory, for all members or for those named.

    Example: ceo updateprograms --dry-run
    """
    whom = list(uids) or None

    def send() -> None:
        transact(context, how, lambda client: client.update_programs(whom), lambda result: _counted(result, "updated"))

    if sent_again(send, how):
        return
    plan = context.client.programs(whom)
    told = f"{len(plan['changes'])} of {plan['looked_at']} differ; {plan['unknown']} are unknown to the university"
    if how.dry_run:
        if how.as_json:
            print_json(plan)
        else:
            print_rows(plan["changes"], "ProgramChange", "uid old new", _TABLE)
            _note_left_out(plan, how)
            how.note(f"{told}; nothing was changed")
        return
    if not plan["changes"]:
        _nothing(how, "updated", told, plan)
        return
    if not how.quiet and not how.as_json:
        print_rows(plan["changes"], "ProgramChange", "uid old new", _TABLE)
    _note_left_out(plan, how)
    how.confirm(f"Change these {len(plan['changes'])} programs?")
    how.exact("updateprograms", *uids)
    send()


def _show(plan: dict[str, Any], how: How) -> None:
    if how.as_json:
        print_json(plan)
        return
    print_rows(plan["members"], "Lapsed", _WHO, _TABLE)
    _note_left_out(plan, how)
    for change in plan["changes"]:
        how.note(f"  {change_text(change)}")
    how.note(f"{plan['due']} are due, {plan['count']} in one run; nothing was changed")


def _left_out(told: dict[str, Any]) -> list[str]:
    """A line for each account that a plan or a result leaves out."""
    return [f"{uid}: left out, because {why}" for uid, why in (told.get("left_out") or {}).items()]


def _note_left_out(plan: dict[str, Any], how: How) -> None:
    for line in _left_out(plan):
        how.note(line)


def _nothing(how: How, what: str, why: str, plan: dict[str, Any]) -> None:
    """The end of a run that had nothing to do, in the form of any other."""
    left_out = plan.get("left_out") or {}
    result = {what: 0, "failed": {}, "left_out": left_out}
    how.note("all of them are in another transaction; try again later" if left_out else why)
    print_json({"status": "completed", "result": result, "waiting": []}) if how.as_json else click.echo(_counted(result, what)[0])


def _counted(result: dict[str, Any], what: str) -> list[str]:
    return [
        f"{result[what]} {what}.",
        *(f"{uid}: {why}" for uid, why in (result.get("failed") or {}).items()),
        *_left_out(result),
    ]
