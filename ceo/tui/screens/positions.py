"""Who holds which office of the club."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import urwid

from ceo import members
from ceo.tui import keys
from ceo.tui.app import App
from ceo.tui.screen import Screen
from ceo.tui.screens.doing import Doing, Outcome
from ceo.tui.screens.review import Review, dry_run_of
from ceo.tui.widgets.form import Field, Form
from ceo.tui.widgets.page import Page, Record
from ceo.tui.widgets.safe import Markup, text
from ceo_common.errors import CeoError, Changed, Invalid, NotFound
from ceo_common.events import Event
from ceo_common.model import names

if TYPE_CHECKING:
    from ceo_common.client import Client

Json = dict[str, Any]
Holders = dict[str, list[str]]  # usernames by position
_HINT = "Somebody must hold each *.  Ctrl-D goes on."


class Positions(Screen):
    """One form, a line a position.  Whoever may not change them sees the same as a page.

    `typed` holds what was typed, `held` who held what when that was: where both changed meanwhile, it is said at the field.
    """

    title = "Positions"
    about = ("Type usernames, with spaces or commas between them; leave a line empty for nobody.  Somebody must hold each position with a *.  "
             "Before anything is changed you see who leaves and who comes.")
    role = "admin"

    def __init__(self, app: App) -> None:
        super().__init__(app)
        self.typed = app.drafts.setdefault("positions", {})
        self.held = app.drafts.setdefault("positions as they were", {})
        self.required: list[str] = []
        self.form: Form | None = None
        self.body = urwid.Filler(text("One moment ..."), valign="top")
        self.bindings = {keys.AGAIN: self.load}

    def on_top(self) -> None:
        """Ask, the first time."""
        if self.form is None:
            self.load()

    def standing_told(self) -> None:
        """A form for those who may change them, a page for others."""
        self.load()

    def load(self) -> None:
        """Ask who holds what now; what was typed stays."""
        self.ask(lambda client: client.positions(), self._show, self._failed)

    def _failed(self, error: CeoError) -> None:
        if self.form is None:
            self.body = urwid.Filler(text(("problem", error.message)), valign="top")
        self.tell("problem", f"{'' if self.form is None else error.message + '  '}Ctrl-R asks again.")

    def _show(self, told: Json) -> None:
        holders, self.required = told["positions"], told["required"]
        if never := self.app.standing.never("position.change"):
            self.form = None
            self.body = Page([Record(self._label(name), ", ".join(uids) or "nobody") for name, uids in holders.items()])
            self.tell("hint", f"Somebody must hold each position with a *.  {never}")
            return
        changed = self._merge(holders)
        self.form = self._form(holders, self.form.at if self.form else "")
        self.body = self.form
        self.form.complain(changed)
        self.tell("hint", _HINT)

    def _label(self, name: str) -> str:
        return f"{name} *" if name in self.required else name

    def _form(self, holders: Holders, at: str) -> Form:
        """The fields: who holds each, or what was typed in its stead."""
        fields = {name: Field(self._label(name), " ".join(uids)) for name, uids in holders.items()}
        for name, field in fields.items():
            if name in self.typed:
                field.fill(self.typed[name])  # it may be typed just now
        form = Form(fields, self._accept, draft=self.typed, leaving=self._leaving)
        if at in fields:
            form.go_to(at)
        return form

    def _leaving(self, name: str) -> None:
        """Ask for the accounts of those who were typed anew, and say at the field which is none."""
        assert self.form
        typed = self.form.text(name)
        new = [uid for uid in _split(typed) if uid not in _split(self.held[name])]
        if new:
            self.ask(
                partial(_account_problem, new), partial(self._looked_up, name, typed), about=name
            )

    def _looked_up(self, name: str, typed: str, problem: str) -> None:
        if problem and self.form and self.form.text(name) == typed:
            self.form.fields[name].under("problem", problem)
            self.app.redraw()

    def _merge(self, holders: Holders) -> dict[str, str]:
        """Forget what was typed and is no change; the positions that were changed here and meanwhile by somebody else, with what to say."""
        told: dict[str, str] = {}
        for name, uids in holders.items():
            before = self.held.get(name, " ".join(uids))
            if _same(self.typed.get(name, before), before):
                self.typed.pop(name, None)
            elif not _same(before, " ".join(uids)) and not _same(self.typed[name], " ".join(uids)):
                told[name] = f"changed by somebody else meanwhile, to {', '.join(uids) or 'nobody'}; what stands here would replace that"
            self.held[name] = " ".join(uids)
        return told

    def wanted(self) -> Holders:
        """The differences, and nothing else."""
        assert self.form
        return {name: _split(typed) for name, typed in self.form.texts().items() if not _same(typed, self.held[name])}

    def _accept(self) -> None:
        assert self.form
        problems = {name: f"somebody has to be {name}" for name in self.required if not _split(self.form.text(name))}
        self.form.complain(problems)
        wanted = self.wanted()
        self.tell("hint", _HINT if problems or wanted else "You have changed nothing.")
        if problems or not wanted:
            return
        before = {name: _split(self.held[name]) for name in wanted}
        lines = [Record(name, _difference(before[name], uids)) for name, uids in wanted.items()]
        count = f"{len(wanted)} {'position' if len(wanted) == 1 else 'positions'}"
        self.app.push(Review(self.app, lines, partial(self._doing, before, wanted), question=f"Enter changes {count}.",
                             dry_run=dry_run_of(_begin(before, wanted)), refused=self._refused, shown=("position",)))

    def _doing(self, before: Holders, wanted: Holders) -> Doing:
        told = [f"{name}: {', '.join(uids) or 'nobody'}" for name, uids in wanted.items()]
        return Doing(self.app, "Change positions", _begin(before, wanted), lambda _: Outcome([("good", line) for line in told]),
                     completed=lambda: self.app.remove(self), refused=self._refused, draft=self.typed)

    def _refused(self, error: CeoError) -> bool:
        """The form shows what is wrong with its field, or what changed meanwhile."""
        if isinstance(error, Changed) and "told" in error.more:
            self._show(error.more["told"])
            self.tell("problem", f"{error.message}  Look once more.")
            return True
        if isinstance(error, Invalid | NotFound) and self.form:
            self.form.refuse(error)
            self.tell("hint", _HINT)
            return True
        return False


def _begin(before: Holders, wanted: Holders) -> Callable[[Client, str], Iterator[Event]]:
    """Begins the change; the first time it looks whether all still is as the last look said."""
    looked = False

    def begin(client: Client, key: str) -> Iterator[Event]:
        nonlocal looked
        if not looked:
            told = client.positions()
            if any(set(told["positions"].get(name, [])) != set(uids) for name, uids in before.items()):
                raise Changed("Positions were changed by somebody else meanwhile.", told=told)
            looked = True
        return client.set_positions(wanted, key)

    return begin


def _account_problem(uids: Sequence[str], client: Client) -> str:
    """What keeps the first of these from being an account, or nothing."""
    for uid in uids:
        if problem := names.username_problem(uid):
            return f"{uid}: {problem}"
        try:
            client.member(uid)
        except NotFound as error:
            return error.message
    return ""


def _difference(before: list[str], after: list[str]) -> Markup:
    """Who leaves and who comes."""
    leaves, comes = [uid for uid in before if uid not in after], [uid for uid in after if uid not in before]
    return "; ".join(f"{', '.join(uids)} {verb}{'s' if len(uids) == 1 else ''}" for uids, verb in ((leaves, "leave"), (comes, "come")) if uids)


def _split(typed: str) -> list[str]:
    """The usernames, each once."""
    return list(dict.fromkeys(members.split(typed)))


def _same(one: str, other: str) -> bool:
    """Whether two lines name the same people."""
    return set(_split(one)) == set(_split(other))
