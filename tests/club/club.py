"""The sandbox as tests use it, from its desk: people with tickets, requests, and the world read past the code under test."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import sqlite3
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import gssapi
import ldap3
from ldap3.core.exceptions import LDAPException

from ceo_common.client import Client
from ceo_common.config import Client as Settings
from ceo_common.config import load_client
from ceo_common.errors import CeoError
from ceo_common.events import Event
from ceo_common.krb5 import tickets
from ceo_common.krb5.admin import Admin, NotThere
from ceo_common.krb5.errors import Krb5Error
from sandbox import shell
from sandbox.club import BASE_DN, CHECKOUT, DESK, OUTSIDE, PASSWORD, PYTHON, REALM, SRV, host_place
from sandbox.state import State
from tests.club.warm import Warm

T = TypeVar("T")
ADMIN = "phosphoric-acid"
CA = "/etc/csc/ca.pem"
URL = "https://phosphoric-acid.csclub.internal:9987/api"


def until(question: Callable[[], T], seconds: float = 20, what: str = "") -> T:
    """Ask until the answer is true; the sentinel, not the clock, ends the wait."""
    end = time.monotonic() + seconds
    while True:
        if answer := question():
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what or question}")
        time.sleep(0.02)


def by_both_workers(question: Callable[[], bool], what: str) -> None:
    """Wait for a yes of both workers of a host: as nobody chooses the worker, for six in a row."""
    good = 0

    def again() -> bool:
        nonlocal good
        good = good + 1 if question() else 0
        return good >= 6

    until(again, 30, what)


class Club:
    """One running sandbox."""

    _students = count(700)
    _numbers = count(1)  # one row, although each folder of tests has a Club of its own

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = State(OUTSIDE)
        self.settings: Settings = load_client()
        self._one_at_a_time = threading.Lock()
        self._ldap: ldap3.Connection | None = None
        self._kadmin: Admin | None = None

    def name(self) -> str:
        """A username that nobody has."""
        return f"t{os.getpid()}x{next(self._numbers):04d}"

    def member(self, uid: str | None = None, **more: Any) -> dict[str, Any]:
        """A valid request."""
        return {"uid": uid or self.name(), "cn": "Test Person", "program": "Mathematics", "terms": ["f2026"], **more}

    # People

    def ccache(self, who: str) -> str:
        """A ccache with a ticket of somebody, made once."""
        path = self.folder / f"cc-{who.replace('/', '-')}"
        with self._one_at_a_time:
            if not path.exists():
                tickets.initial(f"{who}@{REALM}", PASSWORD, f"FILE:{path}")
        return f"FILE:{path}"

    def client(self, who: str) -> Client:
        """The typed client as somebody."""
        return self.client_of(self.ccache(who))

    def client_of(self, name: str) -> Client:
        """The typed client as whose ticket is in a ccache."""
        return Client(hosts=self.settings.hosts, realm=self.settings.realm, port=self.settings.port, ca=self.settings.ca,
                      credential=lambda: gssapi.Credentials(usage="initiate", store={"ccache": name}))

    def run_as(self, who: str, *argv: str, text: str = "", ticket: bool = True, host: str = DESK, **environment: str) -> subprocess.CompletedProcess[str]:
        """A command as a person at the desk (or on a host), with a ticket."""
        entry = shell.resolve(self.state, f"{who}@{host}")
        if ticket and who != "root":
            cache = self.ccache(who)
            os.chown(cache.removeprefix("FILE:"), self._uid(entry.uid), -1)
            entry.environment["KRB5CCNAME"] = cache
        entry.environment |= environment
        if argv[0] == "ceo" and host == DESK and not self.state.offset_seconds:
            return self._warm.run(entry, list(argv), text)
        return subprocess.run(shell.command(self.state, entry, list(argv)), input=text, text=True, capture_output=True, check=False)

    @cached_property
    def _warm(self) -> Warm:
        return Warm()

    def _uid(self, uid: str) -> int:
        import pwd

        return int(uid) if uid.isdigit() else pwd.getpwnam(uid).pw_uid

    def curl(self, who: str | None, path: str, *more: str, url: str = URL) -> tuple[int, str]:
        """Status and body of a request made with curl."""
        words = ["curl", "-sSg", "--cacert", CA, "-o", "-", "-w", "\n%{http_code}", *more, f"{url}{path}"]
        environment = dict(os.environ)
        if who:
            environment["KRB5CCNAME"] = self.ccache(who)
            words[1:1] = ["--negotiate", "-u", ":", "--service-name", "ceod"]
        else:
            environment["KRB5CCNAME"] = "FILE:/nonexistent"
        done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
        body, _, status = done.stdout.rpartition("\n")
        assert status.isdigit(), done
        return int(status), body

    def post(self, who: str, member: dict[str, Any], *more: str) -> tuple[int, list[dict[str, Any]]]:
        """POST /members with curl and delegation: the status, and the events or the error."""
        status, body = self.curl(who, "/members", "--delegation", "always", "-X", "POST", "-d", json.dumps(member), *more)
        return status, [json.loads(line) for line in body.splitlines()]

    def add(self, who: str = "office1", **more: Any) -> dict[str, Any]:
        """Add somebody; the last event."""
        *_, last = self.client(who).add_member(self.member(**more))
        assert last["status"] == "completed", last
        return dict(last)

    def warnings_of_an_add(self) -> list[str]:
        """What a dry run of a sign-up warns of."""
        client = self.client("office1")
        client.rehearsing = True
        (rehearsed,) = (dict[str, Any](event) for event in client.add_member(self.member()))
        return list(rehearsed["warnings"])

    def done(self, events: Iterator[Event]) -> dict[str, Any]:
        """The result of a transaction that has to be completed, with nothing left waiting."""
        *_, last = events
        assert last["status"] == "completed" and not last["waiting"], last
        return last["result"]

    def student(self) -> dict[str, Any]:
        """Somebody whom the university knows and the club does not, nor anybody of a like name: `uid`, `cn`, `program`."""
        office = self.client("office1")
        for number in self._students:
            found = office.uw_person(f"s{number:04d}uw")
            if not self.entries(f"(uid={found['uid']})") and not office.lapsed(uid=found["uid"], cn=found["cn"]):
                return found
        raise AssertionError("no student is left")

    def has_password(self, uid: str) -> None:
        """Let somebody have the password that the sandbox's people have, to be changed never."""
        Admin.with_password("sysadmin/admin", PASSWORD).set_password(uid, PASSWORD)

    # The world, read past ceod

    def ldap(self) -> ldap3.Connection:
        """An LDAP connection of ldap3's, as a member."""
        # By object, not by the environment: kadm5 pins the thread's ccache to what it was at its first call.
        return self.ldap_as(gssapi.Credentials(usage="initiate", store={"ccache": self.ccache("regular1")}))

    def ldap_as(self, credential: gssapi.Credentials | None) -> ldap3.Connection:
        """An LDAP connection of ldap3's, as whoever has the credential, or (None) as nobody."""
        server = ldap3.Server("ldaps://phosphoric-acid.csclub.internal", tls=ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=CA),
                              get_info=ldap3.NONE)
        sasl = {"authentication": ldap3.SASL, "sasl_mechanism": ldap3.KERBEROS, "sasl_credentials": (None, None, credential)}
        # Names as they are given: what is wrong with them is slapd's to say.
        connection = ldap3.Connection(server, check_names=False, **(sasl if credential else {}))
        connection.open(read_server_info=False)
        # ldap3 sends in small pieces: each bind would wait 40 ms for a delayed ACK.
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        assert credential is None or connection.bind(), connection.result
        return connection

    def key(self, principal: str, host: str = ADMIN) -> gssapi.Credentials:
        """The credential of a service, from a host's keytab."""
        store = {"client_keytab": str(host_place(host) / "krb5.keytab"), "ccache": f"MEMORY:{principal}"}
        return gssapi.Credentials(name=gssapi.Name(f"{principal}@{REALM}"), usage="initiate", store=store)

    def entries(self, filter_: str) -> dict[str, dict[str, Any]]:
        """LDAP entries by DN, over one connection for as long as it lasts."""
        with self._one_at_a_time:
            if self._ldap is not None:
                try:
                    return self._entries(self._ldap, filter_)
                except LDAPException:  # slapd was stopped meanwhile
                    self._ldap = None
        connection = self.ldap()
        with self._one_at_a_time:
            self._ldap = connection
            return self._entries(connection, filter_)

    def _entries(self, connection: ldap3.Connection, filter_: str) -> dict[str, dict[str, Any]]:
        connection.search(BASE_DN, filter_, attributes=["*"])
        return {entry["dn"]: dict(entry["raw_attributes"]) for entry in connection.response if entry["type"] == "searchResEntry"}

    def principal(self, uid: str) -> Any:
        """The KDC's entry, or None; in one kadmin session for as long as it lasts."""
        for first in (True, False):
            with self._one_at_a_time:
                self._kadmin = self._kadmin or Admin.with_password("sysadmin/admin", PASSWORD)
                try:
                    return self._kadmin.get(uid)
                except NotThere:
                    return None
                except Krb5Error:  # kadmind was stopped meanwhile
                    self._kadmin = None
                    if not first:
                        raise
        raise AssertionError

    def mails(self, to: str) -> list[str]:
        """The mails to an address, oldest first."""
        found = [path.read_text() for path in sorted((OUTSIDE / "mail").glob("*.eml"))]
        return [text for text in found if f"X-Envelope-To: {to}\n" in text.replace("\r", "")]

    def on_list(self, uid: str, list_name: str = "csc-general") -> bool:
        """Whether Mailman has the address."""
        return f"{uid}@csclub.internal" in self.rosters().get(list_name, set())

    def rosters(self) -> dict[str, set[str]]:
        """The addresses on every list, by the list's name: from Mailman's own database, past its slow REST API."""
        query = "SELECT list_id, email FROM member JOIN address ON address.id = address_id WHERE role = 1"
        found: dict[str, set[str]] = {}
        with closing(sqlite3.connect(f"file:{SRV}/mailman/mailman.db?mode=ro", uri=True, timeout=10)) as connection:
            for list_id, email in connection.execute(query):
                found.setdefault(list_id.partition(".")[0], set()).add(email)
        return found

    def home(self, uid: str) -> dict[str, tuple[int, int, str]]:
        """Every file of a home: mode, owner, digest."""
        found = {}
        top = Path("/users") / uid
        for path in [top, *top.rglob("*")] if os.path.lexists(top) else []:
            info = path.lstat()
            content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
            found[str(path)] = (info.st_mode, info.st_uid, hashlib.sha256(content).hexdigest())
        return found

    def leftovers(self) -> list[str]:
        """Half-built homes."""
        return [path.name for path in Path("/users").iterdir() if path.name.startswith(".ceo-")]

    def world(self, uid: str) -> dict[str, Any]:
        """Everything that every server holds of a name."""
        return {
            "ldap": self.entries(f"(|(uid={uid})(cn={uid})(uniqueMember=uid={uid},ou=People,{BASE_DN}))"), "principal": self.principal(uid),
            "home": self.home(uid), "mails": self.mails(f"{uid}@csclub.internal"), "list": self.on_list(uid), "leftovers": self.leftovers(),
        }

    def nothing(self, uid: str) -> None:
        """Assert that no server holds anything of a name."""
        assert self.world(uid) == {"ldap": {}, "principal": None, "home": {}, "mails": [], "list": False, "leftovers": []}

    def whole(self, uid: str) -> None:
        """Assert that a member is everywhere."""
        world = self.world(uid)
        assert len(world["ldap"]) == 2, world
        numbers = {value for entry in world["ldap"].values() for value in entry.get("uidNumber", []) + entry["gidNumber"]}
        assert len(numbers) == 1
        assert world["principal"] is not None and world["home"] and world["list"] and not world["leftovers"], world
        number = int(numbers.pop())
        assert os.stat(f"/users/{uid}").st_uid == number
        assert len({line for mail in world["mails"] for line in mail.splitlines() if line.startswith("Message-ID:")}) == 1, world["mails"]

    # Servers

    def service(self, host: str, do: str, name: str, **more: Any) -> dict[str, Any]:
        """start, stop, kill, signal or pids of a server."""
        return self.state.call(host, do=do, service=name, **more)

    @contextmanager
    def frozen(self, host: str, name: str) -> Iterator[None]:
        """A server stopped (SIGSTOP) for a while."""
        self.service(host, "signal", name, signal="STOP", group=True)
        try:
            yield
        finally:
            self.service(host, "signal", name, signal="CONT", group=True)
        self.settled()

    def settled(self) -> None:
        """Wait until both workers of the admin host take every server for up again: they rest a moment from one that hung."""
        def up() -> bool:
            try:
                backends = self.client("regular1").health("phosphoric-acid.csclub.internal")["backends"]
            except CeoError:
                return False
            return all(backend["up"] for backend in backends.values())

        by_both_workers(up, "every server up again")

    def journal(self, query: str, *values: Any, state_dir: Path | None = None) -> list[tuple[Any, ...]]:
        """A query of ceod's own journal, with sqlite3 itself."""
        path = (state_dir or host_place(ADMIN) / "ceod") / "journal.db"
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10) as connection:
            return connection.execute(query, values).fetchall()

    def transaction_of(self, uid: str) -> tuple[str, str, str | None]:
        """Id, state and owner of the newest transaction about a name."""
        rows = self.journal("SELECT id, state, owner FROM transactions WHERE subject = ? ORDER BY created DESC LIMIT 1", uid)
        return rows[0] if rows else ("", "", None)

    def pid_of_owner(self, owner: str) -> int:
        """The worker behind an owner's id: who has its lock file open."""
        for folder in Path("/proc").glob("[0-9]*/fd"):
            try:
                if any(os.readlink(link).endswith(f"{owner}.lock") for link in folder.iterdir()):
                    return int(folder.parent.name)
            except OSError:
                continue
        raise AssertionError(f"no process is owner {owner}")

    def workers(self) -> set[int]:
        """The pids of the admin host's workers."""
        owners = [path.stem for path in (host_place(ADMIN) / "ceod/owners").glob("*.lock")]
        found = set()
        for owner in owners:
            try:
                found.add(self.pid_of_owner(owner))
            except AssertionError:
                continue
        return found

    def both_workers(self) -> set[int]:
        """The pids of both workers, once both are there."""
        return until(lambda: found if len(found := self.workers()) == 2 else set(), 20, "two workers")

    def log(self, name: str) -> str:
        """A server's log."""
        return (OUTSIDE / "log" / name).read_text(errors="replace")


def kill(pid: int) -> None:
    """SIGKILL."""
    os.kill(pid, signal.SIGKILL)


__all__ = ["ADMIN", "CA", "CHECKOUT", "PYTHON", "URL", "Club", "by_both_workers", "kill", "until"]
