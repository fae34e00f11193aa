"""The people index without a directory: folding, what fits what, sixty questions, and a file that changes."""

from __future__ import annotations

import errno
import itertools
import os
import random
import sqlite3
import threading
import unicodedata
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import gssapi
import jellyfish
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ceo_common.config import Ldap
from ceo_common.errors import BackendDown
from ceod.people_index import keeper, matching, store
from ceod.people_index.finding import FEW, PeopleIndex, Unusable
from ceod.people_index.folding import fold, name_words, words
from ceod.people_index.matching import Match, has_one_error, match
from ceod.services.entry import DELETED, Person
from ceod.services.search import Key, Question, sort_key
from tests.club.generated import NOW, crowd, person

AT = datetime(2026, 11, 27, 12, tzinfo=UTC)
SIZE = 4000
OVER = str(int(AT.timestamp()) // 86400 - 3)


@pytest.mark.parametrize(
    ("typed", "folded"),
    [
        ("Chloé", "chloe"),
        ("CHLOE\u0301", "chloe"),
        ("İbrahim", "ibrahim"),
        ("Yıldız", "yildiz"),
        ("Straße", "strasse"),
        ("STRASSE", "strasse"),
        ("Ｊａｎｅ", "jane"),
        ("Łukasz Żak", "lukasz zak"),
        ("Søren", "soren"),
        ("Đặng", "dang"),
        ("Þórsdóttir", "thorsdottir"),
        ("Æsa Œuf", "aesa oeuf"),
        ("Ёлкин", "елкин"),
        ("Σοφία", "σοφια"),
        ("ΣΟΦΊΑΣ", fold("σοφίας")),
        ("مُحَمَّد", "محمد"),
        ("علي", fold("علی")),
        ("דָּוִד", "דוד"),
        ("がもう", "がもう"),
        ("ｶﾞ", "ガ"),
        ("दीपक", "दीपक"),
        ("김", "김"),
        ("\u1100\u1175\u11b7", "김"),
        ("so\u00adren", "soren"),
        ("ﬁn", "fin"),
        ("Nguyễn", "nguyen"),
        ("Ŀ", "l·"),
    ],
)
def test_case_accents_and_width_do_not_count(typed: str, folded: str) -> None:
    assert fold(typed) == folded


@given(st.text(max_size=12))
def test_folding_is_one_form(text: str) -> None:
    folded = fold(text)
    assert fold(folded) == folded
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert fold(unicodedata.normalize(form, text)) == folded
    assert fold(text.casefold()) == folded


def test_words_of_a_name() -> None:
    assert name_words("Sean O'Brien") == ["sean", "o", "brien", "seano", "obrien"]
    assert name_words("Jean-Luc") == ["jean", "luc", "jeanluc"]
    assert name_words("李 明") == ["李", "明", "李明"]
    assert name_words("दीपक शर्मा")[:2] == ["दीपक", "शर्मा"]
    assert words("-- ☃") == []


@pytest.mark.parametrize(
    ("typed", "word", "fit"),
    [
        ("dubois", "dubois", Match.WHOLE),
        ("dub", "dubois", Match.BEGINNING),
        ("bois", "dubois", Match.INSIDE),
        ("is", "dubois", None),
        ("明", "李明", Match.INSIDE),
        ("smyth", "smith", Match.SOUND),
        ("filips", "philips", Match.SOUND),
        ("katherine", "catherine", Match.SOUND),
        ("dubios", "dubois", Match.SOUND),
        ("hopqer", "hopper", Match.ERROR),
        ("lisov", "liskov", Match.ERROR),
        ("liskkov", "liskov", Match.SOUND),
        ("bubois", "dubois", Match.ERROR),
        ("dubiosl", "dubois", None),
        ("jugre", "jurgen", Match.ERROR),
        ("jurx", "jurgen", None),
        ("mullx", "muller", None),
        ("bo", "do", None),
        ("20001", "20002", None),
        ("李王明张", "李王明刘", None),
    ],
)
def test_how_a_word_fits(typed: str, word: str, fit: Match | None) -> None:
    assert match(typed, word) == fit


@given(st.text("abc", min_size=1, max_size=7), st.text("abc", min_size=1, max_size=7))
@settings(max_examples=400)
def test_one_error_is_a_distance_of_one(typed: str, word: str) -> None:
    """Held against another implementation, for words of the same beginning too."""
    if not matching.can_have_error(typed) or typed == word:
        return
    is_whole = jellyfish.damerau_levenshtein_distance(typed, word) <= 1
    if is_whole:
        assert has_one_error(typed, word)
    elif has_one_error(typed, word) and not word.startswith(typed):
        assert any(
            jellyfish.damerau_levenshtein_distance(typed, word[:end]) <= 1
            for end in range(len(word))
        )


# Sixty questions

_CAST = [
    person("cbeaumon", "Chloé Beaumont", 20101, last=NOW, program="Pure Mathematics"),
    person("chloeb", "Chloe Beaumont", 20102, last=NOW + -6),
    person("cb2019", "CHLOÉ BEAUMONT", 20103, last=NOW, expires=DELETED),
    person("jmuhlhau", "Jürgen Mühlhäuser", 20104),
    person("swittrup", "Søren Wittrup", 20105),
    person("iyildiri", "İbrahim Yıldırım", 20106),
    person("kstrasse", "Karl Straßer", 20107),
    person("pstrasse", "Petra STRASSER", 20108),
    person("jwidmer", "Ｊａｎｅ Ｗｉｄｍｅｒ", 20109),
    person("lzhuge", "诸葛亮", 20110),
    person("zliang", "诸葛 亮", 20111, last=NOW + -3),
    person("bopeep", "Bo Peep", 20112),
    person("sobrien", "Sean O'Brien", 20113),
    person("jlefevre", "Jean-Luc Lefèvre", 20114),
    person("mafitzro", "Mary Ann Fitzroy", 20115),
    person("eyolkin", "Ёлкин Пётр", 20116),
    person("npapandr", "Νικηφόρος Παπανδρέου", 20117),
    person("mkhorasa", "مُحَمَّد خراسانی", 20118),
    person("ssubrama", "सुब्रह्मण्यम अय्यर", 20119),
    person("hnamgung", "남궁 혁", 20120),
    person("tdang", "Đặng Thị Mỵ", 20121),
    person("s0001", "Sven Erlandsson", 20122),
    person("oldterm", "Odo Wintermute", 20123, last=NOW + -77, count=3),
    person("cphilips", "Catherine Philips", 20124),
    person("kfilips", "Katherine Filips", 20125, last=NOW + -9),
    person("wsmythe", "Wilbur Smythe", 20126),
    person("chess-club", "Chess Club", 30101, kind="club", last=None),
    person("repone", "Rhea Quimby", 20127, kind="rep"),
    person("expired1", "Exa Quimby", 20128, expires=OVER),
    person("aquimby", "Quimby Archer", 20129),
    person("quim", "Zed Nobody", 20130, last=NOW + -4),
    person("dmcdonal", "Duncan McDonald", 20131),
    person("vdberg", "Anneke van den Berg", 20132),
    person("xalberto", "Alberto Ñúñez Ferrão", 20133, program="Études françaises"),
]

#: What is typed, and the first usernames that it finds; a * says that others may follow.
_TABLE = [
    ("chloe beaumont", "cbeaumon chloeb cb2019"),
    ("Chloé Beaumont", "cbeaumon chloeb cb2019"),
    ("CHLOE BEAUM", "cbeaumon chloeb cb2019"),
    ("beaumont chloe", "cbeaumon chloeb cb2019"),
    ("chloe bea", "cbeaumon chloeb cb2019"),
    ("bea chl", "cbeaumon chloeb cb2019"),
    ("beaumnot", "cbeaumon chloeb cb2019"),
    ("beumont chloe", "cbeaumon chloeb cb2019"),
    ("chleo beaumont", "cbeaumon chloeb cb2019"),
    ("chloeb", "chloeb *"),
    ("cbeau", "cbeaumon *"),
    ("beaumont math", "cbeaumon"),
    ("beaumont pure", "cbeaumon"),
    ("beaumont deleted", "cb2019"),
    ("beaumont lapsed", "chloeb"),
    ("mühl", "jmuhlhau"),
    ("muhl", "jmuhlhau"),
    ("jurgen muh", "jmuhlhau"),
    ("muhlhauser", "jmuhlhau"),
    ("muhlhuaser", "jmuhlhau"),
    ("soren wi", "swittrup *"),
    ("SØREN WITT", "swittrup"),
    ("so\u0308ren witt", "swittrup"),
    ("witrup", "swittrup"),
    ("wittrup s", "swittrup"),
    ("ibrahim", "iyildiri"),
    ("İBRAHİM", "iyildiri"),
    ("yildirim", "iyildiri"),
    ("yıldı", "iyildiri"),
    ("straßer", "kstrasse pstrasse"),
    ("STRASSER", "kstrasse pstrasse"),
    ("strasser petra", "pstrasse"),
    ("jane widmer", "jwidmer"),
    ("Ｗｉｄ", "jwidmer"),
    ("诸葛", "lzhuge zliang"),
    ("诸葛亮", "lzhuge zliang"),
    ("亮 诸葛", "lzhuge zliang"),
    ("bo", "bopeep"),
    ("bo pe", "bopeep"),
    ("obrien", "sobrien"),
    ("o'brien", "sobrien *"),
    ("o’brien sean", "sobrien"),
    ("jean luc", "jlefevre"),
    ("jeanluc lefevre", "jlefevre"),
    ("luc lefvere", "jlefevre"),
    ("maryann", "mafitzro"),
    ("елкин", "eyolkin"),
    ("ПЁТР ЁЛ", "eyolkin"),
    ("νικηφορος", "npapandr"),
    ("محمد خراساني", "mkhorasa"),
    ("सुब्रह्म", "ssubrama"),
    ("남궁", "hnamgung"),
    ("남궁혁", "hnamgung"),
    ("dang my", "tdang"),
    ("s0001", "s0001 *"),
    ("w2001 wint", "oldterm"),
    ("philips", "cphilips kfilips"),
    ("filips", "kfilips cphilips"),
    ("smith wilbur", "wsmythe"),
    ("chess-club", "chess-club"),
    ("chess", "chess-club"),
    ("quimby", "aquimby repone expired1"),
    ("quim", "quim aquimby repone expired1 *"),
    ("20121", "tdang"),
    ("etudes nunez", "xalberto"),
    ("mcdnoald", "dmcdonal"),
    ("berg anneke", "vdberg"),
    ("vandenberg", ""),
    ("nobody at all", ""),
    ("☃", ""),
]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> PeopleIndex:
    folder = tmp_path_factory.mktemp("state") / store.FOLDER
    _build(folder, [*crowd(SIZE), *_CAST])
    return PeopleIndex(folder, "America/Toronto")


def _build(folder: Path, people: list[Person]) -> store.Store:
    made = store.Store(folder)
    for one in people:
        made.put(_entry(one.uid), one)
    made.publish({"000": "20261127000000.000000Z#000000#000#000000"})
    return made


def _entry(uid: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, uid))


def _found(
    index: PeopleIndex,
    *,
    sort: str = "best",
    size: int = 50,
    inside: set[str] | None = None,
    **asked: Any,
) -> list[str]:
    """Everybody, page by page."""
    uids: list[str] = []
    after: Key | None = None
    while True:
        page = index.page(Question(**asked), inside, sort=sort, size=size, after=after, now=AT)
        uids += [one.uid for one in page.people]
        if page.last is None:
            assert page.found == len(uids)
            return uids
        after = page.last


@pytest.mark.parametrize(("typed", "expected"), _TABLE, ids=[typed for typed, _ in _TABLE])
def test_what_is_typed_finds(index: PeopleIndex, typed: str, expected: str) -> None:
    wanted = expected.split()
    found = [
        one.uid
        for one in index.page(
            Question(text=typed), None, sort="best", size=50, after=None, now=AT
        ).people
    ]
    if wanted[-1:] == ["*"]:
        assert found[: len(wanted) - 1] == wanted[:-1]
    else:
        assert found == wanted


def test_a_username_that_is_a_term_is_both(index: PeopleIndex) -> None:
    assert _found(index, text="s0001")[0] == "s0001"
    assert _found(index, text="w2001") == ["oldterm"] or "oldterm" in _found(index, text="w2001")


def test_the_order_does_not_change_while_one_types(index: PeopleIndex) -> None:
    orders = [_found(index, text="chloe beaumont"[:end]) for end in range(3, 15)]
    for before, after in itertools.pairwise(orders):
        cast = [
            [uid for uid in order if uid in ("cbeaumon", "chloeb", "cb2019")]
            for order in (before, after)
        ]
        assert cast[0] == cast[1] == ["cbeaumon", "chloeb", "cb2019"]


def _fits(one: Person, typed: str, *, errors: bool) -> bool:
    """Whether a name fits, by the pure function alone."""
    have = {word for name in one.attributes["cn"] for word in name_words(name)}
    return bool(words(typed)) and all(
        any(match(word, other, errors=errors) is not None for other in have)
        for word in words(typed)
    )


def _is_whole(one: Person, typed: str) -> bool:
    have = {word for name in one.attributes["cn"] for word in name_words(name)}
    return bool(words(typed)) and have >= {*words(typed)}


@pytest.mark.parametrize(
    "typed",
    [
        "chloe",
        "mull",
        "dubios",
        "a",
        "angs",
        "chl mul",
        "nguyen",
        "ski",
        "brwon",
        "李",
        "明",
        "김",
        "田中",
        "katherine",
        "иванова",
        "Ångström x",
        "lisk ov",
        "zoe",
    ],
)
def test_the_file_finds_what_the_rule_says(index: PeopleIndex, typed: str) -> None:
    everybody = [*crowd(SIZE), *_CAST]
    expected = {one.uid for one in everybody if _fits(one, typed, errors=False)}
    is_whole = any(_is_whole(one, typed) for one in everybody)
    if len(expected) < FEW and not is_whole:
        expected = {one.uid for one in everybody if _fits(one, typed, errors=True)}
    for sort in ("uid", "name", "best"):
        assert set(_found(index, name=typed, sort=sort)) == expected


@pytest.mark.parametrize(
    ("sort", "attribute"),
    [("uid", "uid"), ("name", "cn"), ("program", "program"), ("uid_number", "uidNumber")],
)
@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"term": "f2026"},
        {"program": "math"},
        {"uid": "mull"},
        {"term": "w1999"},
        {"program": "math", "name": "mull"},
    ],
)
def test_each_who_fits_is_on_one_page_in_order(
    index: PeopleIndex, sort: str, attribute: str, asked: dict[str, Any]
) -> None:
    everybody = [*crowd(SIZE), *_CAST]
    fits = [
        one
        for one in everybody
        if asked.get("term", "f2026")
        in one.attributes.get("term", [])
        + one.attributes.get("nonMemberTerm", [])
        + ["f2026"] * ("term" not in asked)
        and asked.get("program", "") in one.one("program").lower()
        and asked.get("uid", "") in one.uid
        and ("name" not in asked or _fits(one, asked["name"], errors=False))
    ]
    expected = [
        one.uid for one in sorted(fits, key=lambda one: (sort_key(one, attribute), one.uid))
    ]
    assert _found(index, sort=sort, size=700, **asked) == expected


def test_a_group_narrows_it_and_a_list_has_everybody(index: PeopleIndex) -> None:
    assert _found(index, text="quimby", inside={"aquimby", "quim"}) == ["aquimby"]
    assert _found(index, sort="uid", inside=set()) == []
    listed = [
        one.uid for people in index.every(Question(program="math"), None, now=AT) for one in people
    ]
    assert sorted(listed) == sorted(_found(index, sort="uid", size=1000, program="math"))
    assert _found(index, sort="uid", program="\u200d") == []


def test_members_like_a_new_one(index: PeopleIndex) -> None:
    found = {one.uid for one in index.members_like("s0001", "Chleo Beaumont")}
    assert {"s0001", "cbeaumon", "chloeb", "cb2019"} <= found and "chess-club" not in found


@pytest.mark.parametrize(
    "typed",
    [
        "*",
        "%",
        "_",
        "'",
        '"',
        "\\",
        "a" * 128,
        "' OR 1=1 --",
        "\U0010ffff",
        "\t",
        "(",
        "x AND y",
        " ".join("abcdefghijklmnopqrstuvwxyz" * 2),
    ],
)
def test_whatever_is_typed_is_only_looked_for(index: PeopleIndex, typed: str) -> None:
    for field in ("text", "name", "uid", "program", "position", "term"):
        asked: dict[str, Any] = {field: typed}
        assert len(_found(index, sort="uid", size=1000, **asked)) < SIZE / 2


# Changes


def _broken(uid: str, cn: str) -> Person:
    return person(uid, cn, 5, program="Broken")


def test_a_file_that_follows_changes_is_one_that_is_built_of_them(tmp_path: Path) -> None:
    draw, people = random.Random(7), {one.uid: one for one in crowd(120)}
    followed = _build(tmp_path / "followed", list(people.values()))
    others = iter(crowd(2000, seed=8))
    for _ in range(600):
        uid = draw.choice(sorted(people))
        kind = draw.random()
        if kind < 0.3:
            followed.remove(_entry(uid))
            del people[uid]
        elif kind < 0.6:
            one = next(others)
            people[one.uid] = one
            followed.put(_entry(one.uid), one)
        else:
            one = next(others)
            changed = (
                _broken(uid, one.one("cn"))
                if kind > 0.95
                else person(uid, one.one("cn"), 30000, last=one.last_term)
            )
            people[uid] = changed
            followed.put(_entry(uid), changed)
    followed.commit({"000": "b"})
    _build(tmp_path / "built", list(people.values()))
    both = [PeopleIndex(tmp_path / name, "UTC") for name in ("followed", "built")]
    assert both[0].csns() == {"000": "b"}
    for asked in (
        {},
        {"text": "chl"},
        {"name": "dubios"},
        {"program": "math"},
        {"program": "broken"},
        {"term": "f2026"},
        {"text": "müller"},
        {"uid": "1"},
    ):
        for sort in ("uid", "best") if {"name", "text"} & {*asked} else ("uid", "name"):
            pages = [
                i.page(Question(**asked), None, sort=sort, size=1000, after=None, now=AT)
                for i in both
            ]
            assert pages[0].people == pages[1].people
            assert pages[0].found == pages[1].found
            assert {b.dn for b in pages[0].people.broken} == {b.dn for b in pages[1].people.broken}
    leftover = followed._db.execute(
        "SELECT count(*) FROM words WHERE id NOT IN (SELECT word FROM word_people)"
    ).fetchone()
    assert leftover == (0,)  # else it would grow with each change of a name


def test_broken_entries_are_apart(tmp_path: Path) -> None:
    _build(
        tmp_path / "x",
        [person("whole", "Whole Person", 20001), _broken("brokenone", "Broken Person")],
    )
    index = PeopleIndex(tmp_path / "x", "UTC")
    for asked, count in (
        ({}, 1),
        ({"name": "person"}, 1),
        ({"name": "whole"}, 0),
        ({"program": "broken"}, 1),
        ({"uid": "whole"}, 0),
    ):
        page = index.page(Question(**asked), None, sort="uid", size=9, after=None, now=AT)
        assert len(page.people.broken) == count, asked
        assert "brokenone" not in [one.uid for one in page.people]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[tuple[PeopleIndex, store.Store]]:
    made = _build(tmp_path / "x", list(crowd(300)))
    yield PeopleIndex(tmp_path / "x", "UTC"), made
    made.close()


def test_who_changes_while_a_list_or_a_page_is_read_is_on_it(
    small: tuple[PeopleIndex, store.Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    index, made = small
    people = list(crowd(300))

    def change() -> None:
        for one in people:
            made.put(_entry(one.uid), one)
        made.commit({})

    pages = index.every(Question(), None, now=AT)
    listed = [one.uid for one in next(pages)]
    change()
    listed += [one.uid for some in pages for one in some]
    assert sorted(listed) == sorted(one.uid for one in people)
    whole = PeopleIndex._people

    def late(self: PeopleIndex, database: sqlite3.Connection, ids: list[int]) -> list[Person]:
        change()
        return whole(self, database, ids)

    monkeypatch.setattr(PeopleIndex, "_people", late)
    assert len(_found(index, sort="uid", size=1000)) == 300


def test_a_file_that_is_deleted_or_damaged_is_away_until_there_is_another(
    small: tuple[PeopleIndex, store.Store],
) -> None:
    index, made = small
    path = index.folder / made.name
    assert _found(index, text="chloe") and made.is_current
    # Deleted: the file that is open goes on, and the feed sees that it is gone.
    path.unlink()
    assert not made.is_current
    rebuilt = _build(index.folder, list(crowd(30)))
    assert len(_found(index, sort="uid")) == 30
    # Damaged: whoever reads it throws it away.
    rebuilt.close()
    second = index.folder / rebuilt.name
    second.write_bytes(b"\0" * 4096 + second.read_bytes()[4096:])
    with pytest.raises(Unusable, match="away"):
        PeopleIndex(index.folder, "UTC").csns()
    assert not (index.folder / store.CURRENT).is_symlink()
    third = _build(index.folder, list(crowd(20)))
    assert len(_found(index, sort="uid")) == 20
    assert {
        file.name for file in index.folder.iterdir() if not file.name.startswith(third.name)
    } == {store.CURRENT}
    for file in index.folder.iterdir():
        assert file.is_symlink() or file.stat().st_mode & 0o077 == 0


def test_what_was_not_published_leaves_nothing_behind(tmp_path: Path) -> None:
    made = store.Store(tmp_path / "x")
    made.put(_entry("a"), person("abc", "A B", 20001))
    made.close()
    assert list((tmp_path / "x").iterdir()) == []
    with pytest.raises(sqlite3.ProgrammingError):
        made.remove(_entry("a"))


def test_a_lock_that_cannot_be_opened_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(keeper, "_PERIOD_S", 0.01)
    is_refused, is_asked = threading.Event(), threading.Event()

    def refuse(path: Path) -> int:
        if not is_refused.is_set():
            is_refused.set()
            raise OSError(errno.ENOSPC, "No space left on device")
        return os.open(path, os.O_CREAT | os.O_RDWR)

    def no_ticket() -> gssapi.Credentials:
        is_asked.set()
        raise BackendDown("no ticket", backend="kdc")

    monkeypatch.setattr(keeper, "try_lock", refuse)
    of_worker = keeper.Keeper(tmp_path / "x", Ldap("ldap://x", "dc=x", ""), no_ticket)
    of_worker.start()
    assert is_asked.wait(10) and "No space left" in caplog.text
    of_worker.stop()


class _Directory:
    """Says which changes it has, one answer after the other."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)

    def context_csns(self) -> list[str]:
        return [self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]]


def _csn(second: int) -> str:
    return f"202611270000{second:02d}.000000Z#000000#000#000000"


@pytest.mark.parametrize(
    ("theirs", "is_current"),
    [([0], True), ([1], False), ([1, 0], False), ([-1, 0], True), ([-1], False)],
    ids=[
        "the same",
        "the directory is ahead",
        "a change that is not here",
        "it changed since it was asked",
        "it was put back",
    ],
)
def test_it_answers_where_it_has_every_change_and_no_other(
    small: tuple[PeopleIndex, store.Store], theirs: list[int], is_current: bool
) -> None:
    index, made = small
    made.commit({"000": _csn(10)})
    directory = _Directory(*(_csn(10 + second) for second in theirs))
    if is_current:
        index.catch_up(directory)  # type: ignore[arg-type]
    else:
        with pytest.raises(Unusable, match="behind"):
            index.catch_up(directory)  # type: ignore[arg-type]
