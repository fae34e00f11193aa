"""The quiet half: no test here freezes, stops or cuts off what another one needs."""

from tests.club.fixtures import _own_environment, club, session, terminal

__all__ = ["_own_environment", "club", "session", "terminal"]
