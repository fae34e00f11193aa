"""Write a file of somebody's home as that somebody, or read it: python as_user.py VERB HOME.

VERB is forward, mysql-info or postgresql-info, with read- before it to read.

The text comes on standard input; an empty one removes the file.  What is read goes to standard output.
The caller starts it with the user's ids and umask 077; it is a program of its own because set*id calls are process-wide.
Its exit status tells whose fault a failure is: REFUSED is the home owner's (what they put there, the
home's mode, their quota), FAILED is the file server's.  Standard error says what happened and, when
it is the owner's, what to do.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import time
from collections.abc import Iterator
from itertools import islice

FILES = {"forward": ".forward", "mysql-info": "ceo-mysql-info", "postgresql-info": "ceo-postgresql-info"}
_KEPT = ("mysql-info", "postgresql-info")  # the old one stays beside the new one

_READ = "read-"
_LIMIT = 65536  # bytes of what is read

REFUSED, FAILED = 4, 3  # 1 is what an exception that nobody foresaw ends Python with

# Errors that the home's owner can cause, with what helps.  Every other error is the file server's: it
# may be gone when the same is tried again.
_HELP = {
    errno.EACCES: "make the home writable for its owner: chmod u+rwx {home}",
    errno.EPERM: "make the home writable for its owner: chmod u+rwx {home}",
    errno.EDQUOT: "the quota is used up: remove files that are not needed",
    errno.ENOENT: "there is no home directory: it has to be made first",
    errno.ENOTDIR: "the home has to be a directory",
    errno.ELOOP: "the home has to be a directory, not a link",
}
_IN_THE_WAY = (errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY, errno.EBUSY, errno.EXDEV, errno.ETXTBSY)

_LEFT_AFTER_S = (
    60.0  # the caller waits for ten seconds, so an older temporary file is nobody's any more
)
_LOOKED_AT = 10_000  # a home of a million files must not use up the caller's patience


class InTheWay(Exception):
    """Something that is no plain file is where the file should go."""


def replace(home: str, name: str, text: bytes, *, keep: bool = False) -> None:
    """Put a file of mode 0600 into the home, whole or not at all.

    A link that is there is replaced, never followed.
    Raises InTheWay, OSError.
    """
    with _opened(home) as folder:
        for taken in (name, f"{name}.old") if keep else (name,):
            _check_free(folder, taken)
        _remove_leftovers(folder, name)
        # A random name: nobody can occupy it before.
        part = f".{name.lstrip('.')}.ceo-{os.urandom(8).hex()}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        descriptor = os.open(part, flags, 0o600, dir_fd=folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            if keep:
                with contextlib.suppress(FileNotFoundError):
                    os.rename(name, f"{name}.old", src_dir_fd=folder, dst_dir_fd=folder)
            os.rename(part, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(part, dir_fd=folder)
            raise


def read(home: str, name: str) -> bytes:
    """The file's content, empty where there is none.

    No link is followed, and nothing is waited for, such as who writes into a FIFO.
    Raises InTheWay, OSError.
    """
    with _opened(home) as folder:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            descriptor = os.open(name, flags, dir_fd=folder)
        except FileNotFoundError:
            return b""
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise InTheWay(f"{name} is no file: move it away")
            return os.read(descriptor, _LIMIT)
        finally:
            os.close(descriptor)


def remove(home: str, name: str) -> None:
    """Remove a file from the home, if it is there.  Raises InTheWay, OSError."""
    with _opened(home) as folder:
        _check_free(folder, name)
        _remove_leftovers(folder, name)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)


@contextlib.contextmanager
def _opened(home: str) -> Iterator[int]:
    """The home by a descriptor, which needs no right to list it."""
    folder = os.open(home, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield folder
    finally:
        os.close(folder)


def _check_free(folder: int, name: str) -> None:
    """Raises InTheWay: what is there is neither a file nor a link."""
    try:
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode) and not stat.S_ISLNK(mode):
        kind = "a directory" if stat.S_ISDIR(mode) else "no file"
        raise InTheWay(f"{name} is {kind}: move it away")


def _remove_leftovers(folder: int, name: str) -> None:
    """Remove what killed runs left: the owner's own plain files of that form, a minute old."""
    with contextlib.suppress(OSError):  # a home that can't be listed keeps them
        listable = os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=folder)
        try:
            with os.scandir(listable) as entries:
                found = [
                    entry.name
                    for entry in islice(entries, _LOOKED_AT)
                    if is_temporary(entry.name, name)
                ]
            for temporary in found:
                info = os.stat(temporary, dir_fd=folder, follow_symlinks=False)
                old = time.time() - info.st_mtime > _LEFT_AFTER_S
                if stat.S_ISREG(info.st_mode) and info.st_uid == os.geteuid() and old:
                    os.unlink(temporary, dir_fd=folder)
        finally:
            os.close(listable)


def is_temporary(entry: str, name: str) -> bool:
    """Whether an entry has the name of a temporary file for `name`, of this version or one before."""
    start, _, end = entry.rpartition(".ceo-")
    is_random = len(end) == 16 and set(end) <= set("0123456789abcdef")
    return start == f".{name.lstrip('.')}" and (is_random or end == "new")


def _failure(error: OSError, home: str) -> tuple[int, str]:
    """The exit status that an error means, and what is said of it."""
    said = f"{error.strerror}: {error.filename or home}"
    if error.errno in _IN_THE_WAY:
        return REFUSED, f"{said}; move away what is there"
    advice = _HELP.get(error.errno or 0)
    return (REFUSED, f"{said}; {advice.format(home=home)}") if advice else (FAILED, said)


def main(arguments: list[str]) -> int:
    """Run one verb."""
    verb, home = arguments
    if os.geteuid() == 0:
        print("this is for users, not for root", file=sys.stderr)
        return 2
    if verb.removeprefix(_READ) not in FILES:
        print(f"unknown verb {verb}", file=sys.stderr)
        return 2
    text = sys.stdin.buffer.read()
    try:
        if verb.startswith(_READ):
            sys.stdout.buffer.write(read(home, FILES[verb.removeprefix(_READ)]))
        elif text:
            replace(home, FILES[verb], text, keep=verb in _KEPT)
        else:
            remove(home, FILES[verb])
    except InTheWay as error:
        print(error, file=sys.stderr)
        return REFUSED
    except OSError as error:
        status, said = _failure(error, home)
        print(said, file=sys.stderr)
        return status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
