"""Lines that a run prints at its end, behind pytest's own: a conftest.py imports pytest_terminal_summary."""

from __future__ import annotations

import pytest

LINES: list[str] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.ensure_newline()
    for line in LINES:
        terminalreporter.write_line(line)


__all__ = ["LINES", "pytest_terminal_summary"]
