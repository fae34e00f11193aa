"""Files that a command writes: whole or as they were, and special files as what they are."""

from __future__ import annotations

import os
import re
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ceo.cli.output_file import NotCreated, NotWritten, check_new, write_whole


@contextmanager
def _full_at(size: int) -> Iterator[None]:
    """As on a disk with room for so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_is_written_whole_or_stays_as_it_was(tmp_path: Path) -> None:
    kept, link, new = tmp_path / "kept", tmp_path / "link", tmp_path / "new"
    kept.write_text("before")
    kept.chmod(0o640)
    link.symlink_to(kept)
    for path in (kept, link, new):
        with _full_at(100), pytest.raises(NotWritten, match=f"^{path} could not be written: "):
            write_whole(str(path), "x" * 1000)
    assert kept.read_text() == "before"
    assert sorted(tmp_path.iterdir()) == [kept, link]
    for path in (link, new):
        write_whole(str(path), "after")
    assert (kept.read_text(), new.read_text()) == ("after", "after")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o640
    assert link.is_symlink()
    assert sorted(tmp_path.iterdir()) == [kept, link, new]


def test_a_pipe_and_a_device_stay_what_they_are(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    write_whole(str(fifo), "text")
    assert os.read(reader, 10) == b"text"
    os.close(reader)
    with pytest.raises(NotWritten, match="/dev/full could not be written: No space left"):
        write_whole("/dev/full", "text")
    assert list(tmp_path.iterdir()) == [fifo]


def test_where_no_file_can_be_made(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.touch()
    for path, reason in (
        (tmp_path / "none/x", "there is no folder"),
        (kept / "x", "there is no folder"),
        (kept, "is there already"),
    ):
        with pytest.raises(NotCreated, match=f"^{re.escape(str(path))} .*{reason}"):
            check_new(str(path))
    for path in (tmp_path / "none/x", kept / "x", tmp_path / ("x" * 300)):
        with pytest.raises(NotCreated, match=f"^{path} can't be made: "):
            write_whole(str(path), "text")
    check_new(str(tmp_path / "new"))
    assert list(tmp_path.iterdir()) == [kept]
