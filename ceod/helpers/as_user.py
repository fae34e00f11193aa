"""Write a file of somebody's home as that somebody: python as_user.py forward|mysql-info|postgresql-info HOME.

The text comes on standard input; an empty one removes the file.
The caller starts it with the user's ids and umask 077; it is a program of its own because set*id calls are process-wide.
"""

from __future__ import annotations

import contextlib
import os
import sys

FILES = {"forward": ".forward", "mysql-info": "ceo-mysql-info", "postgresql-info": "ceo-postgresql-info"}
_KEPT = ("mysql-info", "postgresql-info")  # the old one stays beside the new one


def replace(home: str, name: str, text: bytes, *, keep: bool = False) -> None:
    """Put a file of mode 0600 into the home, whole or not at all; a link that stands there is replaced, never followed."""
    folder = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    part = f".{name.lstrip('.')}.ceo-new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(part, dir_fd=folder)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=folder)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if keep:
        with contextlib.suppress(FileNotFoundError):
            os.rename(name, f"{name}.old", src_dir_fd=folder, dst_dir_fd=folder)
    os.rename(part, name, src_dir_fd=folder, dst_dir_fd=folder)


def main(arguments: list[str]) -> int:
    """Run one verb."""
    verb, home = arguments
    if os.geteuid() == 0:
        print("this is for users, not for root", file=sys.stderr)
        return 2
    if verb not in FILES:
        print(f"unknown verb {verb}", file=sys.stderr)
        return 2
    text = sys.stdin.buffer.read()
    try:
        if text:
            replace(home, FILES[verb], text, keep=verb in _KEPT)
        else:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{home}/{FILES[verb]}")
    except OSError as error:
        print(f"{error.strerror}: {error.filename}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
