"""The quiet half: what waits for frozen servers, kills processes or cuts hosts off is in tests/faults."""

from tests.club.fixtures import _own_environment, club, runner, session, terminal

__all__ = ["_own_environment", "club", "runner", "session", "terminal"]
