"""A file to read, named on the command line."""

from __future__ import annotations

from typing import IO, Any

import click


class InputFile(click.File):
    """As click's; one that can't be opened has the exit status of every file of ceo."""

    def __init__(self) -> None:
        super().__init__("rb")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> IO[Any]:
        """Raises OSError."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise
