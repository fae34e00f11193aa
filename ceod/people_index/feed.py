"""Keeps the index current: python -m ceod.people_index.feed FOLDER URI CA BASE FD.

It reads the whole directory into a new file and then follows its changes (RFC 4533, refresh and
persist).  It keeps no cookie: whatever ends it, the next one reads everything again, so nothing
can be missed that a directory put back from a backup, or a cookie of another one, would hide.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

import gssapi
import ldap
from gssapi.raw import import_cred
from ldap.syncrepl import SyncreplConsumer

from ceo_common.config import Ldap
from ceo_common.errors import BackendDown, CeoError
from ceod.helpers import wire
from ceod.people_index import store
from ceod.services import ldap_names as names
from ceod.services.entry import Person
from ceod.services.ldap_connection import bind, entry_of

_LOOK_UP_S = 0.5  # from the directory, to see whether anybody still wants the feed
_BATCH_S = 0.05  # changes of so long are committed together
_QUIET_S = 0.001
_REFRESH_S = 60.0  # without a word from a directory that is asked for everything
_UNWANTED = "nobody wants it any more"


class Consumer(SyncreplConsumer):  # type: ignore[misc]
    """Puts what the directory sends into a store."""

    def __init__(self, raw: Any, people: str, target: store.Store) -> None:
        self._raw = raw
        self._people = people
        self._store = target
        self.csns: store.Csns = {}
        self.is_refreshed = False

    def search_ext(self, *arguments: Any, **more: Any) -> Any:
        """As SyncreplConsumer asks for it."""
        return self._raw.search_ext(*arguments, **more)

    def result4(self, **arguments: Any) -> Any:
        """As SyncreplConsumer asks for it."""
        return self._raw.result4(**arguments)

    def syncrepl_get_cookie(self) -> None:
        """None: everything is read again."""

    def syncrepl_set_cookie(self, cookie: str) -> None:
        """Note the changes that are in the store by now: rid=...,sid=...,csn=CSN;CSN."""
        for part in cookie.split(","):
            name, _, value = part.partition("=")
            if name == "csn":
                for server, csn in store.csns_in(value.split(";")).items():
                    self.csns[server] = max(self.csns.get(server, ""), csn)

    def syncrepl_entry(self, dn: str, attributes: dict[str, list[bytes]], entry_uuid: str) -> None:
        """An entry is new or changed."""
        if names.is_child(dn, self._people):
            uid = names.child_value(dn, "uid", self._people)
            self._store.put(entry_uuid, Person(dn, uid, entry_of(attributes)))
        elif self.is_refreshed:
            self._store.remove(entry_uuid)  # it may have been an account under another name

    def syncrepl_delete(self, uuids: list[str]) -> None:
        """Entries are gone."""
        for entry_uuid in uuids:
            self._store.remove(entry_uuid)

    def syncrepl_refreshdone(self) -> None:
        """Everything is here."""
        self.is_refreshed = True


class Feed:
    """One connection to the directory, followed until it or the wish for it ends."""

    def __init__(self, folder: Path, settings: Ldap, channel: socket.socket) -> None:
        self._folder = folder
        self._settings = settings
        self._channel = channel

    def follow(self, credential: bytes, seconds: float) -> wire.Message:
        """Build a file and keep it current for so long; why it ended, and what was done."""
        began = time.monotonic()
        try:
            connection = bind(self._settings, gssapi.Credentials(import_cred(credential)))
            with contextlib.closing(connection), connection.raw("follow its changes") as raw:
                return self._follow(raw, began + seconds)
        except CeoError as error:
            return {"ended": error.message}
        except (sqlite3.Error, OSError) as error:
            return {"ended": f"the file can't be written: {error}"}

    def _follow(self, raw: Any, until: float) -> wire.Message:
        with contextlib.closing(store.Store(self._folder)) as target:
            consumer = Consumer(raw, f"ou=People,{self._settings.base}", target)
            number = consumer.syncrepl_search(
                self._settings.base,
                ldap.SCOPE_SUBTREE,
                mode="refreshAndPersist",
                filterstr="(objectClass=*)",
                attrlist=list(store.ATTRIBUTES),
            )
            heard = time.monotonic()
            while not consumer.is_refreshed:
                if self._receive(consumer, number):
                    heard = time.monotonic()
                elif time.monotonic() - heard > _REFRESH_S:
                    return {"ended": "the directory (LDAP) does not answer"}
                if self._is_alone():
                    return {"ended": _UNWANTED}
            target.publish(consumer.csns)
            while time.monotonic() < until:
                if self._receive(consumer, number):
                    target.commit(consumer.csns)
                if self._is_alone():
                    return {"ended": _UNWANTED}
                if not target.is_current:
                    return {"ended": "its file is gone or damaged"}
            return {"ended": ""}

    def _receive(self, consumer: Consumer, number: int) -> bool:
        """What comes in a moment; False where nothing does.  Raises BackendDown (it was the last)."""
        try:
            goes_on = consumer.syncrepl_poll(number, timeout=_LOOK_UP_S)
        except ldap.TIMEOUT:
            return False
        until = time.monotonic() + _BATCH_S
        with contextlib.suppress(ldap.TIMEOUT):
            while goes_on and time.monotonic() < until:
                goes_on = consumer.syncrepl_poll(number, timeout=_QUIET_S)
        if not goes_on:
            raise BackendDown("the directory (LDAP) ended the search", backend="ldap")
        return True

    def _is_alone(self) -> bool:
        """Whether the worker is gone."""
        try:
            return not self._channel.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True


def main(arguments: list[str]) -> None:
    """Follow whenever the worker asks for it, until the worker is gone."""
    wire.keep_out_of_cores()
    os.umask(0o077)
    folder, uri, ca, base, channel_number = arguments
    channel = socket.socket(fileno=int(channel_number))
    feed = Feed(Path(folder), Ldap(uri, base, ca), channel)
    with contextlib.suppress(EOFError, OSError):
        wire.send(channel, {"ready": True})
        while True:
            request = wire.receive(channel)
            wire.send(channel, feed.follow(request["credential"], request["seconds"]))


if __name__ == "__main__":
    main(sys.argv[1:])
