"""What holds names without anybody who works on it: a journal that takes no records at each point of a transaction."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
import time_machine
from sqlalchemy.engine import Connection

from ceo_common.errors import BackendDown, Exists, JournalFull, WrongState
from ceod.transaction import follower
from ceod.transaction.engine import Engine
from ceod.transaction.record import STUCK, STUCK_S
from ceod.transaction.recovery import Recovery
from ceod.transaction.step import Json
from tests.ceod.test_engine import MAKE, Private, Tools, _files, _request, _run

KEY = "6a204bd8-9f3f-4e8e-8a3f-6d1a6ab5d006"
T = TypeVar("T")


class Disk:
    """Whether the journal's disk takes records."""

    def __init__(self, engine: Engine[Tools]) -> None:
        self.is_full = False
        self._write = engine.journal.write
        engine.journal.write = self.write  # type: ignore[method-assign]

    def write(self, action: Callable[[Connection], T], *, counts: bool = False) -> T:
        if self.is_full:
            raise JournalFull("made to be full")
        return self._write(action, counts=counts)


@pytest.fixture
def tools(tmp_path: Path) -> Tools:
    (tmp_path / "world").mkdir()
    return Tools(tmp_path / "world")


@pytest.fixture
def engine(tmp_path: Path, tools: Tools) -> Iterator[Engine[Tools]]:
    made = Engine(tmp_path / "state", {("make", 1): MAKE}, tools, settle_s=0)
    yield made
    made.close()


@pytest.fixture
def other(tmp_path: Path, engine: Engine[Tools], tools: Tools) -> Iterator[Engine[Tools]]:
    """The engine of another process."""
    made = Engine(tmp_path / "state", {("make", 1): MAKE}, tools, settle_s=0)
    yield made
    made.close()


@pytest.fixture
def disk(engine: Engine[Tools]) -> Disk:
    return Disk(engine)


def _rows(engine: Engine[Tools], state: str | None = None) -> list[Any]:
    return engine.record.listed(caller=None, state=state, limit=9)


def _is_free(engine: Engine[Tools], tools: Tools) -> None:
    """Assert that name and key can be had again, and that nobody is left behind as an owner."""
    tools.failing.clear()
    last = _run(engine, _request(key=KEY))[-1]
    assert last["status"] == "completed"
    assert engine.record.held() == {}
    for thread in threading.enumerate():
        if thread.name.startswith("tx-"):
            thread.join(10)
    owners = {path.stem for path in (engine.state_dir / "owners").iterdir()}
    assert engine.owner.id in owners
    assert all(not engine.owner.is_dead(owner) for owner in owners)


@pytest.mark.parametrize("fails", ["prepare", "prepared"])
def test_a_disk_that_fills_during_the_checks(
    engine: Engine[Tools], other: Engine[Tools], tools: Tools, disk: Disk, fails: str
) -> None:
    private = Private()

    def prepare() -> Json:
        disk.is_full = True
        if fails == "prepare":
            raise Exists("it is there")
        return {"what": "thing"}

    with pytest.raises(Exists if fails == "prepare" else JournalFull):
        engine.begin(MAKE, _request(key=KEY), private, prepare)
    assert private.closed
    (row,) = _rows(engine)
    assert row.state == "checking"
    for process in (engine, other):  # whoever attaches in any process hears it, at once
        (last,) = process.follow(row.id)
        assert last["error"]["code"] == "busy"
    recovery = Recovery(engine)
    with pytest.raises(JournalFull):
        recovery.once()
    disk.is_full = False
    recovery.once()
    assert _rows(engine) == []
    _is_free(engine, tools)


def test_no_more_threads(
    engine: Engine[Tools], tools: Tools, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_thread: threading.Thread) -> None:
        disk.is_full = True
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr(threading.Thread, "start", start)
        engine.begin(MAKE, _request(key=KEY), Private())
    (row,) = _rows(engine)
    assert list(engine.follow(row.id, asked=True))[-1]["error"]["code"] == "internal"
    disk.is_full = False
    Recovery(engine).once()
    assert _rows(engine)[0].state == "aborted"
    assert engine.record.held() == {}
    assert _files(tools) == set()


class Unclosable(Private):
    """Cannot be closed."""

    def close(self) -> None:
        raise RuntimeError("no")


def test_a_private_part_that_cannot_be_closed_holds_nothing(
    engine: Engine[Tools], tools: Tools
) -> None:
    def prepare() -> Json:
        raise Exists("it is there")

    with pytest.raises(RuntimeError):
        engine.begin(MAKE, _request(key=KEY), Unclosable(), prepare)
    assert _rows(engine) == []
    _is_free(engine, tools)


def test_no_room_for_an_owner(engine: Engine[Tools], tools: Tools) -> None:
    owners = engine.state_dir / "owners"
    moved = owners.rename(owners.with_name("moved"))
    owners.write_text("in the way")
    private = Private()
    with pytest.raises(JournalFull, match=r"File exists|Not a directory"):
        engine.begin(MAKE, _request(key=KEY), private)
    assert private.closed
    assert _rows(engine) == []
    owners.unlink()
    moved.rename(owners)
    _is_free(engine, tools)


@pytest.mark.parametrize("step", ["one", "two", "three", "undo one"])
@pytest.mark.parametrize(
    "error", [JournalFull("full"), OSError("I/O error"), KeyError("unforeseen")]
)
def test_a_disk_that_fills_in_the_middle(
    engine: Engine[Tools],
    other: Engine[Tools],
    tools: Tools,
    disk: Disk,
    step: str,
    error: Exception,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever asked hears at once that it could not go on; others after a while; recovery undoes it when it can."""
    record, until = engine.record.step, {"one": 1, "two": 2, "three": 3, "undo one": 1}[step]

    def fails(identifier: str, number: int, *args: Any, **values: Any) -> None:
        if number == until and values.get("state") == (
            "undone" if step.startswith("undo") else "done"
        ):
            disk.is_full = True
            raise error
        record(identifier, number, *args, **values)

    monkeypatch.setattr(follower, "LEFT_S", 0.0)
    monkeypatch.setattr(engine.record, "step", fails)
    if step == "undo one":
        tools.failing["three"] = Exists("no")
    identifier, new = engine.begin(MAKE, _request(), Private())
    last = list(engine.follow(identifier, asked=new))[-1]
    assert last["status"] == "aborted"
    assert "one" in last["undoing"]
    if step != "undo one":  # else they wait for the end of the undoing
        assert list(other.follow(identifier))[-1]["status"] == "aborted"
    monkeypatch.undo()
    disk.is_full = False
    for _ in range(3):
        Recovery(other).once()
    assert _files(tools) == set()
    _is_free(engine, tools)


def test_what_nobody_brings_to_its_end_is_shown_and_abandoned(
    engine: Engine[Tools], tools: Tools
) -> None:
    tools.failing |= {"three": Exists("no"), "undo two": BackendDown("away", backend="two")}
    identifier = _run(engine)[-1]["transaction"]
    recovery = Recovery(engine)
    recovery.once()
    assert _rows(engine, STUCK) == []
    with pytest.raises(WrongState, match="10 minutes"):
        engine.abandon(identifier, "me", "", "why")
    with time_machine.travel(
        engine.record.listed(caller=None, state=None, limit=1)[0].created + STUCK_S + 1
    ):
        assert [row.id for row in _rows(engine, STUCK)] == [identifier]
        told = engine.abandon(identifier, "me", "", "the server is gone for good")
    assert [item["step"] for item in told["left"]] == ["one", "two"]
    assert _rows(engine, STUCK) == []
    assert _rows(engine)[0].state == "abandoned"
    assert engine.record.held() == {}
    assert list(engine.follow(identifier))[-1]["status"] == "aborted"
    del tools.failing["undo two"]
    assert not engine.undo_all(identifier, MAKE) or _rows(engine)[0].state == "abandoned"


def test_what_is_abandoned_while_recovery_undoes_it_is_left_alone(
    engine: Engine[Tools], tools: Tools
) -> None:
    tools.failing |= {"three": Exists("no"), "undo two": BackendDown("away", backend="two")}
    identifier = _run(engine)[-1]["transaction"]
    del tools.failing["undo two"]

    def abandon(point: str, phase: str, step: str) -> None:
        if (point, phase, step) == ("record", "undo", "two"):
            with time_machine.travel(
                engine.record.listed(caller=None, state=None, limit=1)[0].created + STUCK_S + 1
            ):
                assert engine.abandon(identifier, "me", "", "why")["left"][0]["step"] == "one"

    engine._observer = abandon
    Recovery(engine).once()
    assert _files(tools) == {"thing.one"}
    assert _rows(engine)[0].state == "abandoned"


def test_what_somebody_works_on_is_not_abandoned(engine: Engine[Tools], tools: Tools) -> None:
    tools.gate.clear()
    identifier, _ = engine.begin(MAKE, _request(), Private())
    try:
        with time_machine.travel(
            engine.record.listed(caller=None, state=None, limit=1)[0].created + STUCK_S + 1
        ):
            assert [row.id for row in _rows(engine, STUCK)] == [identifier]
            with pytest.raises(WrongState):
                engine.abandon(identifier, "me", "", "why")
    finally:
        tools.gate.set()
    assert list(engine.follow(identifier))[-1]["status"] == "completed"


def test_what_is_committed_and_of_an_unknown_version_is_abandoned(
    engine: Engine[Tools], tools: Tools
) -> None:
    identifier, _ = engine.record.begin(_request(), "nobody")
    engine.record.commit(identifier, [(4, "tell")], keep_names=True)
    engine.operations = {}
    Recovery(engine).once()
    with time_machine.travel(
        engine.record.listed(caller=None, state=None, limit=1)[0].created + STUCK_S + 1
    ):
        told = engine.abandon(identifier, "me", "", "an operation of a version before")
    assert [item["step"] for item in told["left"]] == ["tell"]
    last = list(engine.follow(identifier))[-1]
    assert (last["status"], last["waiting"]) == ("completed", ["tell"])
    assert engine.record.held() == {}
    assert _rows(engine, STUCK) == []
