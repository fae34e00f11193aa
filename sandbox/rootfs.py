"""The sandbox's root directory: the machine's programs, read-only, and everything else its own and in memory."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

from sandbox import namespaces as ns
from sandbox.club import CHECKOUT, OUTSIDE

_OWN = ("etc", "home", "media", "mnt", "old", "opt", "proc", "root", "run", "srv", "tmp", "users", "var")
_VAR = ("cache", "lib", "log", "mail", "spool", "tmp")


def build(root: Path, directory: Path) -> None:
    """Make and enter the new root at `root`; `directory` (the sandbox's) appears inside as OUTSIDE."""
    ns.tmpfs(root)
    for name in _OWN:
        (root / name).mkdir()
    for entry in sorted(Path("/").iterdir()):
        if entry.is_symlink():
            (root / entry.name).symlink_to(os.readlink(entry))
        elif entry.name in ("bin", "sbin", "usr", "dev", "sys") or entry.name.startswith("lib"):
            (root / entry.name).mkdir()
            ns.bind(entry, root / entry.name, read_only=entry.name not in ("dev", "sys"))
    for name in _VAR:
        (root / "var" / name).mkdir()
    (root / "var/run").symlink_to("/run")
    # A copy: a bind over a single file would vanish when the machine renames a new one into its place.
    # What we may not read (private keys) is left out, which is right.
    subprocess.run(
        ["cp", "-a", "--no-preserve=ownership", "/etc/.", root / "etc"], stderr=subprocess.DEVNULL, check=False
    )
    for name in ("tmp", "var/tmp", "dev/shm"):
        ns.tmpfs(root / name, "1777")
    for source, place in ((CHECKOUT, CHECKOUT), (directory, OUTSIDE)):
        inside = root / place.relative_to("/")
        inside.mkdir(parents=True, exist_ok=True)
        _show(source, inside)
    mount_proc(root / "proc", fallback=True)
    ns.pivot(root)


def _show(source: Path, inside: Path) -> None:
    """Bind a folder; of one that is closed to others (a fresh temporary one, say) each thing in it, since people run ceo from there."""
    if source.stat().st_mode & 0o005 == 0o005 or source != CHECKOUT:
        ns.bind(source, inside)
        return
    for child in source.iterdir():
        target = inside / child.name
        target.mkdir() if child.is_dir() else target.touch()
        ns.bind(child, target)


def mount_proc(at: str | Path, *, fallback: bool = False) -> None:
    """A /proc of this pid namespace; inside a container that masks its own, the old one stays."""
    try:
        ns.mount("proc", at, "proc", ns.MS_NOSUID | ns.MS_NODEV | ns.MS_NOEXEC)
    except PermissionError:
        if fallback:
            ns.bind("/proc", at)
    # Real uid 0 could write the machine's kernel settings through these, namespace or not.
    for name in ("sys", "sysrq-trigger"):
        path = Path(at) / name
        if path.exists():
            with contextlib.suppress(PermissionError):
                ns.bind(path, path, read_only=True)
