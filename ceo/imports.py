"""Signing up the people of a CSV file: checked whole, then added a batch at a time, and taken up again where it was cut off.

What is under way stands in a file of the person's own: each batch's key is on disk before the batch is sent, so that a run that comes after
a crash attaches to that batch and never sends it as another.
"""

from __future__ import annotations

import csv
import fcntl
import hashlib
import io
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ceo.progress import follow
from ceo_common import terms as term_rules
from ceo_common.client_config import Client as Settings
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
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
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
    found = _by_row(listed)
    if len(found) < len(listed) or any(number >= len(rows) for number, _ in found):
        raise Invalid("the rows have problems", problems=listed)
    return found


def _by_row(listed: list[dict[str, str]]) -> list[tuple[int, str]]:
    """The row's number and what is wrong with it, of each problem that is about a row: its field is like members.3.uid."""
    found = []
    for problem in listed:
        where = problem["field"].split(".")
        if len(where) > 1 and where[1].isdecimal():
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

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While nobody else is at the same file.  Raises Busy."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.path.with_suffix(".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Busy("another run is importing this file just now") from None
            yield
            if not self.path.exists():
                Path(file.name).unlink(missing_ok=True)

    def run(self, client: Client, rows: dict[str, Json], slip: Callable[[dict[str, str]], None]) -> Iterator[int]:
        """Add what is left, and tell after each batch how many rows it had.

        slip() gets the temporary passwords of a batch; when it returns they are in somebody's hands.  Raises OutcomeUnknown,
        Unreachable and the like: another run goes on.
        """
        for number in self.left:
            count = len(self.batches[number])
            slip(self._add(client, number, rows))
            self.done.append(number)
            self.save()
            yield count

    def _add(self, client: Client, number: int, rows: dict[str, Json]) -> dict[str, str]:
        """The temporary passwords of a batch; who is refused is noted, and the others are added without them."""
        until = time.monotonic() + _PATIENCE_S
        while uids := self.batches[number]:
            if str(number) not in self.keys:
                self._key(number, str(uuid.uuid4()))
            try:
                members = [rows[uid] for uid in uids]
                result = follow(client.add_members(members, self.keys[str(number)]), lambda _: None).get("result", {})
                # Whoever ended in the middle took the passwords along: nobody has them, so others do no harm.
                return result.get("temporary_passwords") or {uid: _another(client, uid) for uid in uids}
            except (OutcomeUnknown, Busy, InRecovery) as error:
                if time.monotonic() > until:
                    raise
                if not isinstance(error, OutcomeUnknown):
                    self._key(number, None)  # it was never begun
                time.sleep(1)
            except CeoError as error:
                self._refused(number, error)
        return {}

    def _refused(self, number: int, error: CeoError) -> None:
        """Leave out those whom an error is about.  Raises it when it says nothing of anybody: a server or a ticket is away."""
        cause = error.more.get("cause") or {} if isinstance(error, Aborted) else error.as_json()
        if cause.get("code") not in ("exists", "invalid", "deleted_account", "left_behind"):
            if isinstance(error, Aborted):
                self._key(number, None)  # it is undone, and another run may try again
            raise error
        uids = self.batches[number]
        about = {uids[i]: message for i, message in _by_row(error.problems) if i < len(uids)} or dict.fromkeys(uids, error.message)
        self.failed |= about
        self.batches[number] = [uid for uid in uids if uid not in about]
        self._key(number, None)

    def _key(self, number: int, key: str | None) -> None:
        self.keys.pop(str(number), None)
        if key:
            self.keys[str(number)] = key
        self.save()


def _another(client: Client, uid: str) -> str:
    last = follow(client.reset_password(uid), lambda _: None)
    return str(last.get("result", {}).get("temporary_password") or "")


def _folder() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "ceo"
