"""README's commands work as they stand, in a terminal of an ordinary user of Debian."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import click
import pytest

from ceo.cli import cli
from tests.sandbox.test_lifecycle import ROOT, pytestmark

__all__ = ["pytestmark"]

README = (ROOT / "README.md").read_text()
# What login(1) sets on Debian for everybody but root.
USER_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"


def _block(heading: str, beginning: str) -> str:
    """The block of commands of a section that begins so."""
    section = README.split(f"\n{heading}\n", 1)[1].split("\n## ", 1)[0]
    return next(text for text in section.split("```")[1::2] if text.strip().startswith(beginning))


def _run(commands: str, directory: Path, path: str | None = USER_PATH) -> subprocess.CompletedProcess[str]:
    """Type the commands in the checkout; the sandbox's directory is ours in place of README's."""
    commands = commands.replace("--dir .sandbox-test/one ", "")
    commands = commands.replace("-m sandbox ", f"-m sandbox --dir {directory} ")
    environment = [] if path is None else [f"PATH={path}", "HOME=/nonexistent", "LANG=C.UTF-8"]
    return subprocess.run(
        ["env", "-i", *environment, "/bin/bash", "-e", "-c", commands],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_commands_about_the_sandbox(tmp_path: Path) -> None:
    done = _run(_block("## The sandbox", ".venv/bin/python -m sandbox up"), tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("down\n")
    assert done.stdout.count("The club is up") == 2  # up, and reset
    assert f"Enter it: .venv/bin/python -m sandbox --dir {tmp_path}" in done.stdout


def test_a_single_end_to_end_test(tmp_path: Path) -> None:
    done = _run(_block("## Tests", ".venv/bin/python -m sandbox --dir"), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^\.+ +\[100%\]$", done.stdout, re.MULTILINE), done.stdout


@pytest.mark.parametrize("path", [None, "/usr/bin", "/bin"])
def test_it_comes_up_whatever_the_path(tmp_path: Path, path: str | None) -> None:
    python = ".venv/bin/python -m sandbox"
    done = _run(f"{python} up && {python} shell ctdalek -- klist -s && {python} down", tmp_path, path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_up_or_down_names_the_command_that_helps(tmp_path: Path) -> None:
    done = _run(".venv/bin/python -m sandbox shell ctdalek", tmp_path)
    assert done.returncode == 1
    assert f".venv/bin/python -m sandbox --dir {tmp_path} up" in done.stderr


def test_the_targets_of_make() -> None:
    words = re.findall(r"^make ([a-z ]+?)(?: +[A-Z].*| +#.*)?$", README, re.MULTILINE)
    targets = {target for line in words for target in line.split()}
    targets |= set(re.findall(r"`(?:KEEP=1 )?make ([a-z]+)", README))
    assert {"demo", "install", "test", "clean", "pictures"} <= targets
    for target in targets:
        done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def _resolves(words: list[str]) -> bool:
    """Whether the words name a command of ceo, and perhaps go on with its arguments."""
    command: click.Command = cli
    context = click.Context(cli, info_name="ceo")
    for word in words:
        if not isinstance(command, click.Group):
            return True
        found = command.get_command(context, word)
        if found is None:
            return False
        command = found
    return True


def test_every_command_of_ceo_exists() -> None:
    texts = (README, (ROOT / "etc/README.md").read_text(), *(p.read_text() for p in (ROOT / "docs").glob("*.md")))
    code = "\n".join(part for text in texts for part in re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL))
    shown = set(re.findall(r"(?:^|`|, |\blikewise )ceo((?: [a-z][a-z-]*)+)", code, re.MULTILINE))
    assert " members add" in shown
    assert " updateprograms" in shown
    assert [line for line in sorted(shown) if not _resolves(line.split())] == []


@pytest.mark.parametrize("page", ["README.md", "etc/README.md", "docs/journal.md", "docs/rules.md", "docs/threats.md"])
def test_every_file_that_a_page_names_is_there(page: str) -> None:
    named = re.findall(r"`((?:ceod|ceo|ceo_common|docs|etc|sandbox|tests)/[\w./-]+)`", (ROOT / page).read_text())
    assert [name for name in named if name != "ceod/admin" and not (ROOT / name).exists()] == []


def test_the_files_of_etc_are_named() -> None:
    """Each row of the table is a file of etc, and each file has a row."""
    rows = re.findall(r"^\| `([^`]+)` \|", (ROOT / "etc/README.md").read_text(), re.MULTILINE)
    files = {path.name + "/" * path.is_dir() for path in (ROOT / "etc").iterdir() if path.name != "README.md"}
    assert set(rows) == files
