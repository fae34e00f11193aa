"""The command line, as people and scripts use it."""

from __future__ import annotations

import json
from pathlib import Path

from sandbox.club import PASSWORD
from tests.club.club import Club
from tests.club.terminal import Open, password_in


def test_add_with_flags(club: Club) -> None:
    uid = club.name()
    done = club.run_as("office1", "ceo", "members", "add", uid, "--cn", "Flag Person", "--program", "Maths", "--terms", "2", "--yes")
    assert done.returncode == 0, done
    assert done.stdout.count("\n") == 2 and "Temporary password:" in done.stdout
    assert "LDAP user" in done.stderr and "\x1b" not in done.stderr + done.stdout
    club.whole(uid)


def test_add_in_json(club: Club) -> None:
    uid = club.name()
    done = club.run_as("office1", "ceo", "members", "add", uid, "--cn", "Json Person", "--program", "x", "--term", "f2026", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["status"], told["result"]["terms"]) == (0, "completed", ["f2026"])
    assert done.stderr == ""
    done = club.run_as("office1", "ceo", "members", "add", uid, "--cn", "Json Person", "--program", "x", "--yes", "--json")
    assert (done.returncode, json.loads(done.stdout)["code"]) == (73, "exists")


def test_missing_flags_are_named(club: Club) -> None:
    done = club.run_as("office1", "ceo", "members", "add", "somebody")
    assert done.returncode == 2 and "--cn" in done.stderr and "--program" in done.stderr


def test_problems_come_with_their_fields(club: Club) -> None:
    done = club.run_as("office1", "ceo", "members", "add", "Xx", "--cn", "Xx", "--program", "x", "--forward", "|sh", "--yes")
    assert done.returncode == 65
    for field in ("uid:", "cn:", "forwarding_addresses.0:"):
        assert field in done.stderr


def test_prompts_on_a_terminal(club: Club, terminal: Open) -> None:
    uid = club.name()
    window = terminal("office1", "ceo", "members", "add")
    window.see("Username")
    window.type(uid, "Enter")
    window.see("Full name")
    window.type("Prompt Person", "Enter")
    window.see("Program")
    window.type("Physics", "Enter")
    window.see("Number of terms")
    window.type("Enter")
    window.see("Forward mail to")
    window.type("Enter")
    window.see("Fee", "$2", "photo ID", "Add this account?")
    window.type("Enter")
    window.see("Temporary password:", "✓ LDAP user")
    assert window.ended() == 0
    club.whole(uid)


def test_the_university_fills_in(club: Club, terminal: Open) -> None:
    window = terminal("office1", "ceo", "members", "add", "jdoe")
    window.see("Full name [Jane Doe]")
    window.type("Enter")
    window.see("Program [Computer Science]")
    window.type("Ctrl-C")
    assert window.ended() in (130, -2)  # -2: the words before ceo heard the key as well
    assert club.entries("(uid=jdoe)") == {}


def test_get_and_whoami(club: Club) -> None:
    done = club.run_as("regular1", "ceo", "members", "get", "ctdalek")
    assert done.returncode == 0 and "Calum Dalek" in done.stdout and "syscom" in done.stdout
    assert json.loads(club.run_as("regular1", "ceo", "members", "get", "ctdalek", "--json").stdout)["uid"] == "ctdalek"
    done = club.run_as("regular1", "ceo", "members", "get", "nobody-here")
    assert (done.returncode, done.stdout) == (66, "") and "nobody-here" in done.stderr
    assert "regular1@CSCLUB.INTERNAL" in club.run_as("regular1", "ceo", "whoami").stdout


def test_hostile_names_are_shown_not_sent(club: Club) -> None:
    done = club.run_as("regular1", "ceo", "members", "get", "x\x1b]0;evil\x07\u202e")
    assert done.returncode == 66 and "\x1b" not in done.stderr and "\u202e" not in done.stderr


def test_pwreset(club: Club) -> None:
    uid = club.name()
    club.add("office1", uid=uid)
    assert club.run_as("office1", "ceo", "members", "pwreset", uid).returncode == 2  # a script has to say --yes
    done = club.run_as("office1", "ceo", "members", "pwreset", uid, "--yes")
    assert done.returncode == 0 and password_in(done.stdout)
    assert club.run_as("office1", "ceo", "members", "pwreset", "ctdalek", "--yes").returncode == 77


def test_transactions(club: Club) -> None:
    uid = club.name()
    identifier = club.add("office1", uid=uid)["transaction"]
    listed = club.run_as("office1", "ceo", "transactions", "list").stdout
    assert identifier in listed and uid in listed
    shown = club.run_as("office1", "ceo", "transactions", "show", identifier).stdout
    assert "asked by office1" in shown and "Kerberos principal" in shown
    assert club.run_as("regular1", "ceo", "transactions", "show", identifier).returncode == 77
    assert identifier not in club.run_as("regular1", "ceo", "transactions", "list").stdout
    assert club.run_as("ctdalek", "ceo", "transactions", "show", "0" * 8).returncode == 66
    assert club.run_as("office1", "ceo", "transactions", "resume", identifier).returncode == 73
    assert club.run_as("office1", "ceo", "transactions", "abandon", identifier, "--reason", "x", "--yes").returncode == 77


def test_no_ticket_in_a_script(club: Club) -> None:
    done = club.run_as("office1", "ceo", "whoami", ticket=False)
    assert done.returncode == 77 and "kinit" in done.stderr and "Traceback" not in done.stderr
    done = club.run_as("office1", "ceo", "log", "--host", "nohost", ticket=False)
    assert (done.returncode, "there is no host nohost" in done.stderr) == (66, True), done


def test_no_ticket_on_a_terminal_asks_and_keeps_it(club: Club, terminal: Open) -> None:
    window = terminal("office1", "bash", "-c", "ceo whoami && klist", ticket=False)
    window.see("Password for office1@CSCLUB.INTERNAL")
    window.type("wrong", "Enter")
    window.see("the password is wrong Password for office1@CSCLUB.INTERNAL")
    window.read(0.3)  # the echo goes off after the prompt is drawn
    window.type(PASSWORD, "Enter")
    window.see("office1@CSCLUB.INTERNAL (office)", "Default principal: office1")
    assert window.ended() == 0
    assert f"INTERNAL: {PASSWORD}" not in window.text and b"INTERNAL: wrong" not in window.raw


def test_an_expired_password_is_changed_on_the_spot(club: Club, terminal: Open) -> None:
    uid = club.name()
    password = club.add(uid=uid)["result"]["temporary_password"]
    window = terminal(uid, "ceo", "whoami", ticket=False, USER=uid)
    window.see(f"Password for {uid}@CSCLUB.INTERNAL")
    window.type(password, "Enter")
    window.see("New password")
    window.type("their-own-choice-3", "Enter")
    window.see("Repeat for confirmation")
    window.type("their-own-choice-3", "Enter")
    window.see(f"{uid}@CSCLUB.INTERNAL")
    assert window.ended() == 0


def test_without_the_ca_the_client_refuses(club: Club, tmp_path: Path) -> None:
    for line, status in (("", 69), ('ca = "/etc/csc/other.pem"\n', 78)):
        text = Path("/etc/csc/ceo.toml").read_text().replace('ca = "/etc/csc/ca.pem"\n', line)
        config = Path("/users/office1/ceo.toml")
        config.write_text(text)
        config.chmod(0o644)
        try:
            done = club.run_as("office1", "ceo", "whoami", CEO_CONFIG=str(config))
        finally:
            config.unlink()
        assert done.returncode == status, done
        assert "Traceback" not in done.stderr and done.stderr.count("\n") == 1


def test_a_broken_configuration_is_named_with_its_line(club: Club) -> None:
    config = Path("/users/office1/ceo.toml")
    config.write_text('realm = 1\ndomain = "x"\noops = true\n')
    config.chmod(0o644)
    try:
        done = club.run_as("office1", "ceo", "whoami", CEO_CONFIG=str(config))
    finally:
        config.unlink()
    assert done.returncode == 78
    assert "ceo.toml:1: realm has to be a text" in done.stderr and "ceo.toml:3: unknown key 'oops'" in done.stderr and "hosts is missing" in done.stderr
    done = club.run_as("office1", "ceo", "whoami", CEO_CONFIG="/nonexistent")
    assert done.returncode == 78 and "there is no such file" in done.stderr
