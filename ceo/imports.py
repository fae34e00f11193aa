"""Signing up the people of a CSV file: checked whole, then added a batch at a time, and taken up again where it was cut off.

What is under way stands in a file of the person's own: each batch's key is on disk before the batch is sent, so that a run that comes after
a crash attaches to that batch and never sends it as another.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ceo.progress import follow
from ceo_common import terms as term_rules
from ceo_common.config import Client as Settings
from ceo_common.errors import Aborted, Busy, CeoError, InRecovery, Invalid, OutcomeUnknown

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]

COLUMNS = ("uid", "cn", "program", "given_name", "sn", "terms", "non_member_terms", "forwarding_addresses")
_NEEDED = ("uid", "cn", "program")
_LISTS = ("terms", "non_member_terms", "forwarding_addresses")
BATCH = 25  # whose passwords are lost, and set anew, when the line breaks in the middle
_CHECKED_AT_ONCE = 500  # a request has 1 MiB at most
_PATIENCE_S = 90.0  # for a batch that ceod is still undoing


@dataclass(frozen=True)
class Row:
    """A line of the file."""

    line: int
    member: Json

    @property
    def uid(self) -> str:
        """The username, as it stands there."""
        return str(self.member.get("uid", ""))


def read(text: str, settings: Settings) -> list[Row]:
    """The rows.  Raises Invalid (its heading, or no rows)."""
    reader = csv.DictReader(text.splitlines(), strict=True)
    names = [name.strip() for name in reader.fieldnames or []]
    reader.fieldnames = names
    if unknown := [name for name in names if name not in COLUMNS]:
        raise Invalid(f"the file has a column {unknown[0]!r}; columns are {', '.join(COLUMNS)}")
    if missing := [name for name in _NEEDED if name not in names]:
        raise Invalid(f"the file has no column {', '.join(missing)}; its first line has to name the columns")
    this_term = str(term_rules.current(settings.time_zone))
    try:
        rows = [Row(reader.line_num, _member(told, this_term)) for told in reader]
    except csv.Error as error:
        raise Invalid(f"line {reader.line_num} is not CSV: {error}") from None
    if not rows:
        raise Invalid("the file has no rows")
    return rows


def _member(told: dict[str | None, Any], this_term: str) -> Json:
    """A request's body; a row without terms is for the current one."""
    extra = told.pop(None, None)
    given = {str(name): value.strip() for name, value in told.items() if value and value.strip()}
    member: Json = {name: value.replace(",", " ").replace(";", " ").split() if name in _LISTS else value for name, value in given.items()}
    if "terms" not in member and "non_member_terms" not in member:
        member["terms"] = [this_term]
    return member | ({"(more cells than columns)": extra} if extra else {})


def problems(client: Client, rows: list[Row], told: Callable[[int], None]) -> dict[int, list[str]]:
    """What keeps which lines from being added, by line; told() hears how many rows are checked."""
    found: dict[int, list[str]] = {}
    seen: dict[str, int] = {}
    for row in rows:
        if row.uid in seen:
            found.setdefault(row.line, []).append(f"uid: {row.uid} stands in line {seen[row.uid]} too")
        seen.setdefault(row.uid, row.line)
    for start in range(0, len(rows), _CHECKED_AT_ONCE):
        some = [row for row in rows[start:start + _CHECKED_AT_ONCE] if row.line not in found]
        # Malformed rows hide what else is the matter with the others: those are asked of again.
        while some and (bad := _ask(client, some)):
            for i, message in bad:
                found.setdefault(some[i].line, []).append(message)
            some = [row for row in some if row.line not in found]
        told(min(start + _CHECKED_AT_ONCE, len(rows)))
    return found


def _ask(client: Client, rows: list[Row]) -> list[tuple[int, str]]:
    try:
        listed = client.check_members([row.member for row in rows])["problems"]
    except Invalid as error:
        listed = error.problems
        if not listed:
            raise
    found = []
    for problem in listed:
        where: list[str] = problem["field"].split(".")  # members.3.uid
        if len(where) < 2 or not where[1].isdecimal() or int(where[1]) >= len(rows):
            raise Invalid(problem["message"], problems=listed)
        found.append((int(where[1]), f"{'.'.join(where[2:]) or 'row'}: {problem['message']}"))
    return found


def near(client: Client, rows: list[Row], told: Callable[[int], None]) -> Iterator[tuple[Row, Json]]:
    """Rows who may be somebody who was a member already, with that one."""
    for number, row in enumerate(rows, 1):
        for lapsed in client.lapsed(uid=row.uid, cn=str(row.member["cn"])):
            yield row, lapsed
        told(number)


@dataclass
class Import:
    """One file's import; `batches` hold usernames."""

    path: Path
    batches: list[list[str]]
    keys: dict[str, str] = field(default_factory=dict)  # of a batch that was sent, by its number
    done: list[int] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str) -> Import | None:
        """What was begun with this very text, or None."""
        path = _folder() / f"import-{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"
        try:
            return cls(path, **json.loads(path.read_text()))
        except FileNotFoundError:
            return None

    @classmethod
    def new(cls, text: str, uids: list[str]) -> Import:
        """Begin, and put it on disk."""
        path = _folder() / f"import-{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"
        made = cls(path, [uids[i:i + BATCH] for i in range(0, len(uids), BATCH)])
        made.save()
        return made

    def save(self) -> None:
        """On disk when it returns."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = self.path.with_suffix(".new")
        with part.open("w") as file:
            json.dump({"batches": self.batches, "keys": self.keys, "done": self.done, "failed": self.failed}, file)
            file.flush()
            os.fsync(file.fileno())
        part.rename(self.path)

    def forget(self) -> None:
        """All of it is done, and told."""
        self.path.unlink(missing_ok=True)

    @property
    def left(self) -> list[int]:
        """The numbers of the batches that are to be done."""
        return [number for number in range(len(self.batches)) if number not in self.done]

    def run(self, client: Client, rows: dict[str, Json], slip: Callable[[dict[str, str]], None]) -> Iterator[int]:
        """Add what is left, and tell after each batch how many rows it had.

        slip() gets the temporary passwords of a batch; when it returns they are in somebody's hands.  Raises OutcomeUnknown,
        Unreachable and the like: another run goes on.
        """
        for number in self.left:
            uids = self.batches[number]
            passwords = self._add(client, number, [rows[uid] for uid in uids])
            slip(passwords)
            self.done.append(number)
            self.save()
            yield len(uids)

    def _add(self, client: Client, number: int, members: list[Json]) -> dict[str, str]:
        """The temporary passwords; none of a batch that is refused, which is noted."""
        until = time.monotonic() + _PATIENCE_S
        while True:
            if str(number) not in self.keys:
                self.keys[str(number)] = str(uuid.uuid4())
                self.save()
            try:
                result = follow(client.add_members(members, self.keys[str(number)]), lambda _: None).get("result", {})
                break
            except OutcomeUnknown:
                if time.monotonic() > until:
                    raise
            except (Busy, InRecovery):
                if time.monotonic() > until:
                    raise
                del self.keys[str(number)]  # it was never begun
            except (Aborted, CeoError) as error:
                if error.exit_status in (69, 75, 77):  # a server or a ticket that is away says nothing of these rows
                    if isinstance(error, Aborted):
                        del self.keys[str(number)]
                        self.save()
                    raise
                self.failed |= {str(member["uid"]): error.message for member in members}
                return {}
            time.sleep(1)
        passwords: dict[str, str] = result.get("temporary_passwords") or {}
        # Whoever ended in the middle took them along: nobody has them, so others do no harm.
        return passwords or {str(member["uid"]): _another(client, str(member["uid"])) for member in members}


def _another(client: Client, uid: str) -> str:
    last = follow(client.reset_password(uid), lambda _: None)
    return str(last.get("result", {}).get("temporary_password") or "")


def _folder() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "ceo"
