"""ceo log."""

from __future__ import annotations

from typing import Any

import click

from ceo import transactions as work
from ceo.cli.context import Context, pass_context
from ceo.cli.doctor import EXIT_PROBLEM, EXIT_UNKNOWN
from ceo.cli.number import Number
from ceo.cli.table import Form, listing, print_json, print_rows
from ceo.doctor import verdict
from ceo_common.text import shown

Json = dict[str, Any]


@click.command()
@click.option("--host", help="Show this host only (default: all hosts).")
@click.option(
    "--limit", type=Number(1, 1000), default=50, show_default=True, help="How many rows at most."
)
@click.option("--verify", is_flag=True, help="Check that no row was changed, moved or removed.")
@listing
@pass_context
def log(context: Context, host: str | None, limit: int, verify: bool, form: Form) -> int:
    """Show who did what, newest first: your own actions, for the systems committee everybody's.

    With --verify, check that the log is genuine: each row's hash covers the row and the hash before
    it, and the fingerprint outside ceod's state_dir knows the newest row.  Somebody who can change
    that too is found by ceod's own log: each hour it records the number and the hash of the newest
    row ("audit head"), and the audit log never has fewer rows.

    Exit status with --verify: 0 when every chain holds, 1 when one is broken, 75 when a host did not answer.

    Example: ceo log --limit 10
    """
    hosts = context.client.hosts.all() if host is None else [context.host(host)]
    if verify:
        return _verify(context, hosts, form)
    rows, silent = work.audit(context.client, hosts=hosts, limit=limit)
    if form.as_json:
        print_json({"rows": rows, "silent": silent})
    else:
        print_rows(rows, "log", "when who what subject outcome", form, {"when": lambda row: work.when(row["at"])})
    for name, why in silent.items():
        click.echo(f"ceo: {name} did not answer: {shown(why)}", err=True)
    return 0


def _verify(context: Context, hosts: list[str], form: Form) -> int:
    chains = [work.verify(context.client, host) for host in hosts]
    if form.as_json:
        print_json({"chains": chains})
    else:
        print_rows(chains, "chain", "host chain rows erased head", form, {"chain": _chain})
    for chain in chains:
        if chain["state"] == "problem":
            click.echo(f"ceo: the audit log of {chain['host']} was changed: {shown(chain['problem'])}. Keep a copy of"
                       f" ceod's state_dir there, compare with a backup, and find out who did it.", err=True)
        elif chain["state"] == "unknown":
            click.echo(f"ceo: {chain['host']} did not answer: {shown(chain['problem'])}", err=True)
        if chain["accepted"]:
            click.echo(f"ceo: the audit log of {chain['host']} is {chain['accepted']}", err=True)
    return {"problem": EXIT_PROBLEM, "unknown": EXIT_UNKNOWN, "ok": 0}[verdict(chains)]


def _chain(chain: Json) -> str:
    if chain["state"] == "ok" and chain["accepted"]:
        return "holds since it was accepted"
    return {"ok": "holds", "problem": "BROKEN", "unknown": "unknown"}[chain["state"]]
