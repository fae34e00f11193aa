"""The quiet half: what freezes, stops or cuts off servers is in tests/faults, what ends operations in the middle in tests/crash."""

from tests.club.fixtures import _own_environment, club, runner, session, terminal

__all__ = ["_own_environment", "club", "runner", "session", "terminal"]
pytest_plugins = ["schemathesis.pytest.plugin"]
