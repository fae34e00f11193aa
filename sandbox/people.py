"""The people, groups and students that a new sandbox has, as LDIF; always the same ones for the same year."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from datetime import date
from typing import Any

from sandbox.club import BASE_DN, GROUPS, LDAP_GROUPS, PEOPLE, ROLES, UW_BASE_DN, fqdn

GIVEN = (
    "Ada", "Alan", "Barbara", "Bjarne", "Chloé", "Dennis", "Edsger", "Françoise", "Grace", "Hedy", "Ikram", "Jürgen", "Katherine",
    "Leslie", "Łukasz", "Margaret", "Niklaus", "Olga", "Radia", "Søren", "Tim", "Wei", "Yukihiro", "Zoë",
)
FAMILY = (
    "Ångström", "Brown", "Chan", "Dubois", "Evans", "Fernández", "García", "Hopper", "Ivanov", "Jensen", "Kim", "Liskov",
    "Müller", "Nguyễn", "Okafor", "Patel", "Quist", "Rossi", "Singh", "Tanaka", "Ueda", "Vogel", "Wirth", "Xu", "Young", "Żak",
)
PROGRAMS = (
    "Computer Science", "Software Engineering", "Mathematics", "Pure Mathematics", "Combinatorics & Optimization",
    "Études françaises", "Statistics", "Physics", "Electrical Engineering", "Data Science",
)
MEMBERS = 200
STUDENTS = 1000
FIRST_FREE_UID = 20001 + len(PEOPLE) + MEMBERS

CLUBS = {"bot-society": "Botanical Society", "go-club": "Go Club"}
FIRST_CLUB = 30001


def _entry(dn: str, **attributes: str | int | list[str]) -> str:
    lines = [_line("dn", dn)]
    for name, values in attributes.items():
        lines += [_line(name, str(value)) for value in (values if isinstance(values, list) else [values])]
    return "\n".join(lines) + "\n\n"


def _line(name: str, value: str) -> str:
    if value.isascii() and value == value.strip() and value[:1] not in (":", "<"):
        return f"{name}: {value}"
    return f"{name}:: {base64.b64encode(value.encode()).decode()}"


def _terms_until(today: date) -> list[str]:
    terms = [f"{season}{year}" for year in range(today.year - 8, today.year + 1) for season in "wsf"]
    return terms[: 24 + (today.month - 1) // 4 + 1]


def generated_names() -> Iterator[tuple[str, int, str, str]]:
    """uid, uidNumber, given name and family name of each generated member."""
    draw = random.Random(2010)
    for i in range(MEMBERS):
        given, family = draw.choice(GIVEN), draw.choice(FAMILY)
        yield f"m{i:03d}{''.join(c for c in family.lower() if c.isascii())[:6]}", 20001 + len(PEOPLE) + i, given, family


def person(uid: str, number: int, cn: str, **more: Any) -> str:
    """A member and the member's group; `more` as account() takes it."""
    group = _entry(f"cn={uid},ou=Group,{BASE_DN}", objectClass=["top", "group", "posixGroup"], cn=uid, gidNumber=number)
    return account(uid, number, cn, **more) + group


def account(uid: str, number: int, cn: str, *, sn: str, given: str, program: str, **terms: list[str]) -> str:
    """A member without a group."""
    return _entry(
        f"uid={uid},ou=People,{BASE_DN}", objectClass=["top", "account", "posixAccount", "shadowAccount", "member"],
        uid=uid, cn=cn, sn=sn, givenName=given, uidNumber=number, gidNumber=number, homeDirectory=f"/users/{uid}",
        loginShell="/bin/bash", program=program, **{name: values for name, values in terms.items() if values},
    )


def club_ldif(today: date) -> str:
    """The club's directory: counters, services, the people to play with, generated members, groups, two clubs."""
    terms = _terms_until(today)
    out = _entry(BASE_DN, objectClass=["top", "dcObject", "organization"], dc="csclub", o="Computer Science Club")
    for unit in ("People", "Group", "SUDOers", "Service", "UidCounters", "Journals"):
        out += _entry(f"ou={unit},{BASE_DN}", objectClass=["top", "organizationalUnit"], ou=unit)
    for name, following in (("members", FIRST_FREE_UID), ("clubs", 30003), ("administrative", 10011)):
        out += _entry(f"cn={name},ou=UidCounters,{BASE_DN}", objectClass=["top", "device", "extensibleObject"], cn=name, uidNumber=following)
    for host in ROLES:
        out += _entry(f"cn={fqdn(host)},ou=Journals,{BASE_DN}", objectClass=["top", "device"], cn=fqdn(host))
    titles = {"ctdalek": "Calum Dalek", "office1": "Office One", "regular1": "Regular One", "rep1": "Rep One"}
    for uid, number in PEOPLE.items():
        given, sn = titles[uid].split()
        kind = "nonMemberTerm" if uid == "rep1" else "term"
        out += person(uid, number, titles[uid], sn=sn, given=given, program="Mathematics", **{kind: terms[-1:]})
    draw = random.Random(2021)
    for uid, number, given, family in generated_names():
        start = draw.randrange(len(terms))
        held = terms[start : start + draw.randint(1, 4)]
        kind = "nonMemberTerm" if draw.random() < 0.1 else "term"
        out += person(uid, number, f"{given} {family}", sn=family, given=given, program=draw.choice(PROGRAMS), **{kind: held})
    for name, (gid, members) in GROUPS.items():
        out += _entry(f"cn={name},ou=Group,{BASE_DN}", objectClass=["top", "group", "posixGroup"], cn=name, gidNumber=gid,
                      uniqueMember=[f"uid={member},ou=People,{BASE_DN}" for member in members])
    for name, gid in LDAP_GROUPS.items():
        out += _entry(f"cn={name},ou=Group,{BASE_DN}", objectClass=["top", "group", "posixGroup"], cn=name, gidNumber=gid)
    for number, (uid, cn) in enumerate(CLUBS.items(), FIRST_CLUB):
        out += _entry(f"uid={uid},ou=People,{BASE_DN}", objectClass=["top", "account", "posixAccount", "shadowAccount", "club"],
                      uid=uid, cn=cn, uidNumber=number, gidNumber=number, homeDirectory=f"/users/{uid}", loginShell="/bin/bash")
        out += _entry(f"cn={uid},ou=Group,{BASE_DN}", objectClass=["top", "group", "posixGroup"], cn=uid, gidNumber=number,
                      uniqueMember=f"uid=rep1,ou=People,{BASE_DN}")
        out += _entry(f"cn=%{uid},ou=SUDOers,{BASE_DN}", objectClass=["top", "sudoRole"], cn=f"%{uid}", sudoUser=f"%{uid}",
                      sudoHost="ALL", sudoCommand="ALL", sudoOption="!authenticate", sudoRunAsUser=uid)
    return out


def student(uid: str, given: str, family: str, program: str) -> str:
    """Somebody in the university's directory."""
    return _entry(f"uid={uid},ou=People,{UW_BASE_DN}", objectClass=["top", "person", "organizationalPerson", "inetOrgPerson"],
                  uid=uid, cn=f"{given} {family}", givenName=given, sn=family, ou=program or [], mail=f"{uid}@uwaterloo.internal")


def uw_ldif() -> str:
    """The university's directory: students with a name and a program (ou)."""
    out = _entry(UW_BASE_DN, objectClass=["top", "dcObject", "organization"], dc="uwaterloo", o="University of Waterloo")
    out += _entry(f"ou=People,{UW_BASE_DN}", objectClass=["top", "organizationalUnit"], ou="People")
    draw = random.Random(1957)
    students = [(f"s{i:04d}uw", draw.choice(GIVEN), draw.choice(FAMILY), draw.choice(PROGRAMS)) for i in range(STUDENTS)]
    students += [("jdoe", "Jane", "Doe", "Computer Science"), ("regular1", "Regular", "One", "Mathematics")]
    # What the university writes where there is no program any more.
    students += [("s9001uw", "Olga", "Young", "Orphaned"), ("s9002uw", "Olga", "Żak", "expired"), ("s9003uw", "Olga", "Xu", "")]
    for uid, given, family, program in students:
        out += student(uid, given, family, program)
    return out
