"""One sandbox, which a crowd visits (make soak brings it up)."""

from collections.abc import Iterator

import pytest

from tests.club.club import Club
from tests.club.crowd import Crowd
from tests.club.fixtures import _own_environment, club, terminal
from tests.club.report import pytest_terminal_summary

__all__ = ["_own_environment", "club", "pytest_terminal_summary", "terminal"]


def pytest_configure(config: pytest.Config) -> None:
    """Its tests are made of the API's description."""
    config.pluginmanager.import_plugin("schemathesis.pytest.plugin")


@pytest.fixture(scope="module")
def crowd(club: Club) -> Iterator[Crowd]:
    """Twenty thousand members more, for those who ask: with them every other test takes longer."""
    made = Crowd(club)
    with made.visit():
        yield made
