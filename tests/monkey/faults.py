"""What goes wrong meanwhile: one fault after the other, drawn at random, and what ends each."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox import control
from sandbox.club import DESK, host_place
from tests.club.club import ADMIN, Club
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
                with contextlib.suppress(control.Refused):
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

    # The end

    def all_back(self) -> None:
        """Everything runs again, whatever was going on.  Raises control.Refused."""
        for host in HOSTS:
            with contextlib.suppress(control.Refused):
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


@contextmanager
def _filled(place: Path, left: int, slowly: bool) -> Iterator[None]:
    """The disk under a folder with so few bytes left."""
    filler = place / FILLER
    try:
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
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
