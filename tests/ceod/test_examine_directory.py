"""Each thing that can be wrong with an entry is a row that says what to do, and a whole directory has none."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from ceo_common.config import Numbers
from ceod.operations.examine_directory import ROWS, Directory, examine
from ceod.services.ldap_connection import Entry

PEOPLE, GROUPS = "ou=People,dc=csclub,dc=internal", "ou=Group,dc=csclub,dc=internal"


def _user(uid: str, number: int, kind: str = "member", /, **more: list[str]) -> tuple[str, Entry]:
    entry = {
        "objectClass": ["top", "account", "posixAccount", "shadowAccount", kind],
        "uid": [uid],
        "cn": ["Some Body"],
        "uidNumber": [str(number)],
        "gidNumber": [str(number)],
        "homeDirectory": [f"/users/{uid}"],
        "loginShell": ["/bin/bash"],
    }
    entry = {name: values for name, values in (entry | more).items() if values}
    return f"uid={uid},{PEOPLE}", entry


def _group(cn: str, number: int, /, **more: list[str]) -> tuple[str, Entry]:
    entry = {"objectClass": ["top", "group", "posixGroup"], "cn": [cn], "gidNumber": [str(number)]}
    return f"cn={cn},{GROUPS}", {name: values for name, values in (entry | more).items() if values}


def _member(uid: str) -> list[str]:
    return [f"uid={uid},{PEOPLE}"]


WHOLE = Directory(
    PEOPLE,
    GROUPS,
    "/users",
    Numbers(),
    people=[_user("ada", 20001), _user("go-club", 30001, "club")],
    groups=[_group("ada", 20001), _group("go-club", 30001), _group("adm", 10001)],
    counters={"members": 20100, "clubs": 30002, "administrative": 10011},
    given={"members": 20099, "clubs": 0, "administrative": 0},
)


def _rows(
    *people: tuple[str, Entry], groups: tuple[tuple[str, Entry], ...] = (), **more: Any
) -> list[tuple[str, str, str]]:
    """Check, DN and sentence of what is wrong in the whole directory with these entries more."""
    made = dataclasses.replace(
        WHOLE, people=[*WHOLE.people, *people], groups=[*WHOLE.groups, *groups], **more
    )
    findings = [finding for finding in examine(made) if finding.state != "ok"]
    assert all(finding.mend and not finding.fixable for finding in findings)
    return [(finding.check, finding.looked_at, finding.found) for finding in findings]


def test_a_whole_directory_has_a_row_for_each_part() -> None:
    assert [(row.check, row.state, row.looked_at, row.found) for row in examine(WHOLE)] == [
        ("accounts", "ok", PEOPLE, "2, all correct"),
        ("groups", "ok", GROUPS, "3, all correct"),
    ]


@pytest.mark.parametrize(
    ("entry", "check", "words"),
    [
        (_user("bo", 20002, uid=["bo", "ada"]), "second name", "the name ada too"),
        (_user("bo", 20002, uid=["ada"]), "broken", "is no uid of it"),
        (("cn=Bo,ou=People,dc=csclub,dc=internal", _user("bo", 20002)[1]), "name", "no account"),
        ((f"uid=bo,uid=ada,{PEOPLE}", _user("bo", 20002)[1]), "name", "no account"),
        ((f"uid=bo+cn=Bo,{PEOPLE}", _user("bo", 20002)[1]), "name", "no account"),
        (_user("BO", 20002), "broken", "a username is"),
        (_user("root", 20002), "reserved name", "reserved"),
        (
            _user("bo", 20002, objectClass=["account", "shadowAccount", "member"]),
            "broken",
            "no posix",
        ),
        (_user("bo", 20002, objectClass=["posixAccount", "member"]), "classes", "account, shadow"),
        (_user("bo", 20002, "person"), "classes", "neither a member nor a club"),
        (_user("bo", 20002, cn=[]), "attributes", "no cn"),
        (_user("bo", 20002, homeDirectory=[]), "attributes", "no homeDirectory"),
        (_user("bo", 20002, loginShell=[]), "attributes", "no loginShell"),
        (_user("bo", 20002, homeDirectory=["/root"]), "home", "is /root, not /users/bo"),
        (_user("bo", 20002, loginShell=["/bin/bash\0x"]), "login shell", r"'/bin/bash\x00x'"),
        (_user("bo", 20002, **{"uid;lang-en": ["ada"]}), "options", "uid;lang-en is ada"),
        (_user("bo", 20002, uidNumber=[]), "broken", "uidNumber is missing"),
        (_user("bo", 20002, uidNumber=["0"]), "broken", "uidNumber is 0"),
        (_user("bo", 20002, gidNumber=["20003"]), "number", "uidNumber 20002 is not gidNumber"),
        (_user("bo", 30002), "number", "outside of 20001 to 29999, the range of members"),
        (_user("bo", 20002, "club"), "number", "outside of 30001 to 39999, the range of clubs"),
        (_user("bo", 29999), "number", "somebody chose 29999: the counter is at 20100"),
    ],
)
def test_what_is_wrong_with_an_account(entry: tuple[str, Entry], check: str, words: str) -> None:
    ((found, dn, sentence), *more) = _rows(entry)
    assert (found, dn, more) == (check, entry[0], [])
    assert words in sentence


@pytest.mark.parametrize(
    ("entry", "check", "words"),
    [
        (_group("bo", 10002, cn=["bo", "sudo"]), "second name", "the name sudo too"),
        (_group("bo", 10002, cn=["sudo"]), "name", "no group"),
        ((f"gidNumber=10002,{GROUPS}", _group("bo", 10002)[1]), "name", "no group"),
        ((f"cn=Bo\\0a,{GROUPS}", _group("Bo\n", 10002)[1]), "name", "a username is"),
        (_group("wheel", 28000), "reserved name", "wheel"),
        (_group("bo", 20002), "number", "there is no account bo"),
        (_group("bo", 30002), "number", "there is no account bo"),
        (_group("bo", 10002, gidNumber=[]), "broken", "gidNumber is missing"),
        (_group("bo", 10002, gidNumber=["0"]), "broken", "gidNumber is 0"),
        (
            _group("bo", 10002, **{"uniqueMember;x-1": _member("ada")}),
            "options",
            "uniqueMember;x-1",
        ),
        (_group("bo", 10002, uniqueMember=_member("nobody")), "members", "names no account"),
        (_group("bo", 10002, uniqueMember=_member("ADA")), "members", "slapd takes it for ada"),
        (_group("bo", 10002, uniqueMember=["cn=x,dc=evil"]), "members", "names no account"),
        (_group("bo", 10002, memberUid=["ada"]), "members", "memberUid ada"),
    ],
)
def test_what_is_wrong_with_a_group(entry: tuple[str, Entry], check: str, words: str) -> None:
    rows = _rows(groups=(entry,))
    assert {dn for _, dn, _ in rows} == {entry[0]}
    assert [words in sentence for found, _, sentence in rows if found == check] == [True]


def test_members_who_are_there_are_in_order() -> None:
    assert _rows(groups=(_group("bo", 10002, uniqueMember=_member("ada")),)) == []
    gone = _user("gone", 20003, shadowExpire=["1"])
    (row,) = _rows(gone, groups=(_group("bo", 10002, uniqueMember=_member("gone")),))
    assert row[2] == "gone was deleted and is in it"


def test_a_number_that_several_have_is_told_of_each() -> None:
    rows = _rows(_user("bo", 20001), groups=(_group("club", 10001),))
    assert {(dn.partition(",")[0], sentence.partition(":")[0]) for _, dn, sentence in rows} == {
        ("uid=ada", "20001 is the number of bo too"),
        ("uid=bo", "20001 is the number of ada too"),
        ("cn=ada", "20001 is the number of bo too"),
        ("cn=adm", "10001 is the number of club too"),
        ("cn=club", "10001 is the number of adm too"),
    }


def test_a_number_that_was_given_is_nobodys_choice() -> None:
    """The counter was set back: that is the row."""
    ((check, dn, sentence),) = _rows(_user("bo", 20200), given=WHOLE.given | {"members": 20200})
    assert (check, dn) == ("counter", "cn=members,ou=UidCounters")
    assert "at 20100, and 20200 was given" in sentence
    ((check, _, sentence),) = _rows(counters=WHOLE.counters | {"clubs": 5})
    assert check == "counter"
    assert "below 30001" in sentence


def test_a_counter_that_is_none_hides_nothing_else() -> None:
    """Neither the other counters nor the entries."""
    counters = {name: n for name, n in WHOLE.counters.items() if name != "members"}
    rows = _rows(
        _user("bo", 20002, cn=[]), counters=counters, no_counters={"members": "it is 1, 2"}
    )
    assert [(check, found) for check, _, found in rows] == [
        ("counter", "it is 1, 2"),
        ("attributes", "it has no cn"),
    ]


def test_a_journal_that_knows_of_no_number_is_one_row() -> None:
    """Not one for each old account, as if somebody had chosen every number."""
    old = [_user(f"bo{i}", 20100 + i) for i in range(30)]
    ((check, dn, found),) = _rows(*old, given=WHOLE.given | {"members": 0})
    assert (check, dn) == ("counter", "cn=members,ou=UidCounters")
    assert "the journal knows of no number that was given" in found
    assert "30 numbers from 20100 on, up to 20129" in found


def test_a_deleted_account_is_mended_as_the_one_who_may() -> None:
    """slapd lets nobody but ceod/admin write it."""
    for shadow_expire, as_admin in ((["1"], True), ([], False)):
        made = dataclasses.replace(
            WHOLE, people=[_user("bo", 20002, cn=[], shadowExpire=shadow_expire)], groups=[]
        )
        (finding,) = [row for row in examine(made) if row.state == "problem"]
        assert ("kinit -k -t KEYTAB ceod/admin" in finding.mend) == as_admin


def test_however_much_is_wrong_an_answer_ends() -> None:
    """Values are as long as somebody likes, and entries as many."""
    many = [_user(f"bo{i}", 20002, homeDirectory=["/" + "x" * 5000]) for i in range(ROWS)]
    rows = _rows(*many)
    assert len(rows) == ROWS
    assert "more problems are not listed" in rows[-1][2]
    assert max(len(sentence) for _, _, sentence in rows) < 400
