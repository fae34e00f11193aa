"""What strangers and members send who mean harm: connections, bytes, tickets, bodies."""

from tests.club.fixtures import _own_environment, club, runner, session, terminal

__all__ = ["_own_environment", "club", "runner", "session", "terminal"]
