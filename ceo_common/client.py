"""The typed HTTP client, one method an endpoint: TLS verified, mutual authentication required, no redirect ever followed."""

from __future__ import annotations

import contextlib
import json
import logging
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any, TypeGuard, cast
from urllib.parse import quote, urlencode

import gssapi
import requests
import requests_gssapi
from requests_gssapi.exceptions import MutualAuthenticationError, SPNEGOExchangeError

from ceo_common import connecting, errors
from ceo_common.client_config import Hosts
from ceo_common.deadline import within
from ceo_common.events import Event, Rehearsed, is_last
from ceo_common.krb5.errors import gssapi_reason

Json = dict[str, Any]
_CONNECT_S = 3.0
_ANSWER_S = 30.0
_TICKET_S = 10.0
_STREAM_S = 120.0
_DRY_RUN = "dry_run"
BODY_LIMIT = 1 << 20  # ceod's, of a request's body
_LINE_LIMIT = 8 << 20  # the last line of a bulk sign-up holds every row, and the passwords

# It prints each failure with a traceback; ours are told as errors.
logging.getLogger("requests_gssapi").addHandler(logging.NullHandler())
logging.getLogger("requests_gssapi").propagate = False


class _Auth(requests_gssapi.HTTPSPNEGOAuth):  # type: ignore[misc]
    """Remembers why no token could be made: the base class only passes the server's 401 on."""

    failure = ""

    def generate_request_header(self, *arguments: Any, **named: Any) -> str:
        """As the base class.  Raises BackendDown (kdc) too."""
        try:
            # A KDC that hangs would hold the library for half a minute and more.
            return within(_TICKET_S, "kdc", lambda: cast(str, super(_Auth, self).generate_request_header(*arguments, **named)))
        except SPNEGOExchangeError as error:
            self.failure = str(error)
            raise

    def authenticate_server(self, response: requests.Response) -> bool:
        """As the base class; one that proves itself to a token which it never got is no ceod."""
        return bool(self.context) and cast(bool, super().authenticate_server(response))


class Client:
    """Speaks to the ceods of a club as whoever the credential is.

    While `rehearsing` is set each request that writes is made with ?dry_run: what returns JSON returns what the rehearsal told, and what
    yields events yields one, a Rehearsed.
    """

    def __init__(self, *, hosts: Hosts, port: int, realm: str, ca: str, credential: Callable[[], gssapi.Credentials] | None = None,
                 answer_s: float = _ANSWER_S) -> None:
        self.hosts = hosts
        self.port = port
        self.realm = realm
        self.ca = ca
        self.answer_s = answer_s
        self.has_written = False  # whether a request was sent that changes something
        self.rehearsing = False  # what writes only tells what it would do
        # The host that each thread waits for, and since when (time.monotonic).
        self.waiting: dict[int, tuple[str, float]] = {}
        # The Idempotency-Key of what is written; None: each transaction gets one of its own.
        self.key: str | None = None
        self.on_broken: Callable[[int], None] = lambda count: (
            None
        )  # a listing left out so many broken entries
        self._credential = credential  # None: the default ccache

    # Endpoints

    def whoami(self) -> Json:
        """GET /api/whoami."""
        return self._json(self.hosts.admin, "GET", "/api/whoami")

    def health(self, host: str) -> Json:
        """GET /api/health?full of one host."""
        return self._json(host, "GET", "/api/health?full")

    def ping(self, host: str) -> None:
        """GET /api/health without a ticket.  Raises Unreachable."""
        try:
            with connecting.session(self.ca) as session:
                url = f"https://{host}:{self.port}/api/health"
                session.get(url, timeout=(_CONNECT_S, self.answer_s), allow_redirects=False)
        except (requests.RequestException, OSError) as error:
            raise self._cut_off(host, error) from None

    def add_member(self, member: Json, key: str | None = None) -> Iterator[Event]:
        """POST /api/members, with a key that makes a retry harmless."""
        return self._transact("POST", "/api/members", member, delegate=True, key=key)

    def add_members(self, members: list[Json], key: str | None = None) -> Iterator[Event]:
        """POST /api/members/bulk: all or none."""
        return self._transact("POST", "/api/members/bulk", {"members": members}, delegate=True, key=key)

    def check_members(self, members: list[Json]) -> Json:
        """POST /api/members/bulk?dry_run."""
        return self._json(self.hosts.admin, "POST", "/api/members/bulk?dry_run", {"members": members})

    def member(self, uid: str) -> Json:
        """GET /api/members/UID."""
        return self._json(self.hosts.admin, "GET", f"/api/members/{_part(uid)}")

    def members(self, **query: str | int) -> Json:
        """GET /api/members: one page.  uid, name, term, group, program, position; sort, size, after."""
        return self._json(self.hosts.admin, "GET", f"/api/members?{urlencode(query)}")

    def all_members(self, **query: str | int) -> Iterator[Json]:
        """GET /api/members?stream: every one that fits, in no order.  Raises OutcomeUnknown when the list was cut off."""
        with self._ask(self.hosts.admin, "GET", f"/api/members?{urlencode({'stream': 1, **query})}", None, timeout=_STREAM_S) as response:
            for line in self._whole_lines(self.hosts.admin, response):
                told = json.loads(line)
                if _is_error(told):
                    raise errors.from_json(told)
                if "complete" in told:
                    self._report_broken(told)
                    return
                yield told
        raise errors.OutcomeUnknown(f"the list from {self.hosts.admin} was cut off")

    def lapsed(self, **query: str) -> list[Json]:
        """GET /api/lapsed: who may be meant by a new sign-up with this uid or cn."""
        return cast(list[Json], self._json(self.hosts.admin, "GET", f"/api/lapsed?{urlencode(query)}")["members"])

    def expired(self) -> list[Json]:
        """GET /api/expired."""
        return cast(list[Json], self._json(self.hosts.admin, "GET", "/api/expired")["members"])

    def inactive(self, terms: int) -> list[Json]:
        """GET /api/inactive: no member for this many terms."""
        return cast(list[Json], self._json(self.hosts.admin, "GET", f"/api/inactive?terms={terms}")["members"])

    def modify_member(self, uid: str, change: Json, key: str | None = None) -> Iterator[Event]:
        """PATCH /api/members/UID: login_shell, forwarding_addresses."""
        return self._transact("PATCH", f"/api/members/{_part(uid)}", change, delegate="login_shell" in change, key=key)

    def renew_member(self, uid: str, terms: Json, key: str | None = None) -> Iterator[Event]:
        """POST /api/members/UID/renew: terms or non_member_terms."""
        return self._transact("POST", f"/api/members/{_part(uid)}/renew", terms, delegate=True, key=key)

    def reset_password(self, uid: str, key: str | None = None) -> Iterator[Event]:
        """POST /api/members/UID/pwreset."""
        return self._transact("POST", f"/api/members/{_part(uid)}/pwreset", {}, key=key)

    def delete_member(self, uid: str, key: str | None = None) -> Iterator[Event]:
        """DELETE /api/members/UID."""
        return self._transact("DELETE", f"/api/members/{_part(uid)}", None, delegate=True, key=key)

    def restore_member(self, uid: str, key: str | None = None) -> Iterator[Event]:
        """POST /api/members/UID/restore."""
        return self._transact("POST", f"/api/members/{_part(uid)}/restore", {}, delegate=True, key=key)

    def purge_member(self, uid: str) -> Iterator[Event]:
        """POST /api/members/UID/purge, in development."""
        return self._transact("POST", f"/api/members/{_part(uid)}/purge", {})

    def examine(self, uid: str) -> list[Json]:
        """GET /api/members/UID/doctor: the findings."""
        return cast(list[Json], self._json(self.hosts.admin, "GET", f"/api/members/{_part(uid)}/doctor")["findings"])

    def examine_directory(self) -> list[Json]:
        """GET /api/directory/doctor: the findings."""
        answer = self._json(self.hosts.admin, "GET", "/api/directory/doctor")
        return cast(list[Json], answer["findings"])

    def mend(self, uid: str, key: str | None = None) -> Iterator[Event]:
        """POST /api/members/UID/doctor."""
        return self._transact("POST", f"/api/members/{_part(uid)}/doctor", {}, delegate=True, key=key)

    def expiry(self) -> Json:
        """POST /api/members/expire?dry_run."""
        return self._json(self.hosts.admin, "POST", "/api/members/expire?dry_run")

    def expire_members(self, count: int, key: str | None = None) -> Iterator[Event]:
        """POST /api/members/expire: the count that the rehearsal told."""
        return self._transact("POST", "/api/members/expire", {"count": count}, delegate=True, key=key)

    def reminders(self) -> Json:
        """POST /api/members/remindexpire?dry_run."""
        return self._json(self.hosts.admin, "POST", "/api/members/remindexpire?dry_run")

    def remind_members(self, key: str | None = None) -> Iterator[Event]:
        """POST /api/members/remindexpire."""
        return self._transact("POST", "/api/members/remindexpire", {}, key=key)

    def groups(self) -> list[Json]:
        """GET /api/groups."""
        return cast(list[Json], self._json(self.hosts.admin, "GET", "/api/groups")["groups"])

    def group(self, cn: str) -> Json:
        """GET /api/groups/G."""
        return self._json(self.hosts.admin, "GET", f"/api/groups/{_part(cn)}")

    def add_group(self, cn: str, key: str | None = None) -> Iterator[Event]:
        """POST /api/groups."""
        return self._transact("POST", "/api/groups", {"cn": cn}, delegate=True, key=key)

    def add_to_group(self, cn: str, uid: str, key: str | None = None) -> Iterator[Event]:
        """POST /api/groups/G/members/UID."""
        return self._transact("POST", f"/api/groups/{_part(cn)}/members/{_part(uid)}", {}, delegate=True, key=key)

    def remove_from_group(self, cn: str, uid: str, key: str | None = None) -> Iterator[Event]:
        """DELETE /api/groups/G/members/UID."""
        return self._transact("DELETE", f"/api/groups/{_part(cn)}/members/{_part(uid)}", None, delegate=True, key=key)

    def add_club(self, club: Json, key: str | None = None) -> Iterator[Event]:
        """POST /api/clubs."""
        return self._transact("POST", "/api/clubs", club, delegate=True, key=key)

    def clubs(self) -> list[Json]:
        """GET /api/clubs."""
        return cast(list[Json], self._json(self.hosts.admin, "GET", "/api/clubs")["clubs"])

    def club(self, uid: str) -> Json:
        """GET /api/clubs/UID."""
        return self._json(self.hosts.admin, "GET", f"/api/clubs/{_part(uid)}")

    def positions(self) -> Json:
        """GET /api/positions."""
        return self._json(self.hosts.admin, "GET", "/api/positions")

    def set_positions(self, positions: Json, key: str | None = None) -> Iterator[Event]:
        """POST /api/positions: who shall hold which."""
        return self._transact("POST", "/api/positions", positions, delegate=True, key=key)

    def uw_person(self, uid: str) -> Json:
        """GET /api/uwldap/UID."""
        return self._json(self.hosts.admin, "GET", f"/api/uwldap/{_part(uid)}")

    def programs(self, members: list[str] | None = None) -> Json:
        """POST /api/uwldap/updateprograms?dry_run."""
        return self._json(self.hosts.admin, "POST", "/api/uwldap/updateprograms?dry_run", {"members": members})

    def update_programs(self, members: list[str] | None = None, key: str | None = None) -> Iterator[Event]:
        """POST /api/uwldap/updateprograms."""
        return self._transact("POST", "/api/uwldap/updateprograms", {"members": members}, delegate=True, key=key)

    def subscribe(self, list_name: str, uid: str, wished: float | None = None) -> Json:
        """POST /api/mailman/LIST/UID.  A host says when it was `wished`: a newer wish stands."""
        path = f"/api/mailman/{_part(list_name)}/{_part(uid)}{_since(wished)}"
        return self._json(self.hosts.mail, "POST", path, {})

    def unsubscribe(self, list_name: str, uid: str, wished: float | None = None) -> Json:
        """DELETE /api/mailman/LIST/UID."""
        path = f"/api/mailman/{_part(list_name)}/{_part(uid)}{_since(wished)}"
        return self._json(self.hosts.mail, "DELETE", path)

    def unsubscribe_all(self, list_name: str, uids: list[str], wished: float | None = None) -> Json:
        """DELETE /api/mailman/LIST: many at once; who is not on it needs not leave."""
        path = f"/api/mailman/{_part(list_name)}{_since(wished)}"
        return self._json(self.hosts.mail, "DELETE", path, {"uids": uids})

    def accounts_on(self, list_name: str, uids: list[str]) -> set[str]:
        """DELETE /api/mailman/LIST?dry_run: those of up to 1,000 accounts that are on a list."""
        path = f"/api/mailman/{_part(list_name)}?dry_run"
        plan = self._json(self.hosts.mail, "DELETE", path, {"uids": uids})
        return {change["of"] for change in plan["changes"]}

    def lists(self) -> list[Json]:
        """GET /api/mailman: every mailing list."""
        return cast(list[Json], self._json(self.hosts.mail, "GET", "/api/mailman")["lists"])

    def lists_of(self, uid: str) -> Json:
        """GET /api/mailman/UID: the lists that an account is on, and those that it was taken off last."""
        return self._json(self.hosts.mail, "GET", f"/api/mailman/{_part(uid)}")

    def waiting_lists(self, uid: str) -> list[str]:
        """GET /api/mailman/UID?waiting: the lists whose moderator has to agree first."""
        answer = self._json(self.hosts.mail, "GET", f"/api/mailman/{_part(uid)}?waiting")
        return cast(list[str], answer.get("waiting") or [])

    def mail_names(self) -> dict[str, list[str]]:
        """GET /api/mail/names: `lists` and `aliases`, the names that mail knows."""
        return self._json(self.hosts.mail, "GET", "/api/mail/names")

    def databases(self, uid: str) -> Json:
        """GET /api/db/UID: which an account has."""
        return self._json(self.hosts.database, "GET", f"/api/db/{_part(uid)}")

    def all_databases(self) -> dict[str, list[str]]:
        """GET /api/db: every name that has one, by the kind of server."""
        return self._json(self.hosts.database, "GET", "/api/db")

    def create_database(self, kind: str, uid: str, key: str | None = None) -> Iterator[Event]:
        """POST /api/db/mysql|postgresql/UID."""
        return self._stream(self.hosts.database, "POST", f"/api/db/{kind}/{_part(uid)}", {}, key=key or self._new_key())

    def reset_database(self, kind: str, uid: str, key: str | None = None) -> Iterator[Event]:
        """POST /api/db/mysql|postgresql/UID/pwreset."""
        return self._stream(self.hosts.database, "POST", f"/api/db/{kind}/{_part(uid)}/pwreset", {}, key=key or self._new_key())

    def try_logins(self, uid: str, passwords: dict[str, str]) -> dict[str, bool | None]:
        """POST /api/db/UID/logins, for the club's own hosts alone; the passwords by mysql|postgresql."""
        return self._json(self.hosts.database, "POST", f"/api/db/{_part(uid)}/logins", passwords)

    def write_database_info(self, uid: str, info: Json) -> Json:
        """PUT /api/homes/UID/database-info, for the database host alone."""
        return self._json(self.hosts.admin, "PUT", f"/api/homes/{_part(uid)}/database-info", info)

    def books(self, **query: str | int) -> Json:
        """GET /api/library/books: one page.  q; size, after."""
        return self._library("GET", f"/books?{urlencode(query)}")

    def book(self, book: int) -> Json:
        """GET /api/library/books/BOOK."""
        return self._library("GET", f"/books/{book}")

    def add_book(self, book: Json, key: str | None = None) -> Json:
        """POST /api/library/books, with a key that makes a retry harmless."""
        return self._library("POST", "/books", book, key)

    def add_books(self, books: list[Json], *, again: bool = False) -> list[int]:
        """POST /api/library/books/bulk: all or none; their numbers.  For a rehearsal there is check_books()."""
        return cast(list[int], self._library("POST", "/books/bulk", {"books": books, "again": again})["books"])

    def check_books(self, books: list[Json]) -> Json:
        """POST /api/library/books/bulk?dry_run."""
        return self._library("POST", "/books/bulk?dry_run", {"books": books})

    def add_copies(self, book: int, copies: int = 1, key: str | None = None) -> Json:
        """POST /api/library/books/BOOK/copies, with a key that makes a retry harmless."""
        return self._library("POST", f"/books/{book}/copies", {"copies": copies}, key)

    def lend(self, book: int, uid: str, copy: int | None = None) -> Json:
        """POST /api/library/books/BOOK/loans/UID."""
        return self._library("POST", f"/books/{book}/loans/{_part(uid)}" + (f"?copy={copy}" if copy is not None else ""), {})

    def give_back(self, book: int, uid: str) -> Json:
        """DELETE /api/library/books/BOOK/loans/UID."""
        return self._library("DELETE", f"/books/{book}/loans/{_part(uid)}")

    def renew_loan(self, book: int, uid: str) -> Json:
        """POST /api/library/books/BOOK/loans/UID/renew."""
        return self._library("POST", f"/books/{book}/loans/{_part(uid)}/renew", {})

    def loan_changes(self) -> list[Json]:
        """GET /api/library/changes: what the caller did to loans within the last minute."""
        return cast(list[Json], self._library("GET", "/changes")["changes"])

    def undo_loan_change(self, change: int) -> Json:
        """POST /api/library/changes/CHANGE/undo; asked again, it answers the same."""
        return self._library("POST", f"/changes/{change}/undo", {})

    def loans(self, **query: str | int) -> Json:
        """GET /api/library/loans: one page of who has what.  size, after."""
        return self._library("GET", f"/loans?{urlencode(query)}")

    def loans_of(self, uid: str) -> list[Json]:
        """GET /api/library/loans/UID."""
        return cast(list[Json], self._library("GET", f"/loans/{_part(uid)}")["loans"])

    def loans_of_book(self, book: int) -> list[Json]:
        """GET /api/library/books/BOOK/loans."""
        return cast(list[Json], self._library("GET", f"/books/{book}/loans")["loans"])

    def overdue(self) -> list[Json]:
        """GET /api/library/overdue."""
        return cast(list[Json], self._library("GET", "/overdue")["loans"])

    def overdue_mails(self) -> Json:
        """POST /api/library/overdue/remind?dry_run."""
        return self._library("POST", "/overdue/remind?dry_run")

    def send_overdue_mails(self) -> Json:
        """POST /api/library/overdue/remind."""
        return self._library("POST", "/overdue/remind")

    def log(self, host: str, *, limit: int = 50) -> Json:
        """GET /api/log of one host, newest first."""
        return self._json(host, "GET", f"/api/log?limit={limit}")

    def left_homes(self) -> list[Json]:
        """GET /api/homes/left."""
        return cast(list[Json], self._json(self.hosts.admin, "GET", "/api/homes/left")["homes"])

    def verify_log(self, host: str, *, after: int = 0) -> Json:
        """GET /api/log/verify of one host: some rows behind `after`."""
        return self._json(host, "GET", f"/api/log/verify?after={after}")

    def transactions(self, host: str, *, state: str = "", limit: int = 50) -> list[Json]:
        """GET /api/transactions of one host, newest first."""
        query = f"?limit={limit}" + (f"&state={quote(state)}" if state else "")
        return cast(list[Json], self._json(host, "GET", f"/api/transactions{query}")["transactions"])

    def transaction(self, host: str, identifier: str) -> Json:
        """GET /api/transactions/ID."""
        return self._json(host, "GET", f"/api/transactions/{_part(identifier)}")

    def events(self, host: str, identifier: str, after: int = 0) -> Iterator[Event]:
        """GET /api/transactions/ID/events: attach again."""
        return self._stream(host, "GET", f"/api/transactions/{_part(identifier)}/events?after={after}", None)

    def resume(self, host: str, identifier: str) -> Json:
        """POST /api/transactions/ID/resume."""
        return self._json(host, "POST", f"/api/transactions/{_part(identifier)}/resume", {})

    def abandon(self, host: str, identifier: str, reason: str) -> Json:
        """POST /api/transactions/ID/abandon."""
        return self._json(host, "POST", f"/api/transactions/{_part(identifier)}/abandon", {"reason": reason})

    def raw(self, host: str, method: str, path: str, body: Any = None) -> Iterator[str]:
        """Any request; the lines of its answer as they come.  Raises the server's refusals, OutcomeUnknown (a stream without its end)."""
        is_write = method != "GET" and not _is_rehearsal(path)
        with self._ask(
            host, method, path, body, timeout=_STREAM_S, delegate=method != "GET",
            key=self.key if is_write else None,
        ) as response:
            is_stream = "ndjson" in response.headers.get("Content-Type", "")
            told: Any = None
            for line in self._whole_lines(host, response):
                told = _json_or_none(line) if is_stream else None
                if _is_error(told):
                    raise errors.from_json(told)
                yield line.decode(errors="replace")
            if is_stream and not _is_end(told):
                raise errors.OutcomeUnknown(f"the answer of {host} was cut off before its end was known")

    # How

    def _json(
        self, host: str, method: str, path: str, body: Json | None = None, key: str | None = None
    ) -> Json:
        path, began = self._rehearsal(method, path), time.monotonic()
        key = None if method == "GET" or _is_rehearsal(path) else key or self.key
        try:
            response = self._ask(host, method, path, body, timeout=self.answer_s, key=key)
        except errors.Unreachable:
            # A read is asked once more where the line just broke; a host that hangs is not waited for twice.
            if method != "GET" or time.monotonic() - began > 1:
                raise
            response = self._ask(host, method, path, body, timeout=self.answer_s)
        answer = self._object(host, response)
        self._report_broken(answer)
        return answer

    def _report_broken(self, answer: Json) -> None:
        if isinstance(count := answer.get("broken"), int) and count > 0:
            self.on_broken(count)

    def _object(self, host: str, response: requests.Response) -> Json:
        with response:
            try:
                told = response.json()
            except (ValueError, requests.RequestException):
                raise errors.Unreachable(f"{host} answered something that is not JSON") from None
        if not isinstance(told, dict):
            raise errors.Unreachable(f"{host} answered something that is not an object")
        return told

    def _new_key(self) -> str:
        return self.key or str(uuid.uuid4())

    def _rehearsal(self, method: str, path: str) -> str:
        """The path, with ?dry_run for a write while rehearsing."""
        if not self.rehearsing or method == "GET" or _is_rehearsal(path):
            return path
        return f"{path}{'&' if '?' in path else '?'}{_DRY_RUN}"

    def _whole_lines(self, host: str, response: requests.Response) -> Iterator[bytes]:
        """The lines.  Raises OutcomeUnknown when the connection breaks."""
        try:
            yield from _lines(response)
        except (requests.RequestException, OSError):
            raise errors.OutcomeUnknown(f"the connection to {host} ended in the middle of its answer", host=host) from None

    def _library(
        self, method: str, path: str, body: Json | None = None, key: str | None = None
    ) -> Json:
        return self._json(self.hosts.library, method, f"/api/library{path}", body, key)

    def _transact(self, method: str, path: str, body: Json | None, *, delegate: bool = False, key: str | None = None) -> Iterator[Event]:
        """A transaction of the admin host, under a key that makes a retry harmless."""
        return self._stream(self.hosts.admin, method, path, body, delegate=delegate, key=key or self._new_key())

    def _stream(
        self, host: str, method: str, path: str, body: Json | None, *, delegate: bool = False, key: str | None = None,
    ) -> Iterator[Event]:
        """The events, to the last; refusals are raised at once.  Raises OutcomeUnknown when the last line does not come."""
        path = self._rehearsal(method, path)
        if _is_rehearsal(path):
            return iter([_rehearsed(self._object(host, self._ask(host, method, path, body, timeout=self.answer_s)))])
        try:
            response = self._ask(host, method, path, body, delegate=delegate, key=key, timeout=_STREAM_S)
        except errors.OutcomeUnknown:
            if key is None:
                raise
            # The same key again does no harm: it attaches to the first, if that came to anything.
            response = self._ask(host, method, path, body, delegate=delegate, key=key, timeout=_STREAM_S)
        return self._events(host, response)

    def _events(self, host: str, response: requests.Response) -> Iterator[Event]:
        identifier = ""
        with response:
            try:
                for line in _lines(response):
                    event = cast(Event, json.loads(line))
                    identifier = event["transaction"]
                    if event.get("heartbeat"):
                        continue
                    yield event
                    if is_last(event):
                        return
            except (requests.RequestException, ValueError, KeyError, TypeError, OSError):
                pass
        raise errors.OutcomeUnknown(
            f"the connection to {host} ended before the outcome was known"
            + (f"; look with: ceo transactions show {identifier}" if identifier else ""), transaction=identifier,
        )

    def _ask(
        self, host: str, method: str, path: str, body: Json | None, *, timeout: float, delegate: bool = False, key: str | None = None,
    ) -> requests.Response:
        content = _content(body)
        try:
            target = gssapi.Name(f"ceod/{host}@{self.realm}", gssapi.NameType.kerberos_principal)
            auth = _Auth(
                mutual_authentication=requests_gssapi.REQUIRED, target_name=target, delegate=delegate,
                creds=self._credential() if self._credential else None, channel_bindings="tls-server-end-point",
            )
            headers = {"Content-Type": "application/json"} if content is not None else {}
            with connecting.session(self.ca) as session, self._waiting_for(host):
                self.has_written |= method != "GET" and not _is_rehearsal(path)
                response = session.request(
                    method, f"https://{host}:{self.port}{path}", data=content, auth=auth, stream=True, allow_redirects=False,
                    timeout=(_CONNECT_S, timeout), headers=headers | ({"Idempotency-Key": key} if key else {}),
                )
        except gssapi.exceptions.GSSError as error:
            raise errors.Unauthenticated(f"the Kerberos ticket can't be used, so run kinit: {gssapi_reason(error)}", host=host) from None
        except MutualAuthenticationError:
            raise errors.Unreachable(f"{host} could not prove that it is ceod; its answer is ignored", host=host) from None
        except requests.exceptions.InvalidURL as error:  # nothing was sent
            raise self._cut_off(host, error) from None
        except (requests.RequestException, OSError) as error:
            if method != "GET" and not _is_rehearsal(path):
                raise errors.OutcomeUnknown(f"the connection to {host} ended before it answered: {_reason(error)}", host=host) from None
            raise self._cut_off(host, error) from None
        if response.status_code == 200:
            return response
        with response:
            raise self._refusal(host, response, auth)

    @contextlib.contextmanager
    def _waiting_for(self, host: str) -> Iterator[None]:
        thread = threading.get_ident()
        self.waiting[thread] = host, time.monotonic()
        try:
            yield
        finally:
            self.waiting.pop(thread, None)

    def _cut_off(self, host: str, error: Exception) -> errors.Unreachable:
        if isinstance(error, requests.exceptions.InvalidURL):
            return errors.Unreachable(f"there is no host {host}", host=host)
        return errors.Unreachable(
            f"{host} does not answer on port {self.port}: {_reason(error)}", host=host
        )

    def _refusal(self, host: str, response: requests.Response, auth: _Auth) -> errors.CeoError:
        if auth.failure:
            return errors.Unauthenticated(f"Kerberos gave no ticket for ceod on {host}: {gssapi_reason(auth.failure)}", host=host)
        if 300 <= response.status_code < 400:
            return errors.Unreachable(f"{host} answered with a redirect, which ceod never does: it is not followed", host=host)
        try:
            told = json.loads(response.raw.read(_LINE_LIMIT, decode_content=True))
        except (ValueError, OSError):
            told = None
        if not isinstance(told, dict) or "code" not in told:
            return errors.Unreachable(f"{host} answered {response.status_code} without saying why", host=host)
        return errors.from_json(told)


def _is_rehearsal(path: str) -> bool:
    return _DRY_RUN in path.partition("?")[2].split("&")


def _rehearsed(told: Json) -> Event:
    """A rehearsal as an event; one that is not a Rehearsal stands in `rehearsal`."""
    told = told if told.get("dry_run") else {"rehearsal": told}
    return cast(Rehearsed, {"n": 1, "status": "rehearsed", "transaction": "", **told})


def _since(wished: float | None) -> str:
    return "" if wished is None else f"?wished={wished:.6f}"


def _content(body: Json | None) -> bytes | None:
    """A request's body.  Raises Invalid (what was typed is not UTF-8), TooLarge."""
    if body is None:
        return None
    try:
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        raise errors.Invalid("what was typed is not UTF-8") from None
    if len(content) > BODY_LIMIT:
        raise errors.TooLarge(
            f"the request has {len(content):,} bytes, and ceod takes {BODY_LIMIT:,} at most"
        )
    return content


def _part(text: str) -> str:
    """One segment of a path.  Raises NotFound: nothing has a name that would be another path."""
    if text in (".", "..", "") or "/" in text:
        raise errors.NotFound(f"there is no {text!r}: it can't be a name")
    return quote(text, safe="")


def _json_or_none(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _is_error(told: Any) -> TypeGuard[Json]:
    """Whether a line of a list is the error that ended it."""
    return isinstance(told, dict) and {"error", "code", "problems"} <= told.keys()


def _is_end(told: Any) -> bool:
    """Whether a line is the last of a stream: of a transaction's, or of a list's."""
    return isinstance(told, dict) and ("complete" in told or told.get("status", "in progress") != "in progress")


def _lines(response: requests.Response) -> Iterator[bytes]:
    """Lines as they come, none longer than the limit."""
    rest = b""
    for chunk in response.iter_content(chunk_size=None):
        rest += chunk
        *whole, rest = rest.split(b"\n")
        yield from (line for line in whole if line)
        if len(rest) > _LINE_LIMIT:
            raise errors.OutcomeUnknown("a line of the answer is too long to be ceod's")


def _reason(error: Exception) -> str:
    """The innermost words of requests' nested errors."""
    text = str(error)
    found = re.search(r"\[SSL: [^\]]*\] ([^(]*)|Errno \d+\] ([^'\")]*)|(timed out|closed connection)", text)
    return next((part.strip() for part in found.groups() if part), text) if found else type(error).__name__
