"""The example that each command's help shows works as it stands there, for somebody of the systems committee."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from ceo import manual
from ceo.cli import COMMANDS, cli
from ceo_common.client import Client
from tests.club.club import Club

CONTEXT = click.Context(cli, info_name="ceo")
LEAVES = {" ".join(path): command for section in COMMANDS.values() for name in section if (top := cli.get_command(CONTEXT, name))
          for path, command, _ in manual.leaves(top, [name], CONTEXT)}

# What the scene (below) has in place of a word of the example.
PUT_IN = {
    "members restore": {"regular1": "gone"},
    "mysql pwreset": {"regular1": "owner"},
    "postgresql pwreset": {"regular1": "owner"},
    "mailman unsubscribe": {"regular1": "owner"},
    "library return": {"ctdalek": "reader"},
    "library renew": {"ctdalek": "reader"},
    **{f"transactions {what}": {"4b2f0c9e-5d0e-4e1a-9d59-1f6a3a1f0c11": "transaction"} for what in ("show", "follow", "resume", "abandon")},
}

# The files that an example names.
FILES = {
    "members import": {"new-members.csv": "uid,cn,program\nexample1,Example One,Mathematics\nexample2,Example Two,Physics\n"},
    "library import": {"new-books.csv": "title,authors,year\nAn Example,Example One; Example Two,2026\n"},
}

# What is done by the same person just before.
BEFORE: dict[str, Callable[[Client, dict[str, str]], object]] = {
    "library undo": lambda client, scene: client.renew_loan(client.books(q="9780131103627")["books"][0]["book"], scene["reader"]),
}

# Exit statuses other than 0, and why.
STATUS = {
    "members purge": 77,  # this club is not in development mode
    "transactions resume": 73,  # that transaction is completed
    "transactions abandon": 73,
}

def example(path: str) -> str:
    found = manual.told(LEAVES[path])[1]
    assert len(found) == 1, f"ceo {path} --help shows {len(found)} examples"
    return found[0]


@pytest.fixture(scope="module")
def scene(club: Club) -> dict[str, str]:
    """What examples presume: somebody deleted, somebody with databases, somebody who has the book, a transaction."""
    client = club.client("ctdalek")
    gone, owner, reader = (club.add("ctdalek")["result"]["uid"] for _ in range(3))
    transaction = club.transaction_of(gone)[0]
    club.done(client.delete_member(gone))
    for kind in ("mysql", "postgresql"):
        club.done(client.create_database(kind, owner))
    (book,) = client.books(q="9780131103627")["books"]
    client.add_copies(book["book"])
    client.lend(book["book"], reader)
    return {"gone": gone, "owner": owner, "reader": reader, "transaction": transaction}


@pytest.mark.parametrize("path", LEAVES)
def test_help_shows_it_on_a_line_of_its_own(path: str) -> None:
    command, text = LEAVES[path], example(path)
    assert re.match(rf"ceo {path}\b", text)
    assert f"\n  Example: {text}\n" in command.get_help(click.Context(command, info_name=path, terminal_width=40))
    # Safe to type: what writes is only rehearsed.
    assert "--dry-run" in text or not any("--dry-run" in option.opts for option in command.params)


@pytest.mark.parametrize("path", LEAVES)
def test_it_works(club: Club, scene: dict[str, str], path: str) -> None:
    words = [scene[PUT_IN[path][word]] if word in PUT_IN.get(path, {}) else word for word in shlex.split(example(path))]
    files = {Path("/users/ctdalek") / name: text for name, text in FILES.get(path, {}).items()}
    for file, text in files.items():
        file.write_text(text)
        file.chmod(0o644)
    if path in BEFORE:
        BEFORE[path](club.client("ctdalek"), scene)
    try:
        done = club.run_as("ctdalek", *words)
    finally:
        for file in files:
            file.unlink()
    assert done.returncode == STATUS.get(path, 0), done
    assert "Traceback" not in done.stderr


def test_the_tables_name_what_there_is() -> None:
    for table in (PUT_IN, FILES, BEFORE, STATUS):
        assert LEAVES.keys() >= set(table)
