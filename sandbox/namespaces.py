"""The system calls that make a sandbox: unshare, mount, id maps.  Linux only (namespaces(7), user_namespaces(7))."""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import subprocess
from pathlib import Path

from sandbox.processes import ENVIRONMENT

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x4000000, 0x8000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_NOATIME, MS_NODIRATIME, MS_BIND, MS_REC, MS_PRIVATE, MS_RELATIME = 1024, 2048, 4096, 16384, 1 << 18, 1 << 21
MNT_DETACH = 2
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


class NotAllowed(Exception):
    """This machine does not let us make a sandbox; the text says what it refused and what to do."""


def _check(result: int, *what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), *what)


def unshare(flags: int) -> None:
    """unshare(2)."""
    _check(_libc.unshare(flags), "unshare")


def die_with_parent(signal_number: int) -> None:
    """Ask the kernel for this signal when our parent ends (PR_SET_PDEATHSIG)."""
    _check(_libc.prctl(PR_SET_PDEATHSIG, signal_number), "prctl")


def mount(source: str | Path | None, target: str | Path, fstype: str | None = None, flags: int = 0, data: str = "") -> None:
    """mount(2)."""
    words = [None if word is None else os.fsencode(word) for word in (source, target, fstype)]
    _check(_libc.mount(*words, flags, os.fsencode(data) or None), str(target))


def bind(source: str | Path, target: str | Path, *, read_only: bool = False) -> None:
    """Show source, and everything mounted below it, at target."""
    mount(source, target, None, MS_BIND | MS_REC)
    if read_only:
        # A remount has to repeat what the mount has already: the kernel locks those flags in a user namespace.
        have = os.statvfs(target).f_flag
        keep = {os.ST_NOSUID: MS_NOSUID, os.ST_NODEV: MS_NODEV, os.ST_NOEXEC: MS_NOEXEC,
                os.ST_NOATIME: MS_NOATIME, os.ST_NODIRATIME: MS_NODIRATIME, os.ST_RELATIME: MS_RELATIME}
        flags = sum(ms for st, ms in keep.items() if have & st)
        mount(None, target, None, MS_BIND | MS_REMOUNT | MS_RDONLY | flags)


def tmpfs(target: str | Path, mode: str = "755") -> None:
    """An empty file system in memory at target."""
    mount("ceo-sandbox", target, "tmpfs", MS_NOSUID, f"mode={mode}")


def make_private() -> None:
    """Keep our mounts from reaching the namespace that we came from."""
    mount(None, "/", None, MS_REC | MS_PRIVATE)


def pivot(new_root: Path) -> None:
    """Make new_root the root directory and forget the old one (pivot_root(2))."""
    os.chdir(new_root)
    # An ordinary user's PATH does not have it.
    subprocess.run(["pivot_root", ".", "old"], check=True, env=ENVIRONMENT)
    os.chdir("/")
    _check(_libc.umount2(b"/old", MNT_DETACH), "umount2")
    os.rmdir("/old")


def subordinate_ids(table: str) -> tuple[str, str] | None:
    """Our first range in /etc/subuid or /etc/subgid, as (first, count)."""
    if os.getuid() == 0:
        return "2000000000", "65535"
    me = (pwd.getpwuid(os.getuid()).pw_name, str(os.getuid()))
    lines = Path(table).read_text().split() if Path(table).exists() else []
    for line in lines:
        name, first, count = line.split(":")
        if name in me and int(count) >= 40000:
            return first, count
    return None


def map_ids(pid: int) -> None:
    """Map inside 0 to us and inside 1.. to our subordinate ids, so that homes really belong to 20001 and up.

    Raises NotAllowed.
    """
    uids, gids = subordinate_ids("/etc/subuid"), subordinate_ids("/etc/subgid")
    if uids is None or gids is None:
        raise NotAllowed(
            "your account has no range of 40,000 subordinate ids; as root: usermod --add-subuids 1000000-1065535 "
            f"--add-subgids 1000000-1065535 {pwd.getpwuid(os.getuid()).pw_name}"
        )
    if os.getuid() == 0:
        for name, (first, count) in (("uid_map", uids), ("gid_map", gids)):
            Path(f"/proc/{pid}/{name}").write_text(f"0 0 1\n1 {first} {count}\n")
        return
    for program, own, (first, count) in (("newuidmap", os.getuid(), uids), ("newgidmap", os.getgid(), gids)):
        if shutil.which(program) is None:
            raise NotAllowed(f"{program} is missing: install the package uidmap")
        done = subprocess.run([program, str(pid), "0", str(own), "1", "1", first, count], capture_output=True, text=True)
        if done.returncode != 0:
            raise NotAllowed(f"{program} refused: {done.stderr.strip()}")
