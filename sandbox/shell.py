"""Entering a running sandbox: a shell or one command, as a person with a ticket or as root of a host."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from sandbox import control, processes
from sandbox.club import BASE_DN, CHECKOUT, DESK, HOSTS, PASSWORD, PEOPLE, PYTHON
from sandbox.state import State


@dataclass
class Entry:
    """Who enters where."""

    user: str
    host: str
    uid: str  # what setpriv takes: a name that /etc/passwd has, or a number
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> str:
        """Where they start."""
        return "/root" if self.user == "root" else f"/users/{self.user}"


def enter(state: State, host: str) -> list[str]:
    """The nsenter words that lead into a host's namespaces."""
    pid = state.pid_of(host)
    # From the desk we are in the user namespace already, and entering one's own is an error (setns(2)).
    user = [] if state.inside else ["--user", "--preserve-credentials"]
    return ["nsenter", "-t", str(pid), *user, "--mount", "--uts", "--ipc", "--pid", "--net"]


def environment(entry: Entry) -> dict[str, str]:
    """All of it that a command inside has."""
    return processes.ENVIRONMENT | {
        "HOME": entry.home, "USER": entry.user, "LOGNAME": entry.user, "TERM": os.environ.get("TERM", "dumb"), "SHELL": "/bin/bash",
        "PATH": f"{PYTHON.parent}:{processes.PATH}", "PGHOST": "coffee.csclub.internal", "PGDATABASE": "postgres", "PGGSSENCMODE": "disable",
    } | entry.environment


def command(state: State, entry: Entry, argv: list[str], *, folder: str | None = None) -> list[str]:
    """The whole argv, from outside, of a command inside."""
    words = [f"{name}={value}" for name, value in environment(entry).items()]
    # env -C is last: the folder may be readable by that user alone.
    return [*enter(state, entry.host), "env", "-i", *words, *processes.become(entry.uid), "env", "-C", folder or entry.home,
            *processes.moved_clock(state.offset_seconds), *argv]


def resolve(state: State, who: str) -> Entry:
    """USER, USER@HOST or root@HOST.  Raises control.Refused for an unknown one."""
    user, _, host = who.partition("@")
    host = host or DESK
    if host != DESK and host not in HOSTS:
        raise control.Refused(f"no host {host!r}; there are: {', '.join((DESK, *HOSTS))}")
    if user == "root" or user in PEOPLE:
        return Entry(user, host, user)
    search = ["ldapsearch", "-Q", "-LLL", "-Y", "EXTERNAL", "-H", "ldapi://%2Frun%2Fslapd%2Fldapi", "-b", f"ou=People,{BASE_DN}"]
    if not all(c.isascii() and (c.isalnum() or c in "_-") for c in user):
        raise control.Refused(f"{user!r} is not a user name")
    root = Entry("root", "phosphoric-acid", "root")
    found = subprocess.run(command(state, root, [*search, f"(uid={user})", "uidNumber"]), capture_output=True, text=True, check=False)
    for line in found.stdout.splitlines():
        if line.startswith("uidNumber: "):
            return Entry(user, host, line.split()[1])
    raise control.Refused(f"there is no user {user!r} in this club; some who are there: {', '.join(PEOPLE)}")


def ticket(state: State, entry: Entry) -> bool:
    """Get the person's fresh ticket into a cache of this shell alone; False when their password is not the one we know."""
    made = subprocess.run(command(state, entry, ["mktemp", "-d", "/tmp/shell.XXXXXXXX"]), capture_output=True, text=True, check=True)
    entry.environment["KRB5CCNAME"] = f"FILE:{made.stdout.strip()}/ccache"
    done = subprocess.run(command(state, entry, ["kinit", entry.user]), input=f"{PASSWORD}\n", capture_output=True, text=True, check=False)
    return done.returncode == 0


def run(state: State, who: str, argv: list[str], *, want_ticket: bool) -> int:
    """Open the shell, or run argv; the exit status is the command's."""
    entry = resolve(state, who)
    as_host_root = entry.user == "root" and entry.host != DESK
    if entry.user != "root" and want_ticket and not ticket(state, entry):
        print(f"sandbox: no ticket for {entry.user}: the sandbox does not know their password; run kinit", file=sys.stderr)
    folder = str(CHECKOUT) if entry.user == "root" else None
    stopped = as_host_root and "ceod" in state.call(entry.host, do="status")["services"]
    if stopped:
        # The host is root's to run by hand: its own ceod gives the port and the journal free.
        state.call(entry.host, do="stop", service="ceod")
    try:
        prompt = f"{entry.user}@{entry.host}:\\w{'#' if entry.user == 'root' else '$'} "
        return subprocess.run(command(state, _with_prompt(entry, prompt), argv or ["bash", "--norc", "-i"], folder=folder), check=False).returncode
    finally:
        if cache := entry.environment.get("KRB5CCNAME"):
            cleaner = Entry("root", DESK, "root")
            subprocess.run(command(state, cleaner, ["rm", "-rf", str(Path(cache.removeprefix("FILE:")).parent)]), check=False)
        if stopped:
            state.call(entry.host, do="start", service="ceod")


def _with_prompt(entry: Entry, prompt: str) -> Entry:
    return Entry(entry.user, entry.host, entry.uid, entry.environment | {"PS1": prompt})


