"""The open connections: when there are too many, the address that holds the most loses its oldest.

A connection counts while it answers no authenticated request.  An honest request needs milliseconds
before that, so it is never the oldest; and nobody is refused because of what others at the same
address do, as a limit for each address would: on a shared host that one is used up by anybody.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field


@dataclass(eq=False)
class Connection:
    """One client."""

    address: str
    task: asyncio.Task[None] | None = None
    principal: str | None = None  # of the authenticated request that is being answered
    is_streaming: bool = False  # the answer is the events of a transaction


@dataclass
class Connections:
    """All of a worker's.  `capacity` is for those that answer no authenticated request."""

    capacity: int
    in_flight: Counter[str] = field(default_factory=Counter)  # authenticated requests, by principal
    _waiting: dict[str, dict[Connection, None]] = field(default_factory=dict)  # by address, oldest first
    _held: set[Connection] = field(default_factory=set)
    _count: int = 0

    def __len__(self) -> int:
        return self._count + len(self._held)

    def add(self, connection: Connection) -> None:
        """A new one; makes room for it."""
        self._wait(connection)
        while self._count > self.capacity:
            self.evict()

    def evict(self) -> None:
        """Close the oldest connection of the address that has the most."""
        if self._waiting:
            most = max(self._waiting.values(), key=len)
            self._close(next(iter(most)))

    def hold(self, connection: Connection, principal: str) -> None:
        """It answers an authenticated request from now on: nobody evicts it."""
        self._leave(connection)
        self._held.add(connection)
        connection.principal = principal
        self.in_flight[principal] += 1

    def release(self, connection: Connection) -> None:
        """The request is over; the connection counts again, as the newest."""
        if connection.principal is not None:
            self._uncount(connection)
            self._wait(connection)

    def remove(self, connection: Connection) -> None:
        """It is closed."""
        if connection.principal is not None:
            self._uncount(connection)
        else:
            self._leave(connection)

    def close_waiting(self) -> None:
        """Close every one that answers no authenticated request."""
        for connections in list(self._waiting.values()):
            for connection in list(connections):
                self._close(connection)

    def close_answers(self) -> None:
        """Close every one whose answer is no stream of events."""
        for connection in list(self._held):
            if not connection.is_streaming and connection.task:
                connection.task.cancel()

    def _close(self, connection: Connection) -> None:
        self._leave(connection)
        if connection.task:
            connection.task.cancel()

    def _uncount(self, connection: Connection) -> None:
        assert connection.principal is not None
        self._held.discard(connection)
        self.in_flight[connection.principal] -= 1
        if not self.in_flight[connection.principal]:
            del self.in_flight[connection.principal]
        connection.principal = None

    def _wait(self, connection: Connection) -> None:
        self._waiting.setdefault(connection.address, {})[connection] = None
        self._count += 1

    def _leave(self, connection: Connection) -> None:
        connections = self._waiting.get(connection.address, {})
        if connection in connections:
            del connections[connection]
            self._count -= 1
            if not connections:
                del self._waiting[connection.address]
