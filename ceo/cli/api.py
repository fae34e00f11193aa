"""ceo api: what programs would do with curl, with ticket, delegation, TLS and the right host taken care of."""

from __future__ import annotations

import json
import sys
import uuid
from typing import Any

import click

from ceo.cli.context import Context, pass_context
from ceo.cli.write import How, key_option, repeatable
from ceo_common.errors import Invalid, WrongHost


@click.command()
@click.argument("method", type=click.Choice(["GET", "POST", "PUT", "PATCH", "DELETE"], case_sensitive=False))
@click.argument("path")
@click.argument("body", required=False, metavar="[JSON|-]")
@click.option(
    "--host",
    help="Ask this host, by its whole or its short name; by default the one that serves the path.",
)
@key_option
@pass_context
def api(context: Context, method: str, path: str, body: str | None, host: str | None, key: uuid.UUID | None) -> int:
    """Send one request to ceod and print its answer unchanged, each line of a stream at once.  An error is JSON too.

    With - the body is read from standard input.  A transaction that is undone ends with exit status 1.

    Example: ceo api GET /members/ctdalek
    """
    request = _parsed(sys.stdin.buffer.read() if body == "-" else body)
    context.may_write = method.upper() != "GET"
    how = How.of_command(key, as_json=True, dry_run=False, yes=True, quiet=True)
    with repeatable(context, how):
        return _send(context, method, path, request, host, how.key)


def _send(context: Context, method: str, path: str, request: Any, host: str | None, key: str) -> int:
    """Print the answer; the exit status."""
    where = "/api/" + path.removeprefix("/").removeprefix("api/")
    client = context.client
    client.key = key
    asked = client.hosts.admin if host is None else context.host(host)
    lines = client.raw(asked, method.upper(), where, request)
    try:
        first = next(lines, "")
    except WrongHost as error:
        if host is not None or error.more.get("host") not in client.hosts.all():
            raise
        lines = client.raw(str(error.more["host"]), method.upper(), where, request)
        first = next(lines, "")
    last = first
    click.echo(first)
    for last in lines:
        click.echo(last)
        sys.stdout.flush()
    return 1 if _is_aborted(last) else 0


def _is_aborted(line: str) -> bool:
    try:
        event = json.loads(line)
    except ValueError:
        return False
    return isinstance(event, dict) and event.get("status") == "aborted"


def _parsed(text: str | bytes | None) -> Any:
    if text is None:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"the body is not JSON: {error}") from None
