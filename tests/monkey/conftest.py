"""A sandbox of its own (make monkey brings it up), a seed and a time."""

import pytest

from tests.club.fixtures import _own_environment, club
from tests.club.report import pytest_terminal_summary

__all__ = ["_own_environment", "club", "pytest_terminal_summary"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Also given by make monkey SEED=... SECONDS=..."""
    parser.addoption(
        "--seed", type=int, default=1, help="what operations and faults are drawn from"
    )
    parser.addoption(
        "--seconds", type=int, default=780, help="how long there are operations and faults"
    )
