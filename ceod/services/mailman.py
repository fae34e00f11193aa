"""Mailman 3, by its REST API on this host's loopback."""

from __future__ import annotations

from urllib.error import HTTPError

import mailmanclient

from ceo_common.config import Mailman as Settings
from ceo_common.deadline import OPERATION_S, within
from ceo_common.errors import BackendDown, Exists, NotFound

BACKEND = "mailman"


class Mailman:
    """Lists and their members."""

    def __init__(self, settings: Settings, domain: str) -> None:
        self.domain = domain
        self._client = mailmanclient.Client(settings.url, settings.user, settings.password)

    def subscribe(self, list_name: str, address: str) -> None:
        """Subscribe an address without asking it first.  Raises NotFound, Exists, BackendDown."""
        within(OPERATION_S, BACKEND, lambda: self._subscribe(list_name, address))

    def _subscribe(self, list_name: str, address: str) -> None:
        try:
            found = self._client.get_list(f"{list_name}@{self.domain}")
        except HTTPError as error:
            if error.code == 404:
                raise NotFound(f"there is no list {list_name}") from None
            raise _down(error) from None
        except (mailmanclient.MailmanConnectionError, OSError) as error:
            raise _down(error) from None
        try:
            found.subscribe(address, pre_verified=True, pre_confirmed=True, pre_approved=True, send_welcome_message=False)
        except HTTPError as error:
            if error.code == 409:
                raise Exists(f"{address} is on the list {list_name} already") from None
            raise _down(error) from None
        except (mailmanclient.MailmanConnectionError, OSError) as error:
            raise _down(error) from None

    def ping(self) -> None:
        """One round trip.  Raises BackendDown."""
        try:
            within(OPERATION_S, BACKEND, lambda: self._client.system["mailman_version"])
        except (HTTPError, mailmanclient.MailmanConnectionError, OSError) as error:
            raise _down(error) from None


def _down(error: Exception) -> BackendDown:
    return BackendDown(f"Mailman does not answer as it should: {error}", backend=BACKEND)
