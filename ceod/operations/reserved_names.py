"""The names that no member, club or group may have, and what slapd is told of them.

python -m ceod.operations.reserved_names etc/slapd-acl.conf writes the constraints into the file.
"""

from __future__ import annotations

import re
import sys
from functools import cache
from importlib import resources
from itertools import dropwhile
from pathlib import Path

_MARK = "# Reserved names: "
# The groups below 20000 are those that the systems committee adds: adm, src, audio and others are the club's as well.
_CONSTRAINTS = (
    'constraint_attribute uid negregex {pattern} restrict="ldap:///ou=People,{base}??children"',
    'constraint_attribute cn negregex {pattern} restrict="ldap:///ou=Group,{base}??children?(gidNumber>=20000)"',
)


@cache
def sections() -> tuple[tuple[str, ...], ...]:
    """The sections of ceod/data/reserved-names.txt, each as its names; a `*` in a name stands for any characters."""
    text = resources.files("ceod").joinpath("data/reserved-names.txt").read_text()
    lines = [
        [line for line in section.splitlines() if not line.startswith("#")]
        for section in text.split("\n\n")
    ]
    return tuple(tuple(names) for names in lines if names)


def _pattern(names: tuple[str, ...]) -> str:
    """A regular expression of POSIX (extended), and of Python where fullmatch() is used."""
    return "^(" + "|".join(name.replace("*", ".*") for name in names) + ")$"


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(_pattern(names)) for names in sections())


def is_reserved(name: str) -> bool:
    """Whether no member, club or group may have this name."""
    return any(pattern.fullmatch(name) for pattern in _patterns())


def written_into(rules: str) -> str:
    """The text of slapd-acl.conf with the constraints below their mark.  Raises ValueError (there is no mark or no base)."""
    base = re.search(r"^unique_uri .*ou=People,([^?]*)\?", rules, re.MULTILINE)
    head, mark, rest = rules.partition(_MARK)
    if base is None or not mark:
        raise ValueError(f"there is no line that begins with {_MARK!r}, or none with unique_uri")
    comment, *lines = rest.split("\n")
    constraints = [
        text.format(pattern=_pattern(names), base=base[1])
        for text in _CONSTRAINTS
        for names in sections()
    ]
    kept = dropwhile(lambda line: line.startswith("constraint_attribute "), lines)
    return "\n".join([f"{head}{mark}{comment}", *constraints, *kept])


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(written_into(file.read_text()))
