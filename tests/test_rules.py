"""docs/rules.md names a test for each rule; here, that each of them is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_each_rule_names_tests_that_are_there() -> None:
    there = {f"{path.name}::{node.name}" for path in (ROOT / "tests").rglob("test_*.py") for node in ast.parse(path.read_text()).body
             if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}
    rows = [line for line in (ROOT / "docs/rules.md").read_text().splitlines() if line.startswith("| ") and not re.match(r"\| (rule|bug|---)", line)]
    assert len(rows) > 30
    for row in rows:
        named = re.findall(r"`(test_\w+\.py::\w+)`", row)
        assert named, row
        assert set(named) <= there, (row, set(named) - there)
