"""A second ceod of role admin on the admin host, beside the one of the sandbox."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox import shell
from sandbox.club import PYTHON, host_place
from tests.club.club import ADMIN, Club, until

PORT = 9988


@contextmanager
def another_ceod(club: Club, folder: Path, more: str = "") -> Iterator[int]:
    """Run with a journal of its own and `more` at the end of its configuration; gives the port."""
    text = (host_place(ADMIN) / "csc/ceod.toml").read_text()
    config = folder / "ceod.toml"
    config.write_text(text.replace("/var/lib/ceod", str(folder / "state")) + more)
    config.chmod(0o600)
    entry = shell.resolve(club.state, f"root@{ADMIN}")
    entry.environment["CEOD_CONFIG"] = str(config)
    log = (folder / "log").open("w")
    # `port` in its configuration is the one that its peers answer on, so only --bind differs.
    argv = [
        str(PYTHON),
        "-m",
        "gunicorn",
        "--config",
        "/etc/csc/gunicorn.conf.py",
        "--bind",
        f"0.0.0.0:{PORT}",
        "--pid",
        str(folder / "pid"),
    ]
    process = subprocess.Popen(
        shell.command(club.state, entry, argv, folder="/"), stdout=log, stderr=log
    )
    url = f"https://{ADMIN}.csclub.internal:{PORT}/api"
    until(lambda: club.curl(None, "/health", url=url)[0] == 200 if _listens(PORT) else False, 20)
    yield PORT
    # The process here is nsenter, which would leave gunicorn behind: so gunicorn is told.
    subprocess.run(
        shell.command(club.state, entry, ["sh", "-c", f"kill $(cat {folder}/pid)"]), check=True
    )
    assert process.wait(60) == 0
    assert not _listens(PORT)
    log.close()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("192.0.2.2", port), 1).close()
    except OSError:
        return False
    return True
