"""Whether a home holds no more than ceod put into it, and how such a home is removed.

Every entry is held by its folder's descriptor and no link is followed.  A folder is removed by
rmdir(2), which fails where somebody put something into it meanwhile: nothing that was not compared
is ever deleted.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator

from ceod.helpers.as_user import is_temporary

FORWARD = ".forward"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
# It never waits: for who should write into a FIFO, or give up a lease (fcntl(2)).
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
# What an owner can put in the way of being compared.
_OWNERS = (
    errno.ELOOP,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EACCES,
    errno.EPERM,
    errno.EAGAIN,
    errno.ENXIO,
)


class Untouched:
    """A home as ceod made it: the skeleton, and the text of ~/.forward, empty where there is none.

    The skeleton is compared as it is now.  Where an administrator changed it since, homes from
    before differ, and are kept.
    """

    def __init__(self, skeleton: str, forward: bytes) -> None:
        self._skeleton = skeleton
        self._forward = forward

    def covers(self, home: int) -> bool:
        """Whether a home, by its descriptor, holds nothing else.

        Each entry is of the kind and content that ceod gave it.  One that is missing does not
        count, nor do modes and times: nothing of them is anybody's work.
        """
        with self._source() as source:
            return self._covers(home, source, is_top=True)

    def remove_from(self, home: int) -> None:
        """Remove what covers() compared, each entry compared again.  What came meanwhile stays."""
        with self._source() as source:
            self._remove(home, source, is_top=True)

    @contextlib.contextmanager
    def _source(self) -> Iterator[int | None]:
        """The skeleton's descriptor, None where there is none."""
        try:
            source = os.open(self._skeleton, os.O_RDONLY | os.O_DIRECTORY)
        except (FileNotFoundError, NotADirectoryError):
            yield None
            return
        try:
            yield source
        finally:
            os.close(source)

    def _covers(self, folder: int, source: int | None, *, is_top: bool) -> bool:
        with os.scandir(folder) as entries:
            return all(
                self._is_ours(entry.name, folder, source, is_top=is_top) for entry in entries
            )

    def _is_ours(self, name: str, folder: int, source: int | None, *, is_top: bool) -> bool:
        try:
            info = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if is_top and (name == FORWARD or is_temporary(name, FORWARD)):
                return stat.S_ISREG(info.st_mode) and self._is_forward(name, folder)
            if source is None:
                return False
            model = os.stat(name, dir_fd=source, follow_symlinks=False)
            if stat.S_IFMT(info.st_mode) != stat.S_IFMT(model.st_mode):
                return False
            if stat.S_ISDIR(info.st_mode):
                with _both(name, folder, source) as (inside, source_inside):
                    same_device = os.fstat(inside).st_dev == os.fstat(folder).st_dev
                    return same_device and self._covers(inside, source_inside, is_top=False)
            if stat.S_ISLNK(info.st_mode):
                return os.readlink(name, dir_fd=folder) == os.readlink(name, dir_fd=source)
            return (
                stat.S_ISREG(info.st_mode)
                and info.st_size == model.st_size
                and _content(name, folder, model.st_size) == _content(name, source, model.st_size)
            )
        except FileNotFoundError:
            # Of the home it is gone by now; what the skeleton does not have is somebody's.
            return not _is_there(name, folder)
        except OSError as error:
            if error.errno not in _OWNERS:
                raise
            return False

    def _is_forward(self, name: str, folder: int) -> bool:
        """The whole text, or as a temporary file what a process that was killed wrote of it."""
        text = _content(name, folder, len(self._forward))
        return self._forward.startswith(text) if name != FORWARD else text == self._forward

    def _remove(self, folder: int, source: int | None, *, is_top: bool) -> None:
        for name in os.listdir(folder):
            if not self._is_ours(name, folder, source, is_top=is_top):
                continue
            with contextlib.suppress(FileNotFoundError):
                info = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if not stat.S_ISDIR(info.st_mode):
                    os.unlink(name, dir_fd=folder)
                    continue
                assert source is not None
                with _both(name, folder, source) as (inside, source_inside):
                    self._remove(inside, source_inside, is_top=False)
                remove_empty(name, folder)


def remove_empty(name: str, folder: int) -> bool:
    """Remove a folder unless something is in it; whether it is removed."""
    try:
        os.rmdir(name, dir_fd=folder)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        return False
    return True


@contextlib.contextmanager
def _both(name: str, folder: int, source: int) -> Iterator[tuple[int, int]]:
    """A folder of the home and its model in the skeleton."""
    inside = os.open(name, _FOLDER, dir_fd=folder)
    try:
        source_inside = os.open(name, _FOLDER, dir_fd=source)
        try:
            yield inside, source_inside
        finally:
            os.close(source_inside)
    finally:
        os.close(inside)


def _is_there(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _content(name: str, folder: int, size: int) -> bytes:
    """A file's content, of a longer one the beginning with one byte more than `size`."""
    with os.fdopen(os.open(name, _FILE, dir_fd=folder), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return b""
        return file.read(size + 1)
