"""Operations in words: each has a sentence, and none shows a name from the code."""

from __future__ import annotations

import pytest

from ceo.operation_words import operation_sentence
from ceod.operations.registry import OPERATIONS


@pytest.mark.parametrize("operation", sorted(name for name, _ in OPERATIONS))
def test_each_operation_has_a_sentence(operation: str) -> None:
    sentence = operation_sentence(operation, "jdoe")
    assert "jdoe" in sentence
    assert "_" not in sentence
    assert sentence[0].isupper()


@pytest.mark.parametrize(
    ("operation", "subject", "sentence"),
    [
        ("add_member", "jdoe", "Sign-up of jdoe"),
        ("mailman.subscribe", "jdoe", "jdoe put on a list"),
        ("welcome mail", "jdoe", "welcome mail for jdoe"),
        ("welcome mail", "", "welcome mail"),
        ("add_member", "{0}", "Sign-up of {0}"),
    ],
)
def test_a_sentence_names_whom_it_is_about(operation: str, subject: str, sentence: str) -> None:
    assert operation_sentence(operation, subject) == sentence
