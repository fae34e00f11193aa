"""ceo run by a fork of a process that has the libraries in memory already: to import them is most of what a start costs.

What is ceo's own each fork imports by itself, as a process of its own does; and its user, environment, folder and descriptors are those that it
would have.  That the program as it is installed starts is proven by the tests that run it in a terminal and in scripts.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pwd
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import time

from sandbox import processes, shell
from sandbox.club import CHECKOUT, PYTHON

# What ceo's modules import of others, for a request.
LIBRARIES = ("click", "cryptography.x509", "difflib", "gssapi", "importlib.metadata", "requests", "requests_gssapi", "tomllib", "uuid", "wcwidth")
_LIMIT = 1 << 17  # of a message; argv is the largest part of it


class Warm:
    """The process that forks, and how to ask it."""

    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen([PYTHON, "-m", "tests.club.warm", str(theirs.fileno())], cwd=CHECKOUT, env=processes.ENVIRONMENT,
                                             pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def run(self, entry: shell.Entry, argv: list[str], text: str) -> subprocess.CompletedProcess[str]:
        """`ceo ...` to its end, at the desk, as subprocess.run() would."""
        message = json.dumps([entry.uid, entry.home, shell.environment(entry), argv]).encode()
        assert len(message) < _LIMIT
        read, write = os.pipe()
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            given.write(text.encode())
            given.seek(0)
            socket.send_fds(self._channel, [message], [given.fileno(), out.fileno(), err.fileno(), write])
            os.close(write)
            with open(read) as status:
                code = int(status.read())
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(argv, code, out.read().decode(), err.read().decode())


def _serve(channel: socket.socket) -> list[str]:
    """Fork for each request; in the forks this returns the argv."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who wait
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends pytest, whose end is heard here
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, _LIMIT, 4)
        if not message:
            sys.exit(0)
        if os.fork() == 0:
            channel.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            if (pid := os.fork()) == 0:
                return _become(descriptors, *json.loads(message))
            _, status = os.waitpid(pid, 0)
            os.write(descriptors[3], str(os.waitstatus_to_exitcode(status)).encode())
            os._exit(0)
        for descriptor in descriptors:
            os.close(descriptor)


def _become(descriptors: list[int], uid: str, home: str, environment: dict[str, str], argv: list[str]) -> list[str]:
    """What setpriv and env do before a command (shell.py)."""
    for number, descriptor in enumerate(descriptors[:3]):
        os.dup2(descriptor, number)
    for descriptor in descriptors:
        os.close(descriptor)
    if uid != "root":
        entry = pwd.getpwnam(uid) if not uid.isdigit() else None
        os.setgroups(os.getgrouplist(uid, entry.pw_gid) if entry else [])
        number = entry.pw_uid if entry else int(uid)
        gid = entry.pw_gid if entry else int(uid)
        os.setresgid(gid, gid, gid)
        os.setresuid(number, number, number)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(home)
    return argv


if __name__ == "__main__":
    for library in LIBRARIES:
        importlib.import_module(library)
    assert not any(name.partition(".")[0] in ("ceo", "ceo_common") for name in sys.modules)
    gc.freeze()
    program, *sys.argv[1:] = _serve(socket.socket(fileno=int(sys.argv[1])))
    runpy.run_path(str(PYTHON.parent / program), run_name="__main__")
