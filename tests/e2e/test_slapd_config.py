"""No attribute has options, whether slapd is configured by slapd.conf or by cn=config."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import ldap
import ldap.sasl
import pytest

from sandbox.club import BASE_DN, CHECKOUT
from tests.club.club import until

ADMIN = f"uid=ceod/admin,ou=Service,{BASE_DN}"
PERSON = f"uid=jdoe,ou=People,{BASE_DN}"
RULE = "attributeoptions range="
CN_CONFIG_RULE = """dn: cn=config
changetype: modify
replace: olcAttributeOptions
olcAttributeOptions: range=
"""
OPTIONS = (
    "lang-en",
    "lang-",
    "x-none",
    "x",
    "binary",
    "range",
    "range=",
    "range=0-1",
    "range=;lang-en",
    "lang-en;range=",
    "=",
    "-",
)
LDIF = f"""dn: {BASE_DN}
objectClass: domain
dc: csclub

dn: ou=People,{BASE_DN}
objectClass: organizationalUnit
ou: People

dn: {PERSON}
objectClass: account
objectClass: posixAccount
objectClass: shadowAccount
objectClass: member
uid: jdoe
cn: Jane Doe
uidNumber: 20001
gidNumber: 20001
homeDirectory: /users/jdoe
"""


def _configuration(folder: Path, rule: str) -> Path:
    """The sandbox's slapd.conf with another rule for options, a database of its own, and root of this machine as ceod/admin."""
    rules = (CHECKOUT / "etc/slapd-acl.conf").read_text()
    assert f"\n{RULE}\n" in rules
    text = (
        Path("/etc/ldap/slapd.conf")
        .read_text()
        .replace(f"include {CHECKOUT}/etc/slapd-acl.conf", rules.replace(RULE, rule))
    )
    root = f'authz-regexp "gidNumber=0\\\\+uidNumber=0,cn=peercred,cn=external,cn=auth" "{ADMIN}"\n'
    lines = [
        f"directory {folder}/data" if line.startswith("directory ") else line
        for line in text.splitlines()
    ]
    place = lines.index("database mdb")
    path = folder / "slapd.conf"
    path.write_text("\n".join([*lines[:place], f"pidfile {folder}/pid", root, *lines[place:], ""]))
    (folder / "data").mkdir()
    subprocess.run(
        ["slapadd", "-q", "-f", str(path)], input=LDIF, text=True, check=True, capture_output=True
    )
    return path


def _converted(path: Path) -> list[str]:
    """What starts slapd with the same configuration as cn=config."""
    folder = path.parent / "slapd.d"
    folder.mkdir()
    subprocess.run(
        ["slaptest", "-f", str(path), "-F", str(folder)], check=True, capture_output=True
    )
    return ["-F", str(folder)]


@contextmanager
def _slapd(folder: Path, words: list[str]) -> Iterator[ldap.ldapobject.LDAPObject]:
    """A server of its own on a socket, and a connection as ceod/admin."""
    socket = folder / "socket"
    url = f"ldapi://{quote(str(socket), safe='')}"
    server = subprocess.Popen(["slapd", *words, "-h", url, "-d", "0"], stderr=subprocess.DEVNULL)
    try:
        until(socket.exists, what="slapd's socket")
        connection = ldap.initialize(url)
        until(lambda: _bound(connection), what="slapd")
        yield connection
        connection.unbind_s()
    finally:
        server.terminate()
        server.wait()
        socket.unlink(missing_ok=True)


def _bound(connection: ldap.ldapobject.LDAPObject) -> bool:
    try:
        connection.sasl_interactive_bind_s("", ldap.sasl.external())
    except ldap.SERVER_DOWN:
        return False
    return True


def _accepted(connection: ldap.ldapobject.LDAPObject) -> set[str]:
    """The options that slapd takes, tried on people's attributes; without one it takes a value."""
    connection.modify_s(
        PERSON, [(ldap.MOD_ADD, "term", [b"w2026"]), (ldap.MOD_DELETE, "term", [b"w2026"])]
    )
    taken = set()
    for option in OPTIONS:
        for attribute in ("uid", "cn", "gidNumber", "loginShell", "term"):
            try:
                connection.modify_s(PERSON, [(ldap.MOD_ADD, f"{attribute};{option}", [b"w2026"])])
                # Where the option is not known any more, slapd can't change an entry that has it.
                connection.modify_s(PERSON, [(ldap.MOD_DELETE, f"{attribute};{option}", None)])
            except ldap.UNDEFINED_TYPE:
                continue
            except ldap.LDAPError:
                pass
            taken.add(option)
    return taken


@pytest.mark.parametrize("form", ["slapd.conf", "cn=config"])
def test_no_option_is_taken(tmp_path: Path, form: str) -> None:
    path = _configuration(tmp_path, RULE)
    with _slapd(
        tmp_path, ["-f", str(path)] if form == "slapd.conf" else _converted(path)
    ) as connection:
        assert _accepted(connection) == set()


# slaptest leaves out an attributeoptions without a name, so that slapd takes lang- again, and writes lang- where there is no rule.
@pytest.mark.parametrize("rule", ["attributeoptions", ""])
def test_a_cn_config_without_the_rule_is_given_it(tmp_path: Path, rule: str) -> None:
    """As etc/README.md says: slapd itself refuses to delete lang- while it runs."""
    words = _converted(_configuration(tmp_path, rule))
    with _slapd(tmp_path, words) as connection:
        assert "lang-en" in _accepted(connection)
    subprocess.run(
        ["slapmodify", *words, "-n", "0"],
        input=CN_CONFIG_RULE,
        text=True,
        check=True,
        capture_output=True,
    )
    with _slapd(tmp_path, words) as connection:
        assert _accepted(connection) == set()


def test_a_name_in_the_rule_is_a_hole(tmp_path: Path) -> None:
    path = _configuration(tmp_path, "attributeoptions x-none")
    with _slapd(tmp_path, ["-f", str(path)]) as connection:
        assert _accepted(connection) == {"x-none"}
