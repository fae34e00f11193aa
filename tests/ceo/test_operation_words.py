"""Operations in words: each has a sentence, and none shows a name from the code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ceo.operation_words import operation_sentence
from ceod.operations.registry import OPERATIONS

_API = Path(__file__).parents[2] / "docs" / "openapi.json"


@pytest.mark.parametrize("operation", sorted(name for name, _ in OPERATIONS))
def test_each_operation_has_a_sentence(operation: str) -> None:
    sentence = operation_sentence(operation, "jdoe")
    assert "jdoe" in sentence
    assert "_" not in sentence
    assert sentence[0].isupper()


@pytest.mark.parametrize(
    "request_line",
    [
        f"{method.upper()} {path}"
        for path, methods in json.loads(_API.read_text())["paths"].items()
        for method in methods
    ],
)
def test_a_request_that_was_refused_shows_no_path(request_line: str) -> None:
    written = request_line.replace("{", "<").replace("}", ">")
    assert "/" not in operation_sentence(written, "jdoe")


@pytest.mark.parametrize(
    ("operation", "subject", "sentence"),
    [
        ("add_member", "jdoe", "Sign-up of jdoe"),
        ("mailman.subscribe", "jdoe", "jdoe put on a list"),
        ("welcome mail", "jdoe", "welcome mail for jdoe"),
        ("welcome mail", "", "welcome mail"),
        ("POST /api/members/<uid>/pwreset", "jdoe", "Password reset of jdoe"),
        ("POST /api/library/books/<int:book>/loans/<uid>", "jdoe", "Book lent to jdoe"),
        ("GET /api/library/loans", "", "Request"),
        ("GET /api/members/<uid>/doctor", "jdoe", "Request about jdoe"),
        ("library.undo", "jdoe", "Loan change undone for jdoe"),
        ("add_member", "{0}", "Sign-up of {0}"),
    ],
)
def test_a_sentence_names_whom_it_is_about(operation: str, subject: str, sentence: str) -> None:
    assert operation_sentence(operation, subject) == sentence
