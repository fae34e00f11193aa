"""The client's configuration, and how a configuration is read from TOML: every problem at once, each named with its file and line.

The daemon's is in ceo_common.config: making its dozen of dataclasses takes each `ceo` command a hundredth of a second.
What a comment `#:` says of a key stands in the manual too; unlike an annotation or field(metadata=...) it costs nothing at import.
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

CLIENT_FILE = "/etc/csc/ceo.toml"

T = TypeVar("T")


class ConfigError(Exception):
    """The configuration can't be used; the text has a line for each problem."""


@dataclass(frozen=True)
class Hosts:
    """Which host (its full name) has which role."""

    admin: str  #: the host that writes the directory, Kerberos and home directories
    mail: str  #: the host of the mailing lists
    database: str  #: the host of MySQL and PostgreSQL
    library: str  #: the host of the library's database

    def of(self, role: str) -> str:
        """The host of a role."""
        return str(getattr(self, role))

    def all(self) -> list[str]:
        """Every host once."""
        return list(dict.fromkeys((self.admin, self.mail, self.database, self.library)))


@dataclass(frozen=True)
class Client:
    """/etc/csc/ceo.toml."""

    realm: str  #: the Kerberos realm
    domain: str  #: the club's mail domain: an account's address is UID@domain
    hosts: Hosts
    ca: str = "/etc/ssl/certs/ca-certificates.crt"  #: the CA of the hosts' certificates, a PEM file
    port: int = 9987  #: where ceod listens on each host
    time_zone: str = "America/Toronto"  #: terms begin and end at its midnight
    fee_per_term: int = 2  #: dollars that a member pays for a term
    lock_after_min: int = 15  #: minutes without a key after which the menu asks for the password; 0 for never


class Reader:
    """Turns a table into a dataclass and collects what is wrong."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.lines = text.splitlines()
        self.problems: list[str] = []

    def problem(self, where: list[str], text: str) -> None:
        """Note a problem at the line where the last key of `where` stands in its table, or else at the table."""
        self.problems.append(f"{self.path}:{self._line(where)}: {text}")

    def _line(self, where: list[str]) -> int:
        table, found = ".".join(where[:-1]), 1
        inside = not table
        for number, line in enumerate(self.lines, 1):
            if header := re.match(r"\s*\[([^\[\]]+)\]", line):
                inside = header[1].strip() == table
                found = number if inside else found
            elif inside and where and re.match(rf"\s*{re.escape(where[-1])}\s*=", line):
                return number
        return found

    def read(self, cls: type[T], table: Mapping[str, Any], where: list[str]) -> T | None:
        """The dataclass, or None where something is wrong with it."""
        hints = typing.get_type_hints(cls)
        fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
        before, values = len(self.problems), {}
        for key in table:
            if key not in fields:
                self.problem([*where, key], f"unknown key {'.'.join([*where, key])!r}; known: {', '.join(sorted(fields))}")
        for name, spec in fields.items():
            if name in table:
                values[name] = self._value(hints[name], table[name], [*where, name])
            elif spec.default is dataclasses.MISSING and spec.default_factory is dataclasses.MISSING:
                self.problem([*where, name], f"{'.'.join([*where, name])} is missing")
        return cls(**values) if len(self.problems) == before else None

    def _value(self, hint: Any, value: Any, where: list[str]) -> Any:
        if isinstance(hint, types.UnionType):
            hint = next(a for a in typing.get_args(hint) if a is not types.NoneType)
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            if isinstance(value, dict):
                return self.read(hint, value, where)
            self.problem(where, f"{'.'.join(where)} has to be a table")
        elif typing.get_origin(hint) is list:
            if isinstance(value, list) and all(isinstance(v, str) for v in value):
                return value
            self.problem(where, f"{'.'.join(where)} has to be a list of texts")
        elif typing.get_origin(hint) is dict:
            if isinstance(value, dict) and all(isinstance(v, list) and all(isinstance(t, str) for t in v) for v in value.values()):
                return value
            self.problem(where, f"{'.'.join(where)} has to be a table of lists of texts")
        elif type(value) is not hint:
            kind = {str: "a text", int: "a whole number", bool: "true or false"}[hint]
            self.problem(where, f"{'.'.join(where)} has to be {kind}")
        elif value == "" and where[-1] not in ("password", "ca"):
            self.problem(where, f"{'.'.join(where)} is empty")
        return value

    def finish(self) -> None:
        """Raise ConfigError if anything was wrong."""
        if self.problems:
            raise ConfigError("\n".join(self.problems))


def load(path: str, cls: type[T]) -> tuple[Reader, T]:
    """What the file says, and its reader, which takes further problems.  Raises ConfigError."""
    place = Path(path)
    try:
        text = place.read_text()
        table = tomllib.loads(text)
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}") from None
    reader = Reader(place, text)
    read = reader.read(cls, table, [])
    reader.finish()
    assert read is not None
    return reader, read


def load_client(path: str = CLIENT_FILE) -> Client:
    """The client's configuration.  Raises ConfigError."""
    reader, settings = load(path, Client)
    if not Path(settings.ca).is_file():
        # requests would take an empty name for "verify nothing".
        reader.problem(["ca"], f"ca: there is no file {settings.ca!r}")
    reader.finish()
    return settings
