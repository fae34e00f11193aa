"""Books as they cross the wire."""

from __future__ import annotations

import pytest

from ceo_common.errors import Invalid
from ceo_common.model.library import NewBook, NewBooks
from ceo_common.model.wire import parse


@pytest.mark.parametrize(
    "authors",
    [
        ["José", "José"],
        ["Jose\u0301", "José"],
        ["A B", "A\u00a0B"],
        ["A\u3000B", "A\u2009B"],
        ["\u212bke", "Åke"],
    ],
    ids=ascii,
)
def test_an_author_who_is_listed_twice(authors: list[str]) -> None:
    """Authors are compared as they are stored; the database refuses a book with one of them twice."""
    book = {"title": "T", "authors": [*authors, "Somebody Else"]}
    for model, body, field in (
        (NewBook, book, "authors"),
        (NewBooks, {"books": [book]}, "books.0.authors"),
    ):
        with pytest.raises(Invalid) as caught:
            parse(model, body)
        (problem,) = caught.value.problems
        assert problem["field"] == field
        assert problem["message"].endswith("is listed twice")
