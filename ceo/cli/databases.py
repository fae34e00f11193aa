"""ceo mysql and ceo postgresql: create|pwreset|get, the same of both."""

from __future__ import annotations

from typing import Any

import click

from ceo.cli import completion
from ceo.cli.context import Context, pass_context
from ceo.cli.noun import Noun
from ceo.cli.table import json_option, print_json
from ceo.cli.write import How, transact, writing

Json = dict[str, Any]


def _group(kind: str, title: str) -> click.Group:
    @click.group(name=kind, cls=Noun, help=f"{title} databases of accounts.")
    def group() -> None:
        pass

    @group.command(help=f"Give an account a {title} database of its own; the password is shown once.\n\n"
                   f"Example: ceo {kind} create regular1 --dry-run")
    @click.argument("uid", shell_complete=completion.uids)
    @writing
    @pass_context
    def create(context: Context, uid: str, how: How) -> None:
        transact(context, how, lambda client: client.create_database(kind, uid), lambda result: _told(result, title))

    @group.command(help=f"Give a {title} database another password, shown once.\n\nExample: ceo {kind} pwreset regular1 --dry-run")
    @click.argument("uid", shell_complete=completion.uids)
    @writing
    @pass_context
    def pwreset(context: Context, uid: str, how: How) -> None:
        how.confirm(f"Give the {title} database of {uid} another password?")
        transact(context, how, lambda client: client.reset_database(kind, uid), lambda result: _told(result, title))

    @group.command(help=f"Whether an account has a {title} database.\n\nExample: ceo {kind} get regular1")
    @click.argument("uid", shell_complete=completion.uids)
    @json_option
    @pass_context
    def get(context: Context, uid: str, as_json: bool) -> None:
        told = context.client.databases(uid)
        print_json(told) if as_json else click.echo(f"{uid} has {'a' if told[kind] else 'no'} {title} database")

    return group


def _told(result: Json, title: str) -> list[str]:
    password = result["password"] or f"shown to the first request only; to set a new one: ceo {result['kind']} pwreset {result['uid']}"
    rows = [("Host", result["host"]), ("Database", result["database"]), ("Username", result["username"]), ("Password", password)]
    file = [f"It is also in {result['info_file']}."] if result["info_file"] else []
    return [f"The {title} database of {result['uid']}:", *(f"  {name + ':':<11}{value}" for name, value in rows), *file]


mysql = _group("mysql", "MySQL")
postgresql = _group("postgresql", "PostgreSQL")
