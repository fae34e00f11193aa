"""The shell command that repeats a change whose outcome is not known, so that it is done once."""

from __future__ import annotations

import shlex


def repeat_command(words: list[str], key: str) -> str:
    """The command with its Idempotency-Key, quoted for a shell; `words` are those behind `ceo`."""
    end = words.index("--") if "--" in words else len(words)
    options = _without_key(words[:end])
    return shlex.join(["ceo", *options, "--key", key, *words[end:]])


def _without_key(words: list[str]) -> list[str]:
    kept, is_value = list[str](), False
    for word in words:
        if is_value:
            is_value = False
        elif word == "--key":
            is_value = True
        elif not word.startswith("--key="):
            kept.append(word)
    return kept
