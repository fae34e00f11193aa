"""docs/rules.md names a test for each rule, docs/threats.md one for each attack; here, that each of them is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(("document", "least"), [("rules.md", 30), ("threats.md", 10)])
def test_each_row_names_tests_that_are_there(document: str, least: int) -> None:
    there = {f"{path.name}::{node.name}" for path in (ROOT / "tests").rglob("test_*.py") for node in ast.parse(path.read_text()).body
             if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}
    text = (ROOT / "docs" / document).read_text()
    # A table with a column of tests; the table of attackers has none.
    tables = [table for table in text.split("\n\n") if re.match(r"\| .*\| test \|\n", table)]
    rows = [line for table in tables for line in table.splitlines()[2:]]
    assert len(rows) > least
    for row in rows:
        named = re.findall(r"`(test_\w+\.py::\w+)`", row)
        assert named, row
        assert set(named) <= there, (row, set(named) - there)
