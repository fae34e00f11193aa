"""Mailman 3, by its REST API on this host's loopback."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError

from mailmanclient import Client, MailmanConnectionError

from ceo_common.config import Mailman as Settings
from ceo_common.deadline import CONNECT_S, OPERATION_S, within
from ceo_common.errors import BackendDown, Exists, NotFound, WrongState

BACKEND = "mailman"
# Mailman's own words of what it will never do; it answers with 400 to what it stumbles over, too, and that may pass.
_REFUSALS = {"Membership is banned": "is banned from", "List posting address cannot subscribe": "is itself the address of"}
_MODERATED = ("moderate", "confirm_then_moderate")  # Mailman's names of policies
# None is for no proxy, whatever the environment says: it would be given Mailman's password.
_NO_PROXIES = {"http": None, "https": None, "all": None}


class _Conflict(Exception):
    """What was asked for is so already; the text is Mailman's."""


class _Refused(Exception):
    """One of _REFUSALS."""


@dataclass(frozen=True)
class MailingList:
    """A list, and how many addresses are on it."""

    name: str
    members: int


class Mailman:
    """Lists and their members."""

    def __init__(self, settings: Settings, domain: str) -> None:
        self.domain = domain
        self.url = settings.url
        self.settings = settings

    def subscribe(self, list_name: str, address: str, *, approved: bool = True) -> bool:
        """Subscribe an address without asking it first; False when a moderator of the list has to agree yet.

        `approved` is the word of one who needs not ask.
        Raises NotFound, Exists (on it, or waiting for the moderator), WrongState (never to be on it), BackendDown.
        """
        def subscribe(client: Client) -> bool:
            found = self._list(client, list_name).subscribe(
                address, pre_verified=True, pre_confirmed=True, pre_approved=approved, send_welcome_message=False)
            return not isinstance(found, dict)  # a dictionary holds the token of a request that waits

        try:
            return bool(self._do(subscribe))
        except _Conflict as error:
            if "pending" in str(error):
                raise Exists(
                    f"the moderator of the list {list_name} was asked already whether {address} may join",
                    held=True,
                ) from None
            raise Exists(f"{address} is on the list {list_name} already") from None
        except _Refused as error:
            raise WrongState(f"{address} {_REFUSALS[str(error)]} the list {list_name}") from None

    def check_joining(self, list_name: str, address: str, *, approved: bool = True) -> bool:
        """What subscribe() would return.  Raises what it would."""
        def look(client: Client) -> tuple[bool, bool]:
            mailing_list = self._list(client, list_name)
            if approved:
                return False, False
            waits = any(asked["email"] == address for asked in mailing_list.requests)
            return waits, mailing_list.settings["subscription_policy"] in _MODERATED

        waits, is_moderated = self._do(look)
        if self.is_on(list_name, address):
            raise Exists(f"{address} is on the list {list_name} already")
        if waits:
            raise Exists(f"the moderator of the list {list_name} was asked already whether {address} may join")
        return not is_moderated

    def list_names(self) -> list[str]:
        """The names of the lists of ours.  Raises BackendDown."""
        found = self._do(lambda client: list(client.lists))
        return sorted(item.list_name for item in found if item.mail_host == self.domain)

    def waiting_lists(self, address: str) -> list[str]:
        """The lists of ours whose moderator was asked whether an address may join.

        Raises BackendDown.
        """

        def look(client: Client) -> list[str]:
            ours = [item for item in client.lists if item.mail_host == self.domain]
            return sorted(
                item.list_name
                for item in ours
                if any(request["email"] == address for request in item.requests)
            )

        return list(self._do(look))

    def all_lists(self, *, advertised: bool = False) -> list[MailingList]:
        """The lists of ours, by name; with `advertised` without those that Mailman shows to nobody.

        Raises BackendDown.
        """
        found = self._do(lambda client: list(client.get_lists(advertised=advertised)))
        ours = [item for item in found if item.mail_host == self.domain]
        rows = [MailingList(item.list_name, int(item.member_count)) for item in ours]
        return sorted(rows, key=lambda row: row.name)

    def addresses_on(self, list_name: str) -> set[str]:
        """Every address on a list, in small letters.  Raises NotFound (no such list), BackendDown."""

        def look(client: Client) -> set[str]:
            roster = self._list(client, list_name).get_roster("member", fields=["email"])
            return {member.email.lower() for member in roster}

        return set(self._do(look))

    def is_on(self, list_name: str, address: str) -> bool:
        """Whether an address is on a list.  Raises NotFound (no such list), BackendDown."""
        return bool(self._do(lambda client: self._list(client, list_name).is_member(address)))

    def check_leaving(self, list_name: str, address: str) -> None:
        """Raises NotFound (no such list, or not on it), BackendDown."""
        if not self.is_on(list_name, address):
            raise NotFound(f"{address} is not on the list {list_name}")

    def unsubscribe_all(self, list_name: str, addresses: list[str]) -> set[str]:
        """Take addresses off a list, without a mail to each; those that were on it.  Raises NotFound (no such list), BackendDown."""
        told = self._do(lambda client: self._list(client, list_name).mass_unsubscribe(addresses)) if addresses else {}
        return {address for address, was_there in (told or {}).items() if was_there is True}

    def lists_of(self, address: str) -> list[str]:
        """The lists of ours that an address is on, by name.  Raises BackendDown."""
        found = self._do(lambda client: client.find_lists(address, role="member"), unless=404)
        return sorted(item.list_name for item in found or [] if item.mail_host == self.domain)

    def _list(self, client: Client, name: str) -> Any:
        try:
            return client.get_list(f"{name}@{self.domain}")
        except HTTPError as error:
            if error.code == 404:
                raise NotFound(f"there is no list {name}") from None
            raise

    def _do(self, call: Callable[[Client], Any], unless: int | None = None) -> Any:
        """Within the time limit; None where Mailman answers with the status `unless`.  Raises _Conflict (409), _Refused, BackendDown."""
        until = time.monotonic() + OPERATION_S

        def limited(request: dict[str, Any]) -> dict[str, Any]:
            # Whoever waited is told at `until` that it was not done: what is left below zero is a timeout that requests refuses to begin with.
            left = until - time.monotonic()
            return request | {"timeout": (min(CONNECT_S, left), left), "proxies": _NO_PROXIES}

        client = Client(self.settings.url, self.settings.user, self.settings.password, request_hooks=[limited])
        try:
            return within(OPERATION_S, BACKEND, lambda: call(client))
        except HTTPError as error:
            if error.code == unless:
                return None
            if error.code == 409:
                raise _Conflict(error.msg) from None
            if error.code == 400 and error.msg in _REFUSALS:
                raise _Refused(error.msg) from None
            raise BackendDown(f"Mailman answered with {error.code}: {error.msg}", backend=BACKEND) from None
        except (MailmanConnectionError, OSError):
            raise BackendDown(f"Mailman does not answer on {self.url}", backend=BACKEND) from None
        except ValueError as error:  # mailmanclient's word for some HTTP errors
            raise BackendDown(f"Mailman does not answer as it should: {error}", backend=BACKEND) from None

    def ping(self) -> None:
        """One round trip.  Raises BackendDown."""
        self._do(lambda client: client.system["mailman_version"])
