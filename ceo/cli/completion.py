"""What the Tab key completes: names that ceod knows, for who has a ticket; and ceo completion, the script that a shell wants for it.

Nothing is asked and nothing is told: without a ticket, without ceod, or when an answer takes its time, nothing is completed.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ceo_common.client import Client
    from ceo_common.client_config import Client as Settings

PATIENCE_S = 1.0
LETTERS = 2  # at least, before members are asked for: one letter fits a tenth of the club
SHOWN = 50

# bash splits and expands what it is given (click's script does not quote it), zsh's has a colon of its own.
_SAFE = re.compile(r"[A-Za-z0-9_.-]+")

Look = Callable[["Client"], Iterable[str]]


def uids(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Usernames."""
    return _asked(begun, lambda client: _uids(client, begun)) if len(begun) >= LETTERS else []


def _uids(client: Client, begun: str) -> list[str]:
    # `uid` is any part of a username; the page begins where those do that begin with it.
    return [member["uid"] for member in client.members(uid=begun, size=SHOWN, after=json.dumps([begun, ""]))["members"]]


def groups(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Groups."""
    return _asked(begun, lambda client: [group["cn"] for group in client.groups()])


def positions(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Positions."""
    return _asked(begun, lambda client: client.positions()["positions"])


def holders(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """POSITION=UID,...: the position and its =, then usernames.  bash makes the = a word of its own, which click drops; the other shells don't."""
    before = begun[:max(begun.rfind("="), begun.rfind(",")) + 1]
    named = context.params.get(parameter.name or "") or [""]
    if before or named[-1] == "=" or os.environ.get("COMP_WORDS", "").endswith("="):
        return [f"{before}{uid}" for uid in uids(context, parameter, begun.removeprefix(before))]
    return [f"{name}=" for name in positions(context, parameter, begun)]


def lists_of_uid(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """The mailing lists that the argument UID is on."""
    return _asked(begun, lambda client: client.lists_of(context.params["uid"])["lists"])


def lists(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """The names of mailing lists that begin so."""
    return _asked(begun, lambda client: [row["list"] for row in client.lists()])


def clubs(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """The usernames of clubs that begin so."""
    return _asked(begun, lambda client: [row["uid"] for row in client.clubs()])


def terms(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Terms: those of a year back, and of two years ahead."""
    from ceo_common.terms import consecutive, current  # noqa: PLC0415 - zoneinfo, for terms alone

    return _fitting(begun, lambda: consecutive(current(_settings().time_zone) + -3, 10))


def _asked(begun: str, look: Look) -> list[str]:
    """What `look` finds with the ticket that is there."""
    def with_ticket() -> Iterable[str]:
        from ceo.session import Session  # noqa: PLC0415 - every command imports this module

        session = Session(_settings())
        return look(session.client()) if session.find() else []

    return _fitting(begun, with_ticket)


def _settings() -> Settings:
    from ceo_common.client_config import CLIENT_FILE, load_client  # noqa: PLC0415 - as above

    return load_client(os.environ.get("CEO_CONFIG") or CLIENT_FILE)


def _fitting(begun: str, find: Callable[[], Iterable[str]]) -> list[str]:
    """Those that begin like this; none when they can't be had in time, whatever the reason."""
    from ceo_common.deadline import within  # noqa: PLC0415

    try:
        return [name for name in within(PATIENCE_S, "ceod", find) if name.startswith(begun) and _SAFE.fullmatch(name)]
    except Exception:
        return []


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the shell code that completes the words of ceo with the Tab key.

    For everybody on a host, as root:

    \b
      ceo completion bash > /usr/share/bash-completion/completions/ceo
      ceo completion zsh > /usr/share/zsh/vendor-completions/_ceo
      ceo completion fish > /usr/share/fish/vendor_completions.d/ceo.fish

    For oneself:

    \b
      ceo completion bash > ~/.local/share/bash-completion/completions/ceo
      ceo completion fish > ~/.config/fish/completions/ceo.fish
      echo 'eval "$(ceo completion zsh)"' >> ~/.zshrc      # below compinit

    With a ticket it completes usernames, groups, positions and mailing lists too.

    Example: ceo completion bash
    """
    from click.shell_completion import get_completion_class  # noqa: PLC0415

    found = get_completion_class(shell)
    assert found
    script = found(context.find_root().command, {}, "ceo", "_CEO_COMPLETE").source()
    # What is typed next follows the = of POSITION=UID at once.
    click.echo(script.replace("COMPREPLY+=($value)\n", "COMPREPLY+=($value)\n            [[ $value == *= ]] && compopt -o nospace\n"), nl=False)
