"""A menu in which no typing chooses an action: what is typed goes to one row that is its home."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ceo.tui import keys
from ceo.tui.widgets.menu import Choice, Menu
from ceo.tui.widgets.page import Record


class LoanMenu(Menu):
    """Only the arrow keys mark an action.

    A scanner types digits and Enter, and people type names without looking at the screen: with a
    mark that jumps to a letter, their Enter would take somebody's book back.  `home` is the label
    of the row with the field, or of one where Enter writes nothing; the mark begins there.
    `undoable` names what there is to undo, or is empty.  Z is a letter of names too, so it undoes
    only with an Enter right behind it: typed in the field, or asked for with ask_undo().
    """

    def __init__(
        self,
        rows: Sequence[Choice | Record | str],
        note: Callable[[str, str], None],
        home: str,
        undoable: Callable[[], str],
        undo: Callable[[], None],
    ) -> None:
        self.home, self.undoable, self.undo = home, undoable, undo
        self.asks_undo = False  # whether the next key, if it is Enter, undoes
        super().__init__(rows, note, home)

    def go_home(self) -> None:
        """Mark the row that typing goes to."""
        if self.home in self.names:
            self.mark(self.names.index(self.home))

    def keypress(self, size: tuple[int, int], key: str) -> str | None:
        """What is typed on an action goes home, a blank too."""
        if self.asks_undo and key not in keys.CONFIRM.names:
            self.moved()
        if len(key) != 1 or not self.places:
            return super().keypress(size, key)
        if not self._in_field and self.marked.label != self.home:
            self.go_home()
        if self._in_field:
            return super().keypress(size, key)
        if key in keys.UNDO_LOAN.names and self.undoable():
            self._ask_undo()
        return None if key.isalnum() or key == " " else key

    @property
    def _in_field(self) -> bool:
        return bool(self.marked.asks and not self.marked.never)

    def _ask_undo(self) -> None:
        """Have Enter undo, until any other key or an answer."""
        enter = (keys.CHOOSE, keys.CONFIRM)
        others = {key: action for key, action in self.bindings.items() if key not in enter}
        self.bindings = {keys.CONFIRM: self._undo_now, **others}
        self.asks_undo = True
        what = f"Enter undoes your last loan, return or renewal: {self.undoable()}."
        self.note("heading", f"{what}  Any other key does not.")

    def _undo_now(self) -> None:
        self.moved()
        self.undo()

    def moved(self) -> None:
        """Enter does again what the marked one says."""
        self.asks_undo = False
        super().moved()

    def jump(self, letter: str, *, anew: bool = False) -> bool:
        """Letters mark nothing."""
        return False
