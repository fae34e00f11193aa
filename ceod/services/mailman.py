"""Mailman 3, by its REST API on this host's loopback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError

import mailmanclient

from ceo_common.config import Mailman as Settings
from ceo_common.deadline import OPERATION_S, within
from ceo_common.errors import BackendDown, Exists, NotFound

BACKEND = "mailman"


class _Conflict(Exception):
    """What was asked for is so already; the text is Mailman's."""


class Mailman:
    """Lists and their members."""

    def __init__(self, settings: Settings, domain: str) -> None:
        self.domain = domain
        self.url = settings.url
        self._client = mailmanclient.Client(settings.url, settings.user, settings.password)

    def subscribe(self, list_name: str, address: str, *, approved: bool = True) -> bool:
        """Subscribe an address without asking it first; False when a moderator of the list has to agree yet.

        `approved` is the word of one who needs not ask.  Raises NotFound, Exists (on it, or waiting for the moderator), BackendDown.
        """
        def subscribe() -> bool:
            found = self._list(list_name).subscribe(
                address, pre_verified=True, pre_confirmed=True, pre_approved=approved, send_welcome_message=False)
            return not isinstance(found, dict)  # a dictionary holds the token of a request that waits

        try:
            return bool(self._do(subscribe))
        except _Conflict as error:
            if "pending" in str(error):
                raise Exists(f"the moderator of the list {list_name} was asked already whether {address} may join") from None
            raise Exists(f"{address} is on the list {list_name} already") from None

    def check_joining(self, list_name: str, address: str, *, approved: bool = True) -> None:
        """Raises what subscribe() would."""
        def look() -> bool:
            found = self._list(list_name)
            return not approved and any(asked["email"] == address for asked in found.requests)

        waits = self._do(look)
        if self.is_on(list_name, address):
            raise Exists(f"{address} is on the list {list_name} already")
        if waits:
            raise Exists(f"the moderator of the list {list_name} was asked already whether {address} may join")

    def check_list(self, list_name: str) -> None:
        """Raises NotFound (no such list), BackendDown."""
        self._do(lambda: self._list(list_name))

    def is_on(self, list_name: str, address: str) -> bool:
        """Whether an address is on a list.  Raises NotFound (no such list), BackendDown."""
        return bool(self._do(lambda: self._list(list_name).is_member(address)))

    def unsubscribe(self, list_name: str, address: str) -> None:
        """Take an address off a list.  Raises NotFound (no such list, or not on it), BackendDown."""
        self._left(list_name, address, address in self.unsubscribe_all(list_name, [address]))

    def check_leaving(self, list_name: str, address: str) -> None:
        """Raises what unsubscribe() would."""
        self._left(list_name, address, self.is_on(list_name, address))

    def _left(self, list_name: str, address: str, was_there: bool) -> None:
        if not was_there:
            raise NotFound(f"{address} is not on the list {list_name}")

    def unsubscribe_all(self, list_name: str, addresses: list[str]) -> set[str]:
        """Take addresses off a list, without a mail to each; those that were on it.  Raises NotFound (no such list), BackendDown."""
        told = self._do(lambda: self._list(list_name).mass_unsubscribe(addresses)) if addresses else {}
        return {address for address, was_there in (told or {}).items() if was_there is True}

    def lists_of(self, address: str) -> list[str]:
        """The lists of ours that an address is on, by name.  Raises BackendDown."""
        found = self._do(lambda: self._client.find_lists(address, role="member"), unless=404)
        return sorted(item.list_name for item in found or [] if item.mail_host == self.domain)

    def _list(self, name: str) -> Any:
        try:
            return self._client.get_list(f"{name}@{self.domain}")
        except HTTPError as error:
            if error.code == 404:
                raise NotFound(f"there is no list {name}") from None
            raise

    def _do(self, call: Callable[[], Any], unless: int | None = None) -> Any:
        """Within the time limit; None where Mailman answers with the status `unless`.  Raises _Conflict (409), BackendDown."""
        try:
            return within(OPERATION_S, BACKEND, call)
        except HTTPError as error:
            if error.code == unless:
                return None
            if error.code == 409:
                raise _Conflict(error.msg) from None
            raise BackendDown(f"Mailman answered with {error.code}: {error.msg}", backend=BACKEND) from None
        except (mailmanclient.MailmanConnectionError, OSError):
            raise BackendDown(f"Mailman does not answer on {self.url}", backend=BACKEND) from None
        except ValueError as error:  # mailmanclient's word for some HTTP errors
            raise BackendDown(f"Mailman does not answer as it should: {error}", backend=BACKEND) from None

    def ping(self) -> None:
        """One round trip.  Raises BackendDown."""
        self._do(lambda: self._client.system["mailman_version"])
