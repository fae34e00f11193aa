"""Every boundary of the operations on databases: the process ends or the step fails there, and both servers' catalogues are as before or as
they should be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ceod.operations.create_database import CREATE, KINDS, RESET, Kind
from tests.club import databases
from tests.club.club import Club
from tests.club.crashes import Runner, boundaries

FIRST, SECOND = "the-first-1234-password", "another-5678-password"


@pytest.fixture(scope="module")
def coffee(club: Club, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """The bare runner on the host that has the database servers."""
    made = Runner(club, tmp_path_factory.mktemp("coffee") / "state", host="coffee")
    yield made
    made.close()


def _task(kind: Kind, operation: str, uid: str, password: str) -> dict[str, Any]:
    return {"do": "run", "operation": operation, "as": "ctdalek", "subject": uid, "names": [f"{kind}:{uid}"], "passwords": {uid: password},
            "arguments": {"uid": uid, "kind": kind, "host": "coffee.csclub.internal"}}


def _accounts(club: Club, count: int) -> list[str]:
    rows = [club.member() for _ in range(count)]
    *_, last = club.client("office1").add_members(rows)
    assert last["status"] == "completed", last
    return [row["uid"] for row in rows]


def _of(catalogue: list[str], uid: str) -> list[str]:
    """What a server has of an account, without its number and which transaction made it."""
    lines = [re.sub(rf"\b{uid}\b", "NAME", line) for line in catalogue if re.search(rf"\b{uid}\b", line)]
    return sorted(re.sub(r"ceo transaction [0-9a-f-]{36}", "ceo transaction ID", line) for line in lines)


def _info(uid: str, kind: Kind) -> str | None:
    path = Path(f"/users/{uid}/ceo-{kind}-info")
    return path.read_text() if path.exists() else None


def _result(club: Club, runner: Runner, uid: str) -> dict[str, Any]:
    ((told,),) = club.journal("SELECT result FROM transactions WHERE subject = ? ORDER BY created DESC LIMIT 1", uid, state_dir=runner.state_dir)
    return dict(json.loads(told))


@pytest.mark.parametrize("kind", KINDS)
def test_creating_killed_at_every_boundary(club: Club, coffee: Runner, kind: Kind) -> None:
    operation = CREATE[kind]
    cases = boundaries(operation, ("info file",), (("later", "info file"),))
    reference, *uids = _accounts(club, len(cases) + 1)
    empty = databases.catalogue(club, kind)
    last = coffee.ask(**_task(kind, operation.name, reference, FIRST))["last"]
    assert last["status"] == "completed" and last["result"]["info_file"] and not last["result"]["password_lost"], last
    for uid, (_, crash) in zip(uids, cases, strict=True):
        assert coffee.ask(**_task(kind, operation.name, uid, FIRST), **crash)["signal"] == (9 if "end" in crash else 0), crash
    assert coffee.ask(do="recover")["last"] == {"status": "recovered"}
    full = databases.catalogue(club, kind)
    made = {reference} | {uid for uid, (committed, _) in zip(uids, cases, strict=True) if committed}
    assert [line for line in full if not any(re.search(rf"\b{uid}\b", line) for uid in made)] == empty
    for uid, (committed, crash) in zip(uids, cases, strict=True):
        assert coffee.states(uid)[0] == ("completed" if committed else "aborted"), crash
        assert _of(full, uid) == (_of(full, reference) if committed else []), crash
        assert databases.query(club, kind, uid, FIRST, "SELECT 1").stdout.strip() == ("1" if committed else ""), crash
        if not committed:
            assert _info(uid, kind) is None, crash
            continue
        # The file holds the right password or is not there, and the result says which.
        result, text = _result(club, coffee, uid), _info(uid, kind)
        assert result["password"] is None and result["password_lost"]
        assert (result["info_file"] is not None) == (text is not None) and (text is None or FIRST in text), (crash, result)
        assert text or f"ceo {kind} pwreset {uid}" in result["warnings"][0], (crash, result)


@pytest.mark.parametrize("kind", KINDS)
def test_a_reset_killed_at_every_boundary(club: Club, coffee: Runner, kind: Kind) -> None:
    """The old password works, or the new one, never both or none; after another reset its own does."""
    operation = RESET[kind]
    cases = boundaries(operation, ("info file",), (("later", "info file"),))
    uids = _accounts(club, len(cases))
    for uid in uids:
        assert coffee.ask(**_task(kind, CREATE[kind].name, uid, FIRST))["last"]["status"] == "completed"
    before = databases.catalogue(club, kind)
    for uid, (_, crash) in zip(uids, cases, strict=True):
        assert coffee.ask(**_task(kind, operation.name, uid, SECOND), **crash)["signal"] == (9 if "end" in crash else 0), crash
    assert coffee.ask(do="recover")["last"] == {"status": "recovered"}
    assert databases.catalogue(club, kind) == before
    for uid, (committed, crash) in zip(uids, cases, strict=True):
        assert coffee.states(uid)[0] == ("completed" if committed else "aborted"), crash
        old, new = (databases.query(club, kind, uid, password, "SELECT 1").returncode == 0 for password in (FIRST, SECOND))
        changed = crash != {"end": ["intent", "do", "password"]}
        assert (old, new) == (not changed, changed), crash
        assert FIRST in (_info(uid, kind) or "") or (committed and SECOND in (_info(uid, kind) or "")), crash
    again = uids[len(uids) // 2]
    assert coffee.ask(**_task(kind, operation.name, again, FIRST))["last"]["status"] == "completed"
    assert databases.query(club, kind, again, FIRST, "SELECT 1").returncode == 0 and FIRST in (_info(again, kind) or "")


@pytest.mark.parametrize(("kind", "step", "thing"), [
    ("mysql", "MySQL database", "DATABASE {}"), ("mysql", "MySQL user", "USER {}@localhost"),
    ("postgresql", "PostgreSQL role", "ROLE {}"), ("postgresql", "PostgreSQL database", "DATABASE {}"),
])
def test_what_somebody_else_made_meanwhile_is_not_taken_away(club: Club, coffee: Runner, kind: Kind, step: str, thing: str) -> None:
    """After the check something of that name appears: the step that would make it is refused, its undo leaves it, and ours before it goes."""
    crashes: list[dict[str, Any]] = [{}, {"end": ["intent", "undo", step]}, {"end": ["effect", "undo", step]}]
    for uid, crash in zip(_accounts(club, len(crashes)), crashes, strict=True):
        databases.as_root(club, kind, f"CREATE {thing.format(uid)}")
        before = databases.catalogue(club, kind)
        try:
            told = coffee.ask(**_task(kind, CREATE[kind].name, uid, FIRST), **crash)
            assert told["signal"] or told["last"]["error"]["code"] == "exists", told
            assert bool(told["signal"]) == bool(crash)
            assert coffee.ask(do="recover")["last"] == {"status": "recovered"}
            assert coffee.states(uid)[0] == "aborted" and databases.catalogue(club, kind) == before, crash
        finally:
            databases.as_root(club, kind, f"DROP {thing.format(uid)}")
