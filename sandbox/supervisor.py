"""The one process outside: holds the sandbox's lock, starts it, and takes everything down when it ends.

python -m sandbox.supervisor DIR OPTIONS-AS-JSON; progress is printed as JSON lines.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import signal
import sys
from datetime import date
from pathlib import Path

from sandbox import init
from sandbox import namespaces as ns
from sandbox.club import CHECKOUT, COMMAND

_MAKERS = ("sandbox/books.py", "sandbox/club.py", "sandbox/data.py", "sandbox/people.py", "sandbox/files.py", "sandbox/services.py",
           "etc/slapd-acl.conf", "etc/schema/csc.schema", "etc/schema/sudo.schema", "etc/schema/rfc2307bis.schema")


def cache_file() -> Path:
    """The tar of first data for these sources, this kind of user, this term, and this week: loans are due some days from now."""
    digest = hashlib.sha256()
    migrations = sorted(CHECKOUT.glob("ceod/library/migrations/versions/m*.py"))
    for path in (*(CHECKOUT / name for name in _MAKERS), *migrations):
        digest.update(path.read_bytes())
    today = date.today()
    digest.update(f"{CHECKOUT} {os.getuid()} {today.isocalendar()[:2]} {(today.month - 1) // 4}".encode())
    return CHECKOUT / ".cache" / f"sandbox-{digest.hexdigest()[:16]}.tar"


def clean(directory: Path) -> None:
    """Remove what a sandbox leaves in its directory, except the lock."""
    for name in ("control", "log", "mail", "root"):
        shutil.rmtree(directory / name, ignore_errors=True)
    (directory / "club.json").unlink(missing_ok=True)


def main(directory: Path, options: init.Options) -> int:
    """Hold the sandbox until SIGTERM or its own end."""
    try:
        # A bare descriptor, never closed: the kernel lets go of the lock when the process is really gone.
        lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        print(json.dumps({"error": f"{directory} can't be written: {error.strerror}"}), flush=True)
        return 1
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(json.dumps({"error": f"{directory} is up already; to stop it: {COMMAND} --dir {directory} down"}), flush=True)
        return 1
    os.ftruncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())
    clean(directory)
    for name in ("control", "log", "mail", "root"):
        (directory / name).mkdir(mode=0o755)
    (directory / "control").chmod(0o700)

    tar = cache_file()
    tar.parent.mkdir(exist_ok=True)
    part = tar.with_suffix(f".{os.getpid()}")
    making = os.open(tar.parent, os.O_RDONLY | os.O_CLOEXEC)
    if not tar.exists():
        # Of several that start at once one makes the data, the others wait for it.
        fcntl.flock(making, fcntl.LOCK_EX)
    if cached := tar.exists():
        fcntl.flock(making, fcntl.LOCK_UN)
    cache = os.open(tar, os.O_RDONLY) if cached else os.open(part, os.O_CREAT | os.O_RDWR | os.O_TRUNC, 0o600)

    go_read, go = os.pipe()
    unshared, unshared_write = os.pipe()
    progress, progress_write = os.pipe()
    sys.stdout.flush()
    if (child := os.fork()) == 0:
        for descriptor in (lock, making, go, unshared, progress):
            os.close(descriptor)
        log = os.open(directory / "log/supervisor", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.setsid()
        for source, target in ((os.open(os.devnull, os.O_RDONLY), 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        init.middle(directory, options, cache, cached=cached, go=go_read, unshared=unshared_write, progress=progress_write)
    for descriptor in (go_read, unshared_write, progress_write):
        os.close(descriptor)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        if os.read(unshared, 1):
            ns.map_ids(child)
            os.write(go, b"gg")
        return _watch(directory, child, progress, part, tar, making)
    except ns.NotAllowed as error:
        print(json.dumps({"error": str(error)}), flush=True)
        return 1
    finally:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(child, signal.SIGTERM)
            os.waitpid(child, 0)
        part.unlink(missing_ok=True)
        (directory / "club.json").unlink(missing_ok=True)
        for name in ("control", "root"):
            shutil.rmtree(directory / name, ignore_errors=True)


def _watch(directory: Path, child: int, progress: int, part: Path, tar: Path, making: int) -> int:
    """Hand on the progress lines, then wait for the end."""
    up = False
    with os.fdopen(progress) as lines:
        for line in lines:
            told = json.loads(line)
            if "made" in told:
                part.rename(tar)
                fcntl.flock(making, fcntl.LOCK_UN)
                with contextlib.suppress(FileNotFoundError):  # a sandbox of another version of these sources tidies as well
                    for old in sorted(tar.parent.glob("sandbox-*.tar"), key=lambda path: path.stat().st_mtime)[:-3]:
                        old.unlink()
                continue
            if "up" in told:
                up = True
                (directory / "club.json").write_text(json.dumps(told["up"]))
            with contextlib.suppress(BrokenPipeError):
                print(line, end="", flush=True)
            if up:
                break
    # Whoever started us reads to the end of our output: let go of it.
    null = os.open(os.devnull, os.O_RDWR)
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
    os.dup2(null, 1)
    os.dup2(null, 2)
    os.waitpid(child, 0)
    return 0 if up else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), init.Options(**json.loads(sys.argv[2]))))
