"""The menu, in a terminal: much of the time is waiting for what a person would wait for, too."""

from tests.club.fixtures import _own_environment, club, session, terminal

__all__ = ["_own_environment", "club", "session", "terminal"]
