"""What goes wrong meanwhile: one fault after the other, drawn at random, and what ends each."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from ceo_common.errors import (
    BackendDown,
    Busy,
    CeoError,
    Exists,
    OutcomeUnknown,
    Unreachable,
)
from sandbox import control
from sandbox.club import CHECKOUT, DESK, PYTHON, host_place
from tests.club.club import ADMIN, Club, until
from tests.monkey.operations import Shared

HOSTS = (ADMIN, "mail", "coffee")
SERVERS = {
    "slapd": ADMIN,
    "krb5kdc": ADMIN,
    "kadmind": ADMIN,
    "mailman": "mail",
    "smtp": "mail",
    "mariadb": "coffee",
    "postgresql": "coffee",
}
STATE_MIB, HOMES_MIB = 256, 512
HOMES = Path("/users")
FILLER = "monkey-filler"
_PAUSE_S = (1.0, 6.0)
_PAGE_KINDS = (2, 5, 10, 13)  # SQLite's b-tree pages (fileformat2.html, 1.6)
Files = dict[str, bytes]  # by name


def state_dir(host: str) -> Path:
    """Where a host's ceod has its journal, as seen from the desk."""
    return host_place(host) / "ceod"


def small_disks(club: Club) -> None:
    """Put the homes and the state of each ceod on disks that can be filled; the hosts boot anew."""
    for host in HOSTS:
        club.state.call(DESK, do="crash", host=host)
    for place, size in ((HOMES, HOMES_MIB), *((state_dir(host), STATE_MIB) for host in HOSTS)):
        info, kept = place.stat(), Path(f"/srv/kept-{place.parent.name}-{place.name}")
        subprocess.run(["cp", "-a", str(place), str(kept)], check=True)
        subprocess.run(
            [
                "mount",
                "-t",
                "tmpfs",
                "-o",
                f"size={size}m,mode={info.st_mode & 0o7777:o}",
                "none",
                str(place),
            ],
            check=True,
        )
        subprocess.run(["cp", "-a", f"{kept}/.", str(place)], check=True)
        subprocess.run(["rm", "-rf", str(kept)], check=True)
    for host in HOSTS:
        club.state.call(DESK, do="boot", host=host)


class Faults(threading.Thread):
    """The one who breaks things."""

    def __init__(self, shared: Shared) -> None:
        super().__init__(name="faults", daemon=True)
        self.shared, self.club = shared, shared.club
        self.draw = random.Random(f"{shared.seed} faults")
        self.counts: Counter[str] = Counter()
        self.log: list[tuple[float, float, str]] = []  # from, to, what
        self.failures: list[str] = []  # what could not be put right again
        self.kinds: list[tuple[int, Callable[[], tuple[str, Callable[[], None]]]]] = [
            (6, self.worker_killed),
            (3, self.ceod_killed),
            (2, self.ceod_told),
            (3, self.ceod_frozen),
            (5, self.server_killed),
            (6, self.server_frozen),
            (3, self.host_cut),
            (1, self.host_crashed),
            (3, self.disk_full),
            (2, self.journal_older),
            (2, self.journal_flipped),
            (2, self.journal_cut),
        ]

    def run(self) -> None:
        weights, kinds = [weight for weight, _ in self.kinds], [kind for _, kind in self.kinds]
        while not self.shared.over.wait(self.draw.uniform(*_PAUSE_S)):
            (kind,) = self.draw.choices(kinds, weights)
            what, act = kind()
            self.counts[what.partition(" on ")[0]] += 1
            began = time.time()
            try:
                act()
            except Exception:
                self.failures.append(f"{what}: {traceback.format_exc()}")
                with suppress(control.Refused):
                    self.all_back()
            self.log.append((began, time.time(), what))

    def _wait(self, seconds: float) -> None:
        self.shared.over.wait(seconds)

    def _how_long(self) -> float:
        """Mostly short, sometimes longer than any deadline."""
        return self.draw.choice((0.2, 1.0, 2.0, 4.0, 4.0, 13.0))

    # Each draws what it will do, and returns its name and the deed

    def worker_killed(self) -> tuple[str, Callable[[], None]]:
        host, number = self.draw.choice((ADMIN, *HOSTS)), self.draw.randrange(1000)

        def act() -> None:
            _, *others = self.club.service(host, "pids", "ceod")["pids"]
            if others:
                self.club.run_as(
                    "root", "kill", "-KILL", str(others[number % len(others)]), host=host
                )

        return f"a process of ceod killed on {host}", act

    def ceod_killed(self) -> tuple[str, Callable[[], None]]:
        host, seconds = self.draw.choice((ADMIN, *HOSTS)), self.draw.uniform(0, 3)

        def act() -> None:
            self.club.service(host, "kill", "ceod")
            self._wait(seconds)
            self.club.service(host, "start", "ceod")

        return f"ceod killed on {host}", act

    def ceod_told(self) -> tuple[str, Callable[[], None]]:
        host, how = self.draw.choice((ADMIN, *HOSTS)), self.draw.choice(("TERM", "HUP"))

        def act() -> None:
            if how == "HUP":
                self.club.service(host, "signal", "ceod", signal="HUP")
                return
            self.club.service(host, "stop", "ceod")
            self.club.service(host, "start", "ceod")

        return f"ceod told {how} on {host}", act

    def ceod_frozen(self) -> tuple[str, Callable[[], None]]:
        host, seconds = self.draw.choice((ADMIN, *HOSTS)), self._how_long()

        def act() -> None:
            self.club.service(host, "signal", "ceod", signal="STOP", group=True)
            self._wait(seconds)
            self.club.service(host, "signal", "ceod", signal="CONT", group=True)

        return f"ceod frozen on {host}", act

    def server_killed(self) -> tuple[str, Callable[[], None]]:
        server, seconds = self.draw.choice(list(SERVERS)), self.draw.uniform(0, 5)

        def act() -> None:
            self.club.service(SERVERS[server], "kill", server)
            self._wait(seconds)
            self.club.service(SERVERS[server], "start", server)

        return f"{server} killed", act

    def server_frozen(self) -> tuple[str, Callable[[], None]]:
        server, seconds = self.draw.choice(list(SERVERS)), self._how_long()

        def act() -> None:
            self.club.service(SERVERS[server], "signal", server, signal="STOP", group=True)
            self._wait(seconds)
            self.club.service(SERVERS[server], "signal", server, signal="CONT", group=True)

        return f"{server} frozen", act

    def host_cut(self) -> tuple[str, Callable[[], None]]:
        host, seconds = self.draw.choice(HOSTS), self._how_long()

        def act() -> None:
            self.club.state.call(DESK, do="cut", host=host)
            self._wait(seconds)
            self.club.state.call(DESK, do="join", host=host)

        return f"host cut off on {host}", act

    def host_crashed(self) -> tuple[str, Callable[[], None]]:
        host = self.draw.choice(HOSTS)

        def act() -> None:
            self.club.state.call(DESK, do="crash", host=host)
            self.club.state.call(DESK, do="boot", host=host)

        return f"host crashed on {host}", act

    def disk_full(self) -> tuple[str, Callable[[], None]]:
        """At once, or by and by, as a disk is filled by others."""
        place = self.draw.choice((HOMES, *(state_dir(host) for host in (ADMIN, ADMIN, "coffee"))))
        left, seconds, slowly = (
            self.draw.choice((0, 4096, 65536, 1 << 20, 9 << 20)),
            self.draw.uniform(1, 8),
            self.draw.random() < 0.4,
        )

        def act() -> None:
            with _filled(place, left, slowly):
                self._wait(seconds)

        return f"disk {'filling' if slowly else 'full'} on {place}", act

    # The journal: ceod refuses to work on it, and an administrator does what docs/journal.md says

    def journal_older(self) -> tuple[str, Callable[[], None]]:
        """A copy is put back after a while; what was under way in it is at its end by then."""
        host, seconds = self.draw.choice((ADMIN, ADMIN, "coffee")), self.draw.uniform(2, 20)

        def act() -> None:
            copy = self._copied(host)
            self._wait(seconds)
            self.club.service(host, "stop", "ceod")
            self._put(host, copy)
            self._refused_and_accepted(host)

        return f"older journal put back on {host}", act

    def journal_flipped(self) -> tuple[str, Callable[[], None]]:
        """A page of a table or an index is no page any more; the whole copy is put back."""
        host, number, bit = (
            self.draw.choice((ADMIN, ADMIN, "coffee")),
            self.draw.randrange(1 << 30),
            self.draw.randrange(8),
        )

        def act() -> None:
            self.club.service(host, "stop", "ceod")
            whole = _files(host)
            self._put(host, _flipped(whole, number, bit))
            try:
                self._notices_damage(host)
            finally:
                self.club.service(host, "stop", "ceod")
                self._put(host, whole)
            self._refused_and_accepted(host)

        return f"journal's bits flipped on {host}", act

    def journal_cut(self) -> tuple[str, Callable[[], None]]:
        """The end of the write-ahead log is lost, as by a disk that said it had written."""
        host, part = self.draw.choice((ADMIN, ADMIN, "coffee")), self.draw.uniform(0.1, 0.9)

        def act() -> None:
            # As long as somebody has it open, SQLite leaves the log where it is.
            with closing(sqlite3.connect(state_dir(host) / "journal.db")) as holder:
                holder.execute("SELECT COUNT(*) FROM transactions").fetchone()
                self.club.service(host, "stop", "ceod")
                whole = _files(host)
            log = whole.get("journal.db-wal", b"")
            self._put(host, whole | {"journal.db-wal": log[: int(len(log) * part)]})
            self._refused_and_accepted(host)

        return f"journal's log cut on {host}", act

    def _copied(self, host: str) -> Files:
        """A copy of the moment: ceod stands still meanwhile."""
        self.club.service(host, "signal", "ceod", signal="STOP", group=True)
        try:
            return _files(host)
        finally:
            self.club.service(host, "signal", "ceod", signal="CONT", group=True)

    def _put(self, host: str, files: Files) -> None:
        for path in state_dir(host).glob("journal.db*"):
            path.unlink()
        for name, content in files.items():
            path = state_dir(host) / name
            path.write_bytes(content)
            path.chmod(0o600)

    def _refused_and_accepted(self, host: str) -> None:
        """ceod says no; an administrator accepts the journal as it is."""
        self.shared.lost.setdefault(host, []).append((_newest(host), time.time()))
        if not self._refuses(host):
            return  # nothing was lost after all
        self.club.service(host, "stop", "ceod")
        words = [str(PYTHON), "-m", "ceod.accept_journal"]
        done = self.club.run_as(
            "root", *words, host=host, text="accept\n", PYTHONPATH=str(CHECKOUT)
        )
        assert done.returncode == 0, done
        self._works(host)

    def _notices_damage(self, host: str) -> None:
        """Start ceod: it reads its whole journal in the background, and refuses every change then.

        What it does before is lost when the whole copy is put back.
        """
        self.club.service(host, "start", "ceod")
        until(lambda: self._answer(host) == "journal_untrusted", 60, f"{host} notices the damage")

    def _refuses(self, host: str) -> bool:
        """Start ceod: whether it refuses every change for its journal's sake, in words."""
        self.club.service(host, "start", "ceod")
        answer = until(lambda: self._answer(host), 40, f"an answer of {host}")
        assert answer in ("journal_untrusted", "works"), answer
        return answer == "journal_untrusted"

    def _works(self, host: str) -> None:
        self.club.service(host, "start", "ceod")
        until(lambda: self._answer(host) == "works", 40, f"{host} works again")

    def _answer(self, host: str) -> str:
        """The code of its refusal of a change that is only rehearsed; empty where it can't say."""
        client = self.club.client("ctdalek")
        client.rehearsing = True
        try:
            if host == ADMIN:
                list(client.reset_password("office1"))
            else:
                list(client.create_database("mysql", "office1"))
        except (BackendDown, Unreachable, OutcomeUnknown):
            return ""
        except (Busy, Exists):
            return "works"
        except CeoError as error:
            return error.code
        return "works"

    # The end

    def all_back(self) -> None:
        """Everything runs again, whatever was going on.  Raises control.Refused."""
        for host in HOSTS:
            with suppress(control.Refused):
                self.club.state.call(DESK, do="join", host=host)
            for place in (HOMES, state_dir(host)):
                (place / FILLER).unlink(missing_ok=True)
            try:
                services = self.club.state.call(host, do="status")["services"]
            except control.Refused:
                self.club.state.call(DESK, do="boot", host=host)
                continue
            for name, runs in services.items():
                if runs:
                    self.club.service(host, "signal", name, signal="CONT", group=True)
                else:
                    self.club.service(host, "start", name)


def _files(host: str) -> Files:
    """The journal's files as they are."""
    return {path.name: path.read_bytes() for path in state_dir(host).glob("journal.db*")}


def _newest(host: str) -> float:
    """When the last thing happened that a host's journal knows of."""
    path = state_dir(host) / "journal.db"
    newest = "SELECT MAX(MAX(created, IFNULL(committed, 0), IFNULL(ended, 0))) FROM transactions"
    # What is left of it may be no journal at all.
    with (
        suppress(sqlite3.DatabaseError),
        closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as journal,
    ):
        return float(journal.execute(newest).fetchone()[0] or 0)
    return 0.0


def _flipped(files: Files, number: int, bit: int) -> Files:
    """A bit of the first byte of one page in use, which says what kind of page it is."""
    pages = bytearray(files["journal.db"])
    size = int.from_bytes(pages[16:18], "big")
    starts = [at for at in range(size, len(pages), size) if pages[at] in _PAGE_KINDS]
    pages[starts[number % len(starts)]] ^= 1 << bit
    return {"journal.db": bytes(pages)}


@contextmanager
def _filled(place: Path, left: int, slowly: bool) -> Iterator[None]:
    """The disk under a folder with so few bytes left."""
    filler = place / FILLER
    try:
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            for part in (4, 2, 1) if slowly else (1,):
                disk = os.statvfs(place)
                os.posix_fallocate(
                    file.fileno(),
                    file.seek(0, os.SEEK_END),
                    max((disk.f_bavail * disk.f_frsize - left) // part, 1),
                )
                file.seek(0, os.SEEK_END)
                time.sleep(0.3 if slowly else 0)
            if not left:
                while file.write(b"x" * 4096):
                    pass
        yield
    finally:
        filler.unlink(missing_ok=True)
