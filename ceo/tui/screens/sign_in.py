"""The password box: a ticket for the menu alone, an expired password changed, a locked screen opened."""

from __future__ import annotations

from functools import partial

from ceo.tui import keys
from ceo.tui.app import App
from ceo.tui.screen import Screen
from ceo.tui.widgets.form import Field, Form
from ceo_common.errors import CeoError, Invalid, Unauthenticated
from ceo_common.krb5 import tickets

TRIES = 3


class SignIn(Screen):
    """Asks who and the password at the start; when a ticket ends in the middle, only the password.  Three tries at the start."""

    title = "Sign in"
    about = "Your Kerberos password gets a ticket that only this menu can use.  It is not kept."
    locked = True

    def __init__(self, app: App) -> None:
        super().__init__(app)
        self.tries = 0
        self.name = app.operator  # who goes on, when a ticket has ended
        password = {"password": Field("Password", mask="*")}
        fields = password if self.name else {"name": Field("Username", app.session.name), **password}
        self.form = Form(fields, self._accept, head=self.head())
        self.form.go_to("password")
        self.body = self.form
        self.bindings = self.ways_out()
        self._busy = False

    def head(self) -> list[tuple[str, str]]:
        """What is said above the fields."""
        ended = f"The ticket of {self.name} has ended.  With the password you go on where you were."
        if self.name:
            return [("heading", ended)]
        return [("heading", "You have no Kerberos ticket."), ("hint", "Sign in with your club password to get one.")]

    def ways_out(self) -> dict[keys.Key, keys.Action]:
        """At the start there is nothing to go back to; later there is nothing to do without a ticket."""
        return {keys.QUIT: self.app.leave} if self.name else {keys.QUIT: self.app.leave, keys.BACK: self.app.leave}

    def _accept(self) -> None:
        name, password = self.name or self.form.text("name"), self.form.text("password")
        if self._busy:
            return
        self.form.fields["password"].fill("")
        if not password:
            self.form.complain({"password": "a password is needed"})
            return
        self._wait(True)
        self.app.workers.start(partial(self._get, name, password), self._got, self._refused)

    def _get(self, name: str, password: str) -> tuple[str, str] | None:
        """None, or the name and the expired password."""
        try:
            self.app.session.get_own(name, password)
        except tickets.PasswordExpired:
            return name, password
        except (tickets.WrongPassword, tickets.NotAdmitted) as error:
            raise Unauthenticated(str(error)) from None
        return None

    def _got(self, expired: tuple[str, str] | None) -> None:
        self._wait(False)
        if expired:
            self.go_to(ChangePassword(self.app, self._finish, *expired))
        else:
            self._finish()

    def _finish(self) -> None:
        if self in self.app.stack:
            self.app.remove(self)
            self.app.signed_in()

    def _refused(self, error: CeoError) -> None:
        self._wait(False)
        self.tries += isinstance(error, Unauthenticated)
        if self.tries >= TRIES and not self.name:
            self.app.turn_away(Unauthenticated("no ticket without the right password"))
        self.form.complain({"password": error.message})

    def _wait(self, busy: bool) -> None:
        self._busy = busy
        self.form.complain({})
        self.tell("hint", "One moment ..." if busy else "")


class Lock(SignIn):
    """Nothing but a password box, until whoever locked it is back; there is no other way out."""

    title = ""
    about = "Locked, because nobody typed for a while or because somebody locked it.  What was begun goes on."

    def __init__(self, app: App) -> None:
        super().__init__(app)
        app.shut(True)

    def left(self) -> None:
        """Open again."""
        self.app.shut(False)

    def head(self) -> list[tuple[str, str]]:
        """Whose password opens it."""
        return [("heading", f"Locked by {self.name}."), ("hint", "The password opens it where you were.")]

    def ways_out(self) -> dict[keys.Key, keys.Action]:
        """None."""
        return {}


class ChangePassword(Screen):
    """A new password for an expired one."""

    title = "Change password"
    about = "The password that was typed is right, but has to be changed before it can be used."
    locked = True

    def __init__(self, app: App, then: keys.Action, name: str, old: str) -> None:
        super().__init__(app)
        self.then, self.name, self.old = then, name, old
        self.form = Form({"new": Field("New password", mask="*"), "again": Field("The same again", mask="*")}, self._accept,
                         head=[("heading", "Your password has to be changed.")])
        self.body = self.form
        self.bindings = {keys.BACK: lambda: self.app.remove(self)}
        self._busy = False

    def _accept(self) -> None:
        new, again = self.form.text("new"), self.form.text("again")
        if self._busy:
            return
        if not new or new != again:
            self.form.complain({"again": "the two are not the same"} if new else {"new": "a password is needed"})
            return
        self._wait(True)
        self.app.workers.start(partial(self._change, new), lambda _: self._changed(), self._refused)

    def _change(self, new: str) -> None:
        session = self.app.session
        try:
            session.change_password(self.name, self.old, new)
        except tickets.PasswordRefused as error:
            raise Invalid(" ".join(str(error).split())) from None
        except (tickets.WrongPassword, tickets.NotAdmitted) as error:
            raise Invalid(str(error)) from None
        try:
            session.get_own(self.name, new)
        except (tickets.WrongPassword, tickets.PasswordExpired):
            raise Invalid("the password is changed, but the KDC does not accept it yet: go back with Esc and sign in with it in a moment") from None

    def _changed(self) -> None:
        if self in self.app.stack:
            self.app.remove(self)
            self.then()

    def _refused(self, error: CeoError) -> None:
        self._wait(False)
        self.form.complain({"new": error.message})

    def _wait(self, busy: bool) -> None:
        self._busy = busy
        self.form.complain({})
        self.tell("hint", "One moment ..." if busy else "")
