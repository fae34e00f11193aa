"""LDAP connections: bound by hand with a credential, kept in a pool, with our time limits and our errors."""

from __future__ import annotations

import contextlib
import queue
import re
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import gssapi
import ldap
from ldap.controls.libldap import SimplePagedResultsControl
from ldap.controls.readentry import PostReadControl

from ceo_common.config import Ldap
from ceo_common.deadline import CONNECT_S, OPERATION_S, within
from ceo_common.errors import BackendDown, CeoError, Changed, Exists, Forbidden, Internal, NotFound
from ceo_common.krb5.errors import gssapi_reason

BACKEND = "ldap"
_REBIND_S = 1800.0  # a bound connection outlives its ticket: it must not
_POOL = 8
PAGE = 400  # below the 500 that slapd allows where nobody configured a limit
_KERBEROS = gssapi.OID.from_int_seq("1.2.840.113554.1.2.2")
_NO_LAYER = b"\x01\x00\x00\x00"  # RFC 4752, 3.3: no security layer (TLS is below), no buffer, no other identity

Entry = dict[str, list[str]]
Attributes = list[tuple[str, list[bytes]]]


@dataclass(frozen=True)
class Change:
    """Values that leave an attribute and values that come, exactly these: nobody else's are touched."""

    attribute: str
    remove: tuple[str, ...] = ()
    put: tuple[str, ...] = ()

    def as_ldap(self) -> list[tuple[int, str, list[bytes]]]:
        """python-ldap's form."""
        both = ((ldap.MOD_DELETE, self.remove), (ldap.MOD_ADD, self.put))
        return [(do, self.attribute, [value.encode() for value in values]) for do, values in both if values]


def encoded(values: dict[str, str | list[str] | None]) -> Attributes:
    """The attributes of a new entry; what is None or empty is left out."""
    listed = {name: [value] if isinstance(value, str) else value for name, value in values.items() if value}
    return [(name, [value.encode() for value in found]) for name, found in listed.items() if found]


# What the KDC, or the way to it, is to blame for; for anything else it is the credential.
_KDC_FAULT = re.compile(
    r"Cannot (contact|find|resolve)|Server .*not found in Kerberos database|clocks differ"
    r"|Generic error|KDC reply|service is not available|Connection|[Tt]imed out|configuration"
)


class CredentialRefused(BackendDown):
    """The KDC gives no ticket for the directory to whoever has this credential."""


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
    if isinstance(error, ldap.INVALID_CREDENTIALS):
        # The KDC made the ticket that slapd refuses, so the ticket is not forged.
        message = f"the directory (LDAP) does not accept Kerberos tickets: {said}"
        return BackendDown(message, backend=BACKEND)
    if isinstance(error, (ldap.SIZELIMIT_EXCEEDED, ldap.ADMINLIMIT_EXCEEDED)):
        message = f"the directory (LDAP) limits how many entries ceod may read: {said}; raise the size limit of slapd"
        return BackendDown(message, backend=BACKEND)
    if isinstance(error, ldap.INSUFFICIENT_ACCESS):
        return Forbidden(f"the directory does not let you {doing}: {said}")
    if isinstance(error, ldap.ALREADY_EXISTS):
        return Exists(f"the directory has that already: {said}")
    if isinstance(error, ldap.CONSTRAINT_VIOLATION):
        return Exists(f"the directory refuses to {doing}: {said}")
    if isinstance(error, (ldap.TYPE_OR_VALUE_EXISTS, ldap.NO_SUCH_ATTRIBUTE)):
        return Changed(f"somebody else changed this meanwhile: {said}. Look at it again.")
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

    def search(
        self,
        base: str,
        scope: int,
        filter_: str,
        attributes: list[str] | None = None,
        *,
        options: bool = False,
    ) -> list[tuple[str, Entry]]:
        """The entries that match, none where the base is not there."""
        pages = self.pages(base, scope, filter_, attributes, options=options)
        return [entry for page in pages for entry in page]

    def pages(
        self,
        base: str,
        scope: int,
        filter_: str,
        attributes: list[str] | None = None,
        *,
        options: bool = False,
    ) -> Iterator[list[tuple[str, Entry]]]:
        """The entries that match, as they come.

        A server's size limit counts for a page, not for the search (RFC 2696).  With options=True
        the entries have their attributes with options too (`uid;lang-en`).
        """
        page = SimplePagedResultsControl(True, size=PAGE, cookie="")
        while True:
            with _AsErrors("search"):
                try:
                    number = self._raw.search_ext(base, scope, filter_, attributes, serverctrls=[page])
                    _, found, _, controls = self._raw.result3(number, timeout=OPERATION_S)
                except ldap.NO_SUCH_OBJECT:
                    return
            yield [(dn, entry_of(attrs, options=options)) for dn, attrs in found if dn is not None]
            page.cookie = next((c.cookie for c in controls if c.controlType == SimplePagedResultsControl.controlType), "")
            if not page.cookie:
                return

    def add(self, dn: str, attributes: Attributes) -> None:
        """Add an entry.  Raises Exists, Forbidden, BackendDown (outcome unknown)."""
        with _AsErrors("add this entry"):
            self._raw.add_s(dn, attributes)

    def change(self, dn: str, *changes: Change) -> None:
        """Change values of an entry, all or none.  Raises Changed, NotFound, Forbidden, BackendDown (outcome unknown)."""
        if operations := [item for change in changes for item in change.as_ldap()]:
            with _AsErrors("change this entry"):
                self._raw.modify_s(dn, operations)

    def add_all(self, entries: list[tuple[str, Attributes]]) -> dict[str, CeoError]:
        """Add entries without waiting for one before the next; what the server refused, by DN.  Raises BackendDown (outcome unknown)."""
        return self._all("add this entry", self._raw.add_ext, entries)

    def change_all(self, entries: list[tuple[str, list[Change]]]) -> dict[str, CeoError]:
        """change() of many entries without waiting for one before the next; what the server refused, by DN.  Raises BackendDown."""
        return self._all("change this entry", self._raw.modify_ext, [
            (dn, [item for change in changes for item in change.as_ldap()]) for dn, changes in entries])

    def _all(self, doing: str, send: Callable[[str, Any], int], entries: Sequence[tuple[str, Any]]) -> dict[str, CeoError]:
        refused: dict[str, CeoError] = {}
        waiting: deque[tuple[str, int]] = deque()

        def answer() -> None:
            dn, number = waiting.popleft()
            try:
                with _AsErrors(doing):
                    self._raw.result3(number, timeout=OPERATION_S)
            except BackendDown:
                raise
            except CeoError as error:
                refused[dn] = error

        for dn, of in entries:
            with _AsErrors(doing):
                while (number := _sent(send, dn, of, first=not waiting)) is None:
                    answer()
            waiting.append((dn, number))
        while waiting:
            answer()
        return refused

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

    @contextlib.contextmanager
    def raw(self, doing: str) -> Iterator[Any]:
        """python-ldap's own object, for what nobody else asks; its exceptions become ours."""
        with _AsErrors(doing):
            yield self._raw

    def close(self) -> None:
        """Unbind; more than once does no harm."""
        if not self._open:
            return
        self._open = False
        with contextlib.suppress(ldap.LDAPError):
            self._raw.unbind_s()


def entry_of(attributes: dict[str, list[bytes]], *, options: bool = False) -> Entry:
    """An entry's attributes as text.

    `uid;lang-en` is a subtype of `uid` (RFC 4512, 2.5.2): whoever asks for `uid` gets it too, and
    slapo-unique and slapo-constraint do not look at it.  The club uses no options, so an attribute
    that has one is not the attribute.
    """
    return {
        name: [value.decode(errors="replace") for value in values]
        for name, values in attributes.items()
        if options or ";" not in name
    }


def _sent(send: Callable[[str, Any], int], dn: str, of: Any, *, first: bool) -> int | None:
    """The request's number; None while the socket, which never blocks, takes no more: reading an answer makes room."""
    try:
        return send(dn, of)
    except ldap.BUSY:  # libldap's own word; the server's comes with an answer
        if first:
            raise
        return None


def open_connection(uri: str, ca: str = "") -> Any:
    """An unbound python-ldap object with our time limits; no library default counts."""
    raw = ldap.initialize(uri, bytes_strictness="error")
    raw.set_option(ldap.OPT_PROTOCOL_VERSION, 3)
    raw.set_option(ldap.OPT_REFERRALS, 0)
    raw.set_option(ldap.OPT_TIMEOUT, OPERATION_S)
    raw.timeout = OPERATION_S
    # Whoever only listens (the people index) hears of a line that was cut without a word in 40 s:
    # by the kernel's own limits it would be two hours.
    raw.set_option(ldap.OPT_X_KEEPALIVE_IDLE, 20)
    raw.set_option(ldap.OPT_X_KEEPALIVE_INTERVAL, 5)
    raw.set_option(ldap.OPT_X_KEEPALIVE_PROBES, 4)
    if not uri.startswith("ldaps:"):
        raw.set_option(ldap.OPT_NETWORK_TIMEOUT, CONNECT_S)
    else:
        # With that option libldap 2.5 asks a TLS handshake without a pause whether it is done: one frozen slapd takes a whole core.
        # Whether the host is there is asked below, and how long all of it may take is bind()'s to say.
        if ca:
            raw.set_option(ldap.OPT_X_TLS_CACERTFILE, ca)
        raw.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
        raw.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
    return raw


def bind(settings: Ldap, credential: gssapi.Credentials) -> Connection:
    """A connection bound with this credential (RFC 4752, no layer).

    By hand: python-ldap's own SASL bind holds the GIL while it waits, and takes its ticket from a name that is one for the process.
    Raises CredentialRefused, BackendDown (kdc or ldap), Forbidden.
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
        reason = gssapi_reason(error.gen_message())
        kind = BackendDown if _KDC_FAULT.search(reason) else CredentialRefused
        raise kind(f"Kerberos gave no ticket for the directory: {reason}", backend="kdc") from None


def _exchange(settings: Ldap, context: gssapi.SecurityContext, token: bytes | None) -> Connection:
    """Carry the tokens over a new connection; it is closed if that comes to nothing."""
    place = urlsplit(settings.uri)
    try:
        socket.create_connection((place.hostname or "", place.port or (636 if place.scheme == "ldaps" else 389)), CONNECT_S).close()
    except OSError as error:
        raise BackendDown(f"the directory (LDAP) does not answer: {error}", backend=BACKEND) from None
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


class Pool:
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
        except (BackendDown, GeneratorExit):  # the line broke, or a list was not read to its end
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
