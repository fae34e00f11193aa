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
    """GET /api/mailman/UID.  `left` are lists that the account was taken off, by ceo, as the last that was wished."""

    uid: str
    lists: list[str]
    left: list[str]


class Unsubscribe(Wire):
    """DELETE /api/mailman/LIST."""

    uids: list[Text] = Field(max_length=1000)


class Unsubscribed(Wire):
    """How many were removed from the list, and who asked to be on it since."""

    list: str
    uids: int
    overtaken: tuple[str, ...] = ()
