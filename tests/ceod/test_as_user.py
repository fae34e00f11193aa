"""The helper that writes into somebody's home: whose fault a failure is, and what it leaves behind."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ceod.helpers import as_user


@pytest.mark.parametrize(
    "number", [errno.EROFS, errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENOSPC]
)
def test_a_file_server_that_is_away_is_nobodys_fault(number: int) -> None:
    status, _ = as_user._failure(OSError(number, os.strerror(number)), "/users/jdoe")
    assert status == as_user.FAILED


@pytest.mark.parametrize(
    "number", [errno.EACCES, errno.EDQUOT, errno.EISDIR, errno.ENOENT, errno.ELOOP, errno.EBUSY]
)
def test_what_the_owner_caused_comes_with_what_to_do(number: int) -> None:
    status, said = as_user._failure(OSError(number, os.strerror(number)), "/users/jdoe")
    assert status == as_user.REFUSED
    assert said.partition("; ")[2]


def test_temporary_files_of_killed_runs_are_removed_and_nothing_else(tmp_path: Path) -> None:
    old = [".forward.ceo-new", ".forward.ceo-0123456789abcdef"]
    kept = [
        ".forward.ceo-notes",
        ".forward.ceo-0123456789ABCDEF",
        ".ceo-mysql-info.ceo-0123456789abcdef",
    ]
    for name in [*old, *kept]:
        (tmp_path / name).write_text("x")
        os.utime(tmp_path / name, (0, 0))
    fresh = tmp_path / ".forward.ceo-00000000ffffffff"
    fresh.write_text("of a run that goes on")
    (tmp_path / ".forward.ceo-1111111111111111").mkdir()
    as_user.replace(str(tmp_path), ".forward", b"a@example.org\n")
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {".forward", *kept, fresh.name, ".forward.ceo-1111111111111111"}


def test_a_write_that_fails_leaves_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="quota"):
        as_user.replace(str(tmp_path), ".forward", b"a@example.org\n")
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_read_and_nothing_else(tmp_path: Path) -> None:
    home, name = str(tmp_path), "ceo-mysql-info"
    assert as_user.read(home, name) == b""
    (tmp_path / name).write_bytes(b"x" * 100_000)
    assert as_user.read(home, name) == b"x" * 65536
    (tmp_path / name).unlink()
    (tmp_path / "secret").write_text("not to be read")
    (tmp_path / name).symlink_to("secret")
    with pytest.raises(OSError, match="symbolic"):
        as_user.read(home, name)
    (tmp_path / name).unlink()
    os.mkfifo(tmp_path / name)  # nobody writes into it: it must not wait
    with pytest.raises(as_user.InTheWay):
        as_user.read(home, name)
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    with pytest.raises(as_user.InTheWay):
        as_user.read(home, name)
