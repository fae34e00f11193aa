"""What ceod says of itself and of its caller."""

from __future__ import annotations

from pydantic import Field

from ceo_common.model.wire import Text, Wire


class Backend(Wire):
    """One server behind a ceod."""

    up: bool
    ms: float | None = None
    error: str | None = None


class Health(Wire):
    """GET /api/health: with a ticket, all of it."""

    up: bool
    host: str | None = None
    roles: list[str] | None = None
    backends: dict[str, Backend] | None = None


class WhoAmI(Wire):
    """GET /api/whoami."""

    principal: str
    uid: str | None
    host: str | None
    standing: list[str]


class Subscription(Wire):
    """POST and DELETE /api/mailman/LIST/UID."""

    list: str
    uid: str
    subscribed: bool
    held: bool = False  # until a moderator of the list agrees


class Subscriptions(Wire):
    """GET /api/mailman/UID.  `waiting` are lists whose moderator has to agree, null if not asked for."""

    uid: str
    lists: list[str]
    waiting: list[str] | None = None


class MailNames(Wire):
    """GET /api/mail/names: the names before the @ that mail of the club's domain knows."""

    lists: list[str]  # mailing lists, also those that were made by hand
    aliases: list[str]  # of the mail server


class MailingList(Wire):
    """One mailing list; `groups` are those that it follows from."""

    list: str
    members: int  # how many addresses
    groups: tuple[str, ...]


class MailingLists(Wire):
    """GET /api/mailman: every list, by its name."""

    lists: tuple[MailingList, ...]


class Unsubscribe(Wire):
    """DELETE /api/mailman/LIST."""

    uids: list[Text] = Field(max_length=1000)


class Unsubscribed(Wire):
    """How many were removed from the list, and who asked to be on it since."""

    list: str
    uids: int
    overtaken: tuple[str, ...] = ()
