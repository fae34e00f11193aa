"""What a username, a person's name, a program and a forwarding address may look like.  No third-party import: the CLI reads this."""

from __future__ import annotations

import re

from ceo_common.text import is_unsafe

_USERNAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
# As slapd has it (etc/slapd-acl.conf), the shell of deleted accounts left out.
_SHELL = re.compile(r"/(usr/)?bin/[a-z0-9]+")
_ATOM = r"[A-Za-z0-9_&*+=?^{}~!%-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})+")

TEXT_LIMIT = 128
ADDRESSES_LIMIT = 16


def username_problem(name: str) -> str | None:
    """Why this can't be a username, or None."""
    if _USERNAME.fullmatch(name):
        return None
    return "a username is 1 to 32 of a-z, 0-9, _ and -, and begins with a letter"


def is_shell(path: str) -> bool:
    """Whether slapd takes this path for a login shell."""
    return _SHELL.fullmatch(path) is not None


def text_problem(text: str, what: str, limit: int = TEXT_LIMIT) -> str | None:
    """Why this can't be a name, a program or the like, or None."""
    if not text.strip():
        return f"{what} is empty"
    if text != text.strip():
        return f"{what} begins or ends with a blank"
    if len(text) > limit:
        return f"{what} has more than {limit} characters"
    if any(is_unsafe(c) for c in text):
        return f"{what} has a control or invisible character in it"
    return None


def full_name_problem(name: str, uid: str) -> str | None:
    """Why this can't be the full name of uid, or None (2010: at least 4 characters and not the username)."""
    if problem := text_problem(name, "the full name"):
        return problem
    if len(name) < 4:
        return "the full name has fewer than 4 characters"
    if name == uid:
        return "the full name is the username; ask for the person's name"
    return None


def address_problem(address: str) -> str | None:
    """Why mail can't be forwarded there, or None: an address and nothing else, never a pipe, a file or an include."""
    if len(address) <= 254 and _ADDRESS.fullmatch(address):
        return None
    return "a forwarding address looks like name@example.org; pipes, files, quotes and lists are not allowed"
