"""The description of the API: made from the code, the committed copy up to date, the page whole."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import flask
import pytest

from ceod.api import register
from ceod.api.openapi import docs, document

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    register(flask.Flask("ceod"))
    return document()


def test_the_committed_copy_is_what_the_code_says(described: dict[str, Any]) -> None:
    """Made anew with: python -m ceod.api > docs/openapi.json."""
    assert json.loads((ROOT / "docs/openapi.json").read_text()) == described


def test_every_reference_leads_somewhere(described: dict[str, Any]) -> None:
    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [v for k, v in value.items() if k == "$ref"] + [r for v in value.values() for r in references(v)]
        return [r for v in value for r in references(v)] if isinstance(value, list) else []

    found = references(described)
    assert found
    for reference in found:
        place: Any = described
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]


def test_each_operation_has_its_own_id_and_says_what_it_does(described: dict[str, Any]) -> None:
    operations = [operation for path in described["paths"].values() for operation in path.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert all(operation["summary"].endswith((".", "?")) or "?" in operation["summary"] for operation in operations)


def test_the_page_shows_every_route_and_loads_nothing() -> None:
    class Page(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.text = ""
            self.loads: list[str] = []
            self.anchors: set[str] = set()
            self.links: set[str] = set()

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.loads += [tag] if tag in ("script", "img", "link", "iframe") else []
            self.anchors |= {value for name, value in attrs if name == "id" and value}
            self.links |= {value for name, value in attrs if name == "href" and value}

        def handle_data(self, data: str) -> None:
            self.text += data

    app = flask.Flask("ceod")
    register(app)
    with app.test_request_context("/api/docs"):
        response = docs()
    page = Page()
    page.feed(response.get_data(as_text=True))
    assert page.loads == []
    assert all(rule.rule in page.text for rule in app.url_map.iter_rules() if rule.rule.startswith("/api"))
    assert {link.removeprefix("#") for link in page.links if link.startswith("#")} <= page.anchors
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
