"""A sandbox from outside: up, down, killed, two at once; nothing is left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from sandbox.club import ADDRESSES, DESK
from sandbox.state import State

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv/bin/python"

pytestmark = pytest.mark.skipif(Path("/srv/sandbox/club.json").exists(), reason="this runs outside a sandbox")


def _sandbox(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(PYTHON), "-m", "sandbox", "--dir", str(directory), *words], cwd=ROOT, capture_output=True, text=True, check=False)


def _namespace(directory: Path) -> str:
    """The user namespace of a sandbox that is up: nothing that it starts can leave it."""
    return os.readlink(f"/proc/{State(directory).pid_of(DESK)}/ns/user")


def _processes(directory: Path, namespace: str) -> set[str]:
    """The command lines of this sandbox, and of no other one that is up beside it: its supervisor's and those in its namespace."""
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().split(b"\0")
            if os.readlink(path / "ns/user") == namespace or (b"sandbox.supervisor" in words and bytes(directory) in words):
                found.add(b" ".join([path.name.encode(), *words]).decode(errors="replace"))
        except OSError:
            continue
    return found


def _mounts() -> set[str]:
    return set(Path("/proc/self/mountinfo").read_text().splitlines())


# What its servers and programs call the files that they make; other programs of the machine make files meanwhile.
_OURS = re.compile(r"krb5|rcache|shell\.|PostgreSQL|faketime|slapd|mysql|mailman|gunicorn|wgunicorn|ceo|sandbox|policy-rc")


def _outside() -> set[str]:
    places = [Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"), Path("/run"), Path("/etc"), Path("/usr/sbin")]
    return {str(path) for place in places for path in place.iterdir() if _OURS.search(path.name)}


def _crash_and_boot(directory: Path, host: str) -> None:
    """The desk reaches a host at once that is back from a crash: under its old hardware address."""
    neighbour = ["shell", "root", "--", "ip", "neigh", "show", "to", ADDRESSES[host]]
    ask = ["shell", "root", "--", "bash", "-c", f"exec 3<>/dev/tcp/{ADDRESSES[host]}/389"]
    assert _sandbox(directory, *ask).returncode == 0
    before = _sandbox(directory, *neighbour).stdout.split(" ")
    for do in ("crash", "boot"):
        State(directory).call(DESK, do=do, host=host)
    assert _sandbox(directory, *ask).returncode == 0
    after = _sandbox(directory, *neighbour).stdout.split(" ")
    assert "lladdr" in before and after[:5] == before[:5]


def test_up_and_down_leave_nothing_and_so_does_a_kill(tmp_path: Path) -> None:
    before = _mounts(), _outside()
    directory = tmp_path / "club"
    up = _sandbox(directory, "up")
    assert up.returncode == 0, up.stderr
    assert "The club is up" in up.stdout
    again = _sandbox(directory, "up")
    assert again.returncode == 1 and "is up already" in again.stderr and again.stderr.count("\n") == 1
    assert _sandbox(directory, "shell", "ctdalek", "--", "sh", "-c", "exit 7").returncode == 7
    inside = "klist -s && ldapwhoami -Q && getent hosts mail coffee.csclub.internal && command -v ceo curl mysql kinit"
    shown = _sandbox(directory, "shell", "ctdalek", "--", "sh", "-c", inside)
    assert shown.returncode == 0, shown
    assert "uid=ctdalek,ou=people" in shown.stdout
    assert _sandbox(directory, "shell", "office1", "--no-ticket", "--", "klist", "-s").returncode == 1
    for words, told in ((("shell", "nobody-here"), "there is no user"), (("shell", "root@nowhere"), "no host 'nowhere'"),
                        (("logs", "nothing"), "no log 'nothing'"), (("host", "mail", "stop", "nothing"), "no service")):
        refused = _sandbox(directory, *words)
        assert refused.returncode == 1 and told in refused.stderr and "Traceback" not in refused.stderr
    status = _sandbox(directory, "status").stdout
    assert "phosphoric-acid: krb5kdc, kadmind, slapd, ceod" in status
    _crash_and_boot(directory, "uwldap")

    pid = State(directory).supervisor()
    assert pid
    namespace = _namespace(directory)
    running = _processes(directory, namespace)
    for server in ("sandbox.supervisor", "krb5kdc", "kadmind", "slapd", "gunicorn", "mariadbd", "postgres", "mailman"):
        assert any(server in line for line in running), running
    os.kill(pid, signal.SIGKILL)
    end = time.monotonic() + 10
    while _processes(directory, namespace) or _mounts() != before[0]:
        assert time.monotonic() < end, _processes(directory, namespace)
        time.sleep(0.05)
    assert _sandbox(directory, "status").returncode == 3
    assert _sandbox(directory, "shell", "ctdalek").returncode == 1
    assert _sandbox(directory, "up", "--at", "2027-01-15").returncode == 0  # cleans up after the killed one
    day = _sandbox(directory, "shell", "ctdalek", "--", "sh", "-c", "date +%F; ldapwhoami -Q; ceo whoami")
    assert day.returncode == 0 and day.stdout.startswith("2027-01-15\n") and "ctdalek@CSCLUB.INTERNAL" in day.stdout, day
    namespace = _namespace(directory)
    assert _sandbox(directory, "down").returncode == 0
    assert not _processes(directory, namespace)
    assert (_mounts(), _outside()) == before
    assert sorted(path.name for path in directory.iterdir()) == ["lock", "log", "mail"]


def test_words_that_it_does_not_know(tmp_path: Path) -> None:
    for words in (("up", "--at", "someday"), ("fly",), ()):
        done = _sandbox(tmp_path, *words)
        assert done.returncode == 2 and "usage:" in done.stderr


def test_a_checkout_that_the_club_cannot_read(tmp_path: Path) -> None:
    from sandbox.__main__ import _readable_by_all
    from sandbox.control import Refused

    package = tmp_path / "closed/ceo"
    package.mkdir(parents=True, mode=0o700)
    (package / "__init__.py").touch()
    with pytest.raises(Refused, match="chmod"):
        _readable_by_all(package.parent)
