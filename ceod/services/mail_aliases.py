"""The names in the mail server's table of aliases, aliases(5)."""

from __future__ import annotations

import re
from pathlib import Path

from ceo_common.errors import BackendDown

BACKEND = "aliases"
# A name may stand in quotes.  A line that begins with a blank goes on with the one before.
_NAME = re.compile(r'(?:"((?:[^"\\]|\\.)+)"|([^\s:"#][^\s:]*))\s*:')


def alias_names(path: str) -> set[str]:
    """The names in the file, in small letters; none where there is no file.  Raises BackendDown."""
    try:
        text = Path(path).read_text(errors="replace")
    except FileNotFoundError:
        return set()
    except OSError as error:
        raise BackendDown(f"{path} can't be read: {error.strerror}", backend=BACKEND) from None
    found = (_NAME.match(line) for line in text.splitlines())
    return {(match[1] or match[2]).lower() for match in found if match}
