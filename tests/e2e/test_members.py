"""What happens to a member after the sign-up: renewals, changes, deletion and what brings them back."""

from __future__ import annotations

import json
import os
import shutil
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ceo_common.errors import CeoError, Deleted, Exists, Forbidden, Invalid, NotFound, WrongState
from ceo_common.events import Event
from ceo_common.krb5 import tickets
from ceo_common.krb5.admin import DISALLOW_ALL, Admin
from sandbox.club import BASE_DN, PASSWORD, REALM
from tests.club.club import Club


def _entry(club: Club, uid: str) -> dict[str, list[str]]:
    (entry,) = club.entries(f"(&(uid={uid})(objectClass=posixAccount))").values()
    return {name: [value.decode() for value in values] for name, values in entry.items()}


def _expire(club: Club, uid: str) -> None:
    """As an expiry would have left it."""
    change = f"dn: uid={uid},ou=People,{BASE_DN}\nchangetype: modify\nadd: shadowExpire\nshadowExpire: 20000\n"
    assert club.run_as("ctdalek", "ldapmodify", "-Q", text=change).returncode == 0
    done = club.run_as("root", "kadmin", "-p", "sysadmin/admin", "-w", "krb5", "-q", f'modprinc -expire "2024-10-04 00:00:00" {uid}')
    assert "modified" in done.stdout, done


# Renewing


def test_a_renewal_adds_terms_and_takes_none_away(club: Club) -> None:
    uid = club.add(terms=["f2025"])["result"]["uid"]
    assert club.done(club.client("office1").renew_member(uid, {"terms": ["w2027", "f2026"]})) == {
        "uid": uid, "terms": ["w2027", "f2026"], "non_member_terms": None, "unexpired": False, "warnings": []}
    assert sorted(_entry(club, uid)["term"]) == ["f2025", "f2026", "w2027"]


def test_terms_that_are_held_are_refused_with_their_list(club: Club) -> None:
    uid = club.add(terms=["f2026", "w2027"])["result"]["uid"]
    with pytest.raises(Exists, match="registered already for f2026, w2027") as caught:
        list(club.client("office1").renew_member(uid, {"terms": ["w2027", "s2027", "f2026"]}))
    assert caught.value.more["terms"] == ["f2026", "w2027"]
    assert sorted(_entry(club, uid)["term"]) == ["f2026", "w2027"]


def test_a_representative_becomes_a_member_and_counts_over_both_kinds(club: Club) -> None:
    uid, office = club.name(), club.client("office1")
    club.done(office.add_member({"uid": uid, "cn": "Rep Person", "program": "x", "non_member_terms": ["f2026"]}))
    club.done(office.renew_member(uid, {"terms": ["f2026"]}))
    assert _entry(club, uid)["term"] == ["f2026"] and _entry(club, uid)["nonMemberTerm"] == ["f2026"]
    club.done(office.renew_member(uid, {"terms": ["w2027"]}))
    with pytest.raises(Exists, match="w2027"):
        list(office.renew_member(uid, {"non_member_terms": ["w2027"]}))


def test_a_renewal_opens_an_expired_account_again(club: Club) -> None:
    added = club.add(terms=["w2020"])["result"]
    uid = added["uid"]
    tickets.change_password(f"{uid}@{REALM}", added["temporary_password"], "their-own-choice-3")
    _expire(club, uid)
    url = f"http://127.0.0.1:8001/3.1/lists/csc-general.csclub.internal/member/{uid}@csclub.internal"
    club.run_as("root", "curl", "-s", "-X", "DELETE", "-u", "ceod:mailman-rest", url, host="mail")
    with pytest.raises(Exception, match="is over"):
        tickets.initial(f"{uid}@{REALM}", "their-own-choice-3", "MEMORY:expired")
    assert club.client("regular1").member(uid)["expired"]
    assert club.done(club.client("office1").renew_member(uid, {"terms": ["f2026"]}))["unexpired"]
    assert "shadowExpire" not in _entry(club, uid)
    assert tickets.initial(f"{uid}@{REALM}", "their-own-choice-3", "MEMORY:open").client == f"{uid}@{REALM}"
    assert club.on_list(uid)


@pytest.mark.parametrize(("uid", "body", "error"), [
    ("regular1", {}, Invalid), ("regular1", {"terms": []}, Invalid), ("regular1", {"terms": ["f2026"], "non_member_terms": ["f2026"]}, Invalid),
    ("regular1", {"terms": ["f2099"]}, Invalid), ("regular1", {"terms": ["x2026"], "oops": 1}, Invalid), ("nobody-here", {"terms": ["f2026"]}, NotFound),
    ("go-club", {"terms": ["f2026"]}, Invalid),
])
def test_renewals_that_are_refused(club: Club, uid: str, body: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        list(club.client("office1").renew_member(uid, body))


def _at_once(*calls: Callable[[], Iterator[Event]]) -> list[str]:
    """How each ended, all begun at one moment."""
    told: list[str] = []
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], Iterator[Event]]) -> None:
        barrier.wait()
        try:
            *_, last = call()
            told.append(last["status"])
        except CeoError as error:
            told.append(error.code)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return told


def test_one_renewal_of_many_at_once_stands(club: Club) -> None:
    """The others are refused, and take nothing back that is the first one's."""
    uid, office = club.add()["result"]["uid"], club.client("office1")
    told = _at_once(*[lambda: office.renew_member(uid, {"terms": ["w2028"]})] * 6)
    assert told.count("completed") == 1 and set(told) <= {"completed", "busy", "exists"}, told
    assert sorted(_entry(club, uid)["term"]) == ["f2026", "w2028"]


def test_a_principal_that_was_disabled_by_hand_stays_so(club: Club) -> None:
    """Neither the office's renewal nor a deletion and its restore lift what the committee did."""
    uid, syscom = club.add(terms=["w2020"])["result"]["uid"], club.client("ctdalek")
    _expire(club, uid)
    Admin.with_password("sysadmin/admin", PASSWORD).modify(uid, set_attributes=DISALLOW_ALL)
    assert club.done(club.client("office1").renew_member(uid, {"terms": ["f2026"]}))["unexpired"]
    assert club.principal(uid).attributes & DISALLOW_ALL and club.principal(uid).expires == 0
    club.done(syscom.delete_member(uid))
    club.done(syscom.restore_member(uid))
    assert club.principal(uid).attributes & DISALLOW_ALL


# Changing


def test_login_shells_follow_the_rule(club: Club) -> None:
    assert club.done(club.client("regular1").modify_member("regular1", {"login_shell": "/bin/sh"}))["login_shell"] == "/bin/sh"
    assert _entry(club, "regular1")["loginShell"] == ["/bin/sh"]
    with pytest.raises(Forbidden, match="Only the account's owner and the systems committee may change a login shell"):
        list(club.client("office1").modify_member("regular1", {"login_shell": "/bin/bash"}))
    club.done(club.client("ctdalek").modify_member("regular1", {"login_shell": "/bin/bash"}))
    assert _entry(club, "regular1")["loginShell"] == ["/bin/bash"]


def test_what_slapd_refuses_because_of_an_expiry_is_refused_beforehand(club: Club) -> None:
    """To ceod a day to come and 0 leave an account open; slapd's rules ask whether there is one."""
    for uid, day in (("regular1", 40000), ("office1", 0)):
        dn = f"dn: uid={uid},ou=People,dc=csclub,dc=internal\nchangetype: modify\n"
        change = f"{dn}add: shadowExpire\nshadowExpire: {day}\n"
        assert club.run_as("ctdalek", "ldapmodify", "-Q", text=change).returncode == 0
        try:
            with pytest.raises(WrongState, match=f"{uid} has an expiry"):
                list(club.client(uid).modify_member(uid, {"login_shell": "/bin/sh"}))
            if uid == "office1":
                with pytest.raises(WrongState, match="ask somebody else of office staff"):
                    list(club.client(uid).renew_member(uid, {"terms": ["f2031"]}))
            shells = ("/bin/sh", "/bin/bash")
            for shell in shells:
                club.done(club.client("ctdalek").modify_member(uid, {"login_shell": shell}))
        finally:
            change = f"{dn}delete: shadowExpire\n"
            assert club.run_as("ctdalek", "ldapmodify", "-Q", text=change).returncode == 0


@pytest.mark.parametrize("shell", ["/bin/nothing", "/etc/passwd", "bash", "", "/bin/bash\n", "/usr/sbin/nologin", "/tmp/x"])
def test_a_shell_that_is_none_is_refused_and_the_others_are_listed(club: Club, shell: str) -> None:
    with pytest.raises(Invalid, match=r"there are: .*/bin/bash"):
        list(club.client("regular1").modify_member("regular1", {"login_shell": shell}))
    assert _entry(club, "regular1")["loginShell"] == ["/bin/bash"]


def test_forwarding_is_written_as_the_owner_and_read_by_those_who_may(club: Club) -> None:
    uid = club.add()["result"]["uid"]
    path = Path(f"/users/{uid}/.forward")
    club.done(club.client("office1").modify_member(uid, {"forwarding_addresses": ["a@example.org", "b@example.net"]}))
    assert path.read_text() == "a@example.org\nb@example.net\n"
    assert (stat.S_IMODE(path.stat().st_mode), path.stat().st_uid) == (0o600, int(_entry(club, uid)["uidNumber"][0]))
    assert club.client("office1").member(uid)["forwarding_addresses"] == ["a@example.org", "b@example.net"]
    assert club.client("rep1").member(uid)["forwarding_addresses"] is None
    club.done(club.client("ctdalek").modify_member(uid, {"forwarding_addresses": []}))
    assert not path.exists()


def test_the_forwarding_of_a_syscom_member_is_theirs_and_syscoms(club: Club) -> None:
    with pytest.raises(Forbidden, match="of the systems committee"):
        list(club.client("office1").modify_member("ctdalek", {"forwarding_addresses": ["evil@example.org"]}))
    with pytest.raises(Forbidden):
        list(club.client("regular1").modify_member("rep1", {"forwarding_addresses": ["evil@example.org"]}))
    club.done(club.client("rep1").modify_member("rep1", {"forwarding_addresses": ["rep@example.org"]}))
    club.done(club.client("rep1").modify_member("rep1", {"forwarding_addresses": []}))
    assert not Path("/users/ctdalek/.forward").exists() and not Path("/users/rep1/.forward").exists()


def test_a_forward_file_that_is_a_link_is_not_followed_and_stays(club: Club) -> None:
    """It could not be put back as it was."""
    uid = club.add()["result"]["uid"]
    target, link = Path(f"/users/{uid}/precious"), Path(f"/users/{uid}/.forward")
    target.write_text("mine")
    link.symlink_to("/etc/passwd")
    before = Path("/etc/passwd").read_bytes()
    assert club.client("office1").member(uid)["forwarding_addresses"] == []  # what is behind the link is nobody's business
    with pytest.raises(WrongState, match="is a link"):
        list(club.client("office1").modify_member(uid, {"forwarding_addresses": ["a@example.org"]}))
    assert Path("/etc/passwd").read_bytes() == before and link.is_symlink() and target.read_text() == "mine"


def test_forwarding_without_a_home_is_refused(club: Club) -> None:
    uid = club.add()["result"]["uid"]
    os.rename(f"/users/{uid}", f"/users/{uid}.away")
    try:
        with pytest.raises(WrongState, match="has no home directory"):
            list(club.client("office1").modify_member(uid, {"forwarding_addresses": ["a@example.org"]}))
    finally:
        os.rename(f"/users/{uid}.away", f"/users/{uid}")


def test_nothing_to_change_is_said(club: Club) -> None:
    bodies: list[object] = [{}, {"login_shell": None}, {"shell": "/bin/sh"}, []]
    for body in bodies:
        assert club.curl("regular1", "/members/regular1", "--delegation", "always", "-X", "PATCH", "-d", json.dumps(body))[0] == 400, body


def test_a_password_reset_is_mailed_without_the_password(club: Club) -> None:
    uid = club.add()["result"]["uid"]
    password = club.done(club.client("ctdalek").reset_password(uid))["temporary_password"]
    (mail,) = [mail for mail in club.mails(f"{uid}@csclub.internal") if "password was reset" in mail]
    assert "ctdalek" in mail and password not in mail


# Deleting and restoring


def test_a_deleted_account_is_out_of_everything_and_restored_whole(club: Club) -> None:
    added = club.add(forwarding_addresses=["keep@example.org"])["result"]
    uid, syscom = added["uid"], club.client("ctdalek")
    tickets.change_password(f"{uid}@{REALM}", added["temporary_password"], "their-own-choice-4")
    club.done(syscom.add_to_group("office", uid))
    club.done(syscom.modify_member(uid, {"login_shell": "/bin/sh"}))
    club.run_as("root", "curl", "-s", "-u", "ceod:mailman-rest", "http://127.0.0.1:8001/3.1/members", "-d", "list_id=events.csclub.internal", "-d",
                f"subscriber={uid}@csclub.internal", "-d", "pre_verified=true", "-d", "pre_confirmed=true", "-d", "pre_approved=true", host="mail")
    before, home = _entry(club, uid), club.home(uid)
    groups = syscom.member(uid)["groups"]
    assert groups and home and club.on_list(uid, "events")

    told = club.done(syscom.delete_member(uid))
    assert told["groups"] == groups
    entry = _entry(club, uid)
    assert (entry["shadowExpire"], entry["loginShell"], entry["uidNumber"]) == (["1"], ["/usr/sbin/nologin"], before["uidNumber"])
    assert club.entries(f"(uniqueMember=uid={uid},ou=People,{BASE_DN})") == {}
    assert not os.path.exists(f"/users/{uid}") and Path(f"/users/.archive/{told['home']}/.forward").read_text() == "keep@example.org\n"
    assert not club.on_list(uid) and not club.on_list(uid, "events")
    with pytest.raises(Exception, match="is locked"):
        tickets.initial(f"{uid}@{REALM}", "their-own-choice-4", "MEMORY:deleted")
    with pytest.raises(Deleted, match=f"ceo members restore {uid}") as caught:
        list(club.client("office1").add_member(club.member(uid)))
    assert caught.value.code == "deleted_account"
    refused: list[Callable[[], Iterator[Event]]] = [
        lambda: syscom.delete_member(uid), lambda: syscom.reset_password(uid), lambda: syscom.add_to_group("office", uid),
        lambda: syscom.renew_member(uid, {"terms": ["w2027"]}), lambda: syscom.modify_member(uid, {"login_shell": "/bin/sh"})]
    for ask in refused:
        with pytest.raises(Deleted):
            list(ask())

    club.done(syscom.restore_member(uid))
    writer = club.run_as("ctdalek", "ldapsearch", "-Q", "-LLL", f"(uid={uid})", "modifiersName").stdout
    # The directory lets nobody else take the mark of a deletion away.
    assert "modifiersName: uid=ceod/admin," in writer
    assert {name: sorted(values) for name, values in _entry(club, uid).items()} == {name: sorted(values) for name, values in before.items()}
    assert club.home(uid) == home
    assert syscom.member(uid)["groups"] == groups
    assert club.on_list(uid) and club.on_list(uid, "events")
    assert tickets.initial(f"{uid}@{REALM}", "their-own-choice-4", "MEMORY:restored").client == f"{uid}@{REALM}"
    with pytest.raises(WrongState, match="is not deleted"):
        list(syscom.restore_member(uid))


def test_an_expired_account_that_was_deleted_is_expired_when_it_is_back(club: Club) -> None:
    uid, syscom = club.add(terms=["w2020"])["result"]["uid"], club.client("ctdalek")
    _expire(club, uid)
    club.done(syscom.delete_member(uid))
    club.done(syscom.restore_member(uid))
    assert _entry(club, uid)["shadowExpire"] == ["20000"]
    assert club.principal(uid).expires == 20000 * 86400


def test_two_deletions_at_once_are_one_and_restored_whole(club: Club) -> None:
    uid, syscom = club.add()["result"]["uid"], club.client("ctdalek")
    before, home = _entry(club, uid), club.home(uid)
    told = _at_once(*[lambda: syscom.delete_member(uid)] * 4)
    assert told.count("completed") == 1 and set(told) <= {"completed", "busy", "deleted_account"}, told
    club.done(syscom.restore_member(uid))
    assert {name: sorted(values) for name, values in _entry(club, uid).items()} == {name: sorted(values) for name, values in before.items()}
    assert club.home(uid) == home


def test_a_restore_goes_without_an_archived_home_that_is_gone(club: Club) -> None:
    uid, syscom = club.add()["result"]["uid"], club.client("ctdalek")
    archived = club.done(syscom.delete_member(uid))["home"]
    shutil.rmtree(f"/users/.archive/{archived}")
    warnings = club.done(syscom.restore_member(uid))["warnings"]
    assert warnings == [f"the archived home {archived} is gone"] and not syscom.member(uid)["deleted"]


def test_who_holds_a_position_is_not_deleted(club: Club) -> None:
    uid, syscom = club.add()["result"]["uid"], club.client("ctdalek")
    club.done(syscom.set_positions({"cro": [uid]}))
    try:
        with pytest.raises(WrongState, match="is cro; give that to somebody else first"):
            list(syscom.delete_member(uid))
    finally:
        club.done(syscom.set_positions({"cro": []}))
    club.done(syscom.delete_member(uid))


def test_the_last_of_the_systems_committee_is_not_deleted(club: Club) -> None:
    with pytest.raises(WrongState, match="the last member of the systems committee"):
        list(club.client("ctdalek").delete_member("ctdalek"))


def test_a_club_is_no_member(club: Club) -> None:
    with pytest.raises(Invalid, match="is a club"):
        list(club.client("ctdalek").delete_member("go-club"))
    with pytest.raises(Invalid, match="is a club"):
        list(club.client("ctdalek").reset_password("go-club"))


def test_a_purge_is_for_development_alone(club: Club) -> None:
    uid = club.add()["result"]["uid"]
    with pytest.raises(Forbidden, match="development mode alone"):
        list(club.client("ctdalek").purge_member(uid))
    club.whole(uid)


# Many at once


def test_many_are_added_at_once_in_one_transaction(club: Club) -> None:
    rows = [club.member(cn=f"Row {i:03d}", forwarding_addresses=["x@example.org"] if i == 7 else []) for i in range(101)]
    *events, last = club.client("office1").add_members(rows)
    assert last["status"] == "completed" and not last["waiting"], last
    assert {(e["operation"], e["done"]) for e in events if e.get("state") == "progress"} >= {("LDAP user", 100), ("mailing list", 101)}
    result = last["result"]
    assert len({member["uid_number"] for member in result["members"]}) == 101
    assert set(result["temporary_passwords"]) == {row["uid"] for row in rows} and not result["temporary_passwords_lost"]
    for i in (0, 7, 100):
        club.whole(rows[i]["uid"])
    assert Path(f"/users/{rows[7]['uid']}/.forward").read_text() == "x@example.org\n"
    announced = [mail for mail in club.mails("syscom@csclub.internal") if rows[0]["uid"] in mail]
    assert len(announced) == 1 and "101 new members" in announced[0] and rows[100]["uid"] in announced[0]
    ((arguments, _),) = club.journal("SELECT count(*), max(arguments) FROM transactions WHERE id = ?", last["transaction"])
    assert arguments == 1
    assert not any(password in club.journal("SELECT group_concat(event) FROM events")[0][0] for password in result["temporary_passwords"].values())


def test_the_office_resets_the_passwords_of_many_that_it_signed_up(club: Club) -> None:
    rows = [club.member() for _ in range(2)]
    club.done(club.client("office1").add_members(rows))
    assert club.done(club.client("office1").reset_password(rows[1]["uid"]))["temporary_password"]


def test_one_bad_row_and_nobody_is_added(club: Club) -> None:
    good, taken, syscom = club.member(), club.member("regular1"), club.client("office1")
    with pytest.raises(Exists, match="1 of 2 can't be added, so nobody was added") as caught:
        list(syscom.add_members([good, taken]))
    assert [problem["field"] for problem in caught.value.problems] == ["members.1.uid"]
    assert syscom.check_members([good, taken])["problems"] == caught.value.problems
    assert syscom.check_members([good])["problems"] == []
    with pytest.raises(Invalid) as invalid:
        list(syscom.add_members([good, good, {"uid": "-x"}]))
    assert {problem["field"] for problem in invalid.value.problems} == {
        "members.1.uid", "members.2.uid", "members.2.cn", "members.2.program", "members.2.terms"}
    club.nothing(good["uid"])


# Did you mean renew?


def test_lapsed_members_of_a_near_name_are_found(club: Club) -> None:
    old, office = club.add(cn="Françoise Ångström-Quark", terms=["w2020"])["result"]["uid"], club.client("office1")
    current = club.add(cn="Francoise Angstrom-Quark", terms=["f2026"])["result"]["uid"]

    def found(**query: str) -> list[str]:
        return [row["uid"] for row in office.lapsed(**query)]

    for name in ("Francoise Angstrom-Quark", "Ångström-Quark Françoise", "Françoise Angström-Quark", "Fransoise Ångström-Quark"):
        assert old in found(cn=name), name
        assert current not in found(cn=name)  # is a member now: nothing to renew
    assert found(uid=current) == [current]  # the same username, whatever its state
    assert found(cn="Somebody Quite Different") == []
    with pytest.raises(Invalid):
        office.lapsed()
    with pytest.raises(Forbidden):
        club.client("regular1").lapsed(cn="Ada")


def test_expired_and_inactive_lists(club: Club) -> None:
    uid, office = club.add(terms=["w2020"])["result"]["uid"], club.client("office1")
    assert uid not in [row["uid"] for row in office.expired()]
    _expire(club, uid)
    (row,) = [row for row in office.expired() if row["uid"] == uid]
    assert row == {"uid": uid, "cn": "Test Person", "program": "Mathematics", "last_term": "w2020", "expired": True}
    assert uid in [row["uid"] for row in office.inactive(1)] and uid in [row["uid"] for row in office.inactive(15)]
    assert uid not in [row["uid"] for row in office.inactive(100)] and "regular1" not in [row["uid"] for row in office.inactive(1)]
    for refused in (club.client("regular1").expired, lambda: club.client("regular1").inactive(1)):
        with pytest.raises(Forbidden):
            refused()
