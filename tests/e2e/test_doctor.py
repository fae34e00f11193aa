"""ceo doctor: what is wrong with an account or a machine is found, told and mended, and what is healthy is left in peace."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest

from ceo_common.errors import Forbidden, NotFound
from ceo_common.krb5 import tickets
from ceo_common.krb5.admin import DISALLOW_ALL, Admin
from ceod.operations.create_database import KINDS, TITLES
from sandbox.club import BASE_DN, PASSWORD, REALM, host_place
from tests.club.club import ADMIN, CA, Club
from tests.club.terminal import Open

MAILMAN = "http://127.0.0.1:8001/3.1"


def _problems(club: Club, uid: str) -> dict[str, dict[str, Any]]:
    """What is wrong, by the check."""
    return {finding["check"]: finding for finding in club.client("office1").examine(uid) if finding["state"] != "ok"}


def _modify(club: Club, ldif: str) -> None:
    """As ceod/admin, past ceod."""
    cache = club.folder / "cc-ceod-admin"
    words = ["sh", "-c", f"kinit -c FILE:{cache} -k -t {host_place(ADMIN)}/krb5.keytab ceod/admin && KRB5CCNAME=FILE:{cache} ldapmodify -Q"]
    done = club.run_as("root", *words, text=ldif)
    assert done.returncode == 0, done


def _kadmin() -> Admin:
    return Admin.with_password("sysadmin/admin", PASSWORD)


def _subscribe(club: Club, uid: str) -> None:
    done = club.run_as("root", "curl", "-sf", "-u", "ceod:mailman-rest", f"{MAILMAN}/members", "-d", f"list_id=csc-general.csclub.internal"
                       f"&subscriber={uid}@csclub.internal&pre_verified=true&pre_confirmed=true&pre_approved=true", host="mail")
    assert done.returncode == 0, done


@pytest.fixture
def uid(club: Club) -> str:
    """A healthy member."""
    found: str = club.add()["result"]["uid"]
    return found


def test_a_healthy_account_is_left_in_peace(club: Club, uid: str) -> None:
    shared, syscom = club.name(), club.client("ctdalek")
    club.done(syscom.add_club({"uid": shared, "cn": "Healthy Club"}))
    gone = club.add()["result"]["uid"]
    club.done(syscom.delete_member(gone))
    for name in (uid, shared, gone):
        assert _problems(club, name) == {}
        with pytest.raises(NotFound, match="that ceod can repair"):
            list(syscom.mend(name))
    assert {finding["check"] for finding in syscom.examine(uid)} == {
        "LDAP user", "LDAP group", "Kerberos principal", "user number", "home directory", "forwarding", "mailing lists", "databases", "memberships",
        "transactions"}


def test_a_missing_principal_is_made_with_a_password_that_is_shown_once(club: Club, uid: str) -> None:
    _kadmin().delete(uid)
    found = _problems(club, uid)
    assert list(found) == ["Kerberos principal"] and found["Kerberos principal"]["fixable"]
    with pytest.raises(Forbidden, match="Only the systems committee may repair an account"):
        list(club.client("office1").mend(uid))
    events = list(club.client("ctdalek").mend(uid))
    assert [event["operation"] for event in events if event.get("state") == "started"] == ["Kerberos principal"]
    assert {event["of"] for event in events if "of" in event} == {1}
    result = events[-1]["result"]
    password = result.pop("temporary_password")
    assert result == {"uid": uid, "mended": ["Kerberos principal"], "warnings": [], "temporary_password_lost": False}
    tickets.change_password(f"{uid}@{REALM}", password, "their-own-choice-7")
    assert password not in str(club.journal("SELECT * FROM transactions WHERE subject = ?", uid))
    assert _problems(club, uid) == {}


def test_a_principal_of_an_expired_account_expires_with_it(club: Club, uid: str) -> None:
    _modify(club, f"dn: uid={uid},ou=People,{BASE_DN}\nchangetype: modify\nadd: shadowExpire\nshadowExpire: 20000\n")
    found = _problems(club, uid)
    assert set(found) == {"Kerberos principal", "mailing lists"} and "2024-10-04" in found["Kerberos principal"]["found"]
    assert not found["Kerberos principal"]["fixable"] and "modprinc -expire" in found["Kerberos principal"]["mend"]
    _kadmin().delete(uid)
    assert club.done(club.client("ctdalek").mend(uid))["mended"] == ["Kerberos principal", "mailing lists"]
    assert club.principal(uid).expires == 20000 * 86400 and _problems(club, uid) == {}


def test_a_missing_group_is_made(club: Club, uid: str) -> None:
    _modify(club, f"dn: cn={uid},ou=Group,{BASE_DN}\nchangetype: delete\n")
    assert list(_problems(club, uid)) == ["LDAP group"]
    result = club.done(club.client("ctdalek").mend(uid))
    assert result["mended"] == ["LDAP group"] and "temporary_password" not in result
    club.whole(uid)
    assert _problems(club, uid) == {}


def test_a_home_with_the_wrong_owner_is_given_to_its_account(club: Club, uid: str) -> None:
    home, number, wrong = Path(f"/users/{uid}"), os.stat(f"/users/{uid}").st_uid, 28999
    elsewhere = Path(f"/users/{uid}-elsewhere")
    (home / "a/b").mkdir(parents=True)
    (home / "a/b/file").write_text("x")
    (home / "program").write_text("x")
    elsewhere.write_text("somebody's")
    os.link(elsewhere, home / "a/hard")
    (home / "link").symlink_to(elsewhere)
    for path in (home, home / "a", home / "a/b", home / "a/b/file", home / "program", home / "link", elsewhere):
        os.chown(path, wrong, wrong, follow_symlinks=False)
    os.chmod(home / "program", 0o4755)
    (home / "others").write_text("root's")
    found = _problems(club, uid)["home directory"]
    assert found["found"] == f"its owner is {wrong}:{wrong}, not {number}:{number}" and found["fixable"]

    result = club.done(club.client("ctdalek").mend(uid))
    assert result["mended"] == ["home directory"] and "1 files in the home have several names" in result["warnings"][0]
    for path in (home, home / "a", home / "a/b", home / "a/b/file", home / "program", home / "link"):
        assert (path.lstat().st_uid, path.lstat().st_gid) == (number, number), path
    assert elsewhere.stat().st_uid == wrong and elsewhere.read_text() == "somebody's"  # neither by its other name nor through the link
    assert (home / "others").stat().st_uid == 0 and stat.S_IMODE((home / "program").stat().st_mode) == 0o755
    assert _problems(club, uid) == {}
    elsewhere.unlink()


def test_a_missing_home_is_made_from_the_skeleton(club: Club, uid: str) -> None:
    shared = club.name()
    club.done(club.client("ctdalek").add_club({"uid": shared, "cn": "Homeless Club"}))
    for name in (uid, shared):
        before = {path: (mode, owner) for path, (mode, owner, _) in club.home(name).items()}
        shutil.rmtree(f"/users/{name}")
        assert list(_problems(club, name)) == ["home directory"]
        club.done(club.client("ctdalek").mend(name))
        assert {path: (mode, owner) for path, (mode, owner, _) in club.home(name).items()} == before
        assert _problems(club, name) == {}


def test_a_stale_address_leaves_the_lists(club: Club, uid: str) -> None:
    club.done(club.client("ctdalek").delete_member(uid))
    nobody = club.name()
    for name in (uid, nobody):
        _subscribe(club, name)
        found = _problems(club, name)
        assert list(found) == ["mailing lists"] and found["mailing lists"]["fixable"] and "csc-general" in found["mailing lists"]["found"]
        assert club.done(club.client("ctdalek").mend(name))["mended"] == ["mailing lists"]
        assert not club.on_list(name)
    assert _problems(club, uid) == {}
    with pytest.raises(NotFound, match=f"there is no account '{nobody}'"):
        _problems(club, nobody)


def test_the_command_takes_a_stale_address_off_and_is_done(club: Club) -> None:
    """Afterwards there is nothing that could be examined again."""
    nobody = club.name()
    _subscribe(club, nobody)
    done = club.run_as("ctdalek", "ceo", "doctor", nobody, "--fix", "--yes")
    assert done.returncode == 0, done
    assert "nothing of it is left" in done.stderr
    assert not club.on_list(nobody)


def test_a_number_that_would_be_given_again_raises_its_counter(club: Club, uid: str) -> None:
    counter = f"cn=members,ou=UidCounters,{BASE_DN}"

    def at() -> int:
        (entry,) = [entry for dn, entry in club.entries("(cn=members)").items() if dn == counter]
        return int(entry["uidNumber"][0])

    number = os.stat(f"/users/{uid}").st_uid
    _modify(club, f"dn: {counter}\nchangetype: modify\nreplace: uidNumber\nuidNumber: {number - 3}\n")
    found = _problems(club, uid)
    assert list(found) == ["user number"] and f"is at {number - 3}" in found["user number"]["found"]
    assert club.done(club.client("ctdalek").mend(uid))["mended"] == ["user number"]
    used = {int(value) for entry in club.entries("(uidNumber>=20001)").values() for value in entry["uidNumber"]}
    assert at() == max(n for n in used if n <= 29999 and n != at()) + 1 > number
    assert _problems(club, uid) == {}


def test_several_things_are_mended_at_once_or_rehearsed(club: Club, uid: str) -> None:
    _kadmin().delete(uid)
    shutil.rmtree(f"/users/{uid}")
    _modify(club, f"dn: cn={uid},ou=Group,{BASE_DN}\nchangetype: delete\n")
    syscom = club.client("ctdalek")
    syscom.rehearsing = True
    (told,) = syscom.mend(uid)
    assert [step["name"] for step in told["steps"]] == ["LDAP group", "Kerberos principal", "home directory"]  # type: ignore[typeddict-item]
    assert len(_problems(club, uid)) == 3
    syscom.rehearsing = False
    assert len(club.done(syscom.mend(uid))["mended"]) == 3
    assert _problems(club, uid) == {}


@pytest.mark.parametrize(("ldif", "check", "words"), [
    ("replace: loginShell\nloginShell: /usr/bin/false", "LDAP user", "/usr/bin/false"),
    ("replace: shadowExpire\nshadowExpire: 1", "LDAP user", "it is deleted, and its login shell"),
])
def test_what_only_people_can_mend_in_the_entry(club: Club, uid: str, ldif: str, check: str, words: str) -> None:
    _modify(club, f"dn: uid={uid},ou=People,{BASE_DN}\nchangetype: modify\n{ldif}\n")
    found = _problems(club, uid)[check]
    assert words in found["found"] and found["mend"] and not found["fixable"]


def test_what_only_people_can_mend_elsewhere(club: Club, uid: str) -> None:
    home, syscom = Path(f"/users/{uid}"), club.client("ctdalek")
    (home / ".forward").write_text('"|/usr/bin/evil"\n')
    os.chmod(home, 0o777)
    _kadmin().modify(uid, set_attributes=DISALLOW_ALL)
    syscom.unsubscribe("csc-general", uid)  # by their own wish, say: nothing is wrong with that
    found = _problems(club, uid)
    assert set(found) == {"Kerberos principal", "home directory", "forwarding"}
    assert "0777: others can write" in found["home directory"]["found"] and f"chmod go-w {home}" in found["home directory"]["mend"]
    assert "a pipe" in found["forwarding"]["found"] and "disabled" in found["Kerberos principal"]["found"]
    assert not any(finding["fixable"] for finding in found.values())
    (home / ".forward").unlink()
    (home / ".forward").symlink_to("/etc/passwd")
    assert "a link" in _problems(club, uid)["forwarding"]["found"]


def test_what_a_deleted_account_left_behind(club: Club, uid: str) -> None:
    syscom = club.client("ctdalek")
    club.done(syscom.create_database("mysql", uid))
    club.done(syscom.delete_member(uid))
    _modify(club, f"dn: cn=office,ou=Group,{BASE_DN}\nchangetype: modify\nadd: uniqueMember\nuniqueMember: uid={uid},ou=People,{BASE_DN}\n")
    found = _problems(club, uid)
    assert set(found) == {"databases", "memberships"}
    assert "MySQL" in found["databases"]["found"] and f"cn=office,ou=Group,{BASE_DN}" in found["memberships"]["found"]
    _modify(club, f"dn: cn=office,ou=Group,{BASE_DN}\nchangetype: modify\ndelete: uniqueMember\nuniqueMember: uid={uid},ou=People,{BASE_DN}\n")


def test_what_points_at_a_name_without_an_account(club: Club) -> None:
    name = club.name()
    with pytest.raises(NotFound, match=f"there is no account '{name}'"):
        _problems(club, name)
    _modify(club, f"dn: cn=%office,ou=SUDOers,{BASE_DN}\nchangetype: add\nobjectClass: top\nobjectClass: sudoRole\ncn: %office\nsudoUser: {name}\n")
    _kadmin().create(f"{name}@{REALM}", "some-password-5")
    Path(f"/users/{name}").mkdir()
    found = _problems(club, name)
    assert set(found) == {"LDAP", "Kerberos principal", "home directory"} and f"ou=SUDOers,{BASE_DN}" in found["LDAP"]["found"]
    _modify(club, f"dn: cn=%office,ou=SUDOers,{BASE_DN}\nchangetype: delete\n")
    _kadmin().delete(name)
    Path(f"/users/{name}").rmdir()
    for wrong in ("office", "No Name"):
        with pytest.raises(NotFound):
            club.client("ctdalek").examine(wrong)


def test_a_host_that_is_down_leaves_its_part_unknown(club: Club, uid: str) -> None:
    club.service("mail", "stop", "ceod")
    try:
        found = _problems(club, uid)
        assert {check: finding["state"] for check, finding in found.items()} == {"mailing lists": "unknown"}
        assert "mail.csclub.internal" in found["mailing lists"]["found"]
        with pytest.raises(NotFound, match="nothing"):
            list(club.client("ctdalek").mend(uid))
    finally:
        club.service("mail", "start", "ceod")


# The command, of an account


def test_the_command_tells_mends_and_looks_again(club: Club, uid: str) -> None:
    done = club.run_as("ctdalek", "ceo", "doctor", uid)
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 10 and all(line.startswith("ok  ") for line in done.stdout.splitlines()), done
    _kadmin().delete(uid)
    done = club.run_as("office1", "ceo", "doctor", uid)
    (line,) = [line for line in done.stdout.splitlines() if not line.startswith("ok  ") and "->" not in line]
    assert done.returncode == 1 and line.startswith("PROBLEM  Kerberos principal ") and line.endswith(f"{uid}@{REALM}: there is none")
    assert done.stdout.splitlines()[done.stdout.splitlines().index(line) + 1].strip() == "-> make it, with a temporary password"

    assert "--yes" in club.run_as("ctdalek", "ceo", "doctor", uid, "--fix").stderr  # there is nobody to be asked
    done = club.run_as("ctdalek", "ceo", "doctor", uid, "--fix", "--dry-run")
    assert done.returncode == 1
    assert f"password of {uid}: add a temporary one" in done.stdout
    assert club.principal(uid) is None
    done = club.run_as("ctdalek", "ceo", "doctor", uid, "--fix", "--yes")
    assert done.returncode == 0 and "Kerberos principal: make it" in done.stderr and done.stdout.count("Temporary password: ") == 1, done
    assert club.principal(uid)
    done = club.run_as("ctdalek", "ceo", "doctor", uid, "--fix", "--yes")
    assert done.returncode == 0 and "There is nothing that ceod can repair." in done.stderr


def test_the_command_in_json(club: Club, uid: str) -> None:
    _modify(club, f"dn: cn={uid},ou=Group,{BASE_DN}\nchangetype: delete\n")
    done = club.run_as("ctdalek", "ceo", "doctor", uid, "--json")
    (problem,) = [finding for finding in json.loads(done.stdout)["findings"] if finding["state"] != "ok"]
    assert done.returncode == 1 and problem["fixable"] and problem["check"] == "LDAP group"
    told = json.loads(club.run_as("ctdalek", "ceo", "doctor", uid, "--fix", "--dry-run", "--json").stdout)
    assert [step["name"] for step in told["rehearsal"]["steps"]] == ["LDAP group"] and problem in told["findings"]
    done = club.run_as("ctdalek", "ceo", "doctor", uid, "--fix", "--yes", "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 0 and done.stderr == "" and told["result"]["mended"] == ["LDAP group"]
    assert {finding["state"] for finding in told["findings"]} == {"ok"}
    assert club.run_as("ctdalek", "ceo", "doctor", "--fix").returncode == 2
    assert club.run_as("regular1", "ceo", "doctor", uid).returncode == 77


# Its arguments are those of ceo; of an account it looks once, then nothing answers.
_ONE_LOOK = """
import sys
from ceo import doctor
from ceo_common.errors import BackendDown
look, looks = doctor.examine, []
def examine(client, uid):
    looks.append(uid)
    if len(looks) > 1:
        raise BackendDown("slapd does not answer", backend="ldap")
    return look(client, uid)
doctor.examine = examine
from ceo.cli import main
main(sys.argv[1:])
"""


def test_a_password_is_printed_although_the_second_look_fails(club: Club, uid: str) -> None:
    for form in ((), ("--json",)):
        _kadmin().delete(uid)
        words = ("doctor", uid, "--fix", "--yes", *form)
        done = club.run_as("ctdalek", "python", "-c", _ONE_LOOK, *words)
        assert done.returncode == 75, done
        assert "slapd does not answer" in done.stdout
        assert re.search(r"[a-z2-9]{4}(-[a-z2-9]{4}){3}", done.stdout), done


def test_a_repeated_repair_asks_ceod_about_its_key(club: Club, uid: str) -> None:
    _kadmin().delete(uid)
    words = ("ceo", "doctor", uid, "--fix", "--yes", "--key", str(uuid.uuid4()))
    first, again = (club.run_as("ctdalek", *words) for _ in range(2))
    assert "Temporary password: " in first.stdout, first
    assert "The password was shown to the first request only" in again.stdout, again
    assert (first.returncode, again.returncode) == (0, 0)


def test_the_command_asks_on_a_terminal(club: Club, terminal: Open, uid: str) -> None:
    shutil.rmtree(f"/users/{uid}")
    window = terminal("ctdalek", "ceo", "doctor", uid, "--fix")
    window.see("PROBLEM", "make it, from the skeleton", f"Repair the account {uid}?")
    window.type("y", "Enter")
    window.see("home directory", "Examined again:")
    assert window.ended() == 0 and club.home(uid)


# The command, of a machine


def _machine(club: Club, *, who: str = "regular1", **more: Any) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit status, and what is not well, by the check."""
    done = club.run_as(who, "ceo", "doctor", "--json", **more)
    return done.returncode, {finding["check"]: finding for finding in json.loads(done.stdout)["findings"] if finding["state"] != "ok"}


def test_a_machine_where_all_is_well(club: Club) -> None:
    assert _machine(club) == (0, {})
    done = club.run_as("regular1", "ceo", "doctor")
    assert done.returncode == 0
    for words in ("configuration", "certificate authority", "ticket", "mail: port", "coffee: TLS", "phosphoric-acid: clock", "phosphoric-acid: ldap",
                  "phosphoric-acid: kadmind", "mail: mailman", "coffee: mysql", "coffee: postgresql"):
        assert f"ok       {words} " in done.stdout, words


def test_without_a_ticket_the_way_is_examined_as_far_as_it_goes(club: Club) -> None:
    status, found = _machine(club, ticket=False)
    assert status == 1 and found["ticket"]["mend"] == "kinit"
    assert {check: finding["state"] for check, finding in found.items() if check != "ticket"} == {
        f"{host}: servers": "unknown" for host in ("phosphoric-acid", "mail", "coffee")}


def test_a_host_that_is_down_and_a_server_that_is(club: Club) -> None:
    club.service("coffee", "stop", "ceod")
    club.service("mail", "stop", "mailman")
    try:
        status, found = _machine(club)
    finally:
        club.service("coffee", "start", "ceod")
        club.service("mail", "start", "mailman")
    assert status == 1 and set(found) == {"coffee: port", "phosphoric-acid: coffee", "mail: coffee", "mail: mailman"}, found
    assert "does not answer" in found["coffee: port"]["found"] and "systemctl status ceod" in found["coffee: port"]["mend"]


def _settings(club: Club, tmp_path: Path, **changes: str) -> dict[str, str]:
    """The environment of a client with another configuration."""
    text = Path("/etc/csc/ceo.toml").read_text()
    for old, new in changes.items():
        assert {"ca": CA, "mail": "mail.csclub.internal"}[old] in text
        text = text.replace({"ca": CA, "mail": "mail.csclub.internal"}[old], new)
    path = club.folder / f"{tmp_path.name}.toml"
    path.write_text(text)
    for folder in (path, *path.parents):
        if folder.owner() == "root" and folder.is_relative_to("/tmp"):
            folder.chmod(folder.stat().st_mode | 0o055 if folder.is_dir() else 0o644)
    return {"CEO_CONFIG": str(path)}


def test_a_wrong_ca(club: Club, tmp_path: Path) -> None:
    other = club.folder / "other-ca.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "/dev/null", "-out", other,
                    "-subj", "/CN=Another CA", "-days", "9"], check=True, capture_output=True)
    other.chmod(0o644)
    status, found = _machine(club, **_settings(club, tmp_path, ca=str(other)))
    assert status == 1 and set(found) == {"phosphoric-acid: TLS", "mail: TLS", "coffee: TLS"}
    assert f"{other} has not signed its certificate" in found["mail: TLS"]["found"]
    missing = _settings(club, tmp_path, ca="/nonexistent/ca.pem")["CEO_CONFIG"]
    done = club.run_as("regular1", "ceo", "doctor", CEO_CONFIG=missing)
    assert done.returncode == 78
    assert "ca: there is no file '/nonexistent/ca.pem'" in done.stderr


def test_a_name_that_has_no_address(club: Club, tmp_path: Path) -> None:
    status, found = _machine(club, **_settings(club, tmp_path, mail="nowhere.csclub.internal"))
    assert status == 1 and set(found) == {"nowhere: name"}


def test_a_file_that_tells_another_password_than_the_database_has(club: Club, uid: str) -> None:
    """As a reset leaves it whose file could not be written."""
    syscom, home = club.client("ctdalek"), Path(f"/users/{uid}")
    for kind in KINDS:
        club.done(syscom.create_database(kind, uid))
        assert _problems(club, uid) == {}
        file = home / f"ceo-{kind}-info"
        right = file.read_text()
        file.rename(home / "moved")
        file.mkdir()  # in the way
        assert club.done(syscom.reset_database(kind, uid))["warnings"]
        assert _problems(club, uid) == {}  # it tells no password at all
        file.rmdir()
        (home / "moved").rename(file)
        problem = _problems(club, uid)["databases"]
        assert problem["found"] == f"{file} has another password than {TITLES[kind]}"
        assert f"ceo {kind} pwreset {uid}" in problem["mend"]
        password = next(line for line in right.splitlines() if line.startswith("Password:")).split()[1]
        assert password not in club.log("phosphoric-acid.ceod") + club.log("coffee.ceod")
        club.done(syscom.reset_database(kind, uid))
        assert _problems(club, uid) == {}
        file.write_text("Password: \n")  # its owner's own
        assert _problems(club, uid) == {}
    with pytest.raises(Forbidden, match="the club's own hosts may check"):
        syscom.try_logins(uid, {"mysql": "x"})
