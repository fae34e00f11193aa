"""The engine with an operation of plain files: it knows no member, and needs no server to be proved."""

from __future__ import annotations

import dataclasses
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import time_machine

from ceo_common.errors import BackendDown, Busy, Exists, InRecovery, KeyReused, NotFound, WrongState
from ceod.transaction.engine import Engine
from ceod.transaction.follower import Follower
from ceod.transaction.owners import Owner
from ceod.transaction.record import OptionalNames, Request
from ceod.transaction.recovery import Recovery
from ceod.transaction.step import Bulk, Definition, Json, Later, Operation, Run, Step, Turn, Undone


class Private:
    """A secret, and whether it was let go of."""

    def __init__(self) -> None:
        self.secret = "hunter2"
        self.closed = False

    def close(self) -> None:
        self.closed = True


class Tools:
    """The world: a folder, and what is made to fail in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.failing: dict[str, Exception] = {}
        self.gate = threading.Event()
        self.gate.set()


class Make(Step[Tools, Private]):
    """Makes a file that bears the transaction's id."""

    def __init__(self, name: str) -> None:
        self.name = name

    def intent(self, run: Run[Tools, Private]) -> Json:
        return {self.name: str(run.tools.folder / f"{run.arguments['what']}.{self.name}")}

    def do(self, run: Run[Tools, Private]) -> None:
        run.tools.gate.wait(10)
        if error := run.tools.failing.get(self.name):
            raise error
        Path(run.facts[self.name]).write_text(run.transaction)

    def needed(self, arguments: Json) -> bool:
        return self.name not in arguments.get("without", ())

    def undo(self, transaction: str, intent: Json, tools: Tools) -> Undone:
        if error := tools.failing.get(f"undo {self.name}"):
            raise error
        path = Path(intent[self.name])
        if not path.exists():
            return Undone.ABSENT
        if path.read_text() != transaction:
            return Undone.NOT_OURS
        path.unlink()
        return Undone.REMOVED


class Tell(Later[Tools]):
    """Makes a file after the commit."""

    name = "tell"

    def needed(self, arguments: Json) -> bool:
        return self.name not in arguments.get("without", ())

    def wanted(self, turn: Turn[Tools]) -> bool:
        return "unwanted" not in turn.facts["what"]

    def do(self, turn: Turn[Tools]) -> None:
        if error := turn.tools.failing.get(self.name):
            raise error
        (turn.tools.folder / f"{turn.facts['what']}.told").write_text(turn.transaction)


MAKE = Operation[Tools, Private](
    name="make", version=1, before=(Make("one"), Make("two"), Make("three")), after=(Tell(),),
    result=lambda facts: {"what": facts["what"], "secret": None}, secrets=lambda private: {"secret": private.secret},
)


@pytest.fixture
def tools(tmp_path: Path) -> Tools:
    (tmp_path / "world").mkdir()
    return Tools(tmp_path / "world")


@pytest.fixture
def engine(tmp_path: Path, tools: Tools) -> Iterator[Engine[Tools]]:
    made = Engine(tmp_path / "state", {("make", 1): MAKE}, tools, settle_s=0)
    yield made
    made.close()


def _request(what: str = "thing", key: str | None = None, caller: str = "me", body: str = "-") -> Request:
    return Request("make", 1, caller, "127.0.0.1", what, (f"thing:{what}",), {"what": what}, body, key)


def _run(engine: Engine[Tools], request: Request | None = None) -> list[Any]:
    identifier, new = engine.begin(MAKE, request or _request(), Private())
    return list(engine.follow(identifier, asked=new))


def _files(tools: Tools) -> set[str]:
    return {path.name for path in tools.folder.iterdir()}


def test_all_steps_in_order(engine: Engine[Tools], tools: Tools) -> None:
    events = _run(engine)
    assert [(e.get("operation"), e.get("state")) for e in events[:-1]] == [
        (name, state) for name in ("one", "two", "three", "tell") for state in ("started", "done")]
    assert [e["n"] for e in events] == list(range(1, 10))
    assert events[-1]["status"] == "completed" and events[-1]["result"] == {"what": "thing", "secret": "hunter2"}
    assert _files(tools) == {"thing.one", "thing.two", "thing.three", "thing.told"}


@pytest.mark.parametrize("step", ["one", "two", "three"])
def test_a_failure_undoes_everything_in_reverse(engine: Engine[Tools], tools: Tools, step: str) -> None:
    tools.failing[step] = Exists("no")
    events = _run(engine)
    assert events[-1]["status"] == "aborted" and events[-1]["error"]["code"] == "exists" and events[-1]["error"]["step"] == step
    order = [e["operation"] for e in events if e.get("state") == "undone"]
    names = ["one", "two", "three"]
    assert order == names[names.index(step) :: -1]
    assert _files(tools) == set()


def test_the_private_part_is_closed_and_in_no_file(engine: Engine[Tools], tmp_path: Path) -> None:
    private = Private()
    identifier, _ = engine.begin(MAKE, _request(), private)
    assert list(engine.follow(identifier, asked=True))[-1]["result"]["secret"] == "hunter2"
    assert private.closed
    for path in (tmp_path / "state").rglob("*"):
        assert path.is_dir() or b"hunter2" not in path.read_bytes()


def test_the_secret_goes_to_one_connection(engine: Engine[Tools]) -> None:
    key = "6a204bd8-9f3f-4e8e-8a3f-6d1a6ab5d001"
    first, new = engine.begin(MAKE, _request(key=key), Private())
    again, known = engine.begin(MAKE, _request(key=key), Private())
    assert (first == again, new, known) == (True, True, False)
    assert list(engine.follow(again))[-1]["result"]["secret"] is None
    assert list(engine.follow(first, asked=True))[-1]["result"]["secret"] == "hunter2"
    assert list(engine.follow(first, asked=True))[-1]["result"]["secret"] is None


def test_a_connection_that_left_takes_the_secret_with_it(engine: Engine[Tools]) -> None:
    identifier, _ = engine.begin(MAKE, _request(), Private())
    stream = engine.follow(identifier, asked=True)
    next(stream)
    stream.close()
    assert list(engine.follow(identifier, asked=True))[-1]["result"]["secret"] is None


def test_the_key_of_an_aborted_one_returns_the_abort(engine: Engine[Tools], tools: Tools) -> None:
    tools.failing["two"] = Exists("no")
    key = "6a204bd8-9f3f-4e8e-8a3f-6d1a6ab5d002"
    assert _run(engine, _request(key=key))[-1]["status"] == "aborted"
    tools.failing.clear()
    assert _run(engine, _request(key=key))[-1]["status"] == "aborted"
    assert _run(engine, _request(key="6a204bd8-9f3f-4e8e-8a3f-6d1a6ab5d003"))[-1]["status"] == "completed"


def test_a_key_with_another_body(engine: Engine[Tools]) -> None:
    key = "6a204bd8-9f3f-4e8e-8a3f-6d1a6ab5d004"
    _run(engine, _request(key=key))
    with pytest.raises(KeyReused):
        engine.begin(MAKE, _request(key=key, body="other"), Private())
    assert _run(engine, _request(what="theirs", key=key, caller="somebody else"))[-1]["status"] == "completed"


def test_a_name_is_locked_until_the_commit(engine: Engine[Tools], tools: Tools) -> None:
    tools.gate.clear()
    identifier, _ = engine.begin(MAKE, _request(), Private())
    with pytest.raises(Busy):
        engine.begin(MAKE, _request(), Private())
    tools.gate.set()
    assert list(engine.follow(identifier))[-1]["status"] == "completed"
    assert _run(engine)[-1]["status"] == "completed"


def test_what_can_be_refused_is_checked_while_the_names_are_held(engine: Engine[Tools], tools: Tools) -> None:
    """Else another transaction could run whole between the check and the first step."""
    inside: list[object] = []

    def prepare() -> Json:
        with pytest.raises(Busy):
            engine.begin(MAKE, _request(), Private())
        inside.append(engine.record.listed(caller=None, state=None, limit=9)[0].arguments)
        return {"what": "prepared"}

    identifier, new = engine.begin(MAKE, _request(), Private(), prepare)
    assert new and list(engine.follow(identifier))[-1]["result"]["what"] == "prepared"
    row = engine.record.transaction(identifier)
    assert inside == [{"what": "thing"}] and row is not None and row.arguments == {"what": "prepared"}


def test_what_was_refused_was_never_begun(engine: Engine[Tools], tools: Tools) -> None:
    private, key = Private(), "6a204bd8-9f3f-4e8e-8a3f-6d1a6ab5d005"

    def prepare() -> Json:
        raise Exists("it is there")

    with pytest.raises(Exists):
        engine.begin(MAKE, _request(key=key), private, prepare)
    assert private.closed and engine.record.listed(caller=None, state=None, limit=9) == [] and _files(tools) == set()
    assert _run(engine, _request(key=key))[-1]["status"] == "completed"  # the key is free, and so is the name


def test_who_shares_a_key_with_a_refused_request_is_told(engine: Engine[Tools]) -> None:
    identifier, _ = engine.record.begin(_request(), engine.owner.id)
    engine.record.withdraw(identifier)
    (last,) = engine.follow(identifier)
    assert last["status"] == "aborted" and last["error"]["code"] == "busy"


def test_an_undo_that_has_to_wait_is_taken_up_by_recovery(engine: Engine[Tools], tools: Tools) -> None:
    tools.failing |= {"three": Exists("no"), "undo two": BackendDown("away", backend="two")}
    events = _run(engine)
    assert events[-1]["status"] == "aborted" and events[-1]["undoing"] == ["one", "two"]
    with pytest.raises(InRecovery):
        engine.begin(MAKE, _request(), Private())
    recovery = Recovery(engine)
    recovery.once()
    assert _files(tools) == {"thing.one", "thing.two"}
    del tools.failing["undo two"]
    recovery.once()
    assert _files(tools) == set()
    tools.failing.clear()
    assert _run(engine)[-1]["status"] == "completed"


def test_an_undo_that_fails_waits_for_a_person(engine: Engine[Tools], tools: Tools) -> None:
    tools.failing |= {"three": Exists("no"), "undo two": RuntimeError("broken")}
    last = _run(engine)[-1]
    assert last["status"] == "aborted" and "two" in last["undoing"]
    identifier = last["transaction"]
    row = engine.record.transaction(identifier)
    assert row is not None and row.state == "undo_failed"
    assert list(engine.follow(identifier))[-1]["undoing"] == ["one", "two"]  # who attaches later hears it too
    tools.failing.pop("undo two")
    engine.resume(identifier)
    Recovery(engine).once()
    assert _files(tools) == set()
    with pytest.raises(WrongState):
        engine.resume(identifier)


def test_abandoning_says_what_is_left(engine: Engine[Tools], tools: Tools) -> None:
    tools.failing |= {"three": Exists("no"), "undo two": RuntimeError("broken")}
    identifier = _run(engine)[-1]["transaction"]
    told = engine.abandon(identifier, "root", "", "removed by hand")
    assert {item["step"] for item in told["left"]} == {"one", "two"}
    row = engine.record.transaction(identifier)
    assert row is not None and (row.state, row.reason) == ("abandoned", "removed by hand")
    with pytest.raises(WrongState):
        engine.abandon(identifier, "root", "", "again")
    with pytest.raises(NotFound):
        engine.abandon("none", "root", "", "x")


def test_what_is_not_ours_is_left(engine: Engine[Tools], tools: Tools) -> None:
    tools.failing["three"] = Exists("no")
    (tools.folder / "thing.three").write_text("somebody else's")
    last = _run(engine)[-1]
    assert _files(tools) == {"thing.three"}
    assert last["undone"] == ["one", "two", "three"] and "left" not in last  # it was refused: nothing of ours is there


def test_what_somebody_put_in_its_place_is_told(engine: Engine[Tools], tools: Tools) -> None:
    class Replaced(Make):
        def do(self, run: Run[Tools, Private]) -> None:
            (tools.folder / "thing.one").write_text("somebody else's")
            raise Exists("no")

    operation = Operation[Tools, Private](name="make", version=1, before=(Make("one"), Replaced("two")))
    identifier, _ = engine.begin(operation, _request(), Private())
    last = list(engine.follow(identifier, asked=True))[-1]
    assert last["undone"] == ["two"] and last["left"] == ["one"] and _files(tools) == {"thing.one"}


def test_a_step_after_the_commit_waits_and_is_tried_again(engine: Engine[Tools], tools: Tools) -> None:
    tools.failing["tell"] = BackendDown("away", backend="tell")
    last = _run(engine)[-1]
    assert last["status"] == "completed" and last["waiting"] == ["tell"]
    recovery = Recovery(engine)
    waits = []
    for _ in range(6):
        (row,) = [step for step in engine.record.steps_of(last["transaction"]) if step.name == "tell"]
        waits.append(round(row.next_at - time.time()))
        with time_machine.travel(row.next_at + 1, tick=False):
            recovery.once()
    assert waits[0] == 5
    tools.failing.clear()
    engine.resume(last["transaction"])
    recovery.once()
    assert "thing.told" in _files(tools)


def test_the_waits_grow_and_end_after_a_week(engine: Engine[Tools], tools: Tools) -> None:
    given_up: list[str] = []
    engine.on_given_up = lambda _transaction, step: given_up.append(step)
    tools.failing["tell"] = BackendDown("away", backend="tell")
    identifier = _run(engine)[-1]["transaction"]
    recovery, waits = Recovery(engine), []

    def tell() -> Any:
        return next(step for step in engine.record.steps_of(identifier) if step.name == "tell")

    before = tell().next_at
    while tell().state == "waiting":
        with time_machine.travel(before, tick=False):
            recovery.once()
        if tell().state == "waiting":
            waits.append(round(tell().next_at - before))
            before = tell().next_at
    assert waits[:4] == [30, 120, 600, 3600] and set(waits[3:]) == {3600}
    assert 160 < len(waits) < 175 and given_up == ["tell"]
    assert any(json.loads(json.dumps(row))["outcome"] == "given_up" for row in _audit(engine))


def _audit(engine: Engine[Tools]) -> list[Any]:
    import sqlalchemy as sa

    from ceod.transaction.tables import audit

    with engine.journal.reading() as connection:
        return [row.row for row in connection.execute(sa.select(audit.c.row).order_by(audit.c.n))]


def test_a_step_that_is_not_wanted_any_more(engine: Engine[Tools], tools: Tools) -> None:
    assert _run(engine, _request("unwanted"))[-1]["status"] == "completed"
    assert "unwanted.told" not in _files(tools)


def test_what_is_not_needed_is_no_step_of_it(engine: Engine[Tools], tools: Tools) -> None:
    request = dataclasses.replace(_request(), arguments={"what": "thing", "without": ["two", "tell"]})
    events = _run(engine, request)
    assert [(e.get("operation"), e.get("step"), e.get("of")) for e in events[:-1:2]] == [("one", 1, 2), ("three", 2, 2)]
    assert events[-1]["status"] == "completed" and _files(tools) == {"thing.one", "thing.three"}
    tools.failing["three"] = Exists("no")
    assert _run(engine, dataclasses.replace(request, arguments=request.arguments | {"what": "other"}, names=("x",)))[-1]["undone"] == ["one", "three"]


def test_a_rehearsal_is_refused_as_the_real_thing_and_begins_nothing(engine: Engine[Tools], tools: Tools) -> None:
    assert engine.rehearse(_request(), lambda: {"what": "thing"}) == {"what": "thing"}
    assert _files(tools) == set() and engine.record.listed(caller=None, state=None, limit=9) == []
    with pytest.raises(Exists):
        engine.rehearse(_request(), _refuse)
    engine.record.begin(_request(), engine.owner.id)
    with pytest.raises(Busy):
        engine.rehearse(_request(), lambda: pytest.fail("prepared"))


def _refuse() -> Json:
    raise Exists("no")


def test_an_uncertain_outcome_is_looked_at_twice(tmp_path: Path, tools: Tools) -> None:
    """A server that was stopped does late what it was told: what is not there at the first look may come."""
    engine = Engine(tmp_path / "late", {("make", 1): MAKE}, tools, settle_s=0.3)
    tools.failing["two"] = BackendDown("no answer", backend="two")
    last = _run(engine)[-1]
    assert last["undoing"] == ["one", "two"]
    (tools.folder / "thing.two").write_text(last["transaction"])  # the late effect
    recovery = Recovery(engine)
    end = time.monotonic() + 10
    while engine.record.unfinished():
        recovery._not_before.clear()
        recovery.once()
        assert time.monotonic() < end
    assert _files(tools) == set()
    engine.close()


def test_the_work_of_a_dead_owner_is_undone(tmp_path: Path, engine: Engine[Tools], tools: Tools) -> None:
    dead = Engine(tmp_path / "state", {("make", 1): MAKE}, tools, settle_s=0)
    identifier, _ = dead.record.begin(_request(), dead.owner.id)
    dead.record.intend(identifier, 1, "one", {"one": str(tools.folder / "thing.one")}, {})
    (tools.folder / "thing.one").write_text(identifier)
    recovery = Recovery(engine)
    recovery.once()
    assert _files(tools) == {"thing.one"}  # its owner lives
    dead.close()
    recovery.once()
    assert _files(tools) == set()
    assert list(engine.follow(identifier))[-1]["status"] == "aborted"
    assert [path.stem for path in (tmp_path / "state/owners").glob("*.lock")] == [engine.owner.id]


def test_one_process_recovers(tmp_path: Path, engine: Engine[Tools], tools: Tools) -> None:
    other = Engine(tmp_path / "state", {("make", 1): MAKE}, tools, settle_s=0)
    first, second = Recovery(engine), Recovery(other)
    assert first.once() and not second.once()
    assert first._lock is not None
    os.close(first._lock)
    first._lock = None
    assert second.once()
    other.close()


def test_an_owner_of_another_process_is_seen_to_be_alive(tmp_path: Path) -> None:
    one, two = Owner(tmp_path), Owner(tmp_path)
    assert not one.is_dead(two.id) and one.dead() == []
    os.close(two._descriptor)  # as the kernel does when its process dies
    assert one.is_dead(two.id) and one.dead() == [two.id]
    one.forget(two.id)
    assert one.is_dead(two.id) and one.dead() == []
    one.close()
    assert list((tmp_path / "owners").iterdir()) == []


def test_definitions_in_another_order_are_refused() -> None:
    class Irrevocable(Make):
        undoable = False

    with pytest.raises(Definition, match="last step"):
        Operation[Tools, Private](name="x", version=1, before=(Irrevocable("one"), Make("two")))
    with pytest.raises(Definition, match="one name"):
        Operation[Tools, Private](name="x", version=1, before=(Make("one"), Make("one")))
    Operation[Tools, Private](name="x", version=1, before=(Make("one"), Irrevocable("two")))


def test_more_than_sixteen_wait_their_turn(engine: Engine[Tools], tools: Tools) -> None:
    tools.gate.clear()
    started = [engine.begin(MAKE, _request(f"n{i}"), Private())[0] for i in range(17)]
    end = time.monotonic() + 10
    while not any(e.get("state") == "queued" for i in started for e in engine.record.events_after(i, 0)):
        assert time.monotonic() < end
    tools.gate.set()
    assert all(list(engine.follow(identifier))[-1]["status"] == "completed" for identifier in started)


# Steps over many items


class Each(Bulk[Tools]):
    """Makes a file for each number; says so of each batch in a file of its own."""

    def __init__(self, name: str) -> None:
        self.name = name

    def items(self, turn: Turn[Tools]) -> list[Any]:
        return list(range(turn.facts["count"]))

    def batch(self, turn: Turn[Tools], items: list[Any]) -> dict[str, str]:
        if error := turn.tools.failing.get(f"{self.name} {items[0]}"):
            raise error
        with (turn.tools.folder / f"{self.name}.batches").open("a") as file:
            file.write(f"{items[0]}-{items[-1]}{'' if turn.private else ' alone'}\n")
        return {str(item): "is unlucky" for item in items if item % 100 == 13}


MANY = Operation[Tools, Private](
    name="many", version=1, before=(), after=(Each("first"), Each("second")), bulk=True,
    result=lambda facts: {name: Each(name).outcome(facts)[0] for name in ("first", "second")},
)


def _many(engine: Engine[Tools], count: int) -> str:
    engine.operations = {("make", 1): MAKE, ("many", 1): MANY}
    request = Request("many", 1, "me", "127.0.0.1", "many", ("thing:many",), {"count": count}, "-")
    identifier, _ = engine.begin(MANY, request, Private())
    return identifier


def _batches(tools: Tools, name: str) -> list[str]:
    path = tools.folder / f"{name}.batches"
    return path.read_text().splitlines() if path.exists() else []


def test_many_items_go_in_batches_and_are_told(engine: Engine[Tools], tools: Tools) -> None:
    events = list(engine.follow(_many(engine, 250)))
    assert _batches(tools, "first") == _batches(tools, "second") == ["0-99", "100-199", "200-249"]
    assert [(e["operation"], e["done"], e["items"]) for e in events if e.get("state") == "progress"] == [
        (name, done, 250) for name in ("first", "second") for done in (100, 200, 250)]
    assert events[-1]["result"] == {"first": 247, "second": 247}
    assert list(engine.follow(_many(engine, 5)))[-1]["result"] == {"first": 5, "second": 5}


def test_a_batch_that_waits_is_where_it_goes_on_and_the_next_step_comes_after_it(engine: Engine[Tools], tools: Tools) -> None:
    tools.failing["first 100"] = BackendDown("away", backend="first")
    identifier = _many(engine, 250)
    last = list(engine.follow(identifier))[-1]
    assert last["waiting"] == ["first", "second"] and last["result"] == {"first": 99, "second": 0}
    assert _batches(tools, "first") == ["0-99"] and _batches(tools, "second") == []
    tools.failing.clear()
    engine.resume(identifier)
    Recovery(engine).once()
    # Done once each, and without the caller, whose connection is gone.
    assert _batches(tools, "first") == ["0-99", "100-199 alone", "200-249 alone"]
    assert _batches(tools, "second") == ["0-99 alone", "100-199 alone", "200-249 alone"]
    row = engine.record.transaction(identifier)
    assert row is not None and row.result == {"first": 247, "second": 247}


def test_the_names_of_many_are_held_to_the_end(engine: Engine[Tools], tools: Tools) -> None:
    seen: list[str] = []

    def observe(point: str, phase: str, step: str) -> None:
        if (point, phase, step) == ("effect", "later", "first"):
            with pytest.raises(Busy):
                _many(engine, 1)
            seen.append(step)

    engine._observer = observe
    assert list(engine.follow(_many(engine, 5)))[-1]["status"] == "completed"
    assert seen == ["first"]
    engine._observer = None
    assert list(engine.follow(_many(engine, 5)))[-1]["status"] == "completed"


# Followers


def test_a_stream_of_something_that_is_over_ends_at_once(engine: Engine[Tools], tools: Tools) -> None:
    """Whatever number it is asked for behind: the answer is the last event."""
    identifier, _ = engine.begin(MAKE, _request("done"), Private())
    events = list(engine.follow(identifier))
    for after in (events[-1]["n"], events[-1]["n"] + 1, 999999):
        assert list(engine.follow(identifier, after=after)) == events[-1:]


def test_a_follower_far_ahead_of_what_runs_hears_how_it_ends(engine: Engine[Tools], tools: Tools) -> None:
    tools.gate.clear()
    identifier, _ = engine.begin(MAKE, _request("runs"), Private())
    follower = engine.follower(identifier, after=999999)
    assert follower.poll() == []
    assert follower.heartbeat() == {"n": 999999, "status": "in progress", "transaction": identifier, "heartbeat": True}
    tools.gate.set()
    list(engine.follow(identifier))
    (last,) = follower.poll()
    assert last["status"] == "completed"
    assert follower.is_over
    follower.close()


def test_a_listener_is_notified_of_each_event_and_no_more_once_it_left(engine: Engine[Tools], tools: Tools) -> None:
    tools.gate.clear()
    identifier, _ = engine.begin(MAKE, _request("runs"), Private())
    notices: list[str] = []
    one, other = engine.follower(identifier), engine.follower(identifier)
    one.on_change(lambda: notices.append("one"))
    other.on_change(lambda: notices.append("other"))
    other.close()
    tools.gate.set()
    list(engine.follow(identifier))
    assert set(notices) == {"one"}
    one.close()
    assert engine.record._listeners == {}


def test_optional_names_that_are_held_are_left_out_with_the_reason(
    engine: Engine[Tools], tools: Tools
) -> None:
    tools.failing |= {"three": Exists("no"), "undo two": RuntimeError("broken")}
    stuck = _run(engine, _request("stuck"))[-1]["transaction"]
    tools.failing.clear()
    tools.gate.clear()
    busy, _ = engine.begin(MAKE, _request("busy"), Private())
    optional = OptionalNames(("thing:stuck", "thing:free", "thing:busy"))
    seen: list[dict[str, str]] = []

    def prepare() -> Json:
        seen.append(dict(optional.held))
        with pytest.raises(Busy):
            engine.begin(MAKE, _request("free"), Private())
        return {"what": "many"}

    request = dataclasses.replace(_request("many"), optional=optional)
    many, _ = engine.begin(MAKE, request, Private(), prepare)
    reasons = {
        "thing:stuck": f"transaction {stuck} is being undone",
        "thing:busy": f"transaction {busy} is at work on it",
    }
    assert seen == [reasons]
    tools.gate.set()
    assert list(engine.follow(many))[-1]["status"] == "completed"
    assert list(engine.follow(busy))[-1]["status"] == "completed"
    assert _run(engine, _request("free"))[-1]["status"] == "completed", "it was let go of"


# Steps after the commit that need the same server


class Clock:
    """A clock that is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Mail(Later[Tools]):
    """Waits for its server for `takes_s` when that is away."""

    backend: str

    def __init__(self, name: str, backend: str, clock: Clock) -> None:
        self.name = name
        self.backend = backend
        self.clock = clock
        self.takes_s = 10.0
        self.tries = 0

    def do(self, turn: Turn[Tools]) -> None:
        self.tries += 1
        if error := turn.tools.failing.get(self.backend):
            self.clock.now += self.takes_s
            raise error


class Mails:
    """An engine whose operation has two mails and a list after its commit."""

    def __init__(self, folder: Path, tools: Tools) -> None:
        self.tools, self.clock = tools, Clock()
        self.first, self.second = (
            Mail("first mail", "smtp", self.clock),
            Mail("second mail", "smtp", self.clock),
        )
        self.joining = Mail("list", "mailman", self.clock)
        after = (self.first, self.second, self.joining)
        self.operation = Operation[Tools, Private](name="mails", version=1, before=(), after=after)
        self.engine = Engine(
            folder, {("mails", 1): self.operation}, tools, settle_s=0, clock=self.clock
        )
        self.began = 0

    def run(self) -> Any:
        """The last event of a transaction of its own."""
        self.began += 1
        names = (f"thing:{self.began}",)
        request = Request("mails", 1, "me", "127.0.0.1", "thing", names, {}, "-")
        identifier, _ = self.engine.begin(self.operation, request, Private())
        return list(self.engine.follow(identifier, asked=True))[-1]

    def step(self, last: Any, name: str) -> Any:
        """The row of a step."""
        steps = self.engine.record.steps_of(last["transaction"])
        return next(step for step in steps if step.name == name)


@pytest.fixture
def mails(tmp_path: Path, tools: Tools) -> Iterator[Mails]:
    made = Mails(tmp_path / "mails", tools)
    tools.failing["smtp"] = BackendDown("no answer", backend="smtp")
    yield made
    made.engine.close()


def test_a_server_that_does_not_answer_is_waited_for_once(mails: Mails) -> None:
    last = mails.run()
    assert last["waiting"] == ["first mail", "second mail"]
    assert (mails.first.tries, mails.second.tries) == (1, 0)
    assert mails.joining.tries == 1, "another server is asked all the same"
    assert mails.step(last, "first mail").attempts == 1
    assert mails.step(last, "second mail").attempts == 0, "no try is used up"
    assert mails.run()["waiting"] == ["first mail", "second mail"]
    assert (mails.first.tries, mails.second.tries) == (1, 0), "nor does the next transaction wait"


def test_recovery_waits_once_for_many_steps_of_one_server(mails: Mails) -> None:
    for _ in range(20):
        mails.run()
    recovery = Recovery(mails.engine)
    with time_machine.travel(time.time() + 60, tick=False):
        recovery.once()
    assert mails.first.tries + mails.second.tries == 1, "it is taken for away still"
    mails.clock.now += 31
    began = mails.clock.now
    with time_machine.travel(time.time() + 120, tick=False):
        recovery.once()
    assert mails.clock.now - began == mails.first.takes_s
    mails.tools.failing.clear()
    mails.clock.now += 31
    with time_machine.travel(time.time() + 1000, tick=False):
        recovery.once()
        assert mails.engine.record.due(time.time()) == []
    assert mails.first.tries + mails.second.tries == 2 + 40, "each is done in the end"


def test_who_resumes_a_step_has_it_tried_at_once(mails: Mails) -> None:
    last = mails.run()
    mails.tools.failing.clear()
    mails.engine.resume(last["transaction"])
    Recovery(mails.engine).once()
    assert mails.step(last, "second mail").state == "done"
    assert mails.run()["waiting"] == [], "an answer ends the judgement"


def test_a_server_that_refuses_at_once_is_asked_each_time(mails: Mails) -> None:
    mails.first.takes_s = 0.1
    mails.second.takes_s = 0.1
    mails.run()
    assert (mails.first.tries, mails.second.tries) == (1, 1)


def test_an_end_that_comes_between_two_looks_is_told(engine: Engine[Tools]) -> None:
    """Whoever worked on it wrote its end and left, after the listener had read that it runs."""
    identifier, _ = engine.record.begin(_request("thing"), "somebody")
    engine.record.state(identifier, "running", owner="somebody")

    class Leaving:
        def works_on(self, owner: str | None) -> bool:
            return True

        def is_left(self, owner: str | None) -> bool:
            engine.record.end(identifier, "completed", {"status": "completed", "result": {}})
            return True

        def awaits_witness(self) -> bool:
            return False

        def take(self, identifier: str) -> None:
            return None

        def forget(self, identifier: str) -> None:
            pass

    follower = Follower(engine.record, Leaving(), identifier, asked=True)
    assert [event["status"] for event in follower.poll()] == ["completed"]
    follower.close()
