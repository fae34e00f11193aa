"""Databases of accounts over the wire."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from ceo_common.model.wire import Username, Wire


class Databases(Wire):
    """GET /api/db/UID: which an account has.  `unlimited` are those that take any number of connections from it."""

    uid: str
    mysql: bool
    postgresql: bool
    unlimited: list[Literal["mysql", "postgresql"]] = Field(default_factory=list)


class AllDatabases(Wire):
    """GET /api/db: the names of databases and of users, the servers' own left out."""

    mysql: list[str]
    postgresql: list[str]


class DatabaseInfo(Wire):
    """PUT /api/homes/UID/database-info: the values that the file in the home shows."""

    kind: Literal["mysql", "postgresql"]
    # Rust's $ is the very end of the text, unlike Python's.
    host: Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]{1,253}$")]
    database: Username
    username: Username
    password: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{16,64}$")] = Field(repr=False)


class Written(Wire):
    """The path of the file."""

    path: str


class Logins(Wire):
    """POST /api/db/UID/logins: the passwords in the files of a home, by the kind of server."""

    mysql: Annotated[str, StringConstraints(max_length=256)] | None = Field(None, repr=False)
    postgresql: Annotated[str, StringConstraints(max_length=256)] | None = Field(None, repr=False)


class LoginsTried(Wire):
    """Whether each is the account's password; null where none was sent, or the server does not tell."""

    mysql: bool | None
    postgresql: bool | None
