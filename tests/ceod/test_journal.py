"""The journal's own safety: older copies, damage, replacement, permissions; on real files, with the engine of plain files."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from sqlalchemy.exc import OperationalError

from ceo_common.config import Range
from ceo_common.errors import BackendDown, Changed, Exists, JournalFull, JournalUntrusted, NotFound
from ceod.accept_journal import _look
from ceod.operations.accounts import USER_NUMBER
from ceod.runtime import Runtime, _check_counters
from ceod.services.all import Services
from ceod.transaction.accept import accept, under_way
from ceod.transaction.engine import Engine
from ceod.transaction.fingerprint import Fingerprint, FingerprintFile
from ceod.transaction.guard import CONSULT_IN_DOUBT_S, CONSULT_S, EXAMINE_AGAIN_S, EXAMINE_S
from ceod.transaction.recovery import Recovery
from ceod.transaction.state_dir import UnsafeState
from ceod.transaction.step import Json, Run, Step, Undone
from tests.ceod.test_engine import MAKE, Make, Private, Tools, _files, _request, _run

OPERATIONS = {("make", 1): MAKE}


class Memory:
    """A witness that may be away."""

    name = "the directory"

    def __init__(self) -> None:
        self.text: str | None = None
        self.away = False
        self.is_unknown = False

    def read(self) -> str | None:
        if self.away:
            raise BackendDown("away", backend="ldap")
        if self.is_unknown:
            raise NotFound("there is no entry of this host")
        return self.text

    def write(self, old: str | None, new: str) -> None:
        if self.away:
            raise BackendDown("away", backend="ldap")
        if old != self.text:
            raise Changed("not as it was")
        self.text = new


class Place:
    """A host: its state_dir, what is outside it, and the world that transactions change."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.outside = folder / "state-fingerprint/journal"
        (folder / "world").mkdir()
        self.tools = Tools(folder / "world")
        self.witness = Memory()
        self.operations = OPERATIONS

    @contextmanager
    def ceod(self) -> Iterator[Engine[Tools]]:
        engine = Engine(self.state, self.operations, self.tools, settle_s=0, witness=self.witness)
        try:
            yield engine
        finally:
            engine.close()

    def copy(self) -> dict[str, bytes]:
        """A backup of the journal, as a file system's snapshot would make one."""
        return {path.name: path.read_bytes() for path in self.state.glob("journal.db*")}

    def put_back(self, copy: dict[str, bytes]) -> None:
        for path in self.state.glob("journal.db*"):
            path.unlink()
        for name, content in copy.items():
            (self.state / name).write_bytes(content)
            (self.state / name).chmod(0o600)

    def reason(self) -> str:
        """Why a ceod that starts now trusts nothing, and that it acts upon nothing; empty where it does."""
        with self.ceod() as engine:
            engine.guard.consult()
            before = _files(self.tools)
            try:
                _recover(engine)
            except JournalUntrusted as error:
                with pytest.raises(JournalUntrusted):
                    engine.begin(MAKE, _request("new"), Private())
                assert _files(self.tools) == before
                return str(error.more["reason"])
        return ""


def _recover(engine: Engine[Tools]) -> None:
    """A round of the loop, in a process that ends after it."""
    recovery = Recovery(engine)
    try:
        engine.guard.tend()
        recovery.once()
    finally:
        if recovery._lock is not None:
            os.close(recovery._lock)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def _copy_in_the_middle(place: Place, what: str = "thing") -> dict[str, bytes]:
    """A copy that was taken while a transaction was at work, which then ended well."""
    with place.ceod() as engine:
        place.tools.gate.clear()
        identifier, _ = engine.begin(MAKE, _request(what), Private())
        follower = engine.follow(identifier)
        next(follower)
        copy = place.copy()
        place.tools.gate.set()
        assert list(follower)[-1]["status"] == "completed"
    return copy


def test_a_copy_from_the_middle_of_a_transaction_undoes_nothing(place: Place) -> None:
    copy = _copy_in_the_middle(place)
    assert place.reason() == ""
    made = _files(place.tools)
    assert {"thing.one", "thing.two", "thing.three"} <= made
    place.put_back(copy)
    assert place.reason() == "older"
    assert _files(place.tools) == made


def test_a_copy_that_lacks_one_record_is_noticed(place: Place) -> None:
    with place.ceod() as engine:
        _run(engine)
        copies = [place.copy()]
        place.tools.failing["tell"] = BackendDown("away", backend="x")
        place.tools.gate.clear()
        identifier, _ = engine.begin(MAKE, _request("other"), Private())
        copies.append(place.copy())
        place.tools.gate.set()
        list(engine.follow(identifier))
        newest = place.copy()
    for copy in copies:
        place.put_back(copy)
        assert place.reason() == "older"
    place.put_back(newest)
    assert place.reason() == ""


class NoteEach(Step[Tools, Private]):
    """Notes each of its three files before it makes it, and stops behind the last one."""

    name = "each"

    def __init__(self) -> None:
        self.is_made = threading.Event()
        self.goes_on = threading.Event()

    def do(self, run: Run[Tools, Private]) -> None:
        for i in range(3):
            path = run.tools.folder / f"{run.arguments['what']}.{i}"
            run.note(each=[*run.facts.get("each", ()), str(path)])
            path.write_text(run.transaction)
        self.is_made.set()
        assert self.goes_on.wait(10)

    def undo(self, transaction: str, intent: Json, tools: Tools) -> Undone:
        for path in intent.get("each", ()):
            Path(path).unlink(missing_ok=True)
        return Undone.REMOVED


def _commits(log: bytes) -> list[int]:
    """Where in a write-ahead log each of SQLite's transactions ends (https://sqlite.org/fileformat.html#walformat)."""
    page_size = int.from_bytes(log[8:12])
    frames = range(32, len(log) - 24 - page_size + 1, 24 + page_size)
    return [at + 24 + page_size for at in frames if int.from_bytes(log[at + 4 : at + 8])]


def test_a_log_cut_anywhere_is_refused_or_undone_whole(place: Place) -> None:
    """Whatever the undo of a running transaction needs is counted: no cut log fits that lacks some of it."""
    step = NoteEach()
    make = replace(MAKE, before=(Make("one"), Make("two"), step))
    place.operations = {("make", 1): make}
    with place.ceod() as engine:
        identifier, _ = engine.begin(make, _request(), Private())
        assert step.is_made.wait(10)
        copy, outside, made = place.copy(), place.outside.read_bytes(), _files(place.tools)
        assert made == {"thing.one", "thing.two", "thing.0", "thing.1", "thing.2"}
        step.goes_on.set()
        assert list(engine.follow(identifier))[-1]["status"] == "completed"
    log = copy["journal.db-wal"]
    reasons = []
    for end in _commits(log):
        for name in made:
            (place.tools.folder / name).write_text(identifier)
        (place.tools.folder / "thing.told").unlink(missing_ok=True)
        place.put_back(copy | {"journal.db-wal": log[:end]})
        place.outside.write_bytes(outside)
        reasons.append(place.reason())
        assert _files(place.tools) == (made if reasons[-1] else set()), f"cut at {end}"
    assert reasons[-1] == ""
    assert set(reasons[:-1]) >= {"older"}


def _cut_wal(place: Place) -> None:
    wal = place.state / "journal.db-wal"
    os.truncate(wal, wal.stat().st_size // 2)


def _flip_late_in_wal(place: Place) -> None:
    wal = place.state / "journal.db-wal"
    _flip(wal, wal.stat().st_size * 3 // 4)


def _flip_early_in_wal(place: Place) -> None:
    """Before the tables were made: SQLite takes nothing from there on."""
    _flip(place.state / "journal.db-wal", 5000)


def _flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 0x10
    path.write_bytes(content)


def _empty(place: Place) -> None:
    for path in place.state.glob("journal.db*"):
        path.write_bytes(b"")


def _delete(place: Place) -> None:
    for path in place.state.glob("journal.db*"):
        path.unlink()


def _text(place: Place) -> None:
    _delete(place)
    (place.state / "journal.db").write_text(
        "no database, and longer than its header would be" * 100
    )


def _flip_the_header(place: Place) -> None:
    _checkpoint(place)
    _flip(place.state / "journal.db", 3)


def _flip_every_page(place: Place) -> None:
    _checkpoint(place)
    path = place.state / "journal.db"
    for page in range(1, path.stat().st_size // 4096):
        _flip(path, page * 4096)  # the kind of a B-tree page


def _change_the_audit(place: Place) -> None:
    with closing(sqlite3.connect(place.state / "journal.db", isolation_level=None)) as connection:
        connection.execute("UPDATE audit SET row = replace(row, '\"me\"', '\"you\"') WHERE n = 1")


def _cut_the_audit(place: Place) -> None:
    with closing(sqlite3.connect(place.state / "journal.db", isolation_level=None)) as connection:
        connection.execute("DELETE FROM audit WHERE n >= 2")


def _break_text(table: str, column: str) -> Callable[[Place], None]:
    """A fault: one byte of a JSON text, which SQLite's own check does not look at."""

    def fault(place: Place) -> None:
        with closing(
            sqlite3.connect(place.state / "journal.db", isolation_level=None)
        ) as connection:
            connection.execute(
                f"UPDATE {table} SET {column} = '}}' || substr({column}, 2)"
                f" WHERE rowid = (SELECT min(rowid) FROM {table} WHERE {column} IS NOT NULL)"
            )

    fault.__name__ = f"a_broken_{column}_of_{table}"
    return fault


def _no_text(place: Place) -> None:
    with closing(sqlite3.connect(place.state / "journal.db", isolation_level=None)) as connection:
        connection.execute("UPDATE audit SET hash = CAST(x'ff' AS TEXT) WHERE n = 1")


def _checkpoint(place: Place) -> None:
    with closing(sqlite3.connect(place.state / "journal.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _damage_the_fingerprint(place: Place) -> None:
    _flip(place.outside, 30)


def _empty_fingerprint(place: Place) -> None:
    place.outside.write_bytes(b"")


def _another_journal(place: Place) -> None:
    _delete(place)
    other = Place(place.state.parent / "other")
    with other.ceod() as engine:
        _run(engine)
        copy = other.copy()
    place.put_back(copy)


FAULTS: dict[Callable[[Place], None], str] = {
    _cut_wal: "older",
    _flip_late_in_wal: "older",
    _flip_early_in_wal: "lost",
    _empty: "lost",
    _delete: "lost",
    _text: "damaged",
    _flip_the_header: "damaged",
    _flip_every_page: "damaged",
    _change_the_audit: "damaged",
    _no_text: "damaged",
    _break_text("audit", "row"): "damaged",
    _break_text("transactions", "arguments"): "damaged",
    _break_text("transactions", "result"): "damaged",
    _break_text("steps", "intent"): "damaged",
    _break_text("events", "event"): "damaged",
    _cut_the_audit: "altered",
    _damage_the_fingerprint: "fingerprint",
    _empty_fingerprint: "fingerprint",
    _another_journal: "other",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__.strip("_"))
def test_damage_and_loss_stop_new_work_and_recovery(
    place: Place, fault: Callable[[Place], None]
) -> None:
    (place.state.parent / "other").mkdir()
    with place.ceod() as engine:
        for i in range(3):
            _run(engine, _request(f"thing{i}"))
        copy = place.copy()
    place.put_back(copy)  # as a ceod that was killed leaves it
    assert place.reason() == ""
    place.put_back(copy)
    fault(place)
    assert place.reason() == FAULTS[fault]
    assert place.reason() == FAULTS[fault]
    if FAULTS[fault] in ("damaged", "older", "lost"):
        place.put_back(copy)
        assert place.reason() == "", "the newest whole copy is put back, and that is all"


def test_reads_are_served_all_the_same(place: Place) -> None:
    copy = _copy_in_the_middle(place)
    with place.ceod() as engine:
        _run(engine, _request("other"))
    place.put_back(copy)
    with place.ceod() as engine:
        assert [row.subject for row in engine.record.listed(caller=None, state=None, limit=9)] == [
            "thing"
        ]


def test_the_witness_notices_what_was_put_back_with_the_fingerprint(place: Place) -> None:
    """A whole host from a backup; a witness that is away or knows nothing refuses nothing."""
    place.witness.away = True
    with place.ceod() as engine:
        engine.guard.consult()
        _run(engine)
        copy, outside = place.copy(), place.outside.read_bytes()
    assert place.reason() == ""
    place.witness.away = False
    assert place.reason() == ""
    assert place.witness.text
    with place.ceod() as engine:
        _run(engine, _request("other"))
        engine.guard.consult()
    place.put_back(copy)
    place.outside.write_bytes(outside)
    assert place.reason() == "older"
    place.outside.unlink()
    assert place.reason() == "older"
    _delete(place)
    assert place.reason() == "lost"
    place.witness.text = "nothing that makes sense"
    assert place.reason() == ""


def test_nothing_of_an_earlier_ceod_is_undone_before_the_witness_answered(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A whole host put back, whose directory is away when it starts: state_dir and the file outside fit each other."""
    with place.ceod() as engine:
        place.tools.gate.clear()
        identifier, _ = engine.begin(MAKE, _request(), Private())
        follower = engine.follow(identifier)
        next(follower)
        copy, outside = place.copy(), place.outside.read_bytes()
        place.tools.gate.set()
        list(follower)
        engine.guard.consult()
    made = _files(place.tools)
    place.put_back(copy)
    place.outside.write_bytes(outside)
    place.witness.away = True
    now = [0.0]
    with place.ceod() as engine:
        engine.guard._clock = lambda: now[0]
        for _ in range(3):
            _recover(engine)
            now[0] += CONSULT_IN_DOUBT_S
        assert _files(place.tools) == made
        waits = [record for record in caplog.records if "before it answers" in record.message]
        assert len(waits) == 1, "logged once"
        place.tools.failing["two"] = Exists("no")
        assert _run(engine, _request("other"))[-1]["undone"] == ["one", "two"], (
            "what this ceod began it undoes"
        )
        monkeypatch.setattr("ceod.transaction.follower.LEFT_S", 0.0)
        last = list(engine.follow(identifier))[-1]
        assert "as soon as the directory answers" in last["error"]["error"]
        assert last["undoing"] == ["one"]
        place.witness.away = False
        with pytest.raises(JournalUntrusted, match="than the directory remembers"):
            _recover(engine)
    assert _files(place.tools) == made


@pytest.mark.parametrize("answer", ["the newest", "nothing", "there is no entry", "nonsense"])
def test_whatever_the_witness_answers_lets_recovery_go_on(place: Place, answer: str) -> None:
    with place.ceod() as engine:
        place.tools.gate.clear()
        identifier, _ = engine.begin(MAKE, _request(), Private())
        next(follower := engine.follow(identifier))
        copy, outside = place.copy(), place.outside.read_bytes()
        place.tools.failing["two"] = Exists("no")
        place.tools.gate.set()
        list(follower)
    place.put_back(copy)
    place.outside.write_bytes(outside)
    place.witness.text = {
        "the newest": str(FingerprintFile(place.outside).read()),
        "nonsense": "x",
    }.get(answer)
    place.witness.is_unknown = answer == "there is no entry"
    with place.ceod() as engine:
        _recover(engine)
        assert [row.state for row in engine.record.listed(caller=None, state=None, limit=9)] == [
            "aborted"
        ]


def test_the_witness_is_consulted_hourly_and_sooner_while_in_doubt(place: Place) -> None:
    now = [0.0]
    with place.ceod() as engine:
        engine.guard._clock = lambda: now[0]
        engine.guard.tend()
        first = place.witness.text
        assert first
        _run(engine)
        engine.guard.tend()
        assert place.witness.text == first
        now[0] += CONSULT_S
        engine.guard.tend()
        second = place.witness.text
        assert second
        # It began, began three steps, was committed and ended.
        assert Fingerprint.parse(second).count == Fingerprint.parse(first).count + 6
        place.witness.text = second.replace(" 6 ", " 7 ")
        now[0] += CONSULT_S
        engine.guard.tend()
        with pytest.raises(JournalUntrusted):
            engine.guard.check()
        place.witness.text = second
        now[0] += 10
        engine.guard.tend()
        engine.guard.check()


def _replace_by_a_copy(state: Path, aside: Path) -> None:
    (state / "journal.db").rename(aside)
    shutil.copy(aside, state / "journal.db")


def _move_away(state: Path, aside: Path) -> None:
    state.rename(aside)


def _move_away_and_replace(state: Path, aside: Path) -> None:
    state.rename(aside)
    shutil.copytree(aside, state)


REPLACED: dict[str, Callable[[Path, Path], object]] = {
    "deleted": lambda state, _: (state / "journal.db").unlink(),
    "renamed": lambda state, aside: (state / "journal.db").rename(aside),
    "a copy put in its place": _replace_by_a_copy,
    "its WAL deleted": lambda state, _: (state / "journal.db-wal").unlink(),
    "state_dir moved away": _move_away,
    "state_dir moved away, another in its place": _move_away_and_replace,
}


@pytest.mark.parametrize("how", REPLACED)
def test_a_journal_that_was_replaced_while_ceod_runs(place: Place, how: str) -> None:
    with place.ceod() as engine:
        _run(engine)
        recovery = Recovery(engine)
        recovery.once()
        REPLACED[how](place.state, place.state.parent / "aside")
        for _ in range(2):
            with pytest.raises(JournalUntrusted, match="moved, deleted or replaced") as caught:
                engine.begin(MAKE, _request("new"), Private())
            assert caught.value.more == {"reason": "replaced"}
            with pytest.raises(JournalUntrusted):
                recovery.once()
            with pytest.raises(JournalUntrusted):
                Recovery(engine).once()
        assert "new.one" not in _files(place.tools)
        if how == "deleted":
            assert not (place.state / "journal.db").exists(), "nothing makes an empty one"
        if how in ("renamed", "state_dir moved away"):
            back = place.state if how == "state_dir moved away" else place.state / "journal.db"
            (place.state.parent / "aside").rename(back)
            assert _run(engine, _request("new"))[-1]["status"] == "completed"


def test_a_journal_that_is_taken_away_is_logged_before_anybody_asks(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    with place.ceod() as engine:
        (place.state / "journal.db").unlink()
        for _ in range(3):
            with pytest.raises(JournalUntrusted):
                _recover(engine)
    assert ["moved, deleted or replaced" in record.message for record in caplog.records].count(
        True
    ) == 1


def test_an_older_copy_written_over_the_open_file_is_noticed(place: Place) -> None:
    """The same inode: only the content went backwards."""
    with place.ceod() as engine:
        _run(engine)
        _checkpoint(place)
        copy = (place.state / "journal.db").read_bytes()
        _run(engine, _request("other"))
        _checkpoint(place)
        with (place.state / "journal.db").open("r+b") as file:
            file.write(copy)
        with pytest.raises(JournalUntrusted):
            engine.guard.check()
            engine.journal.examine()
            engine.guard.check()


def test_what_runs_when_the_journal_is_taken_away_comes_to_its_end(place: Place) -> None:
    with place.ceod() as engine:
        place.tools.gate.clear()
        identifier, _ = engine.begin(MAKE, _request(), Private())
        follower = engine.follow(identifier)
        next(follower)
        copy = place.copy()
        (place.state / "journal.db").unlink()
        place.tools.gate.set()
        assert list(follower)[-1]["status"] == "completed"
    place.put_back(copy)
    assert place.reason() == "older"
    assert "thing.three" in _files(place.tools)


def test_the_whole_journal_is_examined_daily(place: Place) -> None:
    now = [0.0]
    with place.ceod() as engine, place.ceod() as other:
        engine.guard._clock = lambda: now[0]
        recovery = Recovery(engine)
        _run(engine)
        recovery.once()
        _change_the_audit(place)
        recovery.once()
        now[0] += EXAMINE_S
        with pytest.raises(JournalUntrusted, match="audit log was changed at row 1"):
            recovery.once()
        with pytest.raises(JournalUntrusted, match="audit log was changed at row 1"):
            other.guard.check()


def test_what_can_not_be_examined_is_not_acted_upon_and_examined_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    with place.ceod() as engine:
        engine.guard._clock = lambda: now[0]
        recovery = Recovery(engine)
        with monkeypatch.context() as patch:
            patch.setattr("ceod.transaction.audit.check", lambda *_a, **_k: 1 / 0)
            for _ in range(2):
                with pytest.raises(
                    JournalUntrusted, match="could not be examined: division by zero"
                ):
                    recovery.once()
        with pytest.raises(JournalUntrusted):
            recovery.once()
        now[0] += EXAMINE_AGAIN_S
        recovery.once()
        assert _run(engine)[-1]["status"] == "completed"


def test_a_damaged_row_stops_work_as_soon_as_it_is_read(place: Place) -> None:
    """Not as a full disk, and not for one process alone."""
    with place.ceod() as engine, place.ceod() as other:
        identifier = _run(engine)[-1]["transaction"]
        recovery = Recovery(engine)
        recovery.once()
        _break_text("transactions", "arguments")(place)
        with pytest.raises(JournalUntrusted, match="a row can't be read"):
            engine.record.transaction(identifier)
        for guard in (engine.guard, other.guard):
            with pytest.raises(JournalUntrusted, match="a row can't be read"):
                guard.check()
        with pytest.raises(JournalUntrusted, match="a row can't be read"):
            recovery.once()


def test_damage_that_another_process_accepts_is_over_for_the_one_that_noticed_it(
    place: Place,
) -> None:
    with place.ceod() as engine:
        _run(engine)
        _change_the_audit(place)
        engine.journal.examine()
        with pytest.raises(JournalUntrusted):
            engine.guard.check()
        with place.ceod() as administrators:
            administrators.journal.examine()
            _accept(place, administrators)
        engine.guard.check()
        assert _run(engine, _request("new"))[-1]["status"] == "completed"


def test_damage_is_kept_where_it_can_not_be_written_down(place: Place) -> None:
    with place.ceod() as engine:
        _run(engine)
        (place.state / "damaged").mkdir()
        _change_the_audit(place)
        engine.journal.examine()
        with pytest.raises(JournalUntrusted, match="audit log was changed"):
            engine.guard.check()
        (place.state / "damaged").rmdir()


def _break_a_number_that_was_given(place: Place) -> None:
    with closing(sqlite3.connect(place.state / "journal.db", isolation_level=None)) as connection:
        connection.execute("UPDATE steps SET name = ? WHERE number = 1", (USER_NUMBER,))
    _break_text("steps", "intent")(place)


@pytest.mark.parametrize("fault", [_break_a_number_that_was_given, _flip_every_page, _text])
def test_a_damaged_journal_does_not_keep_ceod_from_starting(
    place: Place, fault: Callable[[Place], None]
) -> None:
    """The numbers that it gave can't be read then, and none is given before somebody looked at it."""
    numbers = SimpleNamespace(ranges=lambda: {"member": Range(20001, 29999)})
    admins = SimpleNamespace(admin=True, config=SimpleNamespace(numbers=numbers))
    with place.ceod() as engine:
        _run(engine)
    fault(place)
    with place.ceod() as engine:
        _check_counters(cast(Services, admins), engine.record)
        with pytest.raises(JournalUntrusted):
            engine.guard.check()


def test_the_search_for_temporary_homes_outlives_a_damaged_journal(
    place: Place, tmp_path: Path
) -> None:
    home = tmp_path / f"homes/.ceo-{uuid.uuid4()}-somebody"
    home.mkdir(parents=True)
    os.utime(home, (0, 0))
    with place.ceod() as engine:
        _run(engine)
    _flip_every_page(place)
    with place.ceod() as engine:
        homes = SimpleNamespace(homes=SimpleNamespace(root=str(home.parent)))
        admins = SimpleNamespace(admin=True)
        Runtime._tell_left_homes(
            cast(Runtime, SimpleNamespace(services=admins, config=homes, engine=engine))
        )


@pytest.mark.parametrize("is_changed", [True, False])
def test_only_a_chain_that_was_broken_is_accepted_as_it_is(place: Place, is_changed: bool) -> None:
    with place.ceod() as engine:
        _run(engine)
        copy = place.copy()
        _run(engine, _request("other"))
    place.put_back(copy)
    if is_changed:
        _change_the_audit(place)
    with place.ceod() as engine:
        look = _look(engine.journal, place.witness)
        assert look.differences
        assert look.is_chain_broken == is_changed


# Permissions


def _modes(place: Place) -> dict[str, int]:
    files = [place.state, *place.state.glob("journal.db*"), place.outside, place.outside.parent]
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in files}


CLOSED = {
    "state": 0o700,
    "journal.db": 0o600,
    "journal.db-wal": 0o600,
    "journal.db-shm": 0o600,
    "journal": 0o600,
    "state-fingerprint": 0o700,
}


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_only_ceod_reads_the_journal(place: Place, mask: int) -> None:
    before = os.umask(mask)
    try:
        with place.ceod() as engine:
            _run(engine)
            assert _modes(place) == CLOSED
    finally:
        os.umask(before)


def test_what_others_could_read_is_closed_at_the_start(place: Place) -> None:
    with place.ceod() as engine:
        _run(engine)
        place.state.chmod(0o755)
        for path in place.state.glob("journal.db*"):
            path.chmod(0o644)
        copy = place.copy()
    place.put_back(copy)
    place.state.chmod(0o755)
    for path in place.state.glob("journal.db*"):
        path.chmod(0o644)
    with place.ceod() as engine:
        _run(engine, _request("other"))
        assert _modes(place) == CLOSED


def _link_state(place: Place) -> None:
    place.state.rename(place.state.parent / "elsewhere")
    place.state.symlink_to(place.state.parent / "elsewhere")


def _link_journal(place: Place) -> None:
    (place.state / "journal.db").rename(place.state.parent / "elsewhere")
    (place.state / "journal.db").symlink_to(place.state.parent / "elsewhere")


def _pipe(place: Place) -> None:
    (place.state / "journal.db").unlink()
    os.mkfifo(place.state / "journal.db", 0o600)


def _file(place: Place) -> None:
    shutil.rmtree(place.state)
    place.state.write_text("")


UNSAFE: dict[str, Callable[[Place], None]] = {
    "a linked directory": _link_state,
    "a linked journal": _link_journal,
    "a pipe": _pipe,
    "a file in its place": _file,
    "a directory that others write": lambda place: place.state.chmod(0o777),
    "a directory that a group writes": lambda place: place.state.chmod(0o770),
    "a journal that others write": lambda place: (place.state / "journal.db").chmod(0o666),
    "another's directory": lambda place: os.chown(place.state, 65534, 65534),
    "another's journal": lambda place: os.chown(place.state / "journal.db", 65534, 65534),
}


@pytest.mark.parametrize("how", UNSAFE)
def test_what_others_could_have_written_is_refused(place: Place, how: str) -> None:
    if os.geteuid() != 0 and "another's" in how:
        pytest.skip("only root gives files away")
    with place.ceod() as engine:
        _run(engine)
    UNSAFE[how](place)
    with pytest.raises(UnsafeState), place.ceod():
        pass


# The fingerprint's file


def test_the_fingerprint_never_goes_down(tmp_path: Path) -> None:
    file = FingerprintFile(tmp_path / "outside/journal")
    assert file.read() is None
    file.raise_to(Fingerprint("a", 5, 2, "x"))
    file.raise_to(Fingerprint("a", 4, 1, "y"))
    assert file.read() == Fingerprint("a", 5, 2, "x")
    file.raise_to(Fingerprint("b", 9, 9, "z"))
    assert file.read() == Fingerprint("a", 5, 2, "x"), "another journal's"
    file.raise_to(Fingerprint("a", 6, 0, ""))
    assert file.read() == Fingerprint("a", 6, 0, "")
    file.replace(Fingerprint("b", 1, 0, ""))
    assert file.read() == Fingerprint("b", 1, 0, "")
    assert [path.name for path in file.path.parent.iterdir()] == ["journal"]


def test_many_first_checks_at_once_make_one_file(place: Place) -> None:
    with place.ceod() as engine:
        _run(engine)
        for _ in range(10):
            place.outside.unlink()
            with ThreadPoolExecutor(16) as pool:
                for check in [pool.submit(engine.guard.check) for _ in range(32)]:
                    check.result()
        assert [path.name for path in place.outside.parent.iterdir()] == ["journal"]


def test_of_two_counts_that_could_not_be_written_the_larger_is_kept(place: Place) -> None:
    with place.ceod() as engine:
        _run(engine)
        before = engine.journal.fingerprint()
        place.outside.chmod(0o666)
        for count in (before.count + 2, before.count + 1):
            engine.journal._tell_outside(replace(before, count=count))
        place.outside.chmod(0o600)
        assert engine.journal.known_outside() == replace(before, count=before.count + 2)


@pytest.mark.parametrize(
    "text", ["a -1 2 x", "a 1 -2 x", f"a {1 << 63} 2 x", f"a 1 {1 << 63} x", "a 1 x", "a 1 2 x y"]
)
def test_what_is_no_fingerprint_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Fingerprint.parse(text)


# Writing


def test_a_journal_that_another_program_holds_is_no_full_disk(place: Place) -> None:
    with (
        place.ceod() as engine,
        closing(sqlite3.connect(place.state / "journal.db", isolation_level=None)) as other,
    ):
        engine.journal.write(
            lambda connection: connection.exec_driver_sql("PRAGMA busy_timeout = 0")
        )
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalFull, match="another program holds ceod's journal"):
            engine.journal.write(lambda _: None)
        other.execute("ROLLBACK")
        engine.journal.write(lambda _: None)


def test_a_mistake_of_our_own_is_no_full_disk(place: Place) -> None:
    with place.ceod() as engine, pytest.raises(OperationalError, match="no such table"):
        engine.journal.write(lambda connection: connection.exec_driver_sql("DELETE FROM nowhere"))


def test_nothing_is_begun_while_the_fingerprint_can_not_be_written(place: Place) -> None:
    with place.ceod() as engine:
        _run(engine)
        place.outside.chmod(0o666)
        with pytest.raises(JournalUntrusted, match="may be written by others") as caught:
            engine.begin(MAKE, _request("new"), Private())
        assert caught.value.more == {"reason": "fingerprint"}
        place.outside.chmod(0o600)
        place.tools.gate.clear()
        identifier, _ = engine.begin(MAKE, _request("new"), Private())
        next(engine.follow(identifier))  # the first step began
        place.outside.chmod(0o666)
        place.tools.gate.set()
        assert list(engine.follow(identifier))[-1]["status"] == "completed", (
            "what runs comes to its end"
        )
        place.outside.chmod(0o600)
        held = FingerprintFile(place.outside)
        before = held.read()
        engine.guard.check()
        now = held.read()
        assert before and now
        assert now == engine.journal.fingerprint(), "and it is written as soon as that can be done"
        assert now.count > before.count


# Accepting


def _accept(place: Place, engine: Engine[Tools]) -> None:
    outside = engine.journal.file.read()
    now = accept(
        engine.journal,
        OPERATIONS,
        [outside] if outside else [],
        "the newest was lost",
        "root",
        audit_as_it_is=True,
    )
    engine.journal.file.replace(now)
    engine.journal.forget_damage()


def test_an_accepted_copy_is_worked_with_and_nothing_in_it_is_gone_on_with(place: Place) -> None:
    copy = _copy_in_the_middle(place)
    with place.ceod() as engine:
        engine.guard.consult()
    made = _files(place.tools)
    place.put_back(copy)
    with place.ceod() as engine:
        engine.guard.consult()
        (unfinished,) = engine.record.unfinished()
        with pytest.raises(JournalUntrusted):
            engine.guard.check()
        place.witness.away = True
        _accept(place, engine)
        engine.guard.check()
        _recover(engine)
        assert _files(place.tools) == made
        row = engine.record.transaction(unfinished.id)
        assert row
        assert (row.state, row.reason) == ("abandoned", "the newest was lost")
        last = list(engine.follow(row.id))[-1]
        assert (last["status"], last["left"]) == ("aborted", ["one"])
        assert engine.record.held() == {}
        assert _run(engine, _request("new"))[-1]["status"] == "completed"
        assert _run(engine, _request("thing2"))[-1]["status"] == "completed"
    place.witness.away = False  # the witness heard nothing of it, and remembers the journal before
    assert place.reason() == ""
    assert place.witness.text
    place.put_back(copy)
    assert place.reason() == "other", "the same copy once more"


def test_what_was_committed_in_an_accepted_copy_is_completed_and_its_steps_wait_for_a_person(
    place: Place,
) -> None:
    place.tools.failing["tell"] = BackendDown("away", backend="x")
    with place.ceod() as engine:
        waits = _run(engine)[-1]["transaction"]
        copy = place.copy()
        _run(engine, _request("other"))
    place.put_back(copy)
    with place.ceod() as engine:
        _accept(place, engine)
        del place.tools.failing["tell"]
        assert [row.state for row in engine.record.steps_of(waits)] == [
            "done",
            "done",
            "done",
            "given_up",
        ]
        _recover(engine)
        assert "thing.told" not in _files(place.tools)
        engine.resume(waits)
        _recover(engine)
        assert "thing.told" in _files(place.tools)


def test_a_fingerprint_that_could_not_be_written_when_the_journal_was_accepted_is_written_later(
    place: Place,
) -> None:
    with place.ceod() as engine:
        copy = place.copy()
        _run(engine)
    place.put_back(copy)
    with place.ceod() as engine:
        outside = engine.journal.file.read()
        assert outside
        now = accept(engine.journal, OPERATIONS, [outside], "lost", "root", audit_as_it_is=False)
        assert engine.journal.file.read() == outside
        engine.guard.check()
        assert engine.journal.file.read() == now
        copy = place.copy()
        _run(engine)
    place.witness.text = None
    place.put_back(copy)
    assert place.reason() == "older", "it protects the accepted one"


def test_what_could_not_be_undone_is_abandoned_by_accepting(place: Place) -> None:
    place.tools.failing |= {"three": Exists("no"), "undo two": PermissionError("no")}
    with place.ceod() as engine:
        identifier = _run(engine)[-1]["transaction"]
        assert [(row.id, row.state) for row in under_way(engine.journal)[0]] == [
            (identifier, "undo_failed")
        ]
        _accept(place, engine)
        assert under_way(engine.journal) == ([], [])
        row = engine.record.transaction(identifier)
        assert row
        assert row.state == "abandoned"
        assert engine.record.held() == {}


def test_a_changed_audit_log_is_accepted_from_its_newest_row_on(place: Place) -> None:
    with place.ceod() as engine:
        _run(engine)
        _run(engine, _request("other"))
    _change_the_audit(place)
    assert place.reason() == "damaged"
    with place.ceod() as engine:
        _accept(place, engine)
    assert place.reason() == ""
    with closing(sqlite3.connect(place.state / "journal.db", isolation_level=None)) as connection:
        connection.execute("UPDATE audit SET row = replace(row, 'accepted', 'rejected')")
    assert place.reason() == "damaged", "what comes after is under the chain again"
