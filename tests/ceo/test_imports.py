"""Reading a file of people, and an import that ends anywhere: whatever fails, nobody is added twice, and nobody is without a password unsaid."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
    assert [row.line for row in rows] == [3, 4] and rows[0].member["cn"] == "Jane\nDoe"


@pytest.mark.parametrize(("data", "says"), [
    ("uid,cn,program\na,José,x\n".encode("latin-1"), "line 2 is not UTF-8: save the file as UTF-8"),
    (b'"uid"x,cn,program\n', "is not CSV"), (b"uid,cn,program\na," + b"x" * 200_000 + b",y\n", "is not CSV"),
    (b"uid,cn\n", "no column program"), (b"uid,cn,program\n", "has no rows"), (b"", "no column uid"), (b"uid,cn,program,x\n", "has a column 'x'"),
])
def test_files_that_are_none(data: bytes, says: str) -> None:
    with pytest.raises(Invalid, match=says):
        imports.read(data, SETTINGS)


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_rows_or_a_refusal(data: bytes, headed: bool) -> None:
    try:
        rows = imports.read((b"uid,cn,program\n" if headed else b"") + data, SETTINGS)
    except CeoError as error:
        assert isinstance(error, Invalid) and error.message
    else:
        assert rows and all(isinstance(row.member, dict) for row in rows)


def test_more_cells_than_columns_are_for_ceod_to_refuse() -> None:
    assert sheet.rows(b"a\n1,2\n", ("a",), ()) == [(2, {"a": "1", sheet.EXTRA: "2"})]


class Ceod:
    """What of ceod an import speaks to: sign-ups by key, resets; it fails where it is told to, before or after the deed."""

    def __init__(self) -> None:
        self.made: dict[str, int] = {}  # how often each was made
        self.passwords: dict[str, str] = {}
        self.keys: set[str] = set()
        self.calls = 0
        self.fails: dict[int, tuple[str, Exception]] = {}
        self.taken: set[str] = set()

    def _call(self, deed: Any) -> Iterator[Event]:
        self.calls += 1
        when, error = self.fails.get(self.calls, ("", None))
        if when == "before" and error:
            raise error
        result = deed()
        if when == "after" and error:
            raise error
        yield {"n": 1, "status": "completed", "transaction": "t", "result": result}

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
