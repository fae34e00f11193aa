"""One sandbox with a crowd in it (make bench brings it up)."""

from tests.club.fixtures import _own_environment, club, crowd, terminal
from tests.club.report import pytest_terminal_summary

__all__ = ["_own_environment", "club", "crowd", "pytest_terminal_summary", "terminal"]
