"""People of many scripts, made up from a seed: always the same ones."""

from __future__ import annotations

import random
from collections.abc import Iterator

from ceo_common.terms import Term, consecutive
from ceod.people_index.folding import words
from ceod.services.entry import DELETED, Person
from sandbox.club import BASE_DN
from sandbox.people import FAMILY, GIVEN, PROGRAMS

NOW = Term(2026, 2)
PEOPLE = f"ou=People,{BASE_DN}"
_SYLLABLES = "ba co del fan gri hol jun kel lom mar nes pol qua ris sto tev urb vin wex zan ski sen ov é ö".split()
# given names and family names of scripts that are not Latin
_OTHERS = (
    (
        "Ольга Иван Фёдор Андрей Наталья".split(),
        "Иванова Соловьёв Чайковский Майоров Щукин".split(),
    ),
    ("Ελένη Γιώργος Σοφία Νίκος".split(), "Παπαδόπουλος Οικονόμου Ιωάννου Αγγελής".split()),
    ("محمد فاطمة علي یاسمن کیان".split(), "احمدی رضایی الحسن موسوی".split()),
    ("दीपक प्रिया अनिल सुनीता".split(), "शर्मा कुमार सिंह वर्मा".split()),
    ("ยุพา สมชาย มานี".split(), "ใจดี ทองคำ ศรีสุข".split()),
    ("ゆき たろう はなこ けん".split(), "田中 鈴木 佐藤 がもう".split()),
    ("지민 서연 도윤".split(), "김 박 이 최".split()),
)
_HAN = "李王张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗", "明伟芳娜敏静强磊军洋勇艳杰涛超"


def _names(draw: random.Random, made: list[str]) -> str:
    kind = draw.random()
    if kind < 0.5:
        return f"{draw.choice(GIVEN)} {draw.choice(FAMILY)}"
    if kind < 0.85:
        return f"{draw.choice(GIVEN)} {draw.choice(made)}"
    if kind < 0.93:
        return draw.choice(_HAN[0]) + "".join(draw.choices(_HAN[1], k=draw.randint(1, 2)))
    given, family = draw.choice(_OTHERS)
    return f"{draw.choice(given)} {draw.choice(family)}"


def person(
    uid: str,
    cn: str,
    number: int,
    *,
    program: str = PROGRAMS[0],
    last: Term | None = NOW,
    count: int = 1,
    kind: str = "member",
    expires: str = "",
) -> Person:
    """An account as the directory has it; `kind` is member, rep or club."""
    terms = consecutive(last + (1 - count), count) if last else []
    attributes = {
        "uid": [uid],
        "cn": [cn],
        "objectClass": [
            "top",
            "account",
            "posixAccount",
            "shadowAccount",
            "club" if kind == "club" else "member",
        ],
        "uidNumber": [str(number)],
        "gidNumber": [str(number)],
        "homeDirectory": [f"/users/{uid}"],
        "loginShell": ["/bin/bash"],
        "program": [program],
        "nonMemberTerm" if kind == "rep" else "term": terms,
        "shadowExpire": [expires] if expires else [],
    }
    return Person(
        f"uid={uid},{PEOPLE}", uid, {name: values for name, values in attributes.items() if values}
    )


def crowd(count: int, seed: int = 50000) -> Iterator[Person]:
    """So many people; every twentieth is deleted, a third lapsed."""
    draw = random.Random(seed)
    made = [
        "".join(draw.choices(_SYLLABLES, k=draw.randint(2, 4))).capitalize()
        for _ in range(count // 3 + 1)
    ]
    for index in range(count):
        cn = _names(draw, made)
        stem = "".join(c for c in "".join(words(cn)) if c.isascii())[:8] or "x"
        last = NOW + (-draw.randint(1, 20) if index % 3 == 0 else draw.randint(0, 3))
        yield person(
            f"{stem}{index}",
            cn,
            100_000 + index,
            program=draw.choice(PROGRAMS),
            last=last,
            count=draw.randint(1, 6),
            expires=DELETED if index % 20 == 7 else "",
        )
