"""The journal's own disk fills up: what runs is finished on the ballast, nothing new is begun until there is room."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ceo_common.errors import JournalFull
from ceod.transaction.engine import Engine
from ceod.transaction.journal import BALLAST_BYTES
from tests.ceod.test_engine import MAKE, Private, Tools, _request


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
