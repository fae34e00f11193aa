"""Every key of the menu, as data: code binds these and nothing else, and help is drawn from what is bound."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Key:
    """A key: its names as urwid says them, its label as people say it, a word for the hint line, a sentence for help."""

    names: tuple[str, ...]
    label: str
    word: str
    does: str


Action = Callable[[], None]
Bindings = Mapping[Key, Action]

# On every screen.
BACK = Key(("esc",), "Esc", "back", "Back to where you came from; what you typed stays.")
PEOPLE = Key(("/", "f2"), "/", "find", "Find somebody, from anywhere; where / is text: F2.")
HELP = Key(("?", "f1"), "?", "help", "The keys of this screen; where ? is text: F1.")
LOCK = Key(("f9",), "F9", "", "Lock the screen; your password opens it again.")
REDRAW = Key(("ctrl l",), "Ctrl-L", "", "Draw the screen anew.")
QUIT = Key(("ctrl c",), "Ctrl-C", "", "Leave at once; what was begun goes on, and the next start tells how it ended.")

# Where something is chosen.
CHOOSE = Key(("enter", " "), "Enter", "choose", "Take what is marked.")
OPEN = Key(("enter",), "Enter", "open", "Open the row that is marked.")
OPEN_FIRST = Key(("enter",), "Enter", "", "Open the first one, as soon as one is found.")
UP = Key(("up",), "Up", "", "One up.")
DOWN = Key(("down",), "Down", "", "One down.")
PAGE_UP = Key(("page up",), "Page-Up", "", "A page up.")
PAGE_DOWN = Key(("page down",), "Page-Down", "", "A page down.")
FIRST = Key(("home",), "Home", "", "To the first.")
LAST = Key(("end",), "End", "", "To the last.")

# In a form.
NEXT = Key(("enter",), "Enter", "next", "On to the next field; from the last one: go on.")
ACCEPT = Key(("enter",), "Enter", "go on", "Go on with what is typed.")
DOWN_FIELD = Key(("down", "tab"), "Tab", "", "The next field.")
UP_FIELD = Key(("up", "shift tab"), "Shift-Tab", "", "The field before.")
DONE = Key(("ctrl d",), "Ctrl-D", "done", "Go on from any field.")
ANEW = Key(("ctrl n",), "Ctrl-N", "empty", "Empty the whole form.")

# In a field.
UNDO = Key(("ctrl _",), "Ctrl-_", "", "Undo: the field as it was before the last change.")
WORD_LEFT = Key(("meta b", "ctrl left"), "Alt-B", "", "A word to the left.")
WORD_RIGHT = Key(("meta f", "ctrl right"), "Alt-F", "", "A word to the right.")
LINE_START = Key(("ctrl a", "home"), "Ctrl-A", "", "To the beginning of the field.")
LINE_END = Key(
    ("ctrl e", "end"), "Ctrl-E", "", "To the end of the field, and keep what stands in it."
)
CUT_LEFT = Key(("ctrl u",), "Ctrl-U", "", "Delete what is left of the cursor.")
CUT_RIGHT = Key(("ctrl k",), "Ctrl-K", "", "Delete what is right of the cursor.")
CUT_WORD = Key(("ctrl w", "meta backspace"), "Ctrl-W", "", "Delete the word left of the cursor.")

# Where something is confirmed, shown, or to be tried again.
CONFIRM = Key(("enter",), "Enter", "do it", "Do what is shown.")
GO_ON = Key(("enter", " "), "Enter", "go on", "Done with this.")
AGAIN = Key(("ctrl r", "f5"), "Ctrl-R", "again", "Ask once more.")
NOTED = Key(("enter",), "Enter", "go on", "The password is written down: leave; it is not shown again.")
DETAILS = Key(("tab",), "Tab", "details", "Show the details, such as times and numbers, or hide them.")
RESET = Key(("r", "R"), "R", "reset", "Give another temporary password, because nobody saw the first.")

# Of single screens.
COLUMN = Key(("right", "left", "tab"), "Right", "", "To the other column.")
SIDE = Key(("right", "left"), "Right", "other side", "Between what is shown, which scrolls, and what can be done.")
OPEN_INSTEAD = Key(
    ("ctrl o",), "Ctrl-O", "open it",
    "Open the account or the book that exists already, instead of adding another.",
)  # fmt: skip
UNDO_LOAN = Key(("z", "Z"), "Z", "undo", "Undo your last loan, return or renewal, within a minute: Z and Enter.")
MAIL = Key(("m", "M"), "M", "mail them", "Mail those who have overdue books; shown first.")
MORE = Key(("ctrl f",), "Ctrl-F", "more", "More rows.")
LAST_LOOK = Key(("enter",), "Enter", "go on", "To a last look; nothing is done before.")
MEND = Key(("enter",), "Enter", "go on", "To a last look at what ceod can mend; nothing is done before.")
VERIFY = Key(("v", "V"), "V", "verify", "Check on every host that no row was changed, moved or taken out.")
DIRECTORY = Key(("d", "D"), "D", "directory", "Examine the entries of all accounts and groups.")
STORY = Key(("enter",), "Enter", "open", "Open the transaction that this line is about.")


def press(bindings: Bindings, name: str) -> bool:
    """Do what a key that urwid calls `name` is bound to; whether there was anything."""
    for key, action in bindings.items():
        if name in key.names:
            action()
            return True
    return False
