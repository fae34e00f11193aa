"""The journal's fingerprint, and the file outside state_dir that holds the newest one.

A copy of the journal that is put back later is whole and correct, but older.  Only something that
was not put back with it can show that.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from ceod.transaction.state_dir import check_ours

LARGEST = (1 << 63) - 1  # that SQLite stores
_SIZE = 512  # one sector, which a disk writes whole or not at all


@dataclass(frozen=True)
class Fingerprint:
    """Which journal it is and how far it has come.

    `count` goes up by one when a transaction or a step of it begins, when a step notes what its
    undo needs, and when the transaction is committed and ends.  `audit_hash` is the hash of the
    audit log's row `audit_n`, empty where that is 0.
    """

    journal: str
    count: int
    audit_n: int
    audit_hash: str

    def __str__(self) -> str:
        return f"{self.journal} {self.count} {self.audit_n} {self.audit_hash or '-'}"

    @classmethod
    def parse(cls, text: str) -> Fingerprint:
        """From the form that str() gives.  Raises ValueError."""
        journal, count, audit_n, audit_hash = text.split(" ")
        made = cls(journal, int(count), int(audit_n), audit_hash.strip("-"))
        if not (0 <= made.count <= LARGEST and 0 <= made.audit_n <= LARGEST):
            raise ValueError(f"a number is not within 0 and {LARGEST}")
        return made


class DamagedFile(Exception):
    """The file is there and holds no fingerprint."""


class FingerprintFile:
    """One line in a file of fixed size, with its own checksum."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Fingerprint | None:
        """What it holds, None where there is no file.  Raises DamagedFile, UnsafeState, OSError."""
        try:
            with self._locked(fcntl.LOCK_SH) as descriptor:
                return self._parse(os.pread(descriptor, _SIZE + 1, 0))
        except FileNotFoundError:
            return None

    def raise_to(self, fingerprint: Fingerprint, *, instead_of: Collection[str] = ()) -> None:
        """Hold this one, unless it holds a newer one or another journal's, which is none of `instead_of`.

        It is on disk when the call returns.  Raises DamagedFile, UnsafeState, OSError.
        """
        try:
            with self._locked(fcntl.LOCK_EX) as descriptor:
                held = self._parse(os.pread(descriptor, _SIZE + 1, 0))
                is_older = held.journal == fingerprint.journal and held.count < fingerprint.count
                if is_older or held.journal in instead_of:
                    os.pwrite(descriptor, _encode(fingerprint), 0)
                    os.fdatasync(descriptor)
        except FileNotFoundError:
            with self._new(fingerprint) as part:
                try:
                    os.link(part, self.path)
                    return
                except FileExistsError:  # another was first, and its own may be older
                    pass
            self.raise_to(fingerprint, instead_of=instead_of)

    def replace(self, fingerprint: Fingerprint) -> None:
        """Hold this one, whatever it held.  Raises OSError."""
        with self._new(fingerprint) as part:
            os.replace(part, self.path)

    @contextlib.contextmanager
    def _locked(self, how: int) -> Iterator[int]:
        descriptor = os.open(self.path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            check_ours(self.path, os.fstat(descriptor))
            fcntl.flock(descriptor, how)
            yield descriptor
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def _new(self, fingerprint: Fingerprint) -> Iterator[Path]:
        """A file beside it, whole and on disk, to be put into its place."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = self.path.with_name(f"{self.path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, _encode(fingerprint))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        try:
            yield part
        finally:
            part.unlink(missing_ok=True)
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
            os.fsync(folder)
            os.close(folder)

    def _parse(self, content: bytes) -> Fingerprint:
        checksum, _, text = content.rstrip().decode(errors="replace").partition(" ")
        try:
            if len(content) != _SIZE or checksum != _checksum(text):
                raise ValueError
            return Fingerprint.parse(text)
        except ValueError:
            raise DamagedFile(f"{self.path} does not hold what ceod wrote into it") from None


def _encode(fingerprint: Fingerprint) -> bytes:
    text = str(fingerprint)
    return f"{_checksum(text)} {text}".encode().ljust(_SIZE - 1) + b"\n"


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
