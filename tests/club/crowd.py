"""Twenty thousand members, put past ceod into slapd, the KDC and the university's directory: what bench and soak work on."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ceo_common.krb5.admin import Admin
from ceo_common.terms import Term, consecutive, current
from sandbox import people
from sandbox.club import BASE_DN, PASSWORD, SRV, host_place
from sandbox.processes import run
from tests.club.club import ADMIN, Club, until

SIZE = 20_000
FEW = 5_000  # those who are due to expire (they alone have a principal), and as many whose program the university tells otherwise
PEOPLE = f"ou=People,{BASE_DN}"
DAY_S = 86400
_FOLDERS = ("ldap", "uwldap", "kdc")  # of what the crowd is in
# Outside every range of numbers: ceod does not start when a counter is below a number in use.
_FIRST_NUMBER = 100_001


@dataclass(frozen=True)
class Member:
    """One of the crowd."""

    uid: str
    number: int
    given: str
    family: str
    program: str
    program_at_university: str
    terms: list[str]

    @property
    def dn(self) -> str:
        return f"uid={self.uid},{PEOPLE}"


def _members() -> Iterator[Member]:
    draw, now = random.Random(20000), current("America/Toronto")
    for i in range(SIZE):
        given, family = draw.choice(people.GIVEN), draw.choice(people.FAMILY)
        stem = "".join(c for c in f"{given[:4]}{family[:4]}".lower() if c.isascii())
        program = draw.choice(people.PROGRAMS)
        others = [other for other in people.PROGRAMS if other != program]
        yield Member(f"{stem}{i:05d}", _FIRST_NUMBER + i, given, family, program,
                     draw.choice(others) if FEW <= i < 2 * FEW else program, _terms(draw, now, lapsed=i < FEW))


def _terms(draw: random.Random, now: Term, *, lapsed: bool) -> list[str]:
    """Some up to now; or some that ended before any of the sandbox's own members', so that these are the first to expire."""
    count = draw.randint(1, 6)
    last = Term(now.year - draw.randint(12, 16), draw.randrange(3)) if lapsed else now
    return consecutive(last + (1 - count), count)


@dataclass
class Crowd:
    """The members, and how they stand with each server now, read with other libraries than ceod's."""

    club: Club
    members: list[Member] = field(default_factory=lambda: list(_members()))

    @property
    def lapsed(self) -> list[Member]:
        """Due to expire."""
        return self.members[:FEW]

    @property
    def moved(self) -> list[Member]:
        """In another program than the club's directory says."""
        return self.members[FEW:2 * FEW]

    @contextmanager
    def visit(self) -> Iterator[None]:
        """Here for a while: afterwards the directories and the KDC are as they were before."""
        config, kept = host_place(ADMIN) / "csc/ceod.toml", SRV / "before-the-crowd"
        text = config.read_text()
        with self._stopped():
            kept.mkdir()
            run(["cp", "-a", "--sparse=always", *(str(SRV / name) for name in _FOLDERS), str(kept)])
        self.load()
        try:
            yield
        finally:
            with self._stopped():
                for name in _FOLDERS:
                    shutil.rmtree(SRV / name)
                    (kept / name).rename(SRV / name)
                kept.rmdir()
                config.write_text(text)
            self.club.settled()

    @contextmanager
    def _stopped(self) -> Iterator[None]:
        """Without ceod and those whose data it is."""
        servers = [(ADMIN, "ceod"), ("uwldap", "uwldap")]
        servers += [(ADMIN, name) for name in ("kadmind", "krb5kdc", "slapd")]
        for host, name in servers:
            self.club.service(host, "stop", name)
        yield
        for host, name in reversed(servers):
            self.club.service(host, "start", name)

    def load(self) -> None:
        """Put them in; ceod may expire all who are due in one run."""
        self.club.service(ADMIN, "stop", "ceod")
        ldif = "".join(
            people.person(
                m.uid,
                m.number,
                f"{m.given} {m.family}",
                sn=m.family,
                given=m.given,
                program=m.program,
                term=m.terms,
            )
            for m in self.members
        )
        self._slapadd(ADMIN, "slapd", "/etc/ldap/slapd.conf", ldif)
        ldif = "".join(people.student(m.uid, m.given, m.family, m.program_at_university) for m in self.members)
        self._slapadd("uwldap", "uwldap", "/etc/ldap/slapd-uw.conf", ldif)
        commands = "".join(f"addprinc -randkey {m.uid}\n" for m in self.lapsed)
        created = self._on(ADMIN, "env", "KRB5_KDC_PROFILE=/etc/krb5kdc/kdc.conf", "kadmin.local", text=commands)
        assert created.count(" created.\n") == FEW, created[-2000:]
        config = host_place(ADMIN) / "csc/ceod.toml"
        config.write_text(f"{config.read_text()}\n[members]\nexpire_at_once = {FEW}\n")
        self.club.service(ADMIN, "start", "ceod")
        # At its start ceod looks for the largest number of each range, which takes its time among so many.
        until(lambda: self.club.curl("regular1", "/whoami")[0] == 200, 120, "ceod is up")
        self.club.settled()

    def _slapadd(self, host: str, service: str, config: str, ldif: str) -> None:
        """Quick and without overlays, which is why slapd must not run and why numbers of six digits are taken."""
        self.club.service(host, "stop", service)
        self._on(host, "slapadd", "-q", "-f", config, text=ldif)
        self.club.service(host, "start", service)

    def _on(self, host: str, *argv: str, text: str) -> str:
        done = self.club.run_as("root", *argv, text=text, host=host)
        assert done.returncode == 0, (argv[0], done.stdout[-1000:], done.stderr[-1000:])
        return done.stdout

    def values(self, attribute: str) -> dict[str, str]:
        """The first value of an attribute by username, of all who have it in the directory."""
        with self.club.ldap() as connection:
            found = connection.extend.standard.paged_search(
                PEOPLE, f"(&(objectClass=member)({attribute}=*))", attributes=["uid", attribute], paged_size=1000)
            return {entry["raw_attributes"]["uid"][0].decode(): entry["raw_attributes"][attribute][0].decode() for entry in found}

    def principal_expiries(self) -> dict[str, int]:
        """When the principal of each who has one ends, in seconds since the epoch."""
        admin = Admin.with_password("sysadmin/admin", PASSWORD)
        return {member.uid: admin.get(member.uid).expires for member in self.lapsed}

    def expired(self, before: dict[str, str]) -> int:
        """How many of those who were due are expired in both places, from the same day on.

        The day has to be today's and one for all, and nobody else may have been expired beside who was so `before`.
        """
        days, ends = self.values("shadowExpire"), self.principal_expiries()
        ours = {member.uid: int(days.pop(member.uid)) for member in self.lapsed if member.uid in days}
        assert days == before and len(set(ours.values())) == 1, set(ours.values())
        assert all(0 <= time.time() // DAY_S - day <= 1 for day in ours.values())
        return sum(ends[uid] == day * DAY_S for uid, day in ours.items())
