from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
import typing
from itertools import pairwise
from pathlib import Path

import click
import pytest

from ceo import manual
from ceo.cli import COMMANDS, cli
from ceo.roff import Page
from ceo_common import config, errors

PAGES = {page.file: page for page in manual.pages()}
CONTEXT = click.Context(cli, info_name="ceo")
LEAVES = [leaf for section in COMMANDS.values() for name in section
          if (command := cli.get_command(CONTEXT, name)) for leaf in manual.leaves(command, [name], CONTEXT)]


def _plain(file: str) -> str:
    """The page's text without what is roff's."""
    return re.sub(r"\\f.", "", PAGES[file].text()).replace("\\:", "").replace("\\-", "-").replace("\\(dq", '"').replace("\\e", "\\")


def _terms(file: str) -> list[str]:
    """What the page explains."""
    lines = _plain(file).splitlines()
    return [line for before, line in pairwise(lines) if before == ".TP"]


def test_every_command_has_its_page() -> None:
    terms = _terms("ceo.1")
    for section in COMMANDS.values():
        for name, (_, _, does) in section.items():
            assert f"ceo-{name}(1)" in terms and does in _plain("ceo.1") and f"ceo-{name}.1" in PAGES


@pytest.mark.parametrize(("path", "command"), [leaf[:2] for leaf in LEAVES], ids=[" ".join(leaf[0]) for leaf in LEAVES])
def test_every_option_and_example_is_in_its_page(path: list[str], command: click.Command) -> None:
    file = f"ceo-{path[0]}.1"
    words = {word.strip(",/") for term in _terms(file) for word in term.split()}
    for option in command.params:
        assert not isinstance(option, click.Option) or words.issuperset(option.opts), option.opts
    text, examples = manual.told(command)
    assert text and examples and f"ceo {' '.join(path)}" in _plain(file)
    for example in examples:
        assert example in _plain(file).splitlines()


def test_every_json_has_its_model() -> None:
    assert set(manual.ANSWERS) == {" ".join(path) for path, command, _ in LEAVES if any("--json" in option.opts for option in command.params)}
    for answer in manual.ANSWERS.values():
        assert answer.more if not answer.model else manual.keys_of(answer.model)


def test_every_exit_status_is_told() -> None:
    wanted = {0, 2, 78, 130, *(cls.exit_status for cls in errors.BY_CODE.values())}
    assert {int(term) for term in _terms("ceo.1") if term.isdecimal()} == wanted
    assert all(f"({code})" in _plain("ceo.1").replace("`", "") for code in errors.BY_CODE)


@pytest.mark.parametrize(("file", "cls"), [("ceo.toml.5", config.Client), ("ceod.toml.5", config.Daemon)])
def test_every_key_is_told(file: str, cls: type[config.Client] | type[config.Daemon]) -> None:
    top, *tables = re.split(r'\.SH "\[', _plain(file).replace('.SH "SEE ALSO"', '.SH "['))
    below = {text.partition("]")[0]: text for text in tables}
    for spec in dataclasses.fields(cls):
        table = manual._table(typing.get_type_hints(cls)[spec.name])
        for name in [spec.name] if table is None else [key.name for key in dataclasses.fields(table)]:
            assert f".TP\n{name}\n" in (top if table is None else below[spec.name]), (spec.name, name)


def test_a_key_without_a_text_fails() -> None:
    @dataclasses.dataclass
    class Bad:
        told: int  #: something
        silent: int

    with pytest.raises(KeyError, match="silent"):
        manual._keys(Page("x", 5, "does", "1"), Bad)


def test_the_daemons_page() -> None:
    text = _plain("ceod.8")
    for word in ("gunicorn --config /etc/csc/gunicorn.conf.py", "flask run", "TERM", "HUP", "/var/lib/ceod", "python -m ceod.library.migrate", "EXIT STATUS"):
        assert word in text


def test_hostile_texts_stay_texts() -> None:
    page = Page("x", 1, "does", "1")
    page.paragraph(".so /etc/passwd")
    page.code("'br", "a\\b \"c\"")
    assert [line for line in page.text().splitlines() if line.startswith((".so", "'"))] == []
    assert "a\\eb \\(dqc\\(dq" in page.text()


@pytest.mark.skipif(not shutil.which("man"), reason="there is no man here")
def test_man_has_nothing_to_say_of_them(tmp_path: Path) -> None:
    manual.main(str(tmp_path))
    files = sorted(map(str, tmp_path.iterdir()))
    assert len(files) == len(PAGES)
    done = subprocess.run(["man", "--warnings", "-l", *files], capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin", "MANPAGER": "cat", "LC_ALL": "C.UTF-8"})
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert re.search(r"\n +ceo completion bash > ~/\S+/ceo\n", done.stdout)
    assert "ceo members add jdoe --cn \"Jane Doe\"" in done.stdout


def test_a_comment_of_several_lines_is_one_text() -> None:
    text = manual.comments(config.Security)["channel_bindings"]
    assert text.startswith('"required": over TLS')
    assert text.endswith("bindings are checked where a client sends them")
