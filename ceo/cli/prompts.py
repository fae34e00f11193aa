"""Questions on a terminal: an answer that can't be used is asked for again at once."""

from __future__ import annotations

from collections.abc import Callable

import click

from ceo_common.text import shown

Problem = Callable[[str], str | None]  # of an answer: what is wrong with it, or None

_YES_OR_NO = {"y": True, "yes": True, "n": False, "no": False}


class Declined(click.ClickException):
    """Somebody answered no."""

    exit_code = 1

    def __init__(self) -> None:
        super().__init__("you answered no; nothing was changed")

    def show(self, file: object = None) -> None:
        """As every other message of ceo."""
        click.echo(f"ceo: {self.message}", err=True)


def confirm(question: str, *, default: bool = False) -> None:
    """Ask.  Raises Declined, Abort (interrupted)."""

    def checked(answer: str) -> bool:
        word = answer.strip().lower()
        if word not in _YES_OR_NO:
            raise click.UsageError("answer y or n")
        return _YES_OR_NO[word]

    text = f"{shown(question)} [{'Y/n' if default else 'y/N'}]"
    usual = "y" if default else "n"
    if not click.prompt(text, default=usual, show_default=False, value_proc=checked, err=True):
        raise Declined


def prompt(text: str, problem: Problem, *, default: str | None = None) -> str:
    """An answer that has no problem; an empty one is the default.  Raises Abort (interrupted)."""

    def checked(answer: str) -> str:
        answer = answer.strip()
        if found := problem(answer):
            raise click.UsageError(shown(found))
        return answer

    shows_default = bool(default)
    answer: str = click.prompt(text, default=default, show_default=shows_default, value_proc=checked, err=True)
    return answer
