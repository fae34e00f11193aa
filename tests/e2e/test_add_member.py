"""Adding a member: what every server holds afterwards, and every refusal."""

from __future__ import annotations

import json
import os
import re

import pytest

from ceo_common.krb5 import tickets
from sandbox.club import REALM
from tests.club.club import Club, until


def test_every_server_holds_the_new_member(club: Club) -> None:
    uid = club.name()
    last = club.add(uid=uid, cn="Zoë Ångström", program="Études françaises", given_name="Zoë", sn="Ångström",
                    forwarding_addresses=["zoe@example.org", "z@example.net"])
    club.whole(uid)
    entries = club.entries(f"(uid={uid})")
    (entry,) = entries.values()
    assert {name: [v.decode() for v in values] for name, values in entry.items()} == {
        "objectClass": ["top", "account", "posixAccount", "shadowAccount", "member"], "uid": [uid], "cn": ["Zoë Ångström"], "sn": ["Ångström"],
        "givenName": ["Zoë"], "program": ["Études françaises"], "term": ["f2026"], "loginShell": ["/bin/bash"], "homeDirectory": [f"/users/{uid}"],
        "uidNumber": [str(last["result"]["uid_number"])], "gidNumber": [str(last["result"]["uid_number"])],
    }
    forward = f"/users/{uid}/.forward"
    assert open(forward).read() == "zoe@example.org\nz@example.net\n"
    info = os.stat(forward)
    assert (info.st_mode & 0o777, info.st_uid) == (0o600, last["result"]["uid_number"])
    assert os.stat(f"/users/{uid}").st_mode & 0o7777 == 0o711
    assert last["waiting"] == []
    assert any(uid in mail and "Added by:  office1" in mail for mail in club.mails("syscom@csclub.internal"))


def test_the_temporary_password_serves_for_one_login(club: Club) -> None:
    uid = club.name()
    password = club.add(uid=uid)["result"]["temporary_password"]
    with pytest.raises(tickets.PasswordExpired):
        tickets.initial(f"{uid}@{REALM}", password, "MEMORY:first")
    tickets.change_password(f"{uid}@{REALM}", password, "their-own-choice-1")
    assert tickets.initial(f"{uid}@{REALM}", "their-own-choice-1", "MEMORY:second").client == f"{uid}@{REALM}"


def test_slapd_saw_the_caller_and_not_ceod(club: Club) -> None:
    uid = club.name()
    club.add("office1", uid=uid)
    log = club.log("phosphoric-acid.slapd")
    connection = re.search(rf"conn=(\d+) op=\d+ ADD dn=\"uid={uid},", log)
    assert connection
    binds = re.findall(rf"conn={connection[1]} op=\d+ BIND dn=\"([^\"]+)\" mech=GSSAPI", log)
    assert binds == ["uid=office1,ou=people,dc=csclub,dc=internal"]


def test_the_document_of_2021_with_tls(club: Club) -> None:
    member = club.member()
    assert club.run_as("ctdalek", "./gen_cred.sh", "phosphoric-acid").returncode == 0
    cred = open("/users/ctdalek/cred").read()
    assert os.stat("/users/ctdalek/cred").st_mode & 0o777 == 0o600
    status, body = club.curl("ctdalek", "/members", "-H", f"X-KRB5-CRED: {cred}", "-d", json.dumps(member), "-X", "POST")
    assert status == 200
    assert json.loads(body.splitlines()[-1])["status"] == "completed"
    club.whole(member["uid"])


def test_a_club_representative(club: Club) -> None:
    uid = club.name()
    *_, last = club.client("office1").add_member({"uid": uid, "cn": "Rep Person", "program": "x", "non_member_terms": ["f2026"]})
    assert last["status"] == "completed"
    (entry,) = club.entries(f"(uid={uid})").values()
    assert entry["nonMemberTerm"] == [b"f2026"] and "term" not in entry


def test_past_terms_are_allowed_with_a_warning(club: Club) -> None:
    assert club.add(terms=["s2021"])["result"]["warnings"] == ["past terms: s2021"]


def test_no_ticket_is_401_with_negotiate(club: Club) -> None:
    status, body = club.curl(None, "/members", "-i", "-X", "POST", "-d", "{}")
    assert status == 401
    assert re.search(r"(?im)^www-authenticate: negotiate\r?$", body)


def test_a_member_may_not_and_hears_the_rule(club: Club) -> None:
    member = club.member()
    status, (told,) = club.post("regular1", member)
    assert (status, told["code"], told["rule"]) == (403, "forbidden", "member.add")
    assert "Only office staff and the systems committee may add" in told["error"]
    club.nothing(member["uid"])


def test_a_second_time_is_409(club: Club) -> None:
    member = club.member()
    assert club.post("office1", member)[0] == 200
    before = club.world(member["uid"])
    status, (told,) = club.post("office1", member)
    assert (status, told["code"]) == (409, "exists")
    assert club.world(member["uid"]) == before


def test_every_problem_at_once(club: Club) -> None:
    status, (told,) = club.post("office1", {"uid": "-x"})
    assert status == 400
    assert {problem["field"] for problem in told["problems"]} == {"uid", "cn", "program", "terms"}
    status, (told,) = club.post("office1", {"uid": "X", "cn": "", "program": "", "terms": ["x2020", "f2099"], "oops": 1,
                                            "forwarding_addresses": ["|rm"]})
    assert {problem["field"] for problem in told["problems"]} == {"uid", "cn", "program", "terms", "oops", "forwarding_addresses.0"}


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '"x"', "[" * 100_000, '{"uid":1}', "\x00"])
def test_bodies_that_are_no_request(club: Club, body: str) -> None:
    status, told = _post_text(club, body)
    assert status == 400, told
    assert json.loads(told)["code"] == "invalid"


def _post_text(club: Club, body: str) -> tuple[int, str]:
    path = club.folder / "body"
    path.write_text(body)
    return club.curl("office1", "/members", "--delegation", "always", "-X", "POST", "--data-binary", f"@{path}")


def test_a_body_above_the_limit_is_413(club: Club) -> None:
    assert _post_text(club, " " * ((1 << 20) + 1))[0] == 413


def test_the_mail_host_names_the_right_one(club: Club) -> None:
    status, body = club.curl("office1", "/members", "--delegation", "always", "-X", "POST", "-d", "{}", url="https://mail.csclub.internal:9987/api")
    told = json.loads(body)
    assert (status, told["code"], told["host"]) == (421, "wrong_host", "phosphoric-acid.csclub.internal")


def test_a_path_that_nobody_has_is_404(club: Club) -> None:
    for host in ("phosphoric-acid", "mail", "coffee"):
        assert club.curl("office1", "/nothing", url=f"https://{host}.csclub.internal:9987/api")[0] == 404


def test_a_write_without_a_forwarded_ticket(club: Club) -> None:
    member = club.member()
    status, body = club.curl("office1", "/members", "-X", "POST", "-d", json.dumps(member))
    told = json.loads(body)
    assert (status, told["code"]) == (403, "delegation_required")
    assert "gen_cred.sh" in told["error"]
    club.nothing(member["uid"])


@pytest.mark.parametrize("header", ["Origin: https://example.org", "Host: example.org"])
def test_requests_of_web_pages_are_refused(club: Club, header: str) -> None:
    assert club.curl("office1", "/whoami", "-H", header)[0] == 403


@pytest.mark.parametrize("name", ["root", "postmaster", "csc-general-owner", "games", "www-data", "ceod"])
def test_names_that_nobody_may_have(club: Club, name: str) -> None:
    status, _ = club.post("office1", club.member(name))
    assert status in (400, 409)
    assert club.entries(f"(uid={name})") == {}


def test_a_dangling_membership_keeps_the_name_from_being_added(club: Club) -> None:
    """directory.md: a new person of that name would be an administrator."""
    uid = club.name()
    syscom = "cn=syscom,ou=Group,dc=csclub,dc=internal"
    change = f"dn: {syscom}\nchangetype: modify\n%s: uniqueMember\nuniqueMember: uid={uid},ou=People,dc=csclub,dc=internal\n"
    assert club.run_as("ctdalek", "ldapmodify", "-Q", text=change % "add").returncode == 0
    try:
        status, (told,) = club.post("office1", club.member(uid))
        assert (status, told["code"]) == (409, "left_behind")
        assert syscom.lower() in told["error"].lower()
        assert club.entries(f"(uid={uid})") == {}
    finally:
        assert club.run_as("ctdalek", "ldapmodify", "-Q", text=change % "delete").returncode == 0


def test_a_home_that_was_left_keeps_the_name_from_being_added(club: Club) -> None:
    uid = club.name()
    os.mkdir(f"/users/{uid}")
    try:
        status, (told,) = club.post("office1", club.member(uid))
        assert (status, told["code"]) == (409, "left_behind")
        assert os.listdir(f"/users/{uid}") == []
    finally:
        os.rmdir(f"/users/{uid}")


def test_a_stale_principal_is_not_touched(club: Club) -> None:
    """In the programs before: deleted before the account was known to be creatable."""
    from ceo_common.krb5.admin import Admin

    uid = club.name()
    admin = Admin.with_password("sysadmin/admin", "krb5")
    admin.create(uid, "old-password-1")
    try:
        status, (told,) = club.post("office1", club.member(uid))
        assert (status, told["code"]) == (409, "exists")
        assert tickets.initial(f"{uid}@{REALM}", "old-password-1", "MEMORY:stale").client == f"{uid}@{REALM}"
    finally:
        admin.delete(uid)


def test_members_are_read_back(club: Club) -> None:
    uid = club.name()
    club.add(uid=uid, forwarding_addresses=["a@example.org"])
    assert club.client("office1").member(uid)["forwarding_addresses"] == ["a@example.org"]
    assert club.client("regular1").member(uid)["forwarding_addresses"] is None
    assert club.curl("regular1", "/members/nobody-of-this-name")[0] == 404
    assert club.client("ctdalek").member("ctdalek")["groups"] == ["office", "staff", "syscom"]


def test_password_resets_follow_the_rule(club: Club) -> None:
    uid = club.name()
    club.add("office1", uid=uid)
    office = club.client("office1")
    assert office.member(uid)["signed_up_just_now"] is True
    assert office.member("regular1")["signed_up_just_now"] is False
    assert club.client("ctdalek").member(uid)["signed_up_just_now"] is False  # by somebody else
    assert club.client("regular1").member(uid)["signed_up_just_now"] is None
    *_, last = office.reset_password(uid)
    password = last["result"]["temporary_password"]
    with pytest.raises(tickets.PasswordExpired):
        tickets.initial(f"{uid}@{REALM}", password, "MEMORY:fresh")
    tickets.change_password(f"{uid}@{REALM}", password, "their-own-choice-2")
    assert club.curl("office1", f"/members/{uid}/pwreset", "-X", "POST")[0] == 403  # its password is used now
    assert club.curl("office1", "/members/regular1/pwreset", "-X", "POST")[0] == 403
    assert club.curl("regular1", f"/members/{uid}/pwreset", "-X", "POST")[0] == 403
    *_, last = club.client("ctdalek").reset_password(uid)
    assert last["result"]["temporary_password"]


def test_health_tells_each_backend(club: Club) -> None:
    assert json.loads(club.curl(None, "/health")[1]) == {"up": True}
    for host, backends in (("phosphoric-acid", {"ldap", "kadmind", "homes", "smtp", "uwldap"}), ("mail", {"ldap", "mailman"}),
                           ("coffee", {"ldap", "mysql", "postgresql", "smtp"})):
        told = club.client("regular1").health(f"{host}.csclub.internal")
        others = {f"{name}.csclub.internal" for name in ("phosphoric-acid", "mail", "coffee")} - {f"{host}.csclub.internal"}
        assert set(told["backends"]) == backends | others | {"journal"}
        assert until(lambda host=host: all(  # type: ignore[misc]
            b["up"] and b["ms"] >= 0 for b in club.client("regular1").health(f"{host}.csclub.internal")["backends"].values())), told


def test_whoami(club: Club) -> None:
    assert club.client("ctdalek").whoami()["standing"] == ["anyone", "office", "signed_in", "syscom"]
