"""The club's LDAP directory: reads over kept connections as ceod/<fqdn>, writes as the caller or as ceod/admin."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import gssapi
import ldap
from ldap.controls.libldap import SimplePagedResultsControl
from ldap.controls.readentry import PostReadControl

from ceo_common.config import Ldap
from ceo_common.deadline import CONNECT_S, OPERATION_S, within
from ceo_common.errors import BackendDown, CeoError, Exists, Forbidden, Internal, NotFound
from ceod.services import ldap_names as names

BACKEND = "ldap"
_REBIND_S = 1800.0  # a bound connection outlives its ticket: it must not
_POOL = 8
PAGE = 400  # below the 500 that slapd allows where nobody configured a limit
_KERBEROS = gssapi.OID.from_int_seq("1.2.840.113554.1.2.2")
_NO_LAYER = b"\x01\x00\x00\x00"  # RFC 4752, 3.3: no security layer (TLS is below), no buffer, no other identity

Entry = dict[str, list[str]]
Attributes = list[tuple[str, list[bytes]]]


class _AsErrors:
    """Turns python-ldap's exceptions into ours, with what was being done."""

    def __init__(self, doing: str) -> None:
        self.doing = doing

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, _trace: object) -> None:
        if not isinstance(error, ldap.LDAPError):
            return
        about = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
        said = ": ".join(str(about[key]) for key in ("desc", "info") if about.get(key)) or type(error).__name__
        raise _translated(error, said, self.doing) from None


def _translated(error: ldap.LDAPError, said: str, doing: str) -> CeoError:
    away = (ldap.SERVER_DOWN, ldap.CONNECT_ERROR, ldap.TIMEOUT, ldap.TIMELIMIT_EXCEEDED, ldap.UNAVAILABLE, ldap.BUSY)
    if isinstance(error, away):
        return BackendDown(f"the directory (LDAP) does not answer: {said}", backend=BACKEND)
    if isinstance(error, ldap.INSUFFICIENT_ACCESS):
        return Forbidden(f"the directory does not let you {doing}: {said}")
    if isinstance(error, ldap.ALREADY_EXISTS):
        return Exists(f"the directory has that already: {said}")
    if isinstance(error, ldap.CONSTRAINT_VIOLATION):
        return Exists(f"the directory refuses to {doing}: {said}")
    if isinstance(error, ldap.NO_SUCH_OBJECT):
        return NotFound(f"the directory has no such entry: {said}")
    return Internal(f"the directory refused to {doing}: {said}")


class Connection:
    """A bound connection."""

    def __init__(self, raw: Any, since: float) -> None:
        self._raw = raw
        self._open = True
        self.since = since

    def who_am_i(self) -> str:
        """The DN that slapd takes us for (RFC 4532)."""
        with _AsErrors("ask who they are"):
            return str(self._raw.whoami_s()).removeprefix("dn:")

    def search(self, base: str, scope: int, filter_: str, attributes: list[str] | None = None) -> list[tuple[str, Entry]]:
        """The entries found, none where the base is not there."""
        with _AsErrors("search"):
            try:
                found = self._pages(base, scope, filter_, attributes)
            except ldap.NO_SUCH_OBJECT:
                return []
        return [(dn, {name: [v.decode(errors="replace") for v in values] for name, values in attrs.items()})
                for dn, attrs in found if dn is not None]

    def _pages(self, base: str, scope: int, filter_: str, attributes: list[str] | None) -> list[Any]:
        """A server's size limit counts for a page, not for the search (RFC 2696)."""
        found: list[Any] = []
        page = SimplePagedResultsControl(True, size=PAGE, cookie="")
        while True:
            number = self._raw.search_ext(base, scope, filter_, attributes, serverctrls=[page])
            _, entries, _, controls = self._raw.result3(number, timeout=OPERATION_S)
            found += entries
            page.cookie = next((c.cookie for c in controls if c.controlType == SimplePagedResultsControl.controlType), "")
            if not page.cookie:
                return found

    def add(self, dn: str, attributes: Attributes) -> None:
        """Add an entry.  Raises Exists, Forbidden, BackendDown (outcome unknown)."""
        with _AsErrors("add this entry"):
            self._raw.add_s(dn, attributes)

    def delete(self, dn: str) -> None:
        """Delete an entry.  Raises NotFound, BackendDown (outcome unknown)."""
        with _AsErrors("delete this entry"):
            self._raw.delete_s(dn)

    def increment(self, dn: str, attribute: str) -> int:
        """Add 1 to a number and return its new value, in one (RFC 4525 with a critical RFC 4527 Post-Read)."""
        with _AsErrors("take a number"):
            control = PostReadControl(criticality=True, attrList=[attribute])
            _, _, _, controls = self._raw.modify_ext_s(dn, [(ldap.MOD_INCREMENT, attribute, b"1")], serverctrls=[control])
        return int(controls[0].entry[attribute][0])

    def close(self) -> None:
        """Unbind; more than once does no harm."""
        if not self._open:
            return
        self._open = False
        with contextlib.suppress(ldap.LDAPError):
            self._raw.unbind_s()


def open_connection(uri: str, ca: str = "") -> Any:
    """An unbound python-ldap object with our time limits; no library default counts."""
    raw = ldap.initialize(uri, bytes_strictness="error")
    raw.set_option(ldap.OPT_PROTOCOL_VERSION, 3)
    raw.set_option(ldap.OPT_REFERRALS, 0)
    raw.set_option(ldap.OPT_NETWORK_TIMEOUT, CONNECT_S)
    raw.set_option(ldap.OPT_TIMEOUT, OPERATION_S)
    raw.timeout = OPERATION_S
    if uri.startswith("ldaps:"):
        if ca:
            raw.set_option(ldap.OPT_X_TLS_CACERTFILE, ca)
        raw.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
        raw.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
    return raw


def bind(settings: Ldap, credential: gssapi.Credentials) -> Connection:
    """A connection bound with this credential (RFC 4752, no layer).

    By hand: python-ldap's own SASL bind holds the GIL while it waits, and takes its ticket from a name that is one for the process.
    Raises BackendDown (kdc or ldap), Forbidden.
    """
    host = urlsplit(settings.uri).hostname or ""
    context = gssapi.SecurityContext(
        name=gssapi.Name(f"ldap@{host}", gssapi.NameType.hostbased_service), creds=credential, mech=_KERBEROS, usage="initiate",
        flags=gssapi.RequirementFlag.mutual_authentication | gssapi.RequirementFlag.integrity,
    )
    try:
        token = within(OPERATION_S, "kdc", context.step)
        # libldap's own limits leave out the TLS handshake: a frozen slapd held it for as long as it was frozen.
        return within(OPERATION_S, BACKEND, lambda: _exchange(settings, context, token))
    except gssapi.exceptions.GSSError as error:
        raise BackendDown(f"Kerberos gave no ticket for the directory: {error.gen_message()}", backend="kdc") from None


def _exchange(settings: Ldap, context: gssapi.SecurityContext, token: bytes | None) -> Connection:
    """Carry the tokens over a new connection; it is closed if that comes to nothing."""
    raw = open_connection(settings.uri, settings.ca)
    try:
        with _AsErrors("sign in"):
            # Whatever slapd says, the exchange has few rounds: token, AP-REP, layer.
            for _ in range(4):
                if context.complete:
                    break
                token = context.step(_bytes(raw.sasl_bind_s(None, "GSSAPI", token or b"")))
            offer = context.unwrap(_bytes(raw.sasl_bind_s(None, "GSSAPI", token or b""))).message
            if not offer or not offer[0] & 1:
                raise Forbidden("the directory wants a SASL security layer; ceod speaks to it over TLS without one")
            raw.sasl_bind_s(None, "GSSAPI", context.wrap(_NO_LAYER, False).message)
    except BaseException:
        with contextlib.suppress(ldap.LDAPError):
            raw.unbind_s()
        raise
    return Connection(raw, time.monotonic())


def _bytes(answer: object) -> bytes:
    """What sasl_bind_s returns: the server's bytes, or a number where there are none."""
    return answer if isinstance(answer, bytes) else b""


class _Pool:
    """Kept connections of one identity."""

    def __init__(self, settings: Ldap, credential: Callable[[], gssapi.Credentials]) -> None:
        self._settings = settings
        self._credential = credential
        self._idle: queue.LifoQueue[Connection] = queue.LifoQueue(_POOL)

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection; after an error of the line it is not kept."""
        connection = self._take()
        try:
            yield connection
        except BackendDown:
            connection.close()
            raise
        else:
            self._keep(connection)

    def read(self, action: Callable[[Connection], Any]) -> Any:
        """Run a read; once more on a fresh connection when the kept one turns out dead."""
        for last in (False, True):
            taken = time.monotonic()
            try:
                with self.connection() as connection:
                    return action(connection)
            except BackendDown:
                # Quick means that a kept connection was closed meanwhile; slow means that the server hangs.
                if last or time.monotonic() - taken > 1:
                    raise
                self.drop()
        raise AssertionError

    def _take(self) -> Connection:
        while True:
            try:
                connection = self._idle.get_nowait()
            except queue.Empty:
                return bind(self._settings, self._credential())
            if time.monotonic() - connection.since < _REBIND_S:
                return connection
            connection.close()

    def _keep(self, connection: Connection) -> None:
        try:
            self._idle.put_nowait(connection)
        except queue.Full:
            connection.close()

    def drop(self) -> None:
        """Close what is idle."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()


@dataclass(frozen=True)
class Person:
    """An account's entry."""

    dn: str
    attributes: Entry

    def one(self, name: str) -> str:
        """The first value of an attribute, or an empty text."""
        return (self.attributes.get(name) or [""])[0]


class Directory:
    """What ceod asks of the directory."""

    def __init__(self, settings: Ldap, own: Callable[[], gssapi.Credentials], admin: Callable[[], gssapi.Credentials] | None) -> None:
        self.settings = settings
        self.people = f"ou=People,{settings.base}"
        self.groups = f"ou=Group,{settings.base}"
        self.counters = f"ou=UidCounters,{settings.base}"
        self._own = _Pool(settings, own)
        self._admin = _Pool(settings, admin) if admin else None

    def close(self) -> None:
        """Close the kept connections."""
        self._own.drop()
        if self._admin:
            self._admin.drop()

    def person_dn(self, uid: str) -> str:
        """Where an account's entry is."""
        return names.child("uid", uid, self.people)

    def group_dn(self, cn: str) -> str:
        """Where a group's entry is."""
        return names.child("cn", cn, self.groups)

    # Reading, as ceod/<fqdn>

    def search(self, base: str, filter_: str, attributes: list[str] | None = None, *, scope: int = ldap.SCOPE_SUBTREE) -> list[tuple[str, Entry]]:
        """A search as ceod/<fqdn>."""
        found: list[tuple[str, Entry]] = self._own.read(lambda connection: connection.search(base, scope, filter_, attributes))
        return found

    def ping(self) -> None:
        """One round trip.  Raises BackendDown."""
        self._own.read(lambda connection: connection.who_am_i())

    def person(self, uid: str) -> Person | None:
        """An account's entry."""
        found = self.search(self.people, names.equals("uid", uid), scope=ldap.SCOPE_ONELEVEL)
        return Person(*found[0]) if found else None

    def group(self, cn: str) -> Entry | None:
        """A group's entry."""
        found = self.search(self.groups, names.equals("cn", cn), scope=ldap.SCOPE_ONELEVEL)
        return found[0][1] if found else None

    def groups_of(self, uid: str) -> list[str]:
        """The groups that an account is a member of, by name."""
        found = self.search(self.groups, names.equals("uniqueMember", self.person_dn(uid)), ["cn"], scope=ldap.SCOPE_ONELEVEL)
        return sorted(entry["cn"][0] for _, entry in found if entry.get("cn"))

    def pointers_to(self, uid: str) -> list[str]:
        """What in the directory still names an account: memberships, sudo roles, owners; as texts for a person."""
        dn = self.person_dn(uid)
        points = names.any_of(names.equals("uniqueMember", dn), names.equals("memberUid", uid), names.equals("sudoUser", uid),
                              names.equals("owner", dn))
        return [f"{found_dn} names it" for found_dn, _ in self.search(self.settings.base, points, ["cn"])]

    def number_in_use(self, number: int) -> bool:
        """Whether any entry has this uidNumber or gidNumber."""
        value = str(number)
        used = names.any_of(names.equals("uidNumber", value), names.equals("gidNumber", value))
        places = (self.people, self.groups)
        return any(self.search(place, used, ["cn"]) for place in places)

    def largest_number(self, first: int, last: int) -> int:
        """The largest uidNumber or gidNumber in use in a range, first - 1 where there is none."""
        within_range = names.all_of(f"(uidNumber>={first})", f"(uidNumber<={last})")
        numbers = [int(entry["uidNumber"][0]) for _, entry in self.search(self.people, within_range, ["uidNumber"])]
        in_groups = names.all_of(f"(gidNumber>={first})", f"(gidNumber<={last})")
        numbers += [int(entry["gidNumber"][0]) for _, entry in self.search(self.groups, in_groups, ["gidNumber"])]
        return max(numbers, default=first - 1)

    def counter(self, name: str) -> int:
        """The next number of a range.  Raises NotFound."""
        found = self.search(self.counters, names.equals("cn", name), ["uidNumber"], scope=ldap.SCOPE_ONELEVEL)
        if not found or not found[0][1].get("uidNumber"):
            raise NotFound(f"the directory has no counter cn={name},{self.counters}; etc/README.md says how to make it")
        return int(found[0][1]["uidNumber"][0])

    # Writing

    def connect_as(self, credential: gssapi.Credentials) -> Connection:
        """A connection bound as a caller.  Raises BackendDown, Forbidden."""
        return bind(self.settings, credential)

    @contextlib.contextmanager
    def as_admin(self) -> Iterator[Connection]:
        """A connection bound as ceod/admin."""
        assert self._admin is not None, "only the admin host has ceod/admin"
        with self._admin.connection() as connection:
            yield connection

    def admin_read(self, action: Callable[[Connection], Any]) -> Any:
        """A read as ceod/admin, retried once on a dead kept connection."""
        assert self._admin is not None, "only the admin host has ceod/admin"
        return self._admin.read(action)

    def take_number(self, counter: str) -> int:
        """The next number of a range, given to nobody else ever."""
        self.admin_read(lambda connection: connection.who_am_i())  # a dead kept connection shows here, before the write
        with self.as_admin() as connection:
            return connection.increment(names.child("cn", counter, self.counters), "uidNumber") - 1

    def delete_if(self, dn: str, attribute: str, value: str) -> bool | None:
        """Delete an entry if it has this value: True when deleted, False when it has another, None when it is not there."""
        found = self.admin_read(lambda connection: connection.search(dn, ldap.SCOPE_BASE, "(objectClass=*)", [attribute]))
        if not found:
            return None
        if found[0][1].get(attribute) != [value]:
            return False
        with self.as_admin() as connection, contextlib.suppress(NotFound):
            connection.delete(dn)
        return True
