"""What the command line says of refusals and wrong answers; no server is asked."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner

from ceo.cli import _end
from ceo.cli.input_file import InputFile
from ceo.cli.library import _book, _only_reader
from ceo.cli.prompts import confirm
from ceo_common.errors import Exists, Invalid, KeyReused, NotFound


def _said(error: Exception, capsys: pytest.CaptureFixture[str]) -> str:
    _end(error, as_json=False)
    return capsys.readouterr().err


@pytest.mark.parametrize("field", ["uid", "cn", "members.0.uid"])
def test_a_refusal_is_said_once(field: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = "there is an account jdoe"
    same = Exists(text, problems=[{"field": field, "message": text}])
    assert _said(same, capsys) == f"ceo: {text}\n"
    more = Exists(text, problems=[{"field": field, "message": "other words"}])
    assert _said(more, capsys) == f"ceo: {text}\n  {field}: other words\n"


def test_the_key_has_the_options_name(capsys: pytest.CaptureFixture[str]) -> None:
    error = KeyReused("this Idempotency-Key was already used for another request; use a new one")
    said = _said(error, capsys)
    assert said == "ceo: this --key was already used for another request; use a new one\n"


@pytest.mark.parametrize(
    ("typed", "default", "is_yes"),
    [("y", False, True), ("YES", False, True), ("n", True, False), ("", True, True), ("", False, False)],
)
@pytest.mark.parametrize("before", ["", "banana\n", "yy\n1\n"])
def test_a_question_takes_y_or_n(typed: str, default: bool, is_yes: bool, before: str) -> None:
    @click.command()
    def command() -> None:
        confirm("Add it?", default=default)

    done = CliRunner().invoke(command, input=f"{before}{typed}\n")
    assert done.exit_code == (0 if is_yes else 1)
    assert f"Add it? [{'Y/n' if default else 'y/N'}]: " in done.output
    assert done.output.count("Error: answer y or n") == before.count("\n")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("978-0-13-110362-9", "last digit of this ISBN would be 7"),
        ("0131103629", "last digit of this ISBN would be 8"),
        ("1230131103627", "begins with 978 or 979"),
        ("nonsense", "neither a book's number nor an ISBN"),
        ("12345678901", "neither a book's number nor an ISBN"),
    ],
)
def test_a_wrong_isbn_is_said_to_be_one(text: str, says: str) -> None:
    with pytest.raises(Invalid, match=says):
        _book(SimpleNamespace(), text)  # type: ignore[arg-type]


def test_a_book_that_nobody_has_is_not_found() -> None:
    context = SimpleNamespace(client=SimpleNamespace(loans_of_book=lambda number: []))
    with pytest.raises(NotFound, match="nobody has borrowed this book"):
        _only_reader(context, 1)  # type: ignore[arg-type]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """Raised as the error of a file: the exit status is 66."""
    for path, kind in ((tmp_path / "none.csv", FileNotFoundError), (tmp_path, IsADirectoryError)):
        with pytest.raises(kind):
            InputFile().convert(str(path), None, None)
