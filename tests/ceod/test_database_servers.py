"""MySQL, PostgreSQL and Mailman that say nothing, or something else than they should: what is told, and after how long."""

from __future__ import annotations

import http.server
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ceo_common import config
from ceo_common.deadline import CONNECT_S, LOCK_WAIT_S
from ceo_common.errors import BackendDown
from ceod.services import mailman, mysql, postgresql
from ceod.transaction.engine import SETTLE_S

GREETING = b"\x0a11.4.2-MariaDB\x00"


@contextmanager
def _listening(path: Path, said: bytes | None) -> Iterator[None]:
    """A socket that takes every connection; it says nothing more than this, and with None it does not even end it."""
    held = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                held.append(connection)
                if said is not None:
                    connection.sendall(said)
                    connection.shutdown(socket.SHUT_WR)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in held:
                connection.close()


def _refused(call: Callable[[], object]) -> tuple[str, float]:
    began = time.monotonic()
    with pytest.raises(BackendDown) as caught:
        call()
    return caught.value.message, time.monotonic() - began


def test_a_server_that_takes_the_connection_and_says_nothing(tmp_path: Path) -> None:
    servers = (mysql.MySql(config.MySql(f"{tmp_path}/mysql", "root")), postgresql.PostgreSql(config.PostgreSql(str(tmp_path), "postgres")))
    with _listening(tmp_path / "mysql", None), _listening(tmp_path / ".s.PGSQL.5432", None), ThreadPoolExecutor(2) as pool:
        for message, took in pool.map(lambda server: _refused(server.ping), servers):
            assert "not answer" in message and took < CONNECT_S + 1


@pytest.mark.parametrize("said", [
    b"", b"\x00", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x05\x00\x00\x00\x0a1.0\x00", b"\x01\x00\x00\x00\x0a", b"\x05\x00\x00\x07\x0a1.0\x00",
    b"\x02\x00\x00\x00\xff\x01", b"\x08\x00\x00\x00\xff\x14\x04oops\xff", b"\x00\x00\x00\x00", bytes([len(GREETING) + 20, 0, 0, 0]) + GREETING + bytes(20),
], ids=str)
def test_what_is_no_mysql(tmp_path: Path, said: bytes) -> None:
    with _listening(tmp_path / "mysql", said):
        assert _refused(mysql.MySql(config.MySql(f"{tmp_path}/mysql", "root")).ping)[0].startswith("MySQL does not")


def test_a_lock_is_waited_for_less_long_than_recovery_looks() -> None:
    """Else a statement would act after what it does was looked for the last time."""
    assert LOCK_WAIT_S <= SETTLE_S - 1 and int(LOCK_WAIT_S) == LOCK_WAIT_S


class _Slow(http.server.BaseHTTPRequestHandler):
    """Mailman, whose answer about a list takes twice as long as anybody waits, a piece at a time."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.command)
        told = json.dumps({"list_id": "exec.csclub.internal", "fqdn_listname": "exec@csclub.internal", "self_link": "x"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        for i in range(10):
            self.wfile.write(told[len(told) * i // 10:len(told) * (i + 1) // 10])
            time.sleep(0.1)

    do_POST = do_GET  # noqa: N815 - http.server's name

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def slow_mailman(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[mailman.Mailman, list[str]]]:
    """It, and what it was asked; in an environment with a proxy that is not there."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    asked: list[str] = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Slow,), {"asked": asked})) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings = config.Mailman(f"http://127.0.0.1:{server.server_port}/3.1", "ceod", "secret")
        yield mailman.Mailman(settings, "csclub.internal"), asked
        server.shutdown()


def test_mailman_is_asked_for_nothing_more_when_nobody_waits(slow_mailman: tuple[mailman.Mailman, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """A subscription is two requests; the second one would be sent when its first try was told of as failed."""
    server, asked = slow_mailman
    monkeypatch.setattr(mailman, "OPERATION_S", 0.5)
    assert "did not answer" in _refused(lambda: server.subscribe("exec", "x@csclub.internal"))[0]
    time.sleep(1)
    assert asked == ["GET"]
