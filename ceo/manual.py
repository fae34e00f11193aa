"""The manual pages, from the texts of --help, the table of errors and the comments of the configuration: python -m ceo.manual DIRECTORY.

click-man makes such pages too, but one for each sub-command, and with nothing of exit statuses, files, examples or configuration: all that
would be left to it is the list of options, which is one loop here.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import pkgutil
import re
import sys
import textwrap
import types
import typing
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import click

import ceo_common.model
from ceo.cli import COMMANDS, EXIT_CONFIG, EXIT_INTERRUPTED, cli
from ceo.roff import Page
from ceo_common import config, errors, events


class Answer(NamedTuple):
    """What --json prints: the model's name, and what else there is to say of it."""

    model: str
    more: str = ""


_EVENT = Answer("Event", "the last of the transaction")
_MANY = "several, under `members`"
_SILENT = "and, under `silent`, the hosts that did not answer"

# What --json prints, by command.
ANSWERS = {
    "members add": _EVENT,
    "members delete": _EVENT,
    "members expire": Answer("Event", "the last of the transaction; ExpiryPlan with --dry-run"),
    "members export": Answer("Member", _MANY),
    "members get": Answer("Member"),
    "members import": Answer("", "`added`, `failed`, `without_password`, `near` and `slips`; when it is refused or rehearsed "
                             "`good`, `bad` and `near`"),
    "members list": Answer("Member", _MANY),
    "members modify": _EVENT,
    "members purge": _EVENT,
    "members pwreset": _EVENT,
    "members remind": Answer("Event", "the last of the transaction; ExpiryPlan with --dry-run"),
    "members renew": _EVENT,
    "members restore": _EVENT,
    "members search": Answer("Member", _MANY),
    "members uwldap": Answer("UwPerson"),
    "clubs add": _EVENT,
    "clubs get": Answer("Club"),
    "clubs list": Answer("ClubSummary", "several, under `clubs`"),
    "groups add": _EVENT,
    "groups add-member": _EVENT,
    "groups get": Answer("Group"),
    "groups remove-member": _EVENT,
    "groups search": Answer("Groups"),
    "positions get": Answer("Positions"),
    "positions set": _EVENT,
    "updateprograms": Answer("Event", "the last of the transaction; ProgramPlan with --dry-run"),
    "mysql create": _EVENT,
    "mysql get": Answer("Databases"),
    "mysql pwreset": _EVENT,
    "postgresql create": _EVENT,
    "postgresql get": Answer("Databases"),
    "postgresql pwreset": _EVENT,
    "mailman get": Answer("Subscriptions"),
    "mailman list": Answer("MailingList", "several, under `lists`"),
    "mailman subscribe": Answer("Subscription"),
    "mailman unsubscribe": Answer("Subscription"),
    "library add": Answer("Book"),
    "library copies": Answer("Book"),
    "library get": Answer("Book"),
    "library import": Answer("NewBooksAdded", "CheckedBooks with --dry-run or when there are problems"),
    "library lend": Answer("Loan"),
    "library loans": Answer("Loans"),
    "library overdue": Answer("Loans"),
    "library remind": Answer("OverdueMails"),
    "library renew": Answer("Loan"),
    "library return": Answer("Loan"),
    "library undo": Answer("LoanChange"),
    "library search": Answer("Book", "several, under `books`, and how many were `found`"),
    "memberlist": Answer("Member", _MANY),
    "expiredaccounts": Answer("LapsedMembers"),
    "inactive": Answer("LapsedMembers"),
    "transactions abandon": Answer("Abandoned"),
    "transactions follow": _EVENT,
    "transactions list": Answer("Summary", f"several, under `transactions`, each with its `host`, {_SILENT}"),
    "transactions resume": Answer("Resumed"),
    "transactions show": Answer("Transaction"),
    "doctor": Answer("Finding", "several, under `findings`; with --fix a `result` too, of a rehearsal the `rehearsal`"),
    "log": Answer("Log", f"of several hosts: under `rows`, each with its `host`, {_SILENT}; with --verify each host's chain under `chains`"),
    "whoami": Answer("WhoAmI", "and `ticket_seconds_left`"),
}

AS_IT_STANDS = "\b\n"  # click's mark of a paragraph that is not filled

# What no error of ceod's stands for.
STATUSES = {
    0: "Done.",
    1: "Somebody answered no to the question; nothing was changed.",
    2: "Wrong usage: an option or argument is missing, unknown or has a wrong value.",
    66: "A given file can't be read or written.",
    69: "Kerberos failed.",
    73: "A file that was to be written can't be made.",
    74: "The result, or a file, could not be written: standard output is closed or full, or after a change nobody reads it.",
    EXIT_CONFIG: "The configuration can't be used; each problem is shown with its file and line.",
    EXIT_INTERRUPTED: "Interrupted.",
}

ENVIRONMENT = {
    "CEO_CONFIG": f"The configuration to read in place of `{config.CLIENT_FILE}`; empty is as unset.",
    "KRB5CCNAME": "The credential cache that holds the ticket.",
    "NO_COLOR": "When it is set to any value, tables are printed without colours and bold letters.",
    "PAGER": "The program that shows a table that is longer than the screen; `less` unless another is named.",
    "XDG_STATE_HOME": "Where `ceo members import` records, in the folder ceo, how far it got: `~/.local/state` unless another is named.",
}

SEE = "ceo(1), ceo.toml(5), ceod.toml(5), ceod(8)"

# ceod(8), heading by heading: a line that begins with four blanks is typed, one with "TERM: " at its head is an entry, which goes on where set in.
CEOD = {
    "Synopsis": """
    gunicorn --config /etc/csc/gunicorn.conf.py
    python -m ceod.library.migrate
""",
    "Description": """
ceod writes what the club's accounts are made of: the directory, Kerberos, home directories, mailing lists, databases, the library. One runs on
each of the club's hosts and does what the roles of that host ask for; people and programs speak to it over HTTPS, with a Kerberos ticket, by
ceo(1) or curl(1). Its API is described at `/api/docs` on each host, and for programs at `/api/openapi.json`.

Each change is a transaction of steps, recorded before they act: what fails before the commit is undone, what fails after it is tried again until
it is done, also after a crash.
""",
    "In production": """
    gunicorn --config /etc/csc/gunicorn.conf.py

reads where to listen and which certificate to show from `/etc/csc/ceod.toml`. It needs the key of ceod/HOST in its keytab, the host of role
admin that of ceod/admin too. On the host of role library, `python -m ceod.library.migrate` makes the library's database and, after an upgrade,
brings it up to date; ceod refuses to start on another version of it than its own.

Whether the configuration can be used, before a running ceod is told to read it:

    gunicorn --check-config --config /etc/csc/gunicorn.conf.py
""",
    "For development": """
    FLASK_APP=ceod.api FLASK_ENV=development flask run -h 0.0.0.0 -p 9987

runs one process without TLS that answers the networks of `development_networks` alone. Without FLASK_ENV=development it answers every plain
request with 403.
""",
    "Limits": """
Each part of a request has a deadline, and an answer that nobody takes is given up. A worker answers sixteen requests of one person at once and
sixty changes an hour; what is beyond that is refused with status 429 and `Retry-After`. Office, systems committee and the club's own hosts are
never refused. Four transactions run at once in a worker; the others wait, and their streams say so. Where its limit of open files
(RLIMIT_NOFILE) is below 2,000, ceod raises it as far as the hard limit allows.
""",
    "Signals": """
TERM: Take no new requests, end the transactions that run, within ten minutes at most, and exit.
HUP: Read the configuration and the certificates anew in new workers; the old ones end as with TERM, so that nobody is cut off.
  On a configuration that can't be used ceod ends, with status 1, instead: check it first, as above.
INT, QUIT: Exit without waiting. Transactions that are cut off are taken up at the next start: undone, or finished if they were committed.
""",
    "Exit status": """
0: Ended by a signal, in good order.
1: The configuration can't be used; for `ceod.library.migrate`, PostgreSQL refused too.
3: A worker could not start: a counter of user numbers below a number in use, a library of another version. The log says which.
4: The program could not be loaded.
""",
    "Environment": """
CEOD_CONFIG: The configuration to read in place of `/etc/csc/ceod.toml`.
FLASK_ENV: With development, what `flask run` starts is in development mode.
KRB5RCACHENAME: ceod refuses to start when it is none: a replayed token would be taken.
""",
    "Files": """
/etc/csc/ceod.toml: The configuration; see ceod.toml(5). Not to be readable by everybody: it may hold passwords.
/etc/csc/gunicorn.conf.py: How gunicorn runs it.
/etc/csc/templates: The mails that it sends.
/var/lib/ceod/journal.db: The transactions and the audit log, in SQLite.
/var/lib/ceod/ballast: Room that is given up when the disk is full, so that what runs can still be recorded.
/var/lib/ceod/owners: A file locked by each process and by each transaction at work; one that is not locked belonged to a process that crashed.
/var/lib/ceod/recovery.lock: Held by the one worker that takes up what crashed.
/var/lib/ceod/damaged: What is wrong with the journal, once a check of it failed; removed when one succeeds.
/var/lib/ceod-fingerprint/journal: What ceod remembers of its journal, to notice an older one.
/var/lib/ceod/replay: The replay cache of Kerberos.
""",
    "Log": """
Standard error: one JSON object a line, with `time`, `level`, `logger`, `message` and the `request` it belongs to. Each hour, and at its end,
ceod logs the head of its audit log: from then on, nobody can cut off the tail of that log unseen. `ceo log` and `ceo transactions show` tell
people what it records.
""",
}


def pages() -> Iterator[Page]:
    """Every page."""
    context = click.Context(cli, info_name="ceo", **cli.context_settings)
    yield _ceo(context)
    for section in COMMANDS.values():
        for name, (_, _, does) in section.items():
            command = cli.get_command(context, name)
            assert command
            yield _command(name, does, command, context)
    yield _ceod()
    yield _toml("ceo.toml", "what the client of the CSC Electronic Office has to know", config.CLIENT_FILE, config.Client)
    yield _toml("ceod.toml", "configuration of ceod, the daemon of the CSC Electronic Office", config.DAEMON_FILE, config.Daemon)


def _page(name: str, section: int, does: str) -> Page:
    return Page(name, section, does, version("ceo"))


def _ceo(context: click.Context) -> Page:
    page = _page("ceo", 1, "the CSC Electronic Office: accounts and memberships of the computer club")
    page.head("SYNOPSIS")
    page.code("ceo", "ceo COMMAND [OPTIONS] [ARGUMENTS]...")
    page.head("DESCRIPTION")
    page.paragraph("Signs up members, renews and changes them, and keeps clubs, groups, positions, mailing lists, databases and the library. "
                   "Without a command it opens the menu. All of it is done by ceod(8) on the club's hosts, which checks the rights of each person.")
    page.paragraph("It needs a Kerberos ticket. Where there is none it asks for the password on a terminal and keeps the ticket, as kinit(1) does; "
                   "the menu keeps one of its own.")
    page.head("COMMANDS")
    for title, commands in COMMANDS.items():
        page.below(title)
        for name, (_, _, does) in commands.items():
            page.entry(f"ceo-{name}(1)", does)
    page.head("OPTIONS")
    _options(page, cli, context)
    page.entry("-h, --help", "Show the help of any command and exit.")
    page.paragraph("Nearly every command takes --json, which prints one JSON document on standard output. An error is one too, with `error`, "
                   "a sentence, `code`, a name that stays, and `problems`, each with its `field` "
                   "and `message`. "
                   "Where there is no such account, `near` lists those that may be meant, five at "
                   "most, each with its `uid` and `cn`; no command takes another account than the "
                   "one that was named. Every command that writes takes "
                   "--dry-run, which checks everything and changes nothing, and "
                   "--yes, without which a script is refused where a person would be asked, and --key, which names the change: the same command "
                   "with the same key changes nothing twice. Where the outcome of a change is not known, that command is printed "
                   "(under `command` with --json).")
    _statuses(page)
    page.head("ENVIRONMENT")
    for name, does in ENVIRONMENT.items():
        page.entry(name, does)
    page.head("FILES")
    page.entry(config.CLIENT_FILE, "The configuration; see ceo.toml(5).")
    page.entry("/etc/krb5.conf", "Where the KDC of the realm is; see krb5.conf(5).")
    page.head("SEE ALSO")
    page.paragraph("kinit(1), ceo.toml(5), ceod(8); `ceo completion --help` explains how to complete these commands with Tab.")
    return page


def _statuses(page: Page) -> None:
    page.head("EXIT STATUS")
    found = {status: [text] for status, text in STATUSES.items()}
    for code, cls in errors.BY_CODE.items():
        found.setdefault(cls.exit_status, []).append(f"{_first_line(cls)} (`{code}`)")
    for status, texts in sorted(found.items()):
        page.entry(str(status), " ".join(texts))


def _command(name: str, does: str, command: click.Command, above: click.Context) -> Page:
    page = _page(f"ceo-{name}", 1, does.rstrip("."))
    commands = list(leaves(command, [name], above))
    page.head("SYNOPSIS")
    page.code(*(" ".join(["ceo", *path, *sub.collect_usage_pieces(context)]) for path, sub, context in commands))
    page.head("DESCRIPTION" if commands[0][1] is command else "COMMANDS")
    for path, sub, context in commands:
        words = " ".join(path)
        if sub is not command:
            page.below(f"ceo {words}")
        text, examples = told(sub)
        for paragraph in text:
            if paragraph.startswith(AS_IT_STANDS):
                page.code(*(line.strip() for line in paragraph.splitlines()[1:]))
            else:
                page.paragraph(paragraph)
        _options(page, sub, context)
        if words in ANSWERS:
            page.paragraph(f"With --json: {_answer(ANSWERS[words])}.")
        for example in examples:
            page.paragraph("Example:")
            page.code(example)
    page.head("EXIT STATUS")
    page.paragraph("As in ceo(1).")
    page.head("SEE ALSO")
    page.paragraph(SEE)
    return page


def leaves(command: click.Command, path: list[str], above: click.Context) -> Iterator[tuple[list[str], click.Command, click.Context]]:
    """The commands that do something, with the words that lead to each."""
    context = click.Context(command, info_name=path[-1], parent=above)
    if not isinstance(command, click.Group):
        yield path, command, context
        return
    for name in command.list_commands(context):
        sub = command.get_command(context, name)
        assert sub
        yield from leaves(sub, [*path, name], context)


def told(command: click.Command) -> tuple[list[str], list[str]]:
    """What a command's help says: the paragraphs, those that are not filled behind click's mark, and the examples."""
    paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
    examples = [text for text in paragraphs if text.removeprefix(AS_IT_STANDS).startswith("Example: ")]
    return [text for text in paragraphs if text not in examples], [text.partition("Example: ")[2] for text in examples]


def _options(page: Page, command: click.Command, context: click.Context) -> None:
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if record and record[1]:  # an argument without a text of its own stands in the synopsis
            page.entry(*record)


def _answer(answer: Answer) -> str:
    if not answer.model:
        return answer.more
    keys = ", ".join(f"`{name}`" for name in keys_of(answer.model))
    return f"{answer.model}{f' ({answer.more})' if answer.more else ''}, which has {keys}"


def keys_of(model: str) -> list[str]:
    """The keys of a model of the API.  Raises KeyError for one that there is not."""
    if model == "Event":
        return list(events.Event.__annotations__)
    modules = [importlib.import_module(f"ceo_common.model.{module.name}") for module in pkgutil.iter_modules(ceo_common.model.__path__)]
    found: Any = {name: value for module in modules for name, value in vars(module).items()}[model]
    return list(found.model_fields)


def _ceod() -> Page:
    page = _page("ceod", 8, "the daemon of the CSC Electronic Office")
    for title, text in CEOD.items():
        page.head(title.upper())
        entries = title in ("Signals", "Exit status", "Environment", "Files")
        for block in (re.split(r"\n(?! )", text.strip("\n")) if entries else text.strip("\n").split("\n\n")):
            if entries:
                page.entry(*block.split(": ", 1))
            elif block.startswith("    "):
                page.code(*(line.strip() for line in block.splitlines()))
            else:
                page.paragraph(block)
    page.head("SEE ALSO")
    page.paragraph("ceo(1), ceod.toml(5), gunicorn(1)")
    return page


def _toml(name: str, does: str, place: str, cls: type[Any]) -> Page:
    page = _page(name, 5, does)
    page.head("DESCRIPTION")
    page.paragraph(f"`{place}` is in TOML. All problems in it are shown at once, each with its line; a key that is not listed here is one.")
    page.head("KEYS")
    hints = typing.get_type_hints(cls)
    tables = [spec for spec in dataclasses.fields(cls) if _table(hints[spec.name])]
    _keys(page, cls, without={spec.name for spec in tables})
    for spec in tables:
        table = _table(hints[spec.name])
        assert table
        page.head(f"[{spec.name}]")
        page.paragraph(_first_line(table) + _need(spec))
        _keys(page, table)
    page.head("SEE ALSO")
    page.paragraph(SEE)
    return page


def _need(spec: dataclasses.Field[Any]) -> str:
    roles = [role for role, names in config.NEEDS.items() if spec.name in names]
    if roles:
        return f" Needed on a host of role {' or '.join(roles)}."
    return " Needed." if _default(spec) is dataclasses.MISSING else " May be left out."


def _keys(page: Page, cls: type[Any], without: frozenset[str] | set[str] = frozenset()) -> None:
    hints, texts = typing.get_type_hints(cls), comments(cls)
    for spec in dataclasses.fields(cls):
        if spec.name in without:
            continue
        default = _default(spec)
        usual = "needed" if default is dataclasses.MISSING else f"by default {_in_toml(default)}"
        page.entry(spec.name, f"{_sentence(texts[spec.name])} {_sentence(_kind(hints[spec.name]))[:-1]}, {usual}.")


def _default(spec: dataclasses.Field[Any]) -> Any:
    return spec.default if spec.default_factory is dataclasses.MISSING else spec.default_factory()


def _table(hint: Any) -> type[Any] | None:
    """The dataclass of a key that is a table, which may be left out."""
    found = [part for part in (typing.get_args(hint) if isinstance(hint, types.UnionType) else [hint]) if dataclasses.is_dataclass(part)]
    return found[0] if found and isinstance(found[0], type) else None


_KINDS: dict[Any, str] = {str: "a text", int: "a whole number", bool: "true or false", list[str]: "a list of texts",
                          dict[str, list[str]]: "a table of lists of texts"}


def _kind(hint: Any) -> str:
    if table := _table(hint):
        texts = comments(table)
        return f"a table of {' and '.join(f'{spec.name} ({texts[spec.name]})' for spec in dataclasses.fields(table))}"
    return _KINDS[hint]


def _in_toml(value: Any) -> str:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{name} = {_in_toml(part)}' for name, part in value.items())} }}"
    return json.dumps(value)


def comments(cls: type[Any]) -> dict[str, str]:
    """The comments `#:` of a dataclass's keys: at the end of the key's line, or above it."""
    found, above = {}, ""
    for line in textwrap.dedent(inspect.getsource(cls)).splitlines():
        code, _, text = line.partition("#: ")
        if (key := re.match(r"    (\w+): ", code)) and (text or above):
            found[key[1]] = text or above
        above = f"{above} {text}".strip() if text and not code.strip() else ""
    return found


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _first_line(cls: type[Any]) -> str:
    return inspect.getdoc(cls).splitlines()[0]  # type: ignore[union-attr]


def main(directory: str) -> None:
    """Write them all there."""
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    for page in pages():
        (folder / page.file).write_text(page.text())


if __name__ == "__main__":
    main(*sys.argv[1:])
