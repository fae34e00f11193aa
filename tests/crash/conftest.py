"""Operations end or fail at each of their boundaries, by the bare runner."""

from tests.club.fixtures import _own_environment, club, runner, session, terminal

__all__ = ["_own_environment", "club", "runner", "session", "terminal"]
