"""What a command imports: a person waits for all of it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ceo.cli import completion, context
from ceo.doctor import config_path
from ceo_common import client_config
from ceo_common.client_config import CLIENT_FILE


@pytest.mark.parametrize(
    ("value", "path"),
    [(None, CLIENT_FILE), ("", CLIENT_FILE), ("/etc/other.toml", "/etc/other.toml")],
)
def test_an_empty_ceo_config_is_as_unset(
    value: str | None, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if value is None:
        monkeypatch.delenv("CEO_CONFIG", raising=False)
    else:
        monkeypatch.setenv("CEO_CONFIG", value)
    for module in (context, client_config):
        monkeypatch.setattr(module, "load_client", lambda path: path)
    assert str(context.Context().settings) == path
    assert str(completion._settings()) == path
    assert config_path(CLIENT_FILE) == path


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
