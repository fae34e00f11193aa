"""The other half: servers are frozen, stopped and cut off, processes killed at each boundary, a disk filled."""

from tests.club.fixtures import _own_environment, club, runner, session, terminal

__all__ = ["_own_environment", "club", "runner", "session", "terminal"]
