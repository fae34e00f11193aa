"""The password box: a ticket for the menu alone; an expired password is changed here."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import urwid

from ceo.tui.screen import Field, Form, Screen
from ceo_common.errors import CeoError, Forbidden, Invalid, Unauthenticated
from ceo_common.krb5 import tickets

if TYPE_CHECKING:
    from ceo.tui.app import App

TRIES = 3


class Login(Screen):
    """Asks for username and password; three tries."""

    title = "Sign in"
    hint = "Enter sign in   Esc leave"

    def __init__(self, app: App, following: Screen) -> None:
        super().__init__(app)
        self.following = following
        self.tries = 0
        self.fields = {"name": Field("Username", app.session.name), "password": Field("Password", mask="*")}
        head = [urwid.Text(("heading", "You have no Kerberos ticket.")), urwid.Divider()]
        self.form = Form(self.fields, self.accept, head=head)
        self.form.walker.set_focus(len(head) + 1)
        self.body = self.form

    def accept(self) -> None:
        """Try it."""
        name, password = self.fields["name"].text, self.fields["password"].text
        self.fields["password"].fill("")
        self.form.complain({"password": "one moment ..."})
        self.app.work(partial(self._get, name, password), self._done, self._failed)

    def _get(self, name: str, password: str) -> tuple[str, str] | None:
        """None, or the name and the expired password."""
        try:
            self.app.session.get(name, password)
        except tickets.PasswordExpired:
            return name, password
        except tickets.WrongPassword as error:
            raise Unauthenticated(str(error)) from None
        return None

    def _done(self, expired: tuple[str, str] | None) -> None:
        self.app.replace(ChangePassword(self.app, self.following, *expired) if expired else self.following)

    def _failed(self, error: CeoError) -> None:
        self.tries += isinstance(error, Unauthenticated)
        if self.tries >= TRIES:
            raise urwid.ExitMainLoop
        self.form.complain({"password": error.message})


class ChangePassword(Screen):
    """A new password for an expired one."""

    title = "Change password"
    hint = "Enter change it   Esc leave"

    def __init__(self, app: App, following: Screen, name: str, old: str) -> None:
        super().__init__(app)
        self.following, self.name, self.old = following, name, old
        self.fields = {"new": Field("New password", mask="*"), "again": Field("The same again", mask="*")}
        head = [urwid.Text(("heading", "Your password has to be changed.")), urwid.Divider()]
        self.form = Form(self.fields, self.accept, head=head)
        self.body = self.form

    def accept(self) -> None:
        """Change it if both are the same."""
        new, again = self.fields["new"].text, self.fields["again"].text
        if not new or new != again:
            self.form.complain({"again": "the two are not the same"} if new else {"new": "a password is needed"})
            return
        self.form.complain({"again": "one moment ..."})
        self.app.work(partial(self._change, new), lambda _: self.app.replace(self.following), self._failed)

    def _change(self, new: str) -> None:
        try:
            self.app.session.change_password(self.name, self.old, new)
        except tickets.PasswordRefused as error:
            raise Invalid(f"the KDC refused it: {error}") from None
        except tickets.WrongPassword as error:
            raise Forbidden(str(error)) from None

    def _failed(self, error: CeoError) -> None:
        self.form.complain({"new": error.message})
