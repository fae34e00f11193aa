"""The shell command that repeats a change whose outcome is not known, so that it is done once."""

from __future__ import annotations

import shlex


def with_key(words: list[str], depth: int, key: str) -> list[str]:
    """The words of a command with its Idempotency-Key.

    The key follows the first `depth` words, which name the command: further behind, it might become
    the value of an option.
    """
    return [*words[:depth], "--key", key, *words[depth:]]


def repeat_command(words: list[str]) -> str:
    """The command, quoted for a shell; `words` are those behind `ceo`."""
    return shlex.join(["ceo", *words])
