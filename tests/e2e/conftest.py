"""One sandbox a run; the tests are at its desk (make e2e brings it up)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.club import OUTSIDE
from tests.e2e.club import Club


@pytest.fixture(scope="session")
def club(tmp_path_factory: pytest.TempPathFactory) -> Club:
    """The club."""
    if not (OUTSIDE / "club.json").exists():
        pytest.exit("end-to-end tests run inside a sandbox: make e2e", returncode=2)
    folder: Path = tmp_path_factory.mktemp("club")
    # People read their own ccaches there.
    for path in (folder, *folder.parents):
        if path == Path("/tmp"):
            break
        path.chmod(0o711)
    return Club(folder)


@pytest.fixture(autouse=True)
def _own_environment() -> Iterator[None]:
    """No test leaves a ticket in the process's environment."""
    before = os.environ.get("KRB5CCNAME")
    yield
    if before is None:
        os.environ.pop("KRB5CCNAME", None)
    else:
        os.environ["KRB5CCNAME"] = before
