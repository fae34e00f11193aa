"""Signing up the people of a CSV file: checked whole, then added a batch at a time, and taken up again where it was cut off.

What is under way stands in a file of the person's own: the people as they were checked, and each batch's key before the batch is sent. A run
that comes after a crash attaches to that batch and never sends it as another. A password that nobody was given is set anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ceo import sheet
from ceo.progress import follow
from ceo.state_folder import state_folder
from ceo_common import terms as term_rules
from ceo_common.client_config import Client as Settings
from ceo_common.errors import Aborted, Busy, CeoError, InRecovery, Invalid, OutcomeUnknown, Unauthenticated

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]

COLUMNS = ("uid", "cn", "program", "given_name", "sn", "terms", "non_member_terms", "forwarding_addresses")
_NEEDED = ("uid", "cn", "program")
_TEXTS = ("cn", "program", "given_name", "sn")
_SUFFIXES = ("jr", "sr", "ii", "iii", "iv", "phd", "ph.d", "md", "m.d")
_LISTS = ("terms", "non_member_terms", "forwarding_addresses")
BATCH = 25  # whose passwords are lost, and set anew, when the line breaks in the middle
_CHECKED_AT_ONCE = 500
_TRANSACTIONS = 1000  # the latest that are asked for resets by others
_CLOCKS_APART_S = 600.0
_PATIENCE_S = 90.0  # for a batch that ceod is still undoing
# What an error says of those whom it is about; any other says that a server or a ticket is away.
_ABOUT_THEM = ("exists", "invalid", "deleted_account", "left_behind")
_AWAY = (69, 74, 75)


class SlipsLost(CeoError):
    """Accounts exist, and their temporary passwords reached nobody."""

    code, exit_status = "slips_lost", 74


class StateLost(CeoError):
    """The state of an import can't be written: it could not go on where it was cut off."""

    code, exit_status = "state_lost", 74


@dataclass(frozen=True)
class Row:
    """A row of the file; `problems` are those of its cells."""

    line: int
    member: Json
    problems: list[str] = field(default_factory=list)

    @property
    def uid(self) -> str:
        """The username, as it stands there."""
        return str(self.member.get("uid", ""))


def read(data: bytes, settings: Settings) -> list[Row]:
    """The rows; one without terms is for the current one.  Raises Invalid."""
    this_term = str(term_rules.current(settings.time_zone))
    rows = sheet.read(data, COLUMNS, _NEEDED)
    return [Row(row.line, _member(row.cells, this_term), row.problems) for row in rows]


def _member(cells: dict[str, str], this_term: str) -> Json:
    """A request's body."""
    member: Json = {name: value.replace(",", " ").replace(";", " ").split() if name in _LISTS else value for name, value in cells.items()}
    return member if "terms" in member or "non_member_terms" in member else member | {"terms": [this_term]}


def problems(client: Client, rows: list[Row], told: Callable[[int], None]) -> dict[int, list[str]]:
    """What keeps which lines from being added, by line; told() hears how many rows are checked."""
    found = {row.line: list(row.problems) for row in rows if row.problems}
    seen: dict[str, int] = {}
    for row in rows:
        if row.uid in seen:
            found.setdefault(row.line, []).append(f"uid: {row.uid} is in line {seen[row.uid]} too")
        seen.setdefault(row.uid, row.line)
    done = 0
    for part in sheet.portions(rows, lambda row: row.member, _CHECKED_AT_ONCE):
        some = [row for row in part if row.line not in found]
        # Malformed rows hide what else is the matter with the others: those are asked of again.
        while some and (bad := _ask(client, some)):
            for i, message in bad:
                found.setdefault(some[i].line, []).append(message)
            some = [row for row in some if row.line not in found]
        done += len(part)
        told(done)
    return found


def warnings(row: Row) -> list[str]:
    """What looks wrong in a row although ceod takes it."""
    texts = {name: row.member[name] for name in _TEXTS if name in row.member}
    return [
        *(f"{name}: {problem}" for name, text in texts.items() for problem in sheet.warnings(text)),
        *([f'cn: "{texts["cn"]}" has a comma: a name is written as in "Jane Doe"']
          if _has_comma(texts.get("cn", "")) else []),
    ]


def _has_comma(name: str) -> bool:
    """Whether a comma is in a name, but for that of "Jane Doe, Jr."."""
    _, comma, rest = name.partition(",")
    return bool(comma) and rest.strip().rstrip(".").lower() not in _SUFFIXES


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


def unexported(member: Json) -> str | None:
    """Why import could not take a member again, or None."""
    if member.get("is_club"):
        return "clubs"
    if member.get("deleted"):
        return "deleted"
    if not (member.get("terms") or member.get("non_member_terms")):
        return "without a term"
    return None if member.get("program") else "without a program"


def export_cells(member: Json) -> list[str]:
    """A member's cells, in the order of COLUMNS; whoever became a member is no representative."""
    cells = member | ({"non_member_terms": []} if member.get("terms") else {})
    return [" ".join(cell) if isinstance(cell, list) else str(cell) for cell in (cells.get(name) or "" for name in COLUMNS)]


def save_durably(path: Path, state: Json) -> None:
    """Replace a file of JSON, whole or not at all; it is on disk when this returns."""
    part = path.with_suffix(".new")
    with part.open("w") as file:
        json.dump(state, file)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file that its holder removes at the end.  Raises Busy.

    A file that was removed between open and lock is nobody's: it is opened anew.
    """
    while True:
        with path.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Busy("another run is importing this file just now") from None
            if _is_there(path, file.fileno()):
                yield
                return


def _is_there(path: Path, descriptor: int) -> bool:
    """Whether the file that was opened is still the one of this path."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


class Place:
    """Where a person's import of a certain file is kept, and its lock."""

    def __init__(self, data: bytes, principal: str, noun: str = "import") -> None:
        self.folder = state_folder()
        # A key belongs to who sent it: as somebody else it is another import.
        self.path = self.folder / f"{noun}-{hashlib.sha256(principal.encode() + b'/' + data).hexdigest()[:32]}.json"
        self.principal = principal

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While nobody else is at the same file.  Raises Busy, StateLost."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StateLost(
                f"the state of an import is kept in {self.folder}, which can't be made:"
                f" {error.strerror}; set XDG_STATE_HOME to another folder"
            ) from None
        path = self.path.with_suffix(".lock")
        with _locked(path):
            try:
                yield
            finally:
                path.unlink(missing_ok=True)  # while it is locked: see _locked()

    def load(self) -> Import | None:
        """What was begun with this very file, or None.  Raises Invalid."""
        return Import.load(self.path) if self.path.exists() else None

    def begin(self, members: list[Json], slips: str | None) -> Import:
        """Begin, and put it on disk.  Raises Invalid when another import that was cut off has some of them."""
        uids = {str(member["uid"]) for member in members}
        for path in self.folder.glob("import-*.json"):
            other = Import.load(path)
            if other.principal == self.principal and (both := uids & {str(member["uid"]) for batch in other.batches for member in batch}):
                raise Invalid(f"an import of {datetime.fromtimestamp(other.begun):%Y-%m-%d %H:%M} was cut off and has {min(both)} too: "
                              f"finish it first, with the file as it was; or forget it: rm {path}")
        made = Import(str(self.path), self.principal, time.time(), slips, sheet.portions(members, lambda member: member, BATCH))
        made.save()
        return made


@dataclass
class Import:
    """One file's import.  `batches` hold the requests' bodies, less those that were refused."""

    path: str
    principal: str
    begun: float
    slips: str | None  # the file, by its whole path
    batches: list[list[Json]]
    keys: dict[str, str] = field(default_factory=dict)  # of a batch that was sent, by its number
    added: list[int] = field(default_factory=list)  # whose accounts are there
    done: list[int] = field(default_factory=list)  # whose passwords were given out, too
    given: list[str] = field(default_factory=list)  # usernames of a batch that is added and not done
    failed: dict[str, str] = field(default_factory=dict)  # why somebody was not added
    without: dict[str, str] = field(default_factory=dict)  # why somebody who was added has no password yet
    resets: dict[str, str] = field(default_factory=dict)  # the transaction that set a password anew, by username
    perhaps_shown: list[str] = field(default_factory=list)  # whose password a run that was cut off may have printed
    earlier_slips: list[str] = field(default_factory=list)  # files of runs that were cut off

    @classmethod
    def load(cls, path: Path) -> Import:
        """From disk.  Raises Invalid."""
        try:
            return cls(**json.loads(path.read_text()))
        except (ValueError, TypeError):
            raise Invalid(f"{path} is damaged: who of the file was added tells ceo members import --dry-run, after rm {path}") from None

    def save(self) -> None:
        """On disk when it returns."""
        save_durably(Path(self.path), asdict(self))

    def forget(self) -> None:
        """All of it is done, and told."""
        Path(self.path).unlink(missing_ok=True)

    @property
    def left(self) -> list[int]:
        """The numbers of the batches that are to be done."""
        return [number for number in range(len(self.batches)) if number not in self.done]

    @property
    def slips_files(self) -> list[str]:
        """Every file that has slips of this import, the oldest first."""
        return [*self.earlier_slips, *([self.slips] if self.slips else [])]

    @property
    def uids(self) -> list[str]:
        """Of all who are added, once all is done."""
        return [str(member["uid"]) for batch in self.batches for member in batch]

    def use_slips(self, path: str | None) -> None:
        """Write the slips into this file from now on."""
        self.earlier_slips = [earlier for earlier in self.slips_files if earlier != path]
        self.slips = path
        self.save()

    def has_slips_of(self, uids: list[str], *, are_all: bool) -> None:
        """Note who has a slip already: they keep their password.

        With `are_all` no password was handed out but on these slips.
        """
        for number in set(self.added) - set(self.done):
            batch = {str(member["uid"]) for member in self.batches[number]}
            self.given += sorted(batch & set(uids) - set(self.given))
            if not are_all:
                self.perhaps_shown += sorted(batch - {*self.given, *self.perhaps_shown})

    def dead_passwords(self, client: Client) -> dict[str, str]:
        """Why passwords that were handed out for some accounts no longer work, by username."""
        dead = {
            uid: "if a password was shown before, it no longer works"
            for uid in self.resets
            if uid in self.perhaps_shown
        }
        mine = {transaction: uid for uid, transaction in self.resets.items()}
        later_reset_is_mine = set()
        for row in client.transactions(client.hosts.admin, limit=_TRANSACTIONS):  # newest first
            uid = str(row["subject"])
            if row["created"] < self.begun - _CLOCKS_APART_S:
                break
            if row["operation"] != "reset_password" or row["committed"] is None:
                continue
            if row["transaction"] in mine:
                later_reset_is_mine.add(uid)
            elif uid in self.uids and uid not in later_reset_is_mine:
                dead[uid] = f"{row['caller']} reset the password later: its slip no longer works"
        return dead

    def run(self, client: Client, slip: Callable[[Json, str], None]) -> Iterator[int]:
        """Do what is left, and tell after each batch how many rows it had.

        slip() gets a member and their temporary password; when it returns it is in somebody's hands.  Raises OutcomeUnknown, Unreachable
        and the like, SlipsLost (a disk is full): another run goes on.
        """
        for number in self.left:
            count = len(self.batches[number])
            try:
                self._batch(client, number, slip)
            except OSError as error:
                raise self._slips_lost(number, error) from None
            yield count

    def _batch(self, client: Client, number: int, slip: Callable[[Json, str], None]) -> None:
        passwords = self._add(client, number) if number not in self.added else {}
        for member in self.batches[number]:
            if (uid := str(member["uid"])) not in self.given:
                self._give(client, member, passwords.get(uid), slip)
                self.given.append(uid)
                if uid not in passwords:  # those of a batch are saved together
                    self.save()
        self.done.append(number)
        self.given = []
        self.save()

    def _slips_lost(self, number: int, error: OSError) -> CeoError:
        """What a full disk did: who of the batch has an account and no password that somebody saw."""
        if number not in self.added:
            return StateLost(f"the state of the import can't be written: {error}")
        with contextlib.suppress(OSError):
            self.save()  # whoever has a slip keeps it
        uids = [str(member["uid"]) for member in self.batches[number]]
        lost = [uid for uid in uids if uid not in self.given]
        return SlipsLost(
            f"the temporary passwords cannot be written: {error.strerror}: {error.filename or self.slips or 'output'}\n"
            f"These accounts exist, and nobody saw their passwords: {', '.join(lost)}\n"
            "Make room and run the same command again: it sets new ones; "
            f"or for each of them: ceo members pwreset {lost[0] if lost else 'UID'}",
            uids=lost,
        )

    def _give(self, client: Client, member: Json, password: str | None, slip: Callable[[Json, str], None]) -> None:
        """Whoever ended in the middle took the password along: nobody has it, so another does no harm."""
        uid = str(member["uid"])
        try:
            slip(member, password or self._another(client, uid))
        except CeoError as error:
            if error.exit_status in _AWAY or isinstance(error, Unauthenticated):
                raise
            self.without[uid] = error.message

    def _add(self, client: Client, number: int) -> dict[str, str]:
        """The temporary passwords, where they came; who is refused is left out of the batch, and the others are added."""
        until, sent_before = time.monotonic() + _PATIENCE_S, str(number) in self.keys
        passwords: dict[str, str] = {}
        while members := self.batches[number]:
            if str(number) not in self.keys:
                self._key(number, str(uuid.uuid4()))
            try:
                result = follow(client.add_members(members, self.keys[str(number)]), lambda _: None).get("result", {})
                passwords = result.get("temporary_passwords") or {}
                break
            except (OutcomeUnknown, Busy, InRecovery) as error:
                if time.monotonic() > until:
                    raise
                if not isinstance(error, OutcomeUnknown):
                    self._key(number, None)  # it was never begun
                time.sleep(1)
            except CeoError as error:
                self._refused(number, error, sent_before=sent_before)
        self.added.append(number)
        self.save()
        return passwords

    def _refused(self, number: int, error: CeoError, *, sent_before: bool) -> None:
        """Leave out those whom an error is about.  Raises it when it is about nobody."""
        cause = error.more.get("cause") or {} if isinstance(error, Aborted) else error.as_json()
        if cause.get("code") not in _ABOUT_THEM:
            if isinstance(error, Aborted):
                self._key(number, None)  # it is undone, and another run may try again
            raise error
        members = self.batches[number]
        about = {i: message for i, message in _by_row(error.problems) if i < len(members)} or dict.fromkeys(range(len(members)), error.message)
        # ceod forgets a key after a week.
        hint = f"; perhaps this import made it on {datetime.fromtimestamp(self.begun):%Y-%m-%d}, then: ceo members pwreset" if sent_before else ""
        self.failed |= {str(members[i]["uid"]): message + hint for i, message in about.items()}
        self.batches[number] = [member for i, member in enumerate(members) if i not in about]
        self._key(number, None)

    def _key(self, number: int, key: str | None) -> None:
        self.keys.pop(str(number), None)
        if key:
            self.keys[str(number)] = key
        self.save()

    def _another(self, client: Client, uid: str) -> str:
        """Another temporary password.  Raises OutcomeUnknown when somebody else's line took it."""
        last = follow(client.reset_password(uid), lambda _: None)
        password = last.get("result", {}).get("temporary_password")
        if not password:
            raise OutcomeUnknown(f"the new password of {uid} was lost on its way from ceod")
        self.resets[uid] = str(last["transaction"])
        return str(password)
