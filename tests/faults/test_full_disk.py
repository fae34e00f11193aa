"""A disk of ceod fills up: what runs is finished, nothing new begins, no ticket is called wrong."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ceo_common.errors import BackendDown, JournalFull
from ceod.auth.acceptor import Acceptor
from ceod.transaction.engine import Engine
from ceod.transaction.journal import BALLAST_BYTES
from ceod.transaction.recovery import Recovery
from ceod.transaction.step import Json
from sandbox.club import REALM, host_place
from tests.ceod.test_engine import MAKE, Private, Tools, _request
from tests.club.club import ADMIN, Club
from tests.club.tokens import fresh_token


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "none", str(place)], check=True)
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def _fill(disk: Path) -> Path:
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 4096):
            pass
    return filler


def test_a_full_disk(disk: Path, tmp_path: Path) -> None:
    world = tmp_path / "world"
    world.mkdir()
    tools = Tools(world)
    engine = Engine(disk / "state", {("make", 1): MAKE}, tools, settle_s=0)
    assert engine.journal.ballast.stat().st_size == BALLAST_BYTES
    tools.gate.clear()
    identifier, _ = engine.begin(MAKE, _request("running"), Private())
    filler = _fill(disk)
    tools.gate.set()
    assert list(engine.follow(identifier))[-1]["status"] == "completed"
    assert not engine.journal.ballast.exists()
    with pytest.raises(JournalFull):
        engine.begin(MAKE, _request("new"), Private())
    assert not list(world.glob("new*"))
    filler.unlink()
    identifier, _ = engine.begin(MAKE, _request("new"), Private())
    assert list(engine.follow(identifier))[-1]["status"] == "completed"
    assert engine.journal.ballast.stat().st_size == BALLAST_BYTES
    engine.close()


@pytest.fixture
def acceptor(disk: Path) -> Iterator[Acceptor]:
    """The real key, and the replay cache on the disk."""
    keytab = host_place(ADMIN) / "krb5.keytab"
    made = Acceptor(str(keytab), f"ceod/{ADMIN}.csclub.internal@{REALM}", str(disk))
    yield made
    made.close()


def _accept(acceptor: Acceptor, club: Club) -> str:
    return acceptor.accept(fresh_token(club, "office1"), None, "192.0.2.1").name


def _is_down(acceptor: Acceptor, club: Club, reason: str) -> None:
    """Assert that a good ticket is answered with the disk's fault and what to do."""
    with pytest.raises(BackendDown, match=reason) as caught:
        _accept(acceptor, club)
    assert caught.value.backend == "replay cache"
    assert "an administrator has to make room" in caught.value.message


def test_a_full_disk_under_the_replay_cache(disk: Path, acceptor: Acceptor, club: Club) -> None:
    filler = _fill(disk)
    _is_down(acceptor, club, "No space left on device")
    filler.unlink()
    assert _accept(acceptor, club) == f"office1@{REALM}"


def test_a_read_only_disk_under_the_replay_cache(
    disk: Path, acceptor: Acceptor, club: Club
) -> None:
    subprocess.run(["mount", "-o", "remount,ro,size=16m", "none", str(disk)], check=True)
    _is_down(acceptor, club, "Read-only file system")
    subprocess.run(["mount", "-o", "remount,rw,size=16m", "none", str(disk)], check=True)
    assert _accept(acceptor, club) == f"office1@{REALM}"


def test_a_broken_replay_cache(disk: Path, acceptor: Acceptor, club: Club) -> None:
    (disk / "replay").mkdir()
    _is_down(acceptor, club, "Is a directory")
    (disk / "replay").rmdir()
    # Every write fails; in the sandbox of an ordinary user, who is not its owner, the opening does.
    (disk / "replay").symlink_to("/proc/version")
    _is_down(acceptor, club, "Input/output error|Permission denied")
    (disk / "replay").unlink()
    assert _accept(acceptor, club) == f"office1@{REALM}"


def test_a_disk_that_fills_during_the_checks(disk: Path, tmp_path: Path) -> None:
    """Something else takes every byte, the ballast's too, while a request is checked: nothing stays locked."""
    world = tmp_path / "world"
    world.mkdir()
    engine = Engine(disk / "state", {("make", 1): MAKE}, Tools(world), settle_s=0)
    recovery, filler, key = Recovery(engine), disk / "filler", "6a204bd8-9f3f-4e8e-8a3f-6d1a6ab5d007"

    def prepare() -> Json:
        engine.journal.ballast.unlink()
        _fill(disk)
        return {"what": "thing"}

    with pytest.raises(JournalFull):
        engine.begin(MAKE, _request("thing", key), Private(), prepare)
    with pytest.raises(JournalFull):  # the same key is answered, at once
        engine.begin(MAKE, _request("thing", key), Private(), prepare)
    (row,) = engine.record.listed(caller=None, state="checking", limit=9)
    assert list(engine.follow(row.id))[-1]["error"]["code"] == "busy"
    with contextlib.suppress(JournalFull):
        recovery.once()
    filler.unlink()
    recovery.once()
    assert engine.record.listed(caller=None, state=None, limit=9) == []
    for request in (_request("other"), _request("thing", key)):
        identifier, new = engine.begin(MAKE, request, Private())
        assert new
        assert list(engine.follow(identifier))[-1]["status"] == "completed"
    engine.close()
