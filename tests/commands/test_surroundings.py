"""Odd surroundings of a command: files that are missing, names that do not resolve, users that nobody knows."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.club.club import CA, Club

HOST = "phosphoric-acid.csclub.internal"
SETTINGS = Path("/etc/csc/ceo.toml")


def _with_hosts(club: Club, hosts: str, krb5: str = "") -> subprocess.CompletedProcess[str]:
    """`ceo whoami` by office1 where the names of hosts have these addresses."""
    club.run_as("office1", "true")  # hands the ticket over
    script = f"""
    mount --bind "$1" /etc/hosts
    export KRB5CCNAME={club.ccache("office1")} {krb5}
    exec setpriv --reuid office1 --regid office1 --clear-groups ceo whoami
    """
    folder = club.folder / "hosts"
    folder.write_text(hosts)
    folder.chmod(0o644)
    words = ["unshare", "--mount", "bash", "-ec", script, "bash", str(folder)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def _settings(club: Club, change: tuple[str, str]) -> str:
    """A configuration that differs in one value."""
    path = club.folder / "ceo.toml"
    text = re.sub(*change, SETTINGS.read_text(), flags=re.MULTILINE)
    assert text != SETTINGS.read_text()
    path.write_text(text)
    path.chmod(0o644)
    return str(path)


@pytest.mark.parametrize("ca", ["/nonexistent.pem", "", "/etc"])
def test_a_file_of_authorities_that_is_missing(club: Club, ca: str) -> None:
    path = _settings(club, (f'^ca = "{CA}"', f'ca = "{ca}"'))
    done = club.run_as("office1", "ceo", "whoami", CEO_CONFIG=path)
    assert done.returncode == 78
    assert re.fullmatch(rf"ceo: {path}:\d+: ca: there is no file '{ca}'\n", done.stderr)


def test_a_host_that_does_not_exist(club: Club) -> None:
    path = _settings(club, (r'^admin = ".*"', 'admin = "nosuch.csclub.internal"'))
    done = club.run_as("office1", "ceo", "whoami", CEO_CONFIG=path)
    assert done.returncode == 69
    assert "nosuch.csclub.internal" in done.stderr
    assert "name server" in done.stderr
    assert "does not answer on port" not in done.stderr


def test_the_addresses_of_names(club: Club) -> None:
    """A wrong reverse entry is not asked, whatever krb5.conf wants, and a dead address is not waited for."""
    hosts = Path("/etc/hosts").read_text()
    address = next(line.split()[0] for line in hosts.splitlines() if HOST in line)
    krb5 = club.folder / "krb5.conf"
    text = Path("/etc/krb5.conf").read_text()
    krb5.write_text(re.sub(r"(rdns|dns_canonicalize_hostname) = false", r"\1 = true", text))
    krb5.chmod(0o644)
    wrong = f"{address} wrong.example.org\n{hosts}"
    assert _with_hosts(club, wrong, f"KRB5_CONFIG={krb5}").returncode == 0
    dead = f"{address.rpartition('.')[0]}.250 {HOST}\n{hosts}"
    assert _with_hosts(club, dead).returncode == 0
    assert _with_hosts(club, hosts.replace(HOST, "other.csclub.internal")).returncode == 69


def test_a_user_without_an_entry(club: Club) -> None:
    cache = club.folder / "cc-nobody-knows"
    cache.write_bytes(Path(club.ccache("office1").removeprefix("FILE:")).read_bytes())
    user = ["setpriv", "--reuid", "54321", "--regid", "54321", "--clear-groups", "env", "-i"]
    user.append("PATH=/usr/bin:/bin")
    ceo = club.run_as("root", "which", "ceo").stdout.strip()
    cache.chmod(0o600)
    subprocess.run(["chown", "54321:54321", cache], check=True)
    done = subprocess.run(
        [*user, f"KRB5CCNAME=FILE:{cache}", ceo, "whoami", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert json.loads(done.stdout)["uid"] == "office1"
    done = subprocess.run(
        [*user, "KRB5CCNAME=FILE:/nonexistent", ceo, "whoami"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 77
    assert done.stderr == "ceo: there is no Kerberos ticket: run kinit first\n"


def test_words_that_are_not_utf_8(club: Club) -> None:
    """In any locale, what is stored is what was typed, or nothing."""
    for locale in ("C", "POSIX", "C.UTF-8", "en_US.ISO-8859-1"):
        uid = club.name()
        typed = "Jos\udce9"
        words = ["ceo", "members", "add", uid, "--cn", typed, "--program", "CS", "--yes"]
        done = club.run_as("office1", "env", f"LC_ALL={locale}", *words)
        assert done.returncode == 65
        assert "not UTF-8" in done.stderr
        club.nothing(uid)
        words[5] = "José Été"
        done = club.run_as("office1", "env", f"LC_ALL={locale}", *words, "--dry-run", "--json")
        assert done.returncode == 0
    done = club.run_as("office1", "env", "LC_ALL=C", *words, "--quiet")
    assert done.returncode == 0
    assert club.client("ctdalek").member(uid)["cn"] == "José Été"


def test_a_body_that_is_too_large(club: Club) -> None:
    body = json.dumps({"title": "x" * 1_100_000})
    for words in (["api", "POST", "/library/books", "-"], ["api", "POST", "/members", "-"]):
        done = club.run_as("office1", "ceo", *words, text=body)
        assert done.returncode == 65
        assert json.loads(done.stdout)["error"].endswith("and ceod takes 1,048,576 at most")
