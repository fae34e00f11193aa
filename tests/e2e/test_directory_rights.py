"""The attack list: anyone with a ticket can run ldapmodify and kadmin, so slapd and kadmind have to refuse, not ceod."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from ceo_common.krb5.admin import Admin
from sandbox import shell
from tests.club.club import ADMIN, Club

B = "dc=csclub,dc=internal"
PEOPLE, GROUP = f"ou=People,{B}", f"ou=Group,{B}"
SYSCOM = f"cn=syscom,{GROUP}"

USER = f"""dn: uid=%(uid)s,{PEOPLE}
changetype: add
objectClass: top
objectClass: account
objectClass: posixAccount
objectClass: shadowAccount
objectClass: member
uid: %(uid)s
cn: Attack Person
uidNumber: %(number)s
gidNumber: %(number)s
homeDirectory: /users/%(uid)s
loginShell: /bin/bash
program: Mathematics
term: f2026
"""
OWN_GROUP = f"""dn: cn=%(uid)s,{GROUP}
changetype: add
objectClass: top
objectClass: group
objectClass: posixGroup
cn: %(uid)s
gidNumber: %(number)s
"""


def _modify(dn: str, *lines: str) -> str:
    return f"dn: {dn}\nchangetype: modify\n" + "\n".join(lines) + "\n"


def _put(dn: str, do: str, attribute: str, value: str = "") -> str:
    return _modify(dn, f"{do}: {attribute}", *([f"{attribute}: {value}"] if value else []))


def _with(text: str, line: str) -> str:
    return text + line + "\n"


ME = {"office1": f"uid=office1,{PEOPLE}", "regular1": f"uid=regular1,{PEOPLE}"}

# What office1 may not write, name by name.  %(uid)s and %(number)s are free ones.
OFFICE = {
    "join syscom": _put(SYSCOM, "add", "uniqueMember", ME["office1"]),
    "empty syscom": _put(SYSCOM, "delete", "uniqueMember"),
    "join office as somebody": _put(f"cn=office,{GROUP}", "add", "uniqueMember", ME["regular1"]),
    "own position": _put(ME["office1"], "add", "position", "president"),
    "another's position": _put(ME["regular1"], "add", "position", "president"),
    "own uidNumber": _put(ME["office1"], "replace", "uidNumber", "20001"),
    "another's uidNumber": _put(ME["regular1"], "replace", "uidNumber", "20001"),
    "own uid": _put(ME["office1"], "add", "uid", "ctdalek"),
    "own cn removed": _put(ME["office1"], "replace", "cn", "Somebody Else"),
    "another's shell": _put(ME["regular1"], "replace", "loginShell", "/bin/sh"),
    "another's home": _put(ME["regular1"], "replace", "homeDirectory", "/root"),
    "another's password": _put(ME["regular1"], "add", "userPassword", "x"),
    "another's terms removed": _put(ME["regular1"], "delete", "term"),
    "another's class": _put(ME["regular1"], "add", "objectClass", "club"),
    "shadowExpire set": _put(ME["regular1"], "add", "shadowExpire", "1"),
    "delete a person": f"dn: uid=rep1,{PEOPLE}\nchangetype: delete\n",
    "delete a group": f"dn: cn=rep1,{GROUP}\nchangetype: delete\n",
    "rename a person": f"dn: uid=rep1,{PEOPLE}\nchangetype: modrdn\nnewrdn: uid=rep2\ndeleteoldrdn: 1\n",
    "move a person": f"dn: uid=rep1,{PEOPLE}\nchangetype: modrdn\nnewrdn: uid=rep1\ndeleteoldrdn: 0\nnewsuperior: {GROUP}\n",
    "add with a low number": USER.replace("%(number)s", "0"),
    "add with a club's number": USER.replace("%(number)s", "30500"),
    "add with an administrator's number": USER.replace("%(number)s", "10500"),
    "add with a taken number": USER.replace("%(number)s", "20001"),
    "add with another gidNumber": USER.replace("gidNumber: %(number)s", "gidNumber: 10001"),
    "add with a position": _with(USER, "position: president"),
    "add with a password": _with(USER, "userPassword: x"),
    "add with two uids": _with(USER, "uid: root"),
    "add with a home elsewhere": USER.replace("/users/%(uid)s", "/root"),
    "add with a bad shell": USER.replace("/bin/bash", "/tmp/evil"),
    "add with a bad term": USER.replace("f2026", "f20266"),
    "add a club": _with(USER, "objectClass: club"),
    "add with an expiry": _with(USER, "shadowExpire: 99999"),
    "add with a description": _with(USER, "description: x"),
    "add below a person": USER.replace(f"uid=%(uid)s,{PEOPLE}", f"uid=%(uid)s,uid=rep1,{PEOPLE}"),
    "add a group with members": _with(OWN_GROUP, f"uniqueMember: {ME['office1']}"),
    "add a group with memberUid": _with(OWN_GROUP, "memberUid: office1"),
    "add a group with a low number": OWN_GROUP.replace("%(number)s", "0"),
    "add a group with syscom's number": OWN_GROUP.replace("%(number)s", "10001"),
    "add a group with two names": _with(OWN_GROUP, "cn: wheel"),
    "add a service": f"dn: uid=evil,ou=Service,{B}\nchangetype: add\nobjectClass: account\nuid: evil\n",
    "add a sudo role": f"dn: cn=evil,ou=SUDOers,{B}\nchangetype: add\nobjectClass: sudoRole\ncn: evil\nsudoUser: office1\n",
    "the counter": _put(f"cn=members,ou=UidCounters,{B}", "replace", "uidNumber", "20001"),
}

REGULAR = {
    "join syscom": OFFICE["join syscom"].replace("office1", "regular1"),
    "join office": _put(f"cn=office,{GROUP}", "add", "uniqueMember", ME["regular1"]),
    "own position": _put(ME["regular1"], "add", "position", "president"),
    "own term": _put(ME["regular1"], "add", "term", "f2027"),
    "own uidNumber": _put(ME["regular1"], "replace", "uidNumber", "20001"),
    "own gidNumber": _put(ME["regular1"], "replace", "gidNumber", "10001"),
    "own home": _put(ME["regular1"], "replace", "homeDirectory", "/root"),
    "own bad shell": _put(ME["regular1"], "replace", "loginShell", "/tmp/evil"),
    "own program": _put(ME["regular1"], "replace", "program", "x"),
    "own expiry removed": _put(ME["regular1"], "replace", "shadowExpire", "99999"),
    "another's shell": _put(ME["office1"], "replace", "loginShell", "/bin/sh"),
    "add a person": USER,
    "add a group": OWN_GROUP,
    "delete oneself": f"dn: {ME['regular1']}\nchangetype: delete\n",
    "the counter": OFFICE["the counter"],
}

# ceod/admin itself: slapo-constraint and slapo-unique hold for everybody.
CEOD_ADMIN = {
    name: OFFICE[name] for name in ("add with a low number", "add with a taken number", "add with another gidNumber", "add with two uids",
                                    "add with a home elsewhere", "add with a bad term", "add with a bad shell", "add a group with a low number",
                                    "add a group with syscom's number", "add a group with two names")
}


def _free(club: Club, text: str) -> str:
    uid = club.name()
    return text.replace("%(uid)s", uid).replace("%(number)s", str(29000 + int(uid.rpartition("x")[2])))


def _everything(club: Club) -> dict[str, str]:
    """The whole directory by DN, as ldapsearch tells it: it is read twice a test, and ldap3 takes its time over so many entries."""
    done = club.run_as("regular1", "ldapsearch", "-Q", "-LLL", "-o", "ldif-wrap=no", "(objectClass=*)")
    assert done.returncode == 0, done
    blocks = done.stdout.split("\n\n")
    return dict(block.partition("\n")[::2] for block in blocks)


def _ldapmodify(club: Club, who: str, text: str) -> subprocess.CompletedProcess[str]:
    return club.run_as(who, "ldapmodify", "-Q", text=text)


@pytest.fixture(scope="module")
def as_ceod_admin(club: Club) -> Iterator[list[str]]:
    """Words that run ldapmodify as ceod/admin, with its key."""
    entry = shell.resolve(club.state, f"root@{ADMIN}")
    cache = "FILE:/tmp/cc-ceod-admin"
    entry.environment["KRB5CCNAME"] = cache
    subprocess.run(shell.command(club.state, entry, ["kinit", "-k", "-t", "/etc/krb5.keytab", "ceod/admin"]), check=True)
    yield shell.command(club.state, entry, ["ldapmodify", "-Q"])
    subprocess.run(shell.command(club.state, entry, ["kdestroy", "-c", cache]), check=True)


@pytest.mark.parametrize("attack", OFFICE)
def test_office_may_not(club: Club, attack: str) -> None:
    before = _everything(club)
    done = _ldapmodify(club, "office1", _free(club, OFFICE[attack]))
    assert done.returncode in (19, 20, 21, 50, 53, 64, 65, 66, 68, 71, 80), done
    assert _everything(club) == before


@pytest.mark.parametrize("attack", REGULAR)
def test_a_member_may_not(club: Club, attack: str) -> None:
    before = _everything(club)
    assert _ldapmodify(club, "regular1", _free(club, REGULAR[attack])).returncode in (19, 50, 53), attack
    assert _everything(club) == before


@pytest.mark.parametrize("attack", CEOD_ADMIN)
def test_ceod_admin_may_not(club: Club, as_ceod_admin: list[str], attack: str) -> None:
    before = _everything(club)
    done = subprocess.run(as_ceod_admin, input=_free(club, CEOD_ADMIN[attack]), text=True, capture_output=True, check=False)
    assert done.returncode == 19, done
    assert _everything(club) == before


def test_office_may_add_a_plain_member_and_their_group(club: Club) -> None:
    uid = club.name()
    number = str(29000 + int(uid.rpartition("x")[2]))
    for text in (USER, OWN_GROUP):
        done = _ldapmodify(club, "office1", text.replace("%(uid)s", uid).replace("%(number)s", number))
        assert done.returncode == 0, done
    text = f"dn: uid={uid},{PEOPLE}\nchangetype: delete\n\ndn: cn={uid},{GROUP}\nchangetype: delete\n"
    assert _ldapmodify(club, "ctdalek", text).returncode == 0


def test_a_member_writes_their_own_shell(club: Club) -> None:
    for value in ("/bin/sh", "/bin/bash"):
        assert _ldapmodify(club, "regular1", _put(ME["regular1"], "replace", "loginShell", value)).returncode == 0


def test_nobody_reads_or_writes_without_a_name(club: Club) -> None:
    done = club.run_as("regular1", "ldapsearch", "-x", "-LLL", "(uid=ctdalek)", ticket=False)
    assert "dn:" not in done.stdout
    done = club.run_as("regular1", "ldapmodify", "-x", text=REGULAR["own position"], ticket=False)
    assert done.returncode != 0


@pytest.mark.parametrize("who", ["office1", "regular1"])
@pytest.mark.parametrize("query", ["listprincs", "addprinc -pw x evil", "delprinc -force ctdalek", "cpw -pw x ctdalek", "getprinc ctdalek", "ktadd -k /tmp/x ctdalek"])
def test_people_may_not_run_kadmin(club: Club, who: str, query: str) -> None:
    done = club.run_as(who, "kadmin", "-p", who, "-w", "krb5", "-q", query)
    assert "privilege" in done.stderr or "denied" in done.stderr or "Operation requires" in done.stderr, done


def test_ceod_admin_does_not_change_itself(club: Club) -> None:
    """Its own password is everybody's to change (kadmind asks no ACL for that); anything else is not."""
    entry = shell.resolve(club.state, f"root@{ADMIN}")
    for query in ("delprinc -force ceod/admin", "modprinc +allow_tix ceod/admin"):
        argv = ["kadmin", "-k", "-t", "/etc/krb5.keytab", "-p", "ceod/admin", "-q", query]
        assert "privilege" in subprocess.run(shell.command(club.state, entry, argv), text=True, capture_output=True, check=False).stderr


@pytest.mark.parametrize("target", ["sysadmin/admin", "krbtgt/CSCLUB.INTERNAL", "K/M", "kadmin/admin", "ceod/mail.csclub.internal"])
def test_ceod_admin_reaches_members_alone(club: Club, target: str) -> None:
    """kadm5.acl: one-component targets only."""
    entry = shell.resolve(club.state, f"root@{ADMIN}")
    before = Admin.with_password("sysadmin/admin", "krb5").get(target)
    for query in (f"cpw -pw x {target}", f"delprinc -force {target}", f"modprinc +needchange {target}"):
        argv = ["kadmin", "-k", "-t", "/etc/krb5.keytab", "-p", "ceod/admin", "-q", query]
        done = subprocess.run(shell.command(club.state, entry, argv), text=True, capture_output=True, check=False)
        assert "privilege" in done.stderr, done
    assert Admin.with_password("sysadmin/admin", "krb5").get(target) == before
