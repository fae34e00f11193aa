"""Servers are frozen, stopped and cut off, ceods killed, a disk filled."""

from tests.club.fixtures import _own_environment, club, runner, session, terminal

__all__ = ["_own_environment", "club", "runner", "session", "terminal"]
