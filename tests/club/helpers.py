"""ceod's helpers as forks of a process that has imported them: each child of the bare runner starts its own, and an interpreter costs thirty times
a fork.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import sys

from ceod.helpers.child import Child

HELPERS = ("ceod.helpers.acceptor", "ceod.helpers.kadmin")
_LIMIT = 1 << 16


class Forked:
    """One, as Child sees a subprocess.Popen."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._asked_by = os.getpid()

    def poll(self) -> int | None:
        """None while it runs, and is ours: not that of the process which we are a fork of."""
        if self._asked_by != os.getpid():
            return 0
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return 0
        return None

    def send_signal(self, number: int) -> None:
        """As it says."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)

    def wait(self) -> None:
        """It is buried by the process that forked it."""


def fork_helpers() -> None:
    """From now on each Child of this process, and of those that it forks, is a fork.  To be called before there are threads."""
    channel, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        channel.close()
        _serve(theirs)
    theirs.close()

    def launch(child: Child, helpers: socket.socket) -> Forked:
        read, write = os.pipe()
        # A pipe for each answer: whoever asks may be killed before it comes.
        socket.send_fds(channel, [json.dumps([child._argv[2:], child._environment]).encode()], [helpers.fileno(), write])
        os.close(write)
        with open(read) as answer:
            return Forked(int(answer.read()))

    Child._launch = launch  # type: ignore[method-assign, assignment]


def _serve(channel: socket.socket) -> None:
    """Fork for each request, until nobody is left who could ask."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for name in HELPERS:
        importlib.import_module(name)
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, _LIMIT, 2)
        if not message:
            os._exit(0)
        theirs, answer = descriptors
        if (pid := os.fork()) == 0:
            channel.close()
            os.close(answer)
            _be(theirs, *json.loads(message))
        os.write(answer, str(pid).encode())
        os.close(theirs)
        os.close(answer)


def _be(theirs: int, words: list[str], environment: dict[str, str]) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(environment)
    name, *arguments = words
    status = 1
    try:
        sys.modules[name].main([*arguments, str(theirs)])
        status = 0
    finally:
        os._exit(status)
