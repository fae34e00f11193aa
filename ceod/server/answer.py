"""An answer as the application makes it: a piece at a time, in threads, so that a slow reader holds none."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, cast

from gunicorn.http import wsgi

from ceo_common.events import Event
from ceod.server import limits

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Any]
EVENTS = "ceod.events"  # the key under which an application leaves a Source instead of a body


class Source(Protocol):
    """The events of a transaction for one listener: ceod.transaction.follower."""

    is_over: bool
    is_foreign: bool  # this process does not work on it

    @property
    def patience_s(self) -> float:
        """How long to wait for a notice."""

    def on_change(self, notify: Callable[[], None]) -> None:
        """Whom to notify, from any thread."""

    def poll(self) -> list[Event]:
        """What is new."""

    def heartbeat(self) -> Event:
        """What to say while nothing is."""


class _Collector:
    """Takes the place of a socket under gunicorn's Response."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0

    def sendall(self, data: bytes) -> None:
        """Keep it."""
        self.parts.append(data)
        self.size += len(data)

    send = sendall

    def take(self) -> bytes:
        """What was written since the last time."""
        data = b"".join(self.parts)
        self.parts.clear()
        self.size = 0
        return data


class Answer:
    """One request's call of the application.  begin(), more() and close() run in threads, one at a time."""

    def __init__(self, application: Application, request: Any, peer: Any, host: Any, config: Any) -> None:
        self.application = application
        self.is_over = False
        self._collector = _Collector()
        self._turn = threading.Lock()
        self._iterable: Any = None
        self._parts: Iterator[bytes] = iter(())
        self.response, self.environ = wsgi.create(request, self._collector, peer, host, config)
        self.environ["wsgi.multithread"] = True

    @property
    def source(self) -> Source | None:
        """The events that are the body."""
        return cast("Source | None", self.environ.get(EVENTS))

    @property
    def closes(self) -> bool:
        """Whether the connection ends with this answer."""
        return bool(self.response.should_close())

    def begin(self) -> bytes:
        """Call the application; the head and the first piece."""
        with self._turn:
            self._iterable = self.application(self.environ, self.response.start_response)
            self._parts = _slices(self._iterable)
            if self.source:
                self.response.send_headers()
                return self._collector.take()
            return self._piece()

    def more(self) -> bytes:
        """The next piece; `is_over` tells that it is the last one."""
        with self._turn:
            return self._piece()

    def _piece(self) -> bytes:
        while self._collector.size < limits.CHUNK_BYTES:
            try:
                self.response.write(next(self._parts))
            except StopIteration:
                return self.end()
        return self._collector.take()

    def lines(self, data: bytes) -> bytes:
        """Lines of a Source as bytes for the wire."""
        self.response.write(data)
        return self._collector.take()

    def end(self) -> bytes:
        """What ends the answer on the wire."""
        self.is_over = True
        self.response.close()
        return self._collector.take()

    def close(self) -> None:
        """The application hears that it is over, whether all was sent or not."""
        with self._turn:
            close = getattr(self._iterable, "close", None)
            if close:
                with contextlib.suppress(ValueError):
                    close()


def _slices(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Pieces that a slow reader may keep in memory."""
    for part in parts:
        for start in range(0, len(part), limits.CHUNK_BYTES):
            yield part[start : start + limits.CHUNK_BYTES]
