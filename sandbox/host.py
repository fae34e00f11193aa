"""Process 1 of one host: makes the host's namespaces, runs its servers, obeys its control socket."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import time
from pathlib import Path

from sandbox import control, processes
from sandbox import namespaces as ns
from sandbox.club import HOSTS, OUTSIDE, hardware_address, host_place
from sandbox.files import own
from sandbox.rootfs import mount_proc
from sandbox.services import ON, RUN, Service

_READY_S = 60.0


def boot(host: str, outer_proc: int, report: int, offset_seconds: int) -> None:
    """Become the host.  Never returns; writes one JSON line about itself to the descriptor `report` when all answer."""
    ns.unshare(ns.CLONE_NEWNET | ns.CLONE_NEWNS | ns.CLONE_NEWUTS | ns.CLONE_NEWIPC)
    socket.sethostname(host)
    commands = (
        f"link add eth0 address {hardware_address(host)} type veth peer name {host[:15]} netns 1",
        "link set lo up",
        f"addr add {HOSTS[host]}/24 dev eth0",
        "link set eth0 up",
    )
    subprocess.run(["ip", "-batch", "-"], input="\n".join(commands), text=True, check=True)
    ns.unshare(ns.CLONE_NEWPID)
    if os.fork():
        os._exit(0)  # the child is process 1 of the new pid namespace, and its parent is now the sandbox's
    inner = int(os.readlink("/proc/self"))  # still the sandbox's /proc
    outer = int(os.readlink("self", dir_fd=outer_proc))
    os.close(outer_proc)
    mount_proc("/proc")
    _own_places(host)
    servers = Servers(host, offset_seconds)
    servers.start_all()
    os.write(report, json.dumps({"host": host, "pid": outer, "inner_pid": inner, "times": servers.times}).encode())
    os.close(report)
    _serve(host, servers)


def _own_places(host: str) -> None:
    """What is this host's alone: /run, the keytab, /etc/csc with the configuration, ceod's state."""
    ns.tmpfs("/run")
    ns.tmpfs("/dev/shm", "1777")
    for folder, user in RUN[host].items():
        own(folder, user)
    place = host_place(host)
    lib = Path("/var/lib")
    for name, target in (("csc", Path("/etc/csc")), ("ceod", lib / "ceod"), ("ceod-fingerprint", lib / "ceod-fingerprint")):
        if (place / name).exists() or name != "csc":
            (place / name).mkdir(parents=True, exist_ok=True)
            target.mkdir(parents=True, exist_ok=True)
            ns.bind(place / name, target)
    if (place / "krb5.keytab").exists():
        Path("/etc/krb5.keytab").touch()
        ns.bind(place / "krb5.keytab", "/etc/krb5.keytab")


class Servers:
    """The running servers of a host, by name."""

    def __init__(self, host: str, offset_seconds: int) -> None:
        self.host = host
        self.services: dict[str, Service] = {service.name: service for service in ON[host]}
        self.offset_seconds = offset_seconds
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.times: dict[str, float] = {}

    def start_all(self) -> None:
        """Start side by side, then wait for each."""
        for name in self.services:
            self.launch(name)
        for name in self.services:
            self.wait(name)

    def launch(self, name: str) -> None:
        """Start one, in a process group of its own; its output goes to the sandbox's log folder."""
        service = self.services[name]
        with (OUTSIDE / "log" / f"{self.host}.{name}").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [*processes.become(service.user), *processes.moved_clock(self.offset_seconds), *service.argv],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=dict(os.environ) | service.environment, start_new_session=True, cwd="/",
            )

    def wait(self, name: str) -> None:
        """Wait until it answers.  Raises RuntimeError when it ended or took too long."""
        begun = time.monotonic()
        while not self.services[name].is_up():
            if self.running[name].poll() is not None:
                raise RuntimeError(f"{name} ended at once; see its log")
            if time.monotonic() - begun > _READY_S:
                raise RuntimeError(f"{name} did not answer within {_READY_S:.0f} s; see its log")
            time.sleep(0.005)
        self.times[name] = round(time.monotonic() - begun, 2)

    def stop(self, name: str, signal_number: int = signal.SIGTERM) -> None:
        """Stop one and everything in its group; SIGKILL after 40 s."""
        process = self.running.pop(name, None)
        if process is None or process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGCONT)
            # gunicorn and Mailman's master stop their own children in order.
            (os.kill if signal_number == signal.SIGTERM else os.killpg)(process.pid, signal_number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(40)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def answer(self, request: control.Reply) -> control.Reply:
        """One request of the control socket: status, start, stop, kill or signal of a service."""
        do, name = request["do"], request.get("service", "")
        if do == "status":
            return {"services": {n: n in self.running and self.running[n].poll() is None for n in self.services}}
        if name not in self.services:
            raise control.Refused(f"no service {name!r} here; there are: {', '.join(self.services)}")
        if do == "start":
            if name not in self.running or self.running[name].poll() is not None:
                self.launch(name)
                self.wait(name)
        elif do == "stop":
            self.stop(name)
        elif do == "kill":
            self.stop(name, signal.SIGKILL)
        elif do == "signal":
            target = self.running[name].pid
            (os.killpg if request.get("group") else os.kill)(target, signal.Signals[f"SIG{request['signal']}"])
        elif do == "pids":
            return {"pids": _group(self.running[name].pid)}
        else:
            raise control.Refused(f"unknown request {do!r}")
        return {}


def _group(leader: int) -> list[int]:
    """The pids (as this host counts) in a process group, the leader first."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if os.getpgid(int(entry.name)) == leader:
                    found.append(int(entry.name))
    return sorted(found)


def _serve(host: str, servers: Servers) -> None:
    """Obey and reap for ever: that is what a process 1 does."""
    server = control.listen(OUTSIDE / "control" / host)
    while True:
        ready, _, _ = select.select([server], [], [], 0.2)
        if ready:
            control.serve_one(server, servers.answer)
        for process in servers.running.values():
            process.poll()
        reap()


def reap() -> None:
    """Bury the orphans that ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
