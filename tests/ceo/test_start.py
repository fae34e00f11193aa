"""What a command imports: a person waits for all of it."""

from __future__ import annotations

import subprocess
import sys

import pytest

_NOT_FOR_HELP = {"ceo_common.client_config", "ceo_common.krb5", "dataclasses", "tomllib"}
_NOT_FOR_A_COMMAND = {"ceo_common.config", "ceod", "cryptography", "gssapi", "pydantic", "requests", "rich", "sqlalchemy", "urwid", "zoneinfo"}
_NOT_FOR_A_REQUEST = {"ceo_common.config", "ceod", "cryptography", "pydantic", "rich", "sqlalchemy", "urwid", "zoneinfo"}


@pytest.mark.parametrize(("does", "never"), [
    ("from ceo.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass", _NOT_FOR_HELP | _NOT_FOR_A_COMMAND),
    ("import ceo.cli.members", _NOT_FOR_A_COMMAND),
    ("import ceo.cli.members, ceo_common.client", _NOT_FOR_A_REQUEST),
], ids=["help", "command", "request"])
def test_what_is_not_imported(does: str, never: set[str]) -> None:
    done = subprocess.run([sys.executable, "-c", f"{does}\nimport sys\nsys.exit(' '.join(sorted({never!r} & set(sys.modules))))"],
                          capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "", done.stderr
