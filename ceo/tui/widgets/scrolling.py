"""A list box with a bar at its side where not all of it is in sight."""

from __future__ import annotations

import urwid


class Box(urwid.ListBox):  # type: ignore[misc]
    """Knows how large it was drawn: whoever has the cursor elsewhere pages it too."""

    size = (80, 20)

    def render(self, size: tuple[int, int], focus: bool = False) -> urwid.Canvas:
        """As a list box."""
        self.size = size
        return super().render(size, focus)


def barred(box: urwid.ListBox) -> urwid.Widget:
    """The box with its bar."""
    return urwid.ScrollBar(box, thumb_attr="hint", delegate_selectable=True)
