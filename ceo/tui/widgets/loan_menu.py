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
    `undoable` says whether Z undoes something now.
    """

    def __init__(
        self,
        rows: Sequence[Choice | Record | str],
        note: Callable[[str, str], None],
        home: str,
        undoable: Callable[[], bool],
    ) -> None:
        self.home, self.undoable = home, undoable
        super().__init__(rows, note, home)

    def go_home(self) -> None:
        """Mark the row that typing goes to."""
        if self.home in self.names:
            self.mark(self.names.index(self.home))

    def keypress(self, size: tuple[int, int], key: str) -> str | None:
        """What is typed on an action goes home, a blank too; Z stays, where it undoes something."""
        if len(key) != 1 or not self.places:
            return super().keypress(size, key)
        in_field = self.marked.asks and not self.marked.never
        if key in keys.UNDO_LOAN.names and self.undoable() and not in_field:
            return key
        if not in_field and self.marked.label != self.home:
            self.go_home()
        if self.marked.asks and not self.marked.never:
            return super().keypress(size, key)
        return None if key.isalnum() or key == " " else key

    def jump(self, letter: str, *, anew: bool = False) -> bool:
        """Letters mark nothing."""
        return False
