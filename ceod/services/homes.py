"""Home directories: built whole under a temporary name that root owns, then renamed into place, never over anything."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import shutil
import stat
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ceo_common.config import Homes as Settings
from ceo_common.errors import BackendDown, Exists, Internal, NotFound, WrongState
from ceod.helpers import as_user
from ceod.services.skeleton import Untouched, remove_empty

BACKEND = "homes"
UNDONE = "undone-"  # in the archived name of a home that an undo kept, before its transaction
_RENAME_NOREPLACE = 1
_FORWARD_LIMIT = 65536
_libc = ctypes.CDLL(None, use_errno=True)

_DEEP = 64  # folders in folders; each holds a descriptor
_ACL_GROUP = 0x08  # acl(5), as the kernel keeps it in an extended attribute: tag, permissions, id

# Errors that the home's owner can cause where ceod reads it: a link, no directory, a file that only
# they may read (a file server may refuse root), one with a lease on it.
_OWNERS = (errno.ELOOP, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.EAGAIN, errno.ENXIO)

Identity = tuple[int, int]  # device and inode
TakenBack = Literal["removed", "archived", "absent", "other"]


@dataclass(frozen=True)
class Home:
    """What a home is.  `may_write` and `default_write` are the groups that its ACL and its default ACL let read, write and enter."""

    is_folder: bool
    owner: int
    group: int
    mode: int
    may_write: frozenset[int]
    default_write: frozenset[int]


@dataclass(frozen=True)
class Forward:
    """What ~/.forward says, byte for byte, so that it can be put back; empty where there is none.

    `problem` is a sentence that says why the file can't be read; the text is empty then.
    """

    text: str = ""
    problem: str | None = None

    @property
    def addresses(self) -> list[str]:
        """The addresses in it."""
        text = self.text.encode(errors="surrogateescape").decode(errors="replace")
        return [
            line.strip()
            for line in text.splitlines()
            if line.strip() and not line.lstrip().startswith("#")
        ]


class Homes:
    """The tree of homes, reached through descriptors so that no link in it can lead us astray."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def path(self, uid: str) -> str:
        """Where an account's home is."""
        return f"{self.settings.root}/{uid}"

    def ping(self) -> None:
        """Whether the tree is there and writable.  Raises BackendDown."""
        with self._root() as root:
            os.stat(".", dir_fd=root)
            if os.fstatvfs(root).f_flag & os.ST_RDONLY:
                raise BackendDown(f"{self.settings.root} is read-only", backend=BACKEND)

    def _root(self) -> contextlib.AbstractContextManager[int]:
        return _opened(self.settings.root)

    def left_behind(self, uid: str) -> list[str]:
        """What of an account's home is there: the home itself, or an archived one."""
        found = [self.path(uid)] if os.path.lexists(self.path(uid)) else []
        return found + [
            f"{self.settings.archive}/{name}"
            for name in [*self.archived_of(uid), *self.undone_of(uid)]
        ]

    def archived_of(self, uid: str) -> list[str]:
        """The names in the archive of homes that were this account's, the one that was archived last at the end."""
        with contextlib.suppress(FileNotFoundError), os.scandir(self.settings.archive) as entries:
            found = [
                entry
                for entry in entries
                if entry.name == uid
                or (entry.name.startswith(f"{uid}.")
                and not entry.name.startswith(f"{uid}.{UNDONE}"))
            ]
            return [entry.name for entry in sorted(found, key=lambda entry: entry.stat(follow_symlinks=False).st_ctime)]
        return []

    def undone_of(self, uid: str) -> list[str]:
        """The names in the archive of homes that an undone sign-up kept: they held somebody's work."""
        with contextlib.suppress(FileNotFoundError):
            return sorted(
                name
                for name in os.listdir(self.settings.archive)
                if name.startswith(f"{uid}.{UNDONE}")
            )
        return []

    def build(self, temporary: str, uid_number: int, *, shared: bool = False) -> Identity:
        """Make the home with the skeleton in it under a temporary name; its owner is set last.

        A shared one is a club's: what anybody of the group makes in it is the whole group's.  Raises Exists, BackendDown.
        """
        with self._root() as root:
            try:
                os.mkdir(temporary, 0o700, dir_fd=root)
            except FileExistsError:
                raise Exists(f"{self.settings.root}/{temporary} is there already") from None
            home = os.open(temporary, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=root)
            try:
                self._fill(home, uid_number)
                # Others may pass through to public files, not look around.
                os.fchmod(home, 0o2771 if shared else 0o711)
                if shared:
                    _run(["setfacl", "-m", f"g:{uid_number}:rwx,d:g:{uid_number}:rwx", f"/proc/self/fd/{home}"], "setfacl", (home,))
                if self.settings.quota_command:
                    _run([word.replace("{uid_number}", str(uid_number)) for word in self.settings.quota_command], "the quota command")
                os.fchown(home, uid_number, uid_number)
                os.fsync(home)
                info = os.fstat(home)
                return info.st_dev, info.st_ino
            finally:
                os.close(home)

    def _fill(self, home: int, uid_number: int) -> None:
        """Copy the skeleton, links and modes as they are."""
        skeleton = self.settings.skeleton
        if not os.path.isdir(skeleton):
            return
        for folder, _, files, source in os.fwalk(skeleton, follow_symlinks=False):
            inside = os.path.relpath(folder, skeleton)
            target = os.open(inside, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=home)
            try:
                for name in files + [n for n in os.listdir(source) if n not in files]:
                    if (inside, name) != (".", ".forward"):  # where mail goes is the user's own word, never a skeleton's
                        _copy(name, source, target, uid_number)
            finally:
                os.close(target)

    def rename(self, temporary: str, uid: str) -> None:
        """Put the finished home into its place.  Raises Exists, BackendDown."""
        with self._root() as root:
            _rename(root, temporary, root, uid)

    # Looking at a home, and giving it to its account

    def look(self, uid: str) -> Home | None:
        """What is there under an account's name.  Raises BackendDown."""
        with self._root() as root:
            try:
                home = os.open(uid, os.O_PATH | os.O_NOFOLLOW, dir_fd=root)
            except FileNotFoundError:
                return None
            try:
                info, path = os.fstat(home), f"/proc/self/fd/{home}"
                acls = [_acl_groups(path, kind) if stat.S_ISDIR(info.st_mode) else frozenset[int]() for kind in ("access", "default")]
                return Home(stat.S_ISDIR(info.st_mode), info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode), *acls)
            finally:
                os.close(home)

    def give(self, uid: str, wrong: tuple[int, int], number: int) -> tuple[int, int]:
        """Give a home, and what is in it of its wrong owner, to the account, the top last: how many things were given and how many left.

        Nothing elsewhere can be reached: no link is followed, no other filesystem entered; a file of several names, one of which may be
        elsewhere, is left as it is.  A home that has another owner than the wrong one is left too.  Raises BackendDown.
        """
        with self._root() as root:
            home = os.open(uid, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=root)
            try:
                info = os.fstat(home)
                if (info.st_uid, info.st_gid) != wrong:
                    return 0, 0
                given, left = _give_inside(home, info.st_dev, wrong, number, 0)
                os.fchown(home, number, number)
                return given + 1, left
            finally:
                os.close(home)

    # Archived homes

    def identity(self, uid: str) -> Identity | None:
        """What the home is, or None where there is none.  Raises BackendDown."""
        with self._root() as root:
            return _identity(root, uid)

    def archive(self, uid: str, archived: str) -> None:
        """Move a home into the archive.  Raises NotFound, Exists, BackendDown."""
        with self._root() as root, self._archive() as archive:
            _rename(root, uid, archive, archived)

    def unarchive(self, archived: str, uid: str) -> None:
        """Move a home out of the archive into its place.  Raises NotFound, Exists, BackendDown."""
        with self._root() as root, self._archive() as archive:
            _rename(archive, archived, root, uid)

    def archived_identity(self, archived: str) -> Identity | None:
        """What an archived home is, or None where there is none.  Raises BackendDown."""
        with self._archive() as archive:
            return _identity(archive, archived)

    def remove_archived(self, archived: str) -> None:
        """Remove an archived home, if it is there.  Raises BackendDown."""
        with self._archive() as archive, contextlib.suppress(FileNotFoundError):
            shutil.rmtree(archived, dir_fd=archive)

    @contextlib.contextmanager
    def _archive(self) -> Iterator[int]:
        os.makedirs(self.settings.archive, 0o700, exist_ok=True)
        with _opened(self.settings.archive) as archive:
            yield archive

    def remove(self, uid: str) -> None:
        """Remove a home with all that is in it, if there is one.  Raises BackendDown."""
        with self._root() as root, contextlib.suppress(FileNotFoundError, NotADirectoryError):
            shutil.rmtree(uid, dir_fd=root)

    def take_back(self, name: str, identity: Identity | None, archived: str, forward: str) -> TakenBack:
        """Remove a home that was made under a name; archive it where it holds more than was put into it.

        It is left where it is not the one with this identity (None: any).  `forward` is the text that
        was written into ~/.forward.  A second call tells the same as the first.  Raises Exists (the
        archive has the name already), BackendDown.
        """
        with self._root() as root:
            try:
                home = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=root)
            except FileNotFoundError:
                return "archived" if os.path.lexists(f"{self.settings.archive}/{archived}") else "absent"
            except OSError as error:
                if error.errno not in _OWNERS:
                    raise
                return "other"
            try:
                info = os.fstat(home)
                if identity and (info.st_dev, info.st_ino) != tuple(identity):
                    return "other"
                if identity is None and _was_never_open(info):
                    shutil.rmtree(name, dir_fd=root)
                    return "removed"
                untouched = Untouched(self.settings.skeleton, forward.encode())
                if untouched.covers(home):
                    untouched.remove_from(home)
                    if remove_empty(name, root):
                        return "removed"
            finally:
                os.close(home)
        self.archive(name, archived)
        return "archived"

    def write_forward(self, uid: str, uid_number: int, text: str) -> None:
        """Write ~/.forward as its owner; with an empty text remove it.

        Raises WrongState (something of the owner's is in the way; it says what to do), BackendDown.
        """
        self._as_user("forward", uid, uid_number, text)

    def write_info(self, uid: str, uid_number: int, kind: Literal["mysql", "postgresql"], text: str) -> str:
        """Write the file that tells of a database, as its owner, the old one kept; where it stands.

        Raises WrongState (something of the owner's is in the way; it says what to do), BackendDown.
        """
        self._as_user(f"{kind}-info", uid, uid_number, text)
        return self.info_path(uid, kind)

    def info_path(self, uid: str, kind: Literal["mysql", "postgresql"]) -> str:
        """Where the file is that tells of a database."""
        return f"{self.path(uid)}/{as_user.FILES[f'{kind}-info']}"

    def info(self, uid: str, uid_number: int, kind: Literal["mysql", "postgresql"]) -> str:
        """What the file that tells of a database says, read as its owner; empty where there is none.

        Raises WrongState (it is no file, or its owner may not read it), BackendDown.
        """
        return self._as_user(f"read-{kind}-info", uid, uid_number, "").decode(errors="replace")

    def _as_user(self, verb: str, uid: str, uid_number: int, text: str) -> bytes:
        try:
            done = subprocess.run(
                # Without the site's packages, of which it needs none, Python starts in a third of the time.
                [sys.executable, "-I", "-S", as_user.__file__, verb, self.path(uid)], input=text.encode(errors="surrogateescape"),
                capture_output=True, check=False, timeout=10, user=uid_number, group=uid_number, extra_groups=[], umask=0o077, cwd="/",
                env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            )
        except subprocess.TimeoutExpired:
            raise BackendDown(f"{verb} in {self.path(uid)} took too long", backend=BACKEND) from None
        except OSError as error:  # no process can be started now
            raise BackendDown(f"no process can be started in {self.path(uid)} now: {error}", backend=BACKEND) from None
        if done.returncode == 0:
            return done.stdout
        said = done.stderr.decode(errors="replace").strip()[-200:]
        name = as_user.FILES[verb.removeprefix("read-")]
        did = "read in" if verb.startswith("read-") else "written into"
        message = f"{name} could not be {did} {self.path(uid)}: {said}"
        if done.returncode == as_user.REFUSED:
            raise WrongState(message)
        raise BackendDown(message, backend=BACKEND)

    def forward(self, uid: str) -> Forward:
        """What ~/.forward says, or why it can't be read.  Raises BackendDown."""
        path = f"{self.path(uid)}/.forward"
        with self._root() as root:
            try:
                home = os.open(uid, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=root)
            except FileNotFoundError:
                return Forward()
            except OSError as error:
                if error.errno not in _OWNERS:
                    raise
                return Forward(problem=f"{self.path(uid)} is no directory")
            try:
                # It never waits: for who should write into a FIFO, or give up a lease (fcntl(2)).
                flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
                descriptor = os.open(".forward", flags, dir_fd=home)
            except FileNotFoundError:
                return Forward()
            except OSError as error:
                if error.errno not in _OWNERS:
                    raise
                is_link = error.errno == errno.ELOOP
                why = "is a link" if is_link else f"can't be read: {error.strerror}"
                return Forward(problem=f"{path} {why}")
            finally:
                os.close(home)
            try:
                return _read_forward(descriptor, path)
            finally:
                os.close(descriptor)


def _read_forward(descriptor: int, path: str) -> Forward:
    """The text of an opened ~/.forward."""
    info = os.fstat(descriptor)
    if stat.S_ISDIR(info.st_mode):
        return Forward(problem=f"{path} is a directory")
    if not stat.S_ISREG(info.st_mode):
        return Forward(problem=f"{path} is no file")
    # One byte more shows a file that grew meanwhile.
    text = os.read(descriptor, _FORWARD_LIMIT + 1) if info.st_size <= _FORWARD_LIMIT else b""
    if max(len(text), info.st_size) > _FORWARD_LIMIT:
        return Forward(problem=f"{path} is larger than {_FORWARD_LIMIT // 1024} KiB")
    return Forward(text.decode(errors="surrogateescape"))


def forward_text(addresses: list[str]) -> str:
    """One address a line."""
    return "".join(f"{address}\n" for address in addresses)


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int]:
    """A folder of ours by its descriptor; what goes wrong inside is told as the homes' fault."""
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise BackendDown(f"the home directories are not there: {error}", backend=BACKEND) from None
    try:
        yield folder
    except OSError as error:
        raise BackendDown(f"the home directories: {error.strerror} ({error.filename or path})", backend=BACKEND) from error
    finally:
        os.close(folder)


def _acl_groups(path: str, kind: Literal["access", "default"]) -> frozenset[int]:
    """The groups that an ACL gives everything."""
    try:
        found = os.getxattr(path, f"system.posix_acl_{kind}")
    except OSError:  # none there, or a filesystem without them
        return frozenset()
    return frozenset(number for tag, permissions, number in struct.iter_unpack("<HHI", found[4:]) if tag == _ACL_GROUP and permissions == 7)


def _give_inside(folder: int, device: int, wrong: tuple[int, int], number: int, depth: int) -> tuple[int, int]:
    """How many things in a folder were given, and how many were left; each is held by its descriptor, so that nobody can swap it."""
    given = left = 0
    for name in os.listdir(folder):
        try:
            thing = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=folder)
        except FileNotFoundError:
            continue
        try:
            info = os.fstat(thing)
            is_folder = stat.S_ISDIR(info.st_mode)
            if is_folder and info.st_dev == device and depth < _DEEP:
                inside = os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=thing)
                try:
                    more = _give_inside(inside, device, wrong, number, depth + 1)
                finally:
                    os.close(inside)
                given, left = given + more[0], left + more[1]
            if info.st_uid != wrong[0]:
                continue
            movable = is_folder or (info.st_nlink == 1 and (stat.S_ISREG(info.st_mode) or stat.S_ISLNK(info.st_mode)))
            if info.st_dev == device and movable and (depth < _DEEP or not is_folder):
                os.chown(f"/proc/self/fd/{thing}", number, number if info.st_gid == wrong[1] else -1)
                given += 1
            else:
                left += 1
        finally:
            os.close(thing)
    return given, left


def _was_never_open(info: os.stat_result) -> bool:
    """Whether a home is still being filled: nobody but us could enter it yet.  See build()."""
    return info.st_uid == os.geteuid() and stat.S_IMODE(info.st_mode) == 0o700


def _identity(folder: int, name: str) -> Identity | None:
    try:
        info = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return info.st_dev, info.st_ino


def _rename(source: int, old: str, target: int, new: str) -> None:
    """Rename without replacing.  Raises NotFound, Exists."""
    if _libc.renameat2(source, old.encode(), target, new.encode(), _RENAME_NOREPLACE) < 0:
        number = ctypes.get_errno()
        if number == errno.EEXIST:
            raise Exists(f"{new} is there already")
        if number == errno.ENOENT:
            raise NotFound(f"there is no {old}")
        raise OSError(number, os.strerror(number), new)
    for folder in {source, target}:
        os.fsync(folder)


def _run(argv: list[str], what: str, keep_open: tuple[int, ...] = ()) -> None:
    """Run a program of the system's.  Raises BackendDown with its last words."""
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=10, pass_fds=keep_open, cwd="/")
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BackendDown(f"{what} could not be run: {error}", backend=BACKEND) from None
    if done.returncode != 0:
        raise BackendDown(f"{what} failed: {done.stderr.decode(errors='replace').strip()[-200:]}", backend=BACKEND)


def _copy(name: str, source: int, target: int, uid_number: int) -> None:
    """Copy one entry of a folder; below a folder the walk goes on."""
    info = os.stat(name, dir_fd=source, follow_symlinks=False)
    if stat.S_ISLNK(info.st_mode):
        os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
        os.chown(name, uid_number, uid_number, dir_fd=target, follow_symlinks=False)
        return
    if stat.S_ISDIR(info.st_mode):
        os.mkdir(name, 0o700, dir_fd=target)
        made = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=target)
    elif stat.S_ISREG(info.st_mode):
        made = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=target)
        with os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=source), "rb") as old, os.fdopen(os.dup(made), "wb") as new:
            shutil.copyfileobj(old, new)
    else:
        raise Internal(f"the skeleton holds {name!r}, which is no file, folder or link")
    try:
        os.fchown(made, uid_number, uid_number)
        os.fchmod(made, stat.S_IMODE(info.st_mode))
    finally:
        os.close(made)
