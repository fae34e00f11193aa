"""Standard streams that are closed, full or read by nobody, for commands of every kind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from ceo_common.krb5.admin import Admin
from sandbox.club import PASSWORD
from tests.club.club import Club
from tests.club.terminal import Open

# A pipe on descriptor 3 that nobody reads any more.
UNREAD = "exec 3> >(exec true); wait $!; "
# As the command's words in bash; what a lost standard output ends with, and after a change.
LOST_OUTPUT = {
    "closed": ("{} >&-", 74),
    "opened for reading": ("{} 1</dev/null", 74),
    "full": ("{} >/dev/full", 74),
    "unread": (UNREAD + "{} >&3", 0),
}
OTHER_STREAMS = {
    "errors closed": "{} 2>&-",
    "errors full": "{} 2>/dev/full",
    "errors unread": UNREAD + "{} 2>&3",
    "input closed": "{} <&-",
    "input opened for writing": "{} 0>/dev/null",
    "input and errors closed": "{} <&- 2>&-",
}
READS = [
    "ceo members list",
    "ceo members search dalek --csv",
    "ceo members get ctdalek --json",
    "ceo api GET /members/ctdalek",
    "ceo doctor ctdalek",
    "ceo --help",
    "ceo members renew regular1 --term s2027 --dry-run",
]
ADD = "ceo members add {} --cn 'Test Person' --program CS --term f2026 --yes"


def run(club: Club, script: str, who: str = "office1") -> subprocess.CompletedProcess[str]:
    done = club.run_as(who, "bash", "-c", script)
    assert "Traceback" not in done.stderr
    assert done.returncode not in (1, 120)
    return done


@pytest.mark.parametrize("stream", LOST_OUTPUT)
@pytest.mark.parametrize("command", READS)
def test_a_read_without_its_output(club: Club, command: str, stream: str) -> None:
    script, status = LOST_OUTPUT[stream]
    done = run(club, script.format(command))
    assert done.returncode == status
    assert ("standard output" in done.stderr) == (status != 0)


@pytest.mark.parametrize("command", READS)
def test_a_read_whose_output_is_there(club: Club, command: str) -> None:
    whole = run(club, command).stdout
    for stream in ("errors closed", "errors full", "input closed"):
        done = run(club, OTHER_STREAMS[stream].format(command))
        assert done.returncode == 0
        assert done.stdout == whole


@pytest.mark.parametrize("stream", ["full", "unread"])
@pytest.mark.parametrize("more", ["", " --json", " --quiet"])
def test_a_password_that_nobody_got(club: Club, stream: str, more: str) -> None:
    uid = club.name()
    done = run(club, LOST_OUTPUT[stream][0].format(ADD.format(uid) + more))
    assert done.returncode == 74
    sentence = f"The account {uid} exists; its password could not be shown: ceo members pwreset {uid}"
    assert sentence in done.stderr
    club.whole(uid)


def test_a_database_whose_password_nobody_got(club: Club) -> None:
    uid = club.add()["result"]["uid"]
    done = run(club, f"ceo mysql create {uid} --yes >/dev/full", "ctdalek")
    assert done.returncode == 74
    assert f"ceo mysql pwreset {uid}" in done.stderr


def test_a_repair_whose_password_nobody_got(club: Club) -> None:
    uid = club.add()["result"]["uid"]
    Admin.with_password("sysadmin/admin", PASSWORD).delete(uid)
    done = run(club, f"ceo doctor {uid} --fix --yes --json >/dev/full", "ctdalek")
    assert done.returncode == 74
    assert f"ceo members pwreset {uid}" in done.stderr


def test_a_change_whose_result_nobody_got(club: Club) -> None:
    uid = club.add()["result"]["uid"]
    for command in (f"members renew {uid} --term w2027", f"mailman subscribe {uid} events"):
        done = run(club, f"ceo {command} --yes >/dev/full", "ctdalek")
        assert done.returncode == 74
        assert "The change was made; only its result could not be shown." in done.stderr
    book = f"printf 'title,authors\\n{uid},A\\n' | ceo library import - --yes >/dev/full"
    assert "The change was made; only its result" in run(club, book).stderr
    done = run(club, UNREAD + f"ceo api POST /members/{uid}/pwreset '{{}}' >&3")
    assert done.returncode == 74
    assert "The change was sent" in done.stderr
    assert club.on_list(uid, "events")


@pytest.mark.parametrize("stream", ["closed", "opened for reading"])
def test_nothing_is_written_when_nobody_can_get_the_result(club: Club, stream: str) -> None:
    uid = club.name()
    for command in (ADD.format(uid), f"ceo api POST /members '{json.dumps(club.member(uid))}'"):
        done = run(club, LOST_OUTPUT[stream][0].format(command))
        assert done.returncode == 74
        assert "nothing was done" in done.stderr
    club.nothing(uid)


@pytest.mark.parametrize("stream", OTHER_STREAMS)
def test_a_password_is_printed_whatever_the_other_streams_do(club: Club, stream: str) -> None:
    uid = club.name()
    done = run(club, OTHER_STREAMS[stream].format(ADD.format(uid)))
    assert done.returncode == 0
    assert "Temporary password: " in done.stdout
    club.whole(uid)


def test_a_table_that_nobody_reads_ends_a_change_before_it_is_made(club: Club) -> None:
    club.add(terms=["w2015"])  # somebody is due, whatever was expired before
    done = run(club, UNREAD + "ceo members expire --yes >&3", "ctdalek")
    assert done.returncode == 74
    assert "nothing was changed" in done.stderr


def test_an_error_keeps_its_status_and_its_words(club: Club) -> None:
    for stream in ("full", "unread"):
        done = run(club, LOST_OUTPUT[stream][0].format("ceo members get nosuch --json"))
        assert done.returncode == 66
        assert "there is no account" in done.stderr
    assert run(club, "ceo members get nosuch 2>&-").returncode == 66


def test_an_import_whose_passwords_nobody_got(club: Club) -> None:
    uid = club.name()
    file = f"printf 'uid,cn,program\\n{uid},Test Person,CS\\n' >~/{uid}.csv; "
    command = f"ceo members import ~/{uid}.csv --yes"
    done = run(club, file + command + " >/dev/full")
    assert done.returncode == 74
    assert "standard output" in done.stderr
    assert f"nobody saw their passwords: {uid}" in done.stderr
    assert uid in run(club, command).stdout


def test_a_file_on_a_full_disk(club: Club) -> None:
    for command in ("ceo members export --output /dev/full", "ceo members export >/dev/full"):
        done = run(club, command)
        assert done.returncode == 74
        assert "No space left on device" in done.stderr


def test_the_forwarded_ticket_lands_in_no_stream(club: Club) -> None:
    command = "cd && python -m ceo.gen_cred phosphoric-acid.csclub.internal {} && wc -c <cred"
    for closed in ("", ">&-", "2>&-", "<&- >&- 2>&-"):
        done = run(club, command.format(closed))
        assert done.returncode == 0
        assert int(done.stdout) > 500


def test_a_fault_of_ceo_is_seventy(club: Club) -> None:
    broken = "import ceo.cli.whoami as w; w.whoami.callback = lambda *_, **__: 1 / 0;"
    script = f"python -c '{broken} from ceo.cli import main; main([\"whoami\"])'"
    done = run(club, script)
    assert done.returncode == 70
    assert done.stderr.startswith("ceo: this is a fault of ceo, please report it: ZeroDivisionError")


def test_a_signal_at_a_password_gives_the_terminal_back(club: Club, terminal: Open) -> None:
    home = Path("/users/office1")
    script = "sh -c 'echo $$ >~/pid; exec ceo whoami'; echo status $?; stty -a | grep -ow -- '-*echo'"
    window = terminal("office1", "sh", "-c", script, ticket=False)
    window.see("Password for")
    window.read(0.3)  # the echo goes off after the prompt is drawn
    os.kill(int((home / "pid").read_text()), signal.SIGTERM)
    window.see("ceo: interrupted", "status 130")
    assert window.ended() == 0
    assert window.text.rstrip().endswith("\necho")
    (home / "pid").unlink()


def test_the_menu_without_a_terminal(club: Club, terminal: Open) -> None:
    for script in ("ceo </dev/null", "ceo | cat; exit ${PIPESTATUS[0]}", "ceo <&-", "ceo </dev/null 2>&-"):
        done = run(club, script)
        assert done.returncode == 2
        assert done.stdout == ""
        assert "2>&-" in script or "The menu needs a terminal" in done.stderr
    for name in ("dumb", "", "unknown", "nosuch-terminal"):
        window = terminal("office1", "ceo", TERM=name)
        assert window.ended() == 2
        assert b"\x1b" not in window.raw
        window.see("cannot show the menu", "TERM=xterm-256color ceo")
    window = terminal("office1", "env", "-u", "TERM", "ceo")
    assert window.ended() == 2
    window.see("A terminal without a name")
