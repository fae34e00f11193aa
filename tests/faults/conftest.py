"""The other half: servers are frozen, stopped, killed and cut off, a disk is filled."""

from tests.club.fixtures import _own_environment, club, session, terminal

__all__ = ["_own_environment", "club", "session", "terminal"]
