"""The group of commands of one noun, such as ceo members: a mistyped command gets a hint."""

from __future__ import annotations

import click

from ceo_common.text import shown

# What people type who know the commands of another noun.
_SAME = {"list": "get", "ls": "list", "show": "get"}


def missing_command(
    context: click.Context, word: str, known: list[str], options: dict[str, str] | None = None
) -> click.UsageError:
    """The error for a word that is no command; `options` says what people mean who type an option as a word."""
    from difflib import get_close_matches  # noqa: PLC0415 - for a mistyped word alone

    path = context.command_path
    if word in (meant := {"help": f"{path} --help"} | (options or {})):
        hint = f": run {meant[word]}"
    elif near := get_close_matches(word, known, n=1):
        hint = f"; did you mean {near[0]}?"
    else:
        hint = f": {path} --help lists them"
    return click.UsageError(f"there is no command {shown(word)}{hint}", context)


class Noun(click.Group):
    """As click's, with the hint."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click, but with what may have been meant."""
        is_word = not args[0].startswith("-") and not ctx.resilient_parsing
        if is_word and args[0] not in self.commands:
            meant = _SAME.get(args[0], "")
            options = {args[0]: f"{ctx.command_path} {meant}"} if meant in self.commands else {}
            raise missing_command(ctx, args[0], list(self.commands), options)
        return super().resolve_command(ctx, args)
