"""The rules of the house: who may import whom, what ceod never calls, and that each file says what it is."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("ceo", "ceod", "ceo_common", "sandbox")

# package -> what of our own it may import; the longest name that fits counts.
MAY = {
    "ceo_common": {"ceo_common"},
    "ceo": {"ceo", "ceo_common"},
    "ceod.transaction": {"ceod.transaction", "ceo_common"},
    "ceod.helpers": {"ceod.helpers", "ceo_common"},
    "ceod.auth": {"ceod.auth", "ceod.helpers", "ceod.services", "ceo_common"},
    "ceod.server": {"ceod.server", "ceo_common"},
    "ceod.library": {"ceod.library", "ceod.services", "ceo_common"},
    "ceod.people_index": {"ceod.people_index", "ceod.services", "ceod.helpers", "ceod.transaction.owners", "ceo_common"},
    "ceod.services": {
        "ceod.services", "ceod.auth.acceptor", "ceod.helpers", "ceod.library.database", "ceod.people_index.store",
        "ceod.people_index.finding", "ceo_common",
    },
    "ceod.operations": {"ceod.operations", "ceod.transaction", "ceod.services", "ceod.people_index.finding", "ceo_common"},
    "ceod": {"ceod", "ceo_common"},
    "sandbox": {"sandbox"},
}


def _files(*packages: str) -> Iterator[Path]:
    for package in packages:
        yield from sorted((ROOT / package).rglob("*.py"))


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@functools.cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@functools.cache
def _imports(path: Path) -> list[str]:
    found: list[str] = []
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found


def _within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def test_who_imports_whom() -> None:
    wrong = []
    for path in _files(*PACKAGES):
        module = _module(path)
        rule = MAY[max((package for package in MAY if _within(module, package)), key=len)]
        for name in _imports(path):
            ours = name.partition(".")[0] in (*PACKAGES, "tests")
            # `from ceod.auth import acceptor` names the package and the module: the module has to be allowed.
            if ours and not any(_within(name, allowed) or _within(allowed, name) for allowed in rule):
                wrong.append(f"{module} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_nothing_but_tests_imports_the_sandbox() -> None:
    for path in _files("ceo", "ceod", "ceo_common"):
        assert not any(_within(name, "sandbox") or _within(name, "tests") for name in _imports(path)), path


# reliability.md, trap 13; and a shell, and a ticket named for the whole process.
_NEVER = re.compile(r"os\.fork\b|multiprocessing|os\.set(e|re|res)?[ug]id|shell=True|os\.system|environ\[.KRB5CCNAME|split\(.@.\)\[0\]|eval\(|pickle")


def test_what_the_daemon_never_does() -> None:
    for path in _files("ceod", "ceo_common"):
        assert not _NEVER.search(path.read_text()), path


def test_the_engine_knows_no_member() -> None:
    for path in _files("ceod/transaction"):
        assert not re.search(r"ldap|kerberos|flask|\bmember\b", path.read_text().replace("It knows no LDAP, no Flask, no member", ""), re.IGNORECASE), path


@pytest.mark.parametrize("package", PACKAGES)
def test_each_module_says_what_it_is(package: str) -> None:
    for path in _files(package):
        docstring = ast.get_docstring(_tree(path))
        assert docstring and docstring.splitlines()[0].endswith((".", ":", "?")), path


def test_nothing_is_read_or_started_at_import() -> None:
    import subprocess
    import sys

    modules = [_module(path) for path in _files("ceo", "ceod", "ceo_common") if path.name not in ("__main__.py", "krb5_build.py")]
    code = f"import importlib, threading\nfor m in {modules!r}: importlib.import_module(m)\nassert threading.active_count() == 1"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT,
                          env={"CEOD_CONFIG": "/nonexistent", "CEO_CONFIG": "/nonexistent", "PATH": "/usr/bin:/bin"})
    assert done.returncode == 0, done.stderr
