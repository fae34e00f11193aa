"""What is wrong with this machine's way to ceod, or with an account: looked at in order, each with how to mend it."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import time
from collections.abc import Generator, Iterable, Iterator
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from ceo.progress import Show, follow
from ceo.session import Session
from ceo_common.client_config import Client as Settings
from ceo_common.deadline import within
from ceo_common.errors import BackendDown, CeoError, Unauthenticated
from ceo_common.events import Event
from ceo_common.krb5.errors import Krb5Error

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]  # a finding: check, state (ok, problem, unknown), looked_at, found, mend, fixable

WAIT_S = 3.0
HEALTH_S = 8.0
SKEW_S = 240.0  # Kerberos allows five minutes
SHORT_TICKET_S = 600
SHORT_CERTIFICATE_S = 14 * 86400.0


def finding(check: str, state: str, looked_at: str, found: str, mend: str = "") -> Json:
    """One thing that was checked."""
    return {"check": check, "state": state, "looked_at": looked_at, "found": found, "mend": mend, "fixable": False}


def verdict(findings: Iterable[Json]) -> str:
    """The worst state of all: problem, unknown or ok."""
    states = {found["state"] for found in findings}
    return next((state for state in ("problem", "unknown") if state in states), "ok")


# An account, the directory


def examine(client: Client, uid: str) -> list[Json]:
    """What the server finds of an account.  Raises its refusals."""
    return client.examine(uid)


def examine_directory(client: Client) -> list[Json]:
    """What the server finds wrong in the directory.  Raises its refusals."""
    return client.examine_directory()


def mend(client: Client, uid: str, show: Show) -> Event:
    """Mend what the server can.  Raises its refusals, Aborted, OutcomeUnknown."""
    return follow(client.mend(uid), show)


# This machine


def examine_machine(session: Session, path: str) -> Iterator[Json]:
    """The configuration, the ticket, and the way to every host; `path` is the configuration file that was read."""
    settings = session.settings
    yield finding("configuration", "ok", path, f"realm {settings.realm}, {len(settings.hosts.all())} hosts, port {settings.port}")
    trusted = authorities(settings)
    yield trusted
    ticket = _ticket(session)
    yield ticket
    client = session.client() if session.ticket else None
    if client:
        client.answer_s = HEALTH_S
    for host in settings.hosts.all():
        yield from examine_host(settings, host, client, trusted=trusted["state"] == "ok")


def authorities(settings: Settings) -> Json:
    """Whether the file of those who vouch for certificates is there."""
    try:
        ssl.create_default_context(cafile=settings.ca)
    except (OSError, ssl.SSLError) as error:
        return finding("certificate authority", "problem", settings.ca, f"it can't be read: {error}",
                       "put the certificate of the club's CA there, or set `ca` in the configuration to the right file")
    return finding("certificate authority", "ok", settings.ca, "there")


def _ticket(session: Session) -> Json:
    try:
        session.find()
    except Krb5Error as error:
        return finding("ticket", "problem", "the Kerberos cache", f"it can't be read: {error.message}", "kdestroy; kinit")
    ticket, left = session.ticket, session.seconds_left
    if ticket is None:
        return finding("ticket", "problem", "the Kerberos cache", "there is no ticket, or it has ended", "kinit")
    told = f"{ticket.client}, for another {left // 3600} h {left % 3600 // 60:02d} min"
    if ticket.client.rpartition("@")[2] != session.settings.realm:
        return finding("ticket", "problem", ticket.ccache, f"{told}: of another realm than {session.settings.realm}",
                       f"kinit {session.name}@{session.settings.realm}")
    if left < SHORT_TICKET_S:
        return finding("ticket", "problem", ticket.ccache, f"{told}: it ends soon", "kinit")
    if not ticket.forwardable:
        return finding("ticket", "problem", ticket.ccache, f"{told}: it can't be forwarded, so that nothing can be written with it", "kinit -f")
    return finding("ticket", "ok", ticket.ccache, told)


def examine_host(settings: Settings, host: str, client: Client | None, *, trusted: bool) -> Iterator[Json]:
    """The way to one host, as far as it goes: its name, its port, its certificate, its clock, and what it says of the servers behind it."""
    short = host.partition(".")[0]
    named = _resolved(short, host, settings.port)
    yield named
    if named["state"] != "ok":
        return
    open_ = _open(short, host, settings.port)
    yield open_
    if open_["state"] != "ok" or not trusted:
        return
    vouched = yield from _certificate_and_clock(short, host, settings)
    if vouched:
        yield from _backends(short, host, client)
        if client:
            yield _stuck(short, host, client)
        if client and host == settings.hosts.admin:
            yield _left_homes(short, host, client)


def _resolved(short: str, host: str, port: int) -> Json:
    mend = "look at /etc/resolv.conf and /etc/hosts, and at the host's name in the configuration"
    try:
        found = within(WAIT_S, "the name service", lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except BackendDown as error:
        return finding(f"{short}: name", "problem", host, error.message, mend)
    except OSError as error:
        return finding(f"{short}: name", "problem", host, f"it has no address: {error.strerror or error}", mend)
    return finding(f"{short}: name", "ok", host, ", ".join(dict.fromkeys(str(address[0]) for *_, address in found)))


def _open(short: str, host: str, port: int) -> Json:
    began = time.monotonic()
    try:
        socket.create_connection((host, port), WAIT_S).close()
    except OSError as error:
        return finding(f"{short}: port", "problem", f"{host}:{port}", f"it does not answer: {error.strerror or error}",
                       f"is {host} up, and ceod on it? There: systemctl status ceod")
    return finding(f"{short}: port", "ok", f"{host}:{port}", f"answers after {(time.monotonic() - began) * 1000:.0f} ms")


def _certificate_and_clock(short: str, host: str, settings: Settings) -> Generator[Json, None, bool]:
    """Yields what was found; returns whether the host is who it says it is."""
    connection = http.client.HTTPSConnection(host, settings.port, timeout=WAIT_S, context=ssl.create_default_context(cafile=settings.ca))
    try:
        connection.connect()
        shown: Any = connection.sock.getpeercert()
        yield certificate(short, host, ssl.cert_time_to_seconds(shown["notAfter"]), time.time())
        asked = time.time()
        connection.request("GET", "/api/health")
        date = connection.getresponse().getheader("Date") or ""
        yield clock(short, host, date, (asked + time.time()) / 2)
    except ssl.SSLCertVerificationError as error:
        told = f"{settings.ca} has not signed its certificate: {error.verify_message}"
        yield finding(f"{short}: TLS", "problem", f"{host}:{settings.port}", told,
                      "is that file the club's CA, and this machine's date right? Else ask the systems committee before you trust that host")
        return False
    except (OSError, http.client.HTTPException, ValueError) as error:
        yield finding(f"{short}: TLS", "problem", f"{host}:{settings.port}", f"it does not answer as ceod does: {error or type(error).__name__}",
                      f"on {host}: systemctl status ceod; journalctl -u ceod")
        return False
    finally:
        connection.close()
    return True


def certificate(short: str, host: str, ends: float, now: float) -> Json:
    """How long a certificate that is vouched for still counts."""
    days = int((ends - now) // 86400)
    if ends - now < SHORT_CERTIFICATE_S:
        return finding(f"{short}: TLS", "problem", host, f"its certificate ends in {days} days", f"renew the certificate of {host}")
    return finding(f"{short}: TLS", "ok", host, f"vouched for, and valid for another {days} days")


def clock(short: str, host: str, date: str, now: float) -> Json:
    """Its clock against ours, by the Date header (RFC 9110, 6.6.1), which tells whole seconds."""
    try:
        skew = parsedate_to_datetime(date).timestamp() - now
    except ValueError:
        return finding(f"{short}: clock", "unknown", host, "its answer has no date")
    told = f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} ours" if abs(skew) > 2 else "as ours"
    if abs(skew) > SKEW_S:
        return finding(f"{short}: clock", "problem", host, f"{told}: Kerberos allows at most five minutes",
                       "set the one that is wrong: timedatectl, chronyc tracking")
    return finding(f"{short}: clock", "ok", host, told)


def _backends(short: str, host: str, client: Client | None) -> Iterator[Json]:
    if client is None:
        yield finding(f"{short}: servers", "unknown", f"https://{host}/api/health", "not asked: that needs a ticket", "kinit")
        return
    try:
        told = client.health(host)["backends"]
    except Unauthenticated as error:
        yield finding(f"{short}: servers", "problem", f"https://{host}/api/health", error.message, "kdestroy; kinit; is the KDC up?")
        return
    except CeoError as error:
        yield finding(f"{short}: servers", "problem", f"https://{host}/api/health", error.message, f"on {host}: journalctl -u ceod")
        return
    for name, state in told.items():
        yield backend(short, host, name, state)


def backend(short: str, host: str, name: str, state: Json) -> Json:
    """What a host's health says of one server behind it, or of its own journal."""
    check, looked_at = f"{short}: {name.partition('.')[0]}", f"{name}, asked by {host}"
    if state["up"]:
        return finding(check, "ok", looked_at, f"answers after {state['ms']} ms")
    advice = (
        f"is {name} running, and can {host} reach it? Until then, what needs it waits or is refused"
    )
    if name == "journal":  # a file of ceod's own
        advice = f"docs/journal.md says what to do on {host} in each case"
    return finding(check, "problem", looked_at, state["error"], advice)


def _stuck(short: str, host: str, client: Client) -> Json:
    """Whether a transaction of the host waits for a person; one sees one's own, the systems committee everybody's."""
    try:
        rows = client.transactions(host, state="stuck")
    except CeoError as error:
        return finding(f"{short}: transactions", "unknown", host, error.message)
    if not rows:
        return finding(f"{short}: transactions", "ok", host, "none is stuck")
    stuck = ", ".join(
        f"{row['operation']} of {row['subject']} ({row['state']}, {row['transaction']})"
        for row in rows
    )
    return finding(f"{short}: transactions", "problem", host, f"stuck: {stuck}",
                   "to see why: ceo transactions show ID; then: ceo transactions resume ID, or abandon ID")


def _left_homes(short: str, host: str, client: Client) -> Json:
    try:
        homes = client.left_homes()
    except CeoError as error:
        return finding(f"{short}: temporary homes", "unknown", host, error.message)
    if not homes:
        return finding(f"{short}: temporary homes", "ok", host, "none was left")
    return finding(
        f"{short}: temporary homes", "problem", host, f"left: {', '.join(home['path'] for home in homes)}",
        f"no transaction of {host} works on them: see what is in them, keep what is somebody's, and remove them",
    )


def config_path(default: str) -> str:
    """Which configuration file counts."""
    return os.environ.get("CEO_CONFIG") or default
