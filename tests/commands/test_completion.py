"""The Tab key, in a real bash; and what is not completed, silently."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.club.club import Club
from tests.club.terminal import Open, Terminal


@pytest.fixture(autouse=True)
def _no_rush(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")


def _bash(terminal: Open, *, ticket: bool = True, **environment: str) -> Terminal:
    window = terminal("ctdalek", "bash", "--norc", "--noprofile", "-i", ticket=ticket, PS1="$ ", **environment)
    window.see("$")
    window.type('eval "$(ceo completion bash)"; clear; echo ready', "Enter")
    window.see("ready", "$")
    return window


@pytest.mark.parametrize(("typed", "becomes"), [
    ("ceo members get ctd", "ceo members get ctdalek |"), ("ceo groups get sysc", "ceo groups get syscom |"),
    ("ceo members list --position offs", "ceo members list --position offsck |"), ("ceo members list --term=w202", "--term=w202"),
    ("ceo positions set librar", "ceo positions set librarian=|"), ("ceo positions set librarian=ctda", "librarian=ctdalek |"),
    ("ceo updatep", "ceo updateprograms |"),
])
def test_tab(terminal: Open, typed: str, becomes: str) -> None:
    window = _bash(terminal)
    window.type(typed, "Tab", "|")  # bash reads on when the answer is there
    window.see(becomes)
    window.type("Ctrl-C")


@pytest.mark.parametrize("environment", [{}, {"CEO_CONFIG": "/nonexistent"}, {"KRB5_CONFIG": "/nonexistent"}])
def test_tab_without_a_ticket_completes_nothing(terminal: Open, environment: dict[str, str]) -> None:
    window = _bash(terminal, ticket=False, **environment)
    window.type("ceo members get ctd", "Tab", "|")
    window.see("ceo members get ctd|")
    assert [line for line in window.text.splitlines() if line] == ["ready", "$ ceo members get ctd|"]
    window.type("Ctrl-C")


def _ask(club: Club, words: str, *, ticket: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
    return club.run_as("ctdalek", "ceo", ticket=ticket, _CEO_COMPLETE="bash_complete", COMP_WORDS=words,
                       COMP_CWORD=str(len(words.split()) - (not words.endswith(" "))), **environment)


def test_what_is_completed(club: Club) -> None:
    begun = club.name()
    uids = [club.add(uid=f"{begun}{letter}")["result"]["uid"] for letter in "ab"]
    club.add(uid=f"a{begun}")  # has the letters too, but does not begin with them
    assert _ask(club, f"ceo members get {begun}").stdout.split() == [f"plain,{uid}" for uid in uids]
    assert _ask(club, f"ceo mailman unsubscribe {uids[0]} csc").stdout == "plain,csc-general\n"
    assert "plain,f2026" in _ask(club, "ceo memberlist f").stdout.split()
    assert _ask(club, "ceo members get t").stdout.strip() == ""  # too many begin with it


@pytest.mark.parametrize("words", ["ceo nonsense x", "ceo members nonsense x", "ceo members get '", "ceo positions set =", "ceo inactive x "])
def test_nonsense_is_met_with_silence(club: Club, words: str) -> None:
    done = _ask(club, words)
    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_a_host_that_hangs_is_not_waited_for(club: Club) -> None:
    config = Path("/users/ctdalek/tab.toml")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        text = Path("/etc/csc/ceo.toml").read_text().replace("phosphoric-acid.csclub.internal", "localhost")
        config.write_text(f"port = {silent.getsockname()[1]}\n" + re.sub(r"(?m)^port = .*$", "", text))
        config.chmod(0o644)
        try:
            began = time.monotonic()
            done = _ask(club, "ceo members get ctd", CEO_CONFIG=str(config))
            took = time.monotonic() - began
        finally:
            config.unlink()
        assert (done.stdout.strip(), done.stderr) == ("", "")
        silent.settimeout(0)
        silent.accept()  # it was asked
    assert 1 <= took < 5


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_scripts(club: Club, shell: str) -> None:
    done = club.run_as("ctdalek", "ceo", "completion", shell, ticket=False, CEO_CONFIG="/nonexistent")
    assert done.returncode == 0 and f"_CEO_COMPLETE={shell}_complete" in done.stdout and done.stderr == ""
    if shell == "bash":
        assert "compopt -o nospace" in done.stdout
        assert subprocess.run(["bash", "-n"], input=done.stdout, text=True).returncode == 0
