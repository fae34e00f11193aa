"""The main menu."""

from __future__ import annotations

from functools import partial

from ceo.tui import keys
from ceo.tui.app import App, Layer
from ceo.tui.screen import Screen
from ceo.tui.screens.accounts import Whose
from ceo.tui.screens.add_book import AddBook
from ceo.tui.screens.databases import Databases
from ceo.tui.screens.desk import Desk
from ceo.tui.screens.expiry import Expiry
from ceo.tui.screens.groups import Groups
from ceo.tui.screens.hosts import Hosts
from ceo.tui.screens.library import Library
from ceo.tui.screens.lists import Lists
from ceo.tui.screens.log import Log
from ceo.tui.screens.new_group import NewClub, NewGroup
from ceo.tui.screens.overdue import AllLoans, Overdue
from ceo.tui.screens.people import People
from ceo.tui.screens.person import Person
from ceo.tui.screens.positions import Positions
from ceo.tui.screens.programs import Programs
from ceo.tui.screens.reminders import Reminders
from ceo.tui.screens.rosters import Expired, HowInactive
from ceo.tui.screens.sign_up import SignUp
from ceo.tui.screens.transactions import Transactions
from ceo.tui.widgets.menu import Choice
from ceo.tui.widgets.sections import Sections
from ceo_common.permissions import Who

_START, _QUIT = "Find somebody", "Quit"


class MainMenu(Screen):
    """The sections; what is grey one may not do, and the reason stands beneath."""

    about = "Choose with the arrows or by a first letter; or press / and type somebody's name, which is the short way to most things."

    def __init__(self, app: App) -> None:
        super().__init__(app)
        self.sections = Sections(self._rows(), self.tell, at="Sign up a member")
        self.body = self.sections
        self._was_known = False  # who one is, when it was shown last
        self._chosen = False  # whether the mark may be where somebody put it
        self.bindings = {keys.BACK: lambda: self.sections.mark(_QUIT)}  # one Esc too many loses nothing

    def on_top(self) -> None:
        """What was under way may have ended."""
        self._chosen = self._was_known
        self._was_known = self.app.standing.who is not None
        self.sections.show(self._rows())
        if self.sections.focused.marked.label == _QUIT:
            self.sections.mark(_START)  # whoever came back does not leave with an Enter too many

    def standing_told(self) -> None:
        """Grey what one may not do; the mark does not begin on that."""
        self.sections.show(self._rows())
        if self.sections.focused.marked.never and not self._chosen:
            self.sections.mark("My own account")

    def _rows(self) -> tuple[list[Choice | str], list[Choice | str]]:
        app, never = self.app, self.app.standing.never
        push = app.push
        back = [self._way_back(doing) for doing in app.under_way]
        return [
            *back, *([""] if back else []),
            "People",
            Choice("Find somebody", lambda: push(People(app)), "Their page has all that can be done for them.  Short: /"),
            Choice("Sign up a member", lambda: push(SignUp(app, rep=False)), "A new account.", never("member.add")),
            Choice("Sign up a club rep", lambda: push(SignUp(app, rep=True)), "An account for a club's representative, free.", never("member.add")),
            Choice("My own account", lambda: push(Person(app, app.standing.uid or app.operator)), "What you may do for yourself."),
            "",
            "Groups and clubs",
            Choice("Groups", lambda: push(Groups(app)), "See who is in a group; put people in, take them out."),
            Choice("New club", lambda: push(NewClub(app)), "An account and a group for a club.", never("club.add")),
            Choice("New group", lambda: push(NewGroup(app)), "A group.", never("group.add")),
            Choice("Positions", lambda: push(Positions(app)), "Who is president, treasurer, and so on."),
            "",
            "Services",
            Choice("Databases", lambda: push(Whose(app, "Databases", "database", Databases)), "MySQL and PostgreSQL of an account."),
            Choice("Mailing lists", lambda: push(Whose(app, "Mailing lists", "mail", Lists)), "Put an account on a list, take it off."),
        ], [
            "Library",
            Choice("Library desk", lambda: push(Desk(app)), "Scan books; lend them, take them back.", never("library.lend")),
            Choice("Book search", lambda: push(Library(app)), "By title, author or ISBN; its page has all that can be done with it."),
            Choice("Books on loan", lambda: push(AllLoans(app)), "Every book on loan, and who has it.", never("library.loans")),
            Choice("Overdue books", lambda: push(Overdue(app)), "Books that should be back by now.", never("library.loans")),
            Choice("Add a book", lambda: push(AddBook(app)), "By ISBN, or without one.", never("library.add")),
            "",
            "Administration",
            Choice("Expire accounts", lambda: push(Expiry(app)), "Close accounts whose membership is over; you see the list first.",
                   never("member.expire")),
            Choice("Expired accounts", lambda: push(Expired(app)), "Accounts that have expired.", never("member.lapsed")),
            Choice("Inactive members", lambda: push(HowInactive(app)), "People who have not been members for some terms.", never("member.lapsed")),
            Choice("Remind members", lambda: push(Reminders(app)), "Send a mail to members whose membership is over.", never("member.remind")),
            Choice("Update programs", lambda: push(Programs(app)), "From the university's directory; shown first.", never("program.update")),
            Choice("Transactions", lambda: push(Transactions(app)), "Every change and how it ended; resume what is stuck."),
            Choice("Audit log", lambda: push(Log(app)),
                   "Who did what." if app.standing.is_any_of(Who.SYSCOM) else "What you did."),
            Choice("Hosts", lambda: push(Hosts(app)), "Whether all servers answer, and how fast."),
            "",
            Choice("Lock the screen", app.lock, "Your password opens it again.  Short: F9"),
            Choice(_QUIT, app.leave, "Enter leaves the menu.  Short: Ctrl-C"),
        ]

    def _way_back(self, doing: Layer) -> Choice:
        """To a transaction that was left to itself."""
        ended = "" if doing in self.app.running else " (ended)"
        about = "See how it ended." if ended else "It went on without you; see how far it is."
        label = f"Back to: {doing.title}{ended}"
        return Choice(label, partial(self._back_to, doing), about)

    def _back_to(self, doing: Layer) -> None:
        self.app.under_way.remove(doing)
        self.app.push(doing)
