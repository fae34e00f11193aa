"""Process 1 of the sandbox: builds the root, the data and the switch, boots the hosts, obeys its control socket."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path

from sandbox import control, data, files, host, processes, rootfs
from sandbox import namespaces as ns
from sandbox.club import ADDRESSES, DESK, HOSTS, OUTSIDE, hardware_address


@dataclass(frozen=True)
class Options:
    """How this sandbox was asked for."""

    plain_http: bool = False
    offset_seconds: int = 0


class Progress:
    """JSON lines to whoever started the sandbox."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def say(self, **line: object) -> None:
        """One line."""
        os.write(self.descriptor, json.dumps(line).encode() + b"\n")


def run(directory: Path, options: Options, cache: int, *, cached: bool, progress: int) -> None:
    """Be process 1.  `cache` is an open tar: read when `cached`, else written.  Returns never."""
    outer_proc = os.open("/proc", os.O_RDONLY)  # still the machine's: tells pids as seen from outside
    me = int(os.readlink("self", dir_fd=outer_proc))
    says = Progress(progress)
    rootfs.build(directory / "root", directory)
    socket.sethostname(DESK)
    os.environ.clear()
    os.environ.update(processes.ENVIRONMENT, KRB5_KDC_PROFILE="/etc/krb5kdc/kdc.conf")
    files.write_etc(plain_http=options.plain_http)
    tar = ["tar", "-C", "/", "--numeric-owner"]
    if cached:
        says.say(step="Unpacking the servers' first data")
        subprocess.run([*tar, "-xpf", "-"], stdin=cache, check=True)
        files.write_etc(plain_http=options.plain_http)
    else:
        says.say(step="Making the servers' first data (kept for the next time)")
        data.make()
        subprocess.run([*tar, "--sparse", "-cf", "-", *data.KEPT], stdout=cache, check=True)
        says.say(made=True)
    data.make_homes()
    says.say(step="Starting the hosts")
    switch = Switch(outer_proc, options)
    started = switch.boot_all(says)
    says.say(up={"pid": me, "inner_pid": 1, "hosts": started, "plain_http": options.plain_http, "offset_seconds": options.offset_seconds})
    os.close(progress)
    server = control.listen(OUTSIDE / "control" / DESK)
    while True:
        ready, _, _ = select.select([server], [], [], 0.2)
        if ready:
            control.serve_one(server, switch.answer)
        host.reap()


class Switch:
    """The bridge that the hosts hang on."""

    def __init__(self, outer_proc: int, options: Options) -> None:
        self.outer_proc = outer_proc
        self.options = options
        self.hosts: dict[str, dict[str, object]] = {}
        commands = (
            "link set lo up",
            f"link add br0 address {hardware_address(DESK)} type bridge",
            f"addr add {ADDRESSES[DESK]}/24 dev br0",
            "link set br0 up",
        )
        self._ip(*commands)

    def _ip(self, *commands: str) -> None:
        subprocess.run(["ip", "-batch", "-"], input="\n".join(commands), text=True, check=True)

    def boot_all(self, says: Progress) -> dict[str, object]:
        """Boot every host, side by side."""
        reports = {name: self._fork(name) for name in HOSTS}
        for name, report in reports.items():
            self._join(name, report)
            says.say(host=name, times=self.hosts[name]["times"])
        return dict(self.hosts)

    def _fork(self, name: str) -> int:
        read, write = os.pipe()
        if os.fork() == 0:
            try:
                os.close(read)
                host.boot(name, self.outer_proc, write, self.options.offset_seconds)
            except BaseException as error:
                traceback.print_exc()
                os.write(write, json.dumps({"error": f"{name}: {error}"}).encode())
            finally:
                sys.stderr.flush()
                os._exit(1)
        os.close(write)
        return read

    def _join(self, name: str, report: int) -> None:
        text = b"".join(iter(lambda: os.read(report, 65536), b""))
        os.close(report)
        told = json.loads(text or b'{"error": "a host ended without an error message; see the log supervisor"}')
        if "error" in told:
            raise RuntimeError(told["error"])
        self.hosts[name] = told
        self._ip(f"link set {name[:15]} master br0 up")

    def answer(self, request: control.Reply) -> control.Reply:
        """One request of the control socket: hosts, cut, join, crash or boot of a host."""
        do, name = request["do"], request.get("host", "")
        if do == "hosts":
            return {"hosts": self.hosts}
        if name not in HOSTS:
            raise control.Refused(f"no host {name!r}; there are: {', '.join(HOSTS)}")
        if do == "cut":
            self._ip(f"link set {name[:15]} down")
        elif do == "join":
            self._ip(f"link set {name[:15]} up")
        elif do == "crash":
            pid = self.hosts[name]["inner_pid"]
            assert isinstance(pid, int)
            os.kill(pid, signal.SIGKILL)
            # The kernel takes it down with the host's namespace some time later: too late for a host that boots at once.
            subprocess.run(["ip", "link", "del", name[:15]], stderr=subprocess.DEVNULL, check=False)
        elif do == "boot":
            self._join(name, self._fork(name))
        else:
            raise control.Refused(f"unknown request {do!r}")
        return {}


def middle(directory: Path, options: Options, cache: int, *, cached: bool, go: int, unshared: int, progress: int) -> None:
    """The process between the supervisor and process 1: owns the user namespace.  Returns never."""
    ns.die_with_parent(signal.SIGTERM)
    try:
        flags = ns.CLONE_NEWUSER | ns.CLONE_NEWNS | ns.CLONE_NEWUTS | ns.CLONE_NEWIPC | ns.CLONE_NEWPID | ns.CLONE_NEWNET
        try:
            ns.unshare(flags)
        except OSError as error:
            raise ns.NotAllowed(
                f"this machine does not allow user namespaces ({error.strerror}); see kernel.unprivileged_userns_clone, "
                "AppArmor (kernel.apparmor_restrict_unprivileged_userns) or your container's seccomp profile"
            ) from error
        os.write(unshared, b"u")
        if os.read(go, 1) != b"g":
            os._exit(1)
        if first := os.fork():
            signal.signal(signal.SIGTERM, lambda *_: os.kill(first, signal.SIGKILL))
            os.close(progress)
            os.waitpid(first, 0)
            os._exit(0)
        ns.die_with_parent(signal.SIGKILL)
        if os.read(go, 1) != b"g":  # our parent ended before the line above took hold
            os._exit(1)
        ns.make_private()
        run(directory, options, cache, cached=cached, progress=progress)
    except BaseException as error:
        traceback.print_exc()
        Progress(progress).say(error=str(error))
    finally:
        sys.stderr.flush()
        os._exit(1)
