"""One sandbox with a crowd in it (make soak brings it up)."""

import pytest

from tests.club.fixtures import _own_environment, club, crowd, terminal
from tests.club.report import pytest_terminal_summary

__all__ = ["_own_environment", "club", "crowd", "pytest_terminal_summary", "terminal"]


def pytest_configure(config: pytest.Config) -> None:
    """Its tests are made of the API's description."""
    config.pluginmanager.import_plugin("schemathesis.pytest.plugin")
