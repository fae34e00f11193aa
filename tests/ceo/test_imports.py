"""Reading a file of people, and an import that ends anywhere: whatever fails, nobody is added twice, and nobody is without a password unsaid."""

from __future__ import annotations

import csv
import errno
import fcntl
import io
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceo import imports, sheet
from ceo_common.client_config import Client, Hosts
from ceo_common.errors import BackendDown, Busy, CeoError, Deleted, Exists, Forbidden, Invalid, OutcomeUnknown, Unreachable
from ceo_common.events import Event
from ceo_common.terms import current

SETTINGS = Client(realm="R", domain="d", ca="/ca", hosts=Hosts("a", "b", "c", "d"))


def test_columns_in_any_order_and_several_in_a_cell() -> None:
    (row,) = imports.read(b"terms,cn,uid,program,forwarding_addresses\nf2026; w2027,Jane Doe,jdoe,Maths,a@b.org c@d.org\n", SETTINGS)
    assert (row.line, row.uid) == (2, "jdoe")
    assert row.member == {"terms": ["f2026", "w2027"], "cn": "Jane Doe", "uid": "jdoe", "program": "Maths",
                          "forwarding_addresses": ["a@b.org", "c@d.org"]}


def test_without_terms_it_is_the_current_one_and_a_representative_stays_one() -> None:
    plain, rep = imports.read(b"uid,cn,program,non_member_terms\na,Jane Doe,x,\nb,John Doe,x,f2026\n", SETTINGS)
    assert plain.member["terms"] == [str(current(SETTINGS.time_zone))] and "non_member_terms" not in plain.member
    assert rep.member["non_member_terms"] == ["f2026"] and "terms" not in rep.member


def test_lines_are_the_files_own_although_a_cell_goes_over_several() -> None:
    rows = imports.read(b'uid,cn,program\na,"Jane\nDoe",x\nb,John Doe,x\n', SETTINGS)
    assert [row.line for row in rows] == [2, 4] and rows[0].member["cn"] == "Jane\nDoe"


@pytest.mark.parametrize(("data", "says"), [
    ("uid,cn,program\na,José,x\n".encode("latin-1"), "line 2 is not UTF-8: save the file as UTF-8"),
    ("uid,cn,program\r\na,Jane,x\r\nb,José,x\r\n".encode("cp1252"), "line 3 is not UTF-8"),
    ("uid,cn,program\ra,José,x\r".encode("latin-1"), "line 2 is not UTF-8"),
    ("uid,cn,program\na,José,x\n".encode("utf-16"), "the file is UTF-16"),
    ("uid,cn,program\na,José,x\n".encode("utf-16-le"), "the file is UTF-16"),
    (b"uid,cn,program\n" + b"a,Jane Doe,CS\n" * 9 + b"b,J\0hn Doe,x\n", "line 11 has a NUL byte"),
    (b'"uid"x,cn,program\n', "line 1 is not CSV: after a closing quotation mark"),
    (b'uid,cn,program\na1a,Bob Bobson,CS\nb1b,"Bob"x,CS\n', "line 3 is not CSV"),
    (b'uid,cn,program\na,"Jane\nDoe",x\n\nb,"Bob"x,CS\n', "line 5 is not CSV"),
    (b'uid,cn,program\na,Jane Doe,x\nb,"Bob,CS\nc,Ann,CS\n', "the row of line 3 is not CSV .it goes on to line 4.: a quotation"),
    (b"uid,cn,program\na," + b"x" * 200_000 + b",y\n", "a cell has more than 131,072 characters"),
    (b"uid,cn,program\na,b,c\na," + b"x" * 60_000 + b",y\n", "line 3 is too large: a row has at most 50,000"),
    (b"uid,cn\n", "no column program"), (b"uid,cn,program\n", "has column names and no rows"),
    (b"\xef\xbb\xbfuid,cn,program\r\n,,\r\n", "has column names and no rows"), (b"", "the file is empty"),
    (b"\xef\xbb\xbf\r\n \n", "the file is empty"), (b"uid,cn,program,x\n", "has a column 'x'"),
    (b"uid,cn,program,cn\nfivea,Jane Doe,CS,Other Person\n", "has the column cn twice"),
    (b"uid,cn,program,terms,terms\nfiveb,Jane Dee,CS,f2026,w2027\n", "has the column terms twice: keep one .several terms"),
    (b"uid,cn,program, UID\na,Jane Doe,CS,b\n", "has the column uid twice"),
    (b"uid|cn|program\na|b|c\n", r"has a column 'uid\|cn\|program'; .*; commas, semicolons or tabs separate them"),
])
def test_files_that_are_none(data: bytes, says: str) -> None:
    with pytest.raises(Invalid, match=says):
        imports.read(data, SETTINGS)


ROW = (2, {"uid": "a", "cn": "Jane Doe", "program": "CS"})


@pytest.mark.parametrize("data", [
    b"uid,cn,program\na,Jane Doe,CS\n", b"\xef\xbb\xbfuid,cn,program\r\na,Jane Doe,CS\r\n", b"uid,cn,program\ra,Jane Doe,CS",
    b"UID, Cn ,Program\na, Jane Doe ,CS\n", b"uid,cn,program,,\na,Jane Doe,CS,,\n", b"uid,cn,program\na,Jane Doe,CS,,\n",
    b"uid;cn;program\na;Jane Doe;CS\n", b"uid\tcn\tprogram\na\tJane Doe\tCS\n", b'"uid";"cn";"program";\n"a";"Jane Doe";"CS";\n',
    b"uid,cn,program\na,Jane Doe,CS\n,,\n\n", b"program,cn,uid\nCS,Jane Doe,a\n",
])
def test_files_that_programs_write(data: bytes) -> None:
    """Line ends, byte order marks, separators and empty columns as spreadsheets have them."""
    assert [(row.line, row.cells) for row in sheet.read(data, imports.COLUMNS, ("uid",))] == [ROW]


@pytest.mark.parametrize(("data", "cell"), [
    (b"uid,cn,program\na,Doe, Jane,CS\n", "'CS'"), (b"uid,cn,program,\na,Jane Doe,CS,x\n", "'x'"),
    (b"uid;cn;program\na;Doe; Jane;CS\n", "'CS'"), (b"uid,cn,program\na,b,c,,,d\n", "'d'"),
])
def test_a_cell_outside_of_the_columns_is_that_rows_problem(data: bytes, cell: str) -> None:
    (row,) = imports.read(data, SETTINGS)
    assert len(row.problems) == 1
    assert row.problems[0].startswith(f"{cell} is in no column")


def test_a_row_of_another_separator_is_refused_and_no_cell_is_shifted() -> None:
    (row,) = imports.read(b"uid;cn;program\nsemi1,Jane Semicolon;CS\n", SETTINGS)
    assert (row.uid, row.member["cn"], "program" in row.member) == ("semi1,Jane Semicolon", "CS", False)


@pytest.mark.parametrize(("data", "says"), [
    (b"uid;cn;program\nsemi1,Jane Semicolon;CS\n", 'first line has a ";" between the columns, and this row has a ","'),
    (b"uid;cn;program\nsemi1,Jane Semicolon,CS\n", 'has a ";" between the columns, and this row has a ","'),
    (b"uid,cn,program\nsemi1;Jane Semicolon;CS\n", 'has a "," between the columns, and this row has a ";"'),
    (b"uid\tcn\tprogram\nsemi1,Jane Semicolon,CS\n", 'has a tab between the columns, and this row has a ","'),
    (b"uid,cn,program\nsemi1\tJane Semicolon\tCS\n", 'has a "," between the columns, and this row has a tab'),
])
def test_a_row_of_another_separator_is_told_so(data: bytes, says: str) -> None:
    (row,) = imports.read(data, SETTINGS)
    assert len(row.problems) == 1
    assert says in row.problems[0]


@pytest.mark.parametrize("line", [b"a,Jane Doe,CS; Maths", b'a,"Doe; Jane",CS', b"a,Jane Doe,CS,f2026; w2027"])
def test_another_separator_in_a_text_is_no_problem(line: bytes) -> None:
    (row,) = imports.read(b"uid,cn,program,terms,sn\n" + line + b"\n", SETTINGS)
    assert row.problems == []


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20).map(str.strip)


@given(st.lists(st.tuples(CELLS, st.sampled_from(["=1+1", "'=x", "''@x", "-5", "+1", "-x", "＝1", "'", "\t=1", '="1"', "a;b;c;d"])), min_size=1, max_size=5))
def test_what_is_written_is_read_as_it_was(rows: list[tuple[str, str]]) -> None:
    """Formulas come back without their quote, and no cell that is written begins as one."""
    written = sheet.write(("uid", "cn"), [(f"u{text}", formula) for text, formula in rows])
    read = sheet.read(written.encode(), ("uid", "cn"), ("uid",))
    assert [(row.cells["uid"], row.cells["cn"]) for row in read] == [(f"u{text}".strip(), formula) for text, formula in rows]
    for line in csv.reader(io.StringIO(written, newline="")):
        assert not [cell for cell in line if cell[:1] in "=+-@\t\r＝＋－＠" and cell not in ("", "-5")]


@given(st.text(st.characters(codec="cp1252"), min_size=1, max_size=20))
def test_text_that_was_encoded_twice_is_noticed(text: str) -> None:
    if text.isascii():
        assert sheet.double_encoded(text) is None
    else:
        for codec in ("latin-1", "cp1252"):
            try:
                twice = text.encode().decode(codec)
            except UnicodeDecodeError:
                continue
            assert sheet.double_encoded(twice) == text


@pytest.mark.parametrize("name", ["José Núñez", "Zoë Zuse", "Ångström", "李明", "Éléonore Çà", "Straße", "«Pâté»", "naïve café", "علی"])
def test_a_name_that_is_right_is_not_noticed(name: str) -> None:
    assert sheet.warnings(name) == []


@pytest.mark.parametrize(("cells", "says"), [
    ("a,JosÃ© NÃºÃ±ez,CS", 'as if it was "José Núñez"'), ("a,Jane Doe,Ã‰tudes", 'program: .* as if it was "Études"'),
    ('a,"Doe, Jane",CS', "has a comma"), ("a,=1+1,CS", "like a formula"), ("a,Jane Doe,@x", "program: .* like a formula"),
    ('a,"Doe, Jr., Jane",CS', "has a comma"),
])
def test_what_looks_wrong_is_a_warning(cells: str, says: str) -> None:
    (row,) = imports.read(f"uid,cn,program\n{cells}\n".encode(), SETTINGS)
    (warning,) = imports.warnings(row)
    assert re.search(says, warning)


@pytest.mark.parametrize("name", ["Jane Doe", '"Quoted Name, Jr."', '"Bo Diddley, III"', '"Ann Author, Ph.D."', "O'Neil"])
def test_a_name_without_warning(name: str) -> None:
    (row,) = imports.read(f"uid,cn,program\na,{name},CS\n".encode(), SETTINGS)
    assert imports.warnings(row) == []


@given(st.lists(st.integers(0, 50_000), max_size=60), st.integers(1, 20))
def test_portions_fit_into_requests(lengths: list[int], rows: int) -> None:
    texts = ["x" * length for length in lengths]
    parts = sheet.portions(texts, lambda text: text, rows)
    assert [text for part in parts for text in part] == texts
    assert all(0 < len(part) <= rows for part in parts)
    assert all(len(json.dumps(part)) < 1 << 20 for part in parts)


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_rows_or_a_refusal(data: bytes, headed: bool) -> None:
    try:
        rows = imports.read((b"uid,cn,program\n" if headed else b"") + data, SETTINGS)
    except CeoError as error:
        assert isinstance(error, Invalid) and error.message
    else:
        assert rows and all(isinstance(row.member, dict) for row in rows)


class Ceod:
    """What of ceod an import speaks to: sign-ups by key, resets; it fails where it is told to, before or after the deed."""

    def __init__(self) -> None:
        self.made: dict[str, int] = {}  # how often each was made
        self.passwords: dict[str, str] = {}
        self.keys: set[str] = set()
        self.calls = 0
        self.fails: dict[int, tuple[str, Exception]] = {}
        self.taken: set[str] = set()
        self.resets: list[dict[str, Any]] = []
        self.hosts = Hosts("a", "b", "c", "d")

    def log_reset(self, uid: str, caller: str) -> None:
        """As the journal has it."""
        self.resets.append({"operation": "reset_password", "subject": uid, "caller": caller, "created": time.time(), "committed": 1.0,
                            "transaction": f"t{self.calls}"})

    def _call(self, deed: Any) -> Iterator[Event]:
        self.calls += 1
        when, error = self.fails.get(self.calls, ("", None))
        if when == "before" and error:
            raise error
        result = deed()
        if when == "after" and error:
            raise error
        yield {"n": 1, "status": "completed", "transaction": f"t{self.calls}", "result": result}

    def transactions(self, host: str, *, limit: int) -> list[dict[str, Any]]:
        return self.resets[::-1]

    def add_members(self, members: list[dict[str, Any]], key: str) -> Iterator[Event]:
        def add() -> dict[str, Any]:
            if key in self.keys:
                return {"temporary_passwords": None}
            uids = [member["uid"] for member in members]
            if bad := [i for i, uid in enumerate(uids) if uid in self.taken or uid in self.made]:
                raise Exists("taken", problems=[{"field": f"members.{i}.uid", "message": "there is an account"} for i in bad])
            self.keys.add(key)
            for uid in uids:
                self.made[uid] = self.made.get(uid, 0) + 1
                self.passwords[uid] = f"first-{uid}"
            return {"temporary_passwords": {uid: self.passwords[uid] for uid in uids}}

        return self._call(add)

    def reset_password(self, uid: str) -> Iterator[Event]:
        def reset() -> dict[str, Any]:
            self.passwords[uid] = f"{self.calls}-{uid}"
            self.log_reset(uid, "me")
            return {"temporary_password": self.passwords[uid]}

        return self._call(reset)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> imports.Place:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr("time.sleep", lambda _: None)
    return imports.Place(b"file", "me@R")


MEMBERS = [{"uid": f"u{i}", "cn": f"Person {i}"} for i in range(2 * imports.BATCH + 1)]


def _to_the_end(place: imports.Place, ceod: Ceod, slips: dict[str, str], cut_slip: int | None = None) -> imports.Import:
    """Run, as often as it takes; a run ends at an error, or at the slip whose number is given."""
    handed = 0

    def slip(member: dict[str, Any], password: str) -> None:
        nonlocal handed, cut_slip
        handed += 1
        if handed == cut_slip:
            cut_slip = None
            raise KeyboardInterrupt
        slips[member["uid"]] = password

    for _ in range(20):
        with place.alone():
            begun = place.load() or place.begin(MEMBERS, None)
            try:
                list(begun.run(ceod, slip))  # type: ignore[arg-type]
            except (CeoError, KeyboardInterrupt):
                continue
            begun.forget()
            return begun
    raise AssertionError("it never ended")


ERRORS = [OutcomeUnknown("cut"), Unreachable("down"), BackendDown("down", backend="ldap"), Busy("busy")]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.code)
@pytest.mark.parametrize("call", range(1, 5))
def test_whatever_fails_nobody_is_doubled_and_each_slip_is_right(place: imports.Place, when: str, error: CeoError, call: int) -> None:
    if (when, error.code) == ("after", "busy"):
        pytest.skip("who is refused as busy did nothing")
    ceod, slips = Ceod(), dict[str, str]()
    ceod.fails = {call: (when, error), call + 2: (when, error)}
    done = _to_the_end(place, ceod, slips)
    assert ceod.made == {member["uid"]: 1 for member in MEMBERS}
    assert slips == ceod.passwords and not done.failed and not done.without


@pytest.mark.parametrize("cut", [1, 2, imports.BATCH, imports.BATCH + 1, 2 * imports.BATCH + 1])
def test_cut_at_a_slip_each_has_one_that_works(place: imports.Place, cut: int) -> None:
    ceod, slips = Ceod(), dict[str, str]()
    _to_the_end(place, ceod, slips, cut)
    assert set(ceod.made.values()) == {1} and slips == ceod.passwords and len(slips) == len(MEMBERS)


@pytest.mark.parametrize("error", [Forbidden("not yours"), Deleted("u1 was deleted"), Exists("?")])
def test_a_reset_that_is_refused_is_that_persons_alone(place: imports.Place, error: CeoError) -> None:
    ceod, slips = Ceod(), dict[str, str]()
    ceod.fails = {1: ("after", Unreachable("cut")), 3: ("before", error)}  # the first batch was added unheard; its first reset is refused
    done = _to_the_end(place, ceod, slips)
    assert list(done.without) == ["u0"] and not done.failed and len(done.uids) == len(MEMBERS)
    assert set(ceod.made.values()) == {1} and len(slips) == len(MEMBERS) - 1


def test_who_is_taken_is_left_out_and_the_others_are_added(place: imports.Place) -> None:
    ceod, slips = Ceod(), dict[str, str]()
    ceod.taken = {"u3", "u30"}
    done = _to_the_end(place, ceod, slips)
    assert set(done.failed) == ceod.taken and set(done.uids) == set(slips) == {member["uid"] for member in MEMBERS} - ceod.taken


def test_one_run_at_a_time_and_what_it_kept(place: imports.Place) -> None:
    with place.alone():
        assert place.load() is None
        begun = place.begin(MEMBERS, "/s")
        with pytest.raises(Busy), imports.Place(b"file", "me@R").alone():
            pass
        again = place.load()
        assert again and again.batches == begun.batches and again.left == [0, 1, 2] and again.slips == "/s"
        # Somebody else's, and another file with the same people in it.
        assert imports.Place(b"file", "you@R").load() is None
        with pytest.raises(Invalid, match="was cut off and has u0 too: finish it first"):
            imports.Place(b"other", "me@R").begin(MEMBERS[:1], None)
        place.path.write_text(place.path.read_text()[:50])
        with pytest.raises(Invalid, match="is damaged"):
            place.load()
    assert list(place.folder.glob("*.lock")) == []


def test_lines_in_words() -> None:
    for lines, text in (([2], "line 2"), ([2, 3, 4, 7], "lines 2-4, 7"), ([3, 5], "lines 3, 5")):
        assert sheet.lines_text(lines) == text


def test_a_folder_for_the_state_that_can_not_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(file))
    place, words = imports.Place(b"file", "me@R"), f"kept in {file}/ceo.*set XDG_STATE_HOME"
    with pytest.raises(imports.StateLost, match=words), place.alone():
        pass


def test_a_lock_that_its_holder_removed_locks_nothing(
    place: imports.Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One run ends just when another one has opened the lock and not locked it yet."""
    first, flock, locked = imports.Place(b"file", "me@R").alone(), fcntl.flock, 0

    def late(file: IO[str], flags: int) -> None:
        nonlocal locked
        if locked == 1:
            first.__exit__(None, None, None)
        locked += 1
        flock(file, flags)

    monkeypatch.setattr(fcntl, "flock", late)
    first.__enter__()
    with place.alone(), pytest.raises(Busy), imports.Place(b"file", "me@R").alone():
        pass
    assert locked == 4
    assert list(place.folder.glob("*.lock")) == []


def _begin(place: imports.Place, slips: str | None) -> imports.Import:
    with place.alone():
        return place.begin(MEMBERS, slips)


def test_a_full_disk_names_whose_passwords_nobody_saw(place: imports.Place) -> None:
    """Whoever has a slip keeps it; another run sets new passwords for the others alone."""
    ceod, slips = Ceod(), dict[str, str]()

    def full_after_three(member: dict[str, Any], password: str) -> None:
        if len(slips) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        slips[member["uid"]] = password

    begun = _begin(place, "/s")
    lost = [member["uid"] for member in MEMBERS[3:imports.BATCH]]
    with pytest.raises(imports.SlipsLost, match="No space left on device: /s") as caught:
        list(begun.run(ceod, full_after_three))  # type: ignore[arg-type]
    assert (caught.value.exit_status, caught.value.more["uids"]) == (74, lost)
    assert f"pwreset {lost[0]}" in caught.value.message
    first = dict(slips)
    _to_the_end(place, ceod, slips)
    assert slips == ceod.passwords
    assert len(slips) == len(MEMBERS)
    assert {uid: slips[uid] for uid in first} == first


def test_dead_passwords_are_named(place: imports.Place) -> None:
    """Of who was reset by the run that went on, and of who was reset by somebody else."""
    ceod, slips = Ceod(), dict[str, str]()
    begun = _begin(place, None)
    next(begun.run(ceod, lambda member, password: slips.update({member["uid"]: password})))  # type: ignore[arg-type]
    ceod.log_reset("u1", "office1")
    ceod.log_reset("stranger", "office1")
    begun = place.load() or pytest.fail("nothing was kept")
    begun.added.append(1)  # the second batch was made, and the run ended before its slips
    begun.has_slips_of([], are_all=False)
    list(begun.run(ceod, lambda member, password: None))  # type: ignore[arg-type]
    again = {member["uid"] for member in MEMBERS[imports.BATCH:2 * imports.BATCH]}
    ceod.log_reset(min(again), "office2")
    dead = begun.dead_passwords(ceod)  # type: ignore[arg-type]
    assert set(dead) == {"u1", *again}
    assert "office1 reset the password later" in dead["u1"]
    assert "office2 reset the password later" in dead[min(again)]
    assert "shown before" in dead[max(again)]


@pytest.mark.parametrize(
    ("cut", "are_all", "is_named"),
    [("answer", False, False), ("answer", True, False), ("slips", False, True), ("slips", True, False)],
)
def test_a_password_that_nobody_saw_is_not_named(
    place: imports.Place, cut: str, are_all: bool, is_named: bool
) -> None:
    """Nobody saw one whose answer was lost, nor one that is not in the files which hold them all."""
    ceod, begun = Ceod(), _begin(place, None)

    def interrupted(member: dict[str, Any], password: str) -> None:
        raise KeyboardInterrupt

    if cut == "answer":
        ceod.fails = {1: ("after", KeyboardInterrupt())}  # type: ignore[dict-item]
    with pytest.raises(KeyboardInterrupt):
        list(begun.run(ceod, interrupted))  # type: ignore[arg-type]
    begun = place.load() or pytest.fail("nothing was kept")
    begun.has_slips_of([], are_all=are_all)
    list(begun.run(ceod, lambda member, password: None))  # type: ignore[arg-type]
    assert len(begun.resets) == imports.BATCH
    assert bool(begun.dead_passwords(ceod)) == is_named  # type: ignore[arg-type]


def test_slips_of_two_runs_are_in_two_files(place: imports.Place) -> None:
    begun = _begin(place, "/first")
    for path, files in (("/first", ["/first"]), ("/second", ["/first", "/second"]), ("/first", ["/second", "/first"])):
        begun.use_slips(path)
        again = place.load()
        assert again
        assert again.slips_files == files


@pytest.mark.parametrize(("member", "reason"), [
    ({"is_club": True}, "clubs"), ({"deleted": True}, "deleted"), ({"terms": []}, "without a term"), ({"program": ""}, "without a program"), ({}, None),
    ({"expired": True}, None), ({"terms": [], "non_member_terms": ["f2026"]}, None), ({"non_member_terms": ["f2025"]}, None),
])
def test_who_is_left_out_of_an_export(member: dict[str, Any], reason: str | None) -> None:
    whole = {"uid": "a", "cn": "Jane Doe", "program": "CS", "terms": ["f2026"], "non_member_terms": [], "is_club": False, "deleted": False} | member
    assert imports.unexported(whole) == reason
    if reason is None:
        cells = dict(zip(imports.COLUMNS, imports.export_cells(whole), strict=True))
        assert bool(cells["terms"]) != bool(cells["non_member_terms"])
