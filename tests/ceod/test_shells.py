"""What ceod offers as a login shell is what slapd takes for one."""

from __future__ import annotations

import re
from pathlib import Path

from ceo_common.model.names import is_shell
from ceod.operations.modify_member import shells

ACL = Path(__file__).parents[2] / "etc/slapd-acl.conf"
PATHS = (
    "/bin/bash",
    "/usr/bin/zsh",
    "/bin/sh",
    "/usr/bin/git-shell",
    "/usr/local/bin/fish",
    "/bin/../tmp/x",
    "/bin/bash -c x",
    "/usr/bin/",
    "bash",
)


def test_the_pattern_is_slapds() -> None:
    patterns = set(re.findall(r'loginShell (?:regex |val\.regex=")([^ "]+)', ACL.read_text()))
    assert len(patterns) == 1
    (pattern,) = patterns
    for path in PATHS:
        assert is_shell(path) == bool(re.fullmatch(pattern, path)), path


def test_no_shell_is_offered_that_slapd_refuses(tmp_path: Path) -> None:
    (tmp_path / "shells").write_text("# shells\n/bin/sh\n/usr/sbin/nologin\n/usr/bin/git-shell\n")
    assert shells(str(tmp_path / "shells")) == ["/bin/sh"]
