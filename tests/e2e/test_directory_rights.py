"""Anyone with a ticket can run kadmin and ldappasswd, so kadmind and slapd have to refuse, not ceod; for what ldapmodify does see
test_directory_writes."""

from __future__ import annotations

import subprocess

import pytest

from ceo_common.krb5.admin import Admin
from sandbox import shell
from sandbox.club import BASE_DN
from tests.club.club import ADMIN, Club


def test_nobody_reads_without_a_name(club: Club) -> None:
    done = club.run_as("regular1", "ldapsearch", "-x", "-LLL", "(uid=ctdalek)", ticket=False)
    assert "dn:" not in done.stdout


@pytest.mark.parametrize("who", ["office1", "regular1"])
@pytest.mark.parametrize("whose", ["office1", "regular1", "ctdalek"])
def test_nobody_gives_an_entry_a_password(club: Club, who: str, whose: str) -> None:
    """The extended operation of RFC 3062; with a userPassword somebody could bind as the entry."""
    done = club.run_as(who, "ldappasswd", "-Q", "-s", "x", f"uid={whose},ou=People,{BASE_DN}")
    assert "Insufficient access" in done.stdout, done
    assert not club.entries("(userPassword=*)")


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
