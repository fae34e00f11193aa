"""The command line as people and scripts use it: what it prints, asks, stores and ends with."""

from tests.club.fixtures import _own_environment, club, session, terminal

__all__ = ["_own_environment", "club", "session", "terminal"]
