"""What every command has at hand: the configuration, a session with a ticket, and the client."""

from __future__ import annotations

import os
import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click

from ceo.session import Session
from ceo_common.client_config import CLIENT_FILE, load_client
from ceo_common.client_config import Client as Settings
from ceo_common.errors import NotFound, Unauthenticated
from ceo_common.krb5 import tickets
from ceo_common.text import shown

if TYPE_CHECKING:
    from ceo_common.client import Client

TRIES = 3


class Context:
    """One run of the command line; what it needs is read when it is first needed."""

    may_write = False  # whether the command is one that changes something, and no dry run
    result: dict[str, Any] | None = None  # of the change, once it was made

    @property
    def wrote(self) -> bool:
        """Whether a request that changes something was sent."""
        return "client" in self.__dict__ and self.client.has_written

    @cached_property
    def settings(self) -> Settings:
        """The configuration.  Raises ConfigError."""
        return load_client(os.environ.get("CEO_CONFIG") or CLIENT_FILE)

    @cached_property
    def session(self) -> Session:
        """Who it is."""
        return Session(self.settings)

    @cached_property
    def client(self) -> Client:
        """The client, with a ticket.  Raises Unauthenticated."""
        self._have_ticket()
        client = self.session.client()
        client.on_broken = _note_broken
        return client

    def host(self, name: str) -> str:
        """The host of the configuration that has this name, whole or short.  Raises NotFound."""
        known = self.settings.hosts.all()
        wanted = name.lower().rstrip(".")
        for host in known:
            if wanted in (host, host.partition(".")[0]):
                return host
        raise NotFound(f"there is no host {name}; there are: {', '.join(known)}")

    @property
    def principal(self) -> str:
        """Whose ticket it is.  Raises Unauthenticated."""
        self._have_ticket()
        assert self.session.ticket
        return self.session.ticket.client

    def _have_ticket(self) -> None:
        if self.session.ticket is None and not self.session.find():
            self._ask_for_ticket()

    def _ask_for_ticket(self) -> None:
        """Like kinit: the ticket stays in the default cache."""
        if not sys.stdin.isatty():
            raise Unauthenticated("there is no Kerberos ticket: run kinit first")
        name = self.session.name or click.prompt("Username", err=True)
        try:
            self._try_passwords(name)
        except tickets.NotAdmitted as error:
            raise Unauthenticated(str(error)) from None

    def _try_passwords(self, name: str) -> None:
        for _ in range(TRIES):
            password = click.prompt(f"Password for {name}@{self.settings.realm}", hide_input=True, err=True)
            try:
                self.session.get(name, password)
                return
            except tickets.PasswordExpired:
                click.echo("Your password has to be changed.", err=True)
                self._change(name, password)
                return
            except tickets.WrongPassword as error:
                click.echo(f"ceo: {error}", err=True)
        raise Unauthenticated("there is no ticket, because no right password was typed")

    def _change(self, name: str, old: str) -> None:
        for _ in range(TRIES):
            new = click.prompt("New password", hide_input=True, confirmation_prompt=True, err=True)
            try:
                self.session.change_password(name, old, new)
            except tickets.PasswordRefused as error:
                for line in str(error).splitlines():
                    click.echo(f"ceo: {shown(line)}", err=True)
                continue
            except tickets.WrongPassword as error:
                raise Unauthenticated(str(error)) from None
            try:
                self.session.get(name, new)
            except (tickets.WrongPassword, tickets.PasswordExpired):
                raise Unauthenticated("the password is changed, but the KDC does not accept it yet: try again in a moment") from None
            return
        raise Unauthenticated("the password was not changed")


def _note_broken(count: int) -> None:
    entries = (
        "1 entry of the directory is" if count == 1 else f"{count} entries of the directory are"
    )
    click.echo(
        f"Note: {entries} broken and left out; ceo doctor --directory says what is wrong", err=True
    )


pass_context = click.make_pass_decorator(Context)
