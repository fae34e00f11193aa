"""Whose an entry is, byte for byte, and which entries are none that anybody can work with."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceo_common.errors import BrokenEntry
from ceod.services import ldap_names as names
from ceod.services.entry import Group, Person, groups_in, number_in, people_in
from ceod.services.ldap_connection import Entry, entry_of

PEOPLE, GROUPS = "ou=People,dc=csclub,dc=internal", "ou=Group,dc=csclub,dc=internal"
LOOK_ALIKES = (
    "CTDALEK",
    "Ctdalek",
    "ｃtdalek",
    "ctdaleK",
    "ctdalek\u200b",
    " ctdalek",
    "ctdalek ",
    "ﬁ",
    "ctdalek\n",
)


def _account(**more: list[str]) -> Entry:
    return {
        "uid": ["ctdalek"],
        "objectClass": ["top", "account", "posixAccount", "shadowAccount", "member"],
        "cn": ["Calum Dalek"],
        "uidNumber": ["20001"],
        "gidNumber": ["20001"],
    } | more


@pytest.mark.parametrize("name", LOOK_ALIKES)
def test_a_name_is_the_one_in_the_dn_byte_for_byte(name: str) -> None:
    dn = names.child("uid", name, PEOPLE)
    assert names.child_value(dn, "uid", PEOPLE) == name != "ctdalek"
    assert people_in([(dn, _account())], PEOPLE) == []
    (person,) = people_in([(f"uid=ctdalek,{PEOPLE}", _account(uid=[name, "ctdalek"]))], PEOPLE)
    assert person.uid == "ctdalek"
    assert Group("", "syscom", {"uniqueMember": [dn]}).uids(PEOPLE) == [name]


@given(st.text(min_size=1))
def test_every_name_comes_back_out_of_its_dn(name: str) -> None:
    if "\x00" not in name and not any(0xD800 <= ord(c) <= 0xDFFF for c in name):
        assert names.child_value(names.child("uid", name, PEOPLE), "uid", PEOPLE) == name


@pytest.mark.parametrize(
    "dn",
    [
        "",
        "uid",
        "uid=ctdalek",
        f"cn=ctdalek,{PEOPLE}",
        f"uid;lang-en=ctdalek,{PEOPLE}",
        f"uid=ctdalek+cn=x,{PEOPLE}",
        f"uid=ctdalek,uid=x,{PEOPLE}",
        f"uid=ctdalek,{GROUPS}",
        "uid=ctdalek,ou=People,dc=evil",
        f"uid=\\ff,{PEOPLE}",
        PEOPLE,
        "uid=ctdalek,",
        f"=ctdalek,{PEOPLE}",
        f"0.9.2342.19200300.100.1.1=ctdalek,{PEOPLE}",
        f"uid=ctdalek,{PEOPLE}#'0101'B",
        "\x00",
        "uid=\x00",
    ],
)
def test_what_is_no_accounts_dn_has_no_name(dn: str) -> None:
    assert names.child_value(dn, "uid", PEOPLE) == ""
    people = people_in([(dn, _account())], PEOPLE)
    assert people == []
    assert len(people.broken) == 1


def test_the_place_may_be_written_in_either_case() -> None:
    assert (
        names.child_value("UID=ctdalek, OU=people,DC=CSClub,dc=internal", "uid", PEOPLE)
        == "ctdalek"
    )


def test_attributes_with_options_are_not_the_attribute() -> None:
    raw = {
        "uid": [b"office1"],
        "uid;lang-en": [b"regular1"],
        "uniqueMember;x-1;lang-en": [b"x"],
        "loginShell;binary": [b"/evil"],
    }
    assert entry_of(raw, options=False) == {"uid": ["office1"]}
    assert entry_of(raw, options=True) == {
        name: [value.decode() for value in values] for name, values in raw.items()
    }


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"uid": ["somebody"]}, "is no uid of it"),
        ({"uid": ["CTDALEK"]}, "is no uid of it"),
        ({"uid": []}, "is no uid of it"),
        ({"objectClass": ["top", "account", "member"]}, "no posixAccount"),
        ({"objectClass": []}, "no posixAccount"),
        ({"uidNumber": []}, "uidNumber is missing"),
        ({"uidNumber": ["20001", "20002"]}, "uidNumber is 20001, 20002"),
        ({"uidNumber": ["0"]}, "uidNumber is 0"),
        ({"uidNumber": ["999"]}, "uidNumber is 999"),
        ({"uidNumber": ["-20001"]}, "uidNumber is -20001"),
        ({"uidNumber": ["020001"]}, "uidNumber is 020001"),
        ({"uidNumber": ["２０００１"]}, "uidNumber is"),
        ({"uidNumber": ["x"]}, "uidNumber is x"),
        ({"uidNumber": ["4294967296"]}, "uidNumber is 4294967296"),
        ({"uidNumber": [""]}, "uidNumber is"),
        ({"gidNumber": []}, "gidNumber is missing"),
        ({"gidNumber": ["20001 "]}, "gidNumber is"),
        ({"shadowExpire": ["never"]}, "shadowExpire is never"),
        ({"shadowExpire": ["99999999999999999999"]}, "shadowExpire is 9"),
        ({"shadowExpire": ["1", "20000"]}, "shadowExpire is 1, 20000"),
    ],
)
def test_an_entry_that_nobody_can_work_with_says_why(more: Entry, words: str) -> None:
    broken = Person(f"uid=ctdalek,{PEOPLE}", "ctdalek", _account(**more))
    with pytest.raises(BrokenEntry, match="repair uid=ctdalek,ou=People") as error:
        broken.check()
    assert len(error.value.more["faults"]) == 1
    assert words in error.value.more["faults"][0]
    people = people_in(
        [(broken.dn, broken.attributes), (f"uid=whole,{PEOPLE}", _account(uid=["whole"]))], PEOPLE
    )
    assert [person.uid for person in people] == ["whole"]
    assert len(people.broken) == 1


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"objectClass": ["POSIXACCOUNT", "Club"]},
        {"shadowExpire": ["1"]},
        {"shadowExpire": ["-1"]},
        {"shadowExpire": ["20000"]},
        {"cn": []},
        {"uid": ["another", "ctdalek"]},
        {"uidNumber": ["2147483647"]},
        {"uidNumber": ["1000"]},
    ],
)
def test_an_entry_that_is_odd_is_served(more: Entry) -> None:
    assert Person(f"uid=ctdalek,{PEOPLE}", "ctdalek", _account(**more)).faults() == []


@pytest.mark.parametrize("name", ["../root", "x:0:0", "CTDALEK", "", "a\nb", "a" * 33])
def test_a_name_that_is_none_is_nobodys(name: str) -> None:
    people = people_in([(names.child("uid", name, PEOPLE), _account(uid=[name]))], PEOPLE)
    assert people == []
    assert len(people.broken) == 1


def test_a_group_has_the_name_in_its_dn() -> None:
    entries: list[tuple[str, Entry]] = [
        (f"cn=office,{GROUPS}", {"cn": ["syscom", "office"], "gidNumber": ["10003"]}),
        (f"cn=x,{GROUPS}", {"cn": ["syscom"]}),
        (f"cn=SYSCOM,{GROUPS}", {"cn": ["syscom"]}),
        (f"cn=syscom,cn=x,{GROUPS}", {"cn": ["syscom"]}),
        (f"cn=y,{GROUPS}", {}),
    ]
    assert [group.cn for group in groups_in(entries, GROUPS)] == ["office"]
    assert groups_in(entries, GROUPS)[0].number == 10003


@given(st.lists(st.text() | st.integers().map(str), max_size=3))
def test_a_number_is_one_or_none(values: list[str]) -> None:
    number = number_in(values)
    assert number is None or values == [str(number)]
