"""The quiet half: what freezes, stops or cuts off servers is in tests/faults, what ends operations in the middle in tests/crash."""

import pytest

from tests.club.fixtures import _own_environment, club, runner, session, terminal

__all__ = ["_own_environment", "club", "runner", "session", "terminal"]


def pytest_configure(config: pytest.Config) -> None:
    """Its tests are made of the API's description."""
    config.pluginmanager.import_plugin("schemathesis.pytest.plugin")
