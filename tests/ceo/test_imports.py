"""Reading a file of people, and what is kept of an import that is under way."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceo import imports
from ceo_common.config import Client, Hosts
from ceo_common.errors import Busy, CeoError, Invalid
from ceo_common.terms import current

SETTINGS = Client(realm="R", domain="d", ca="/ca", hosts=Hosts("a", "b", "c", "d"))


def test_columns_in_any_order_and_several_in_a_cell() -> None:
    (row,) = imports.read("terms,cn,uid,program,forwarding_addresses\nf2026; w2027,Jane Doe,jdoe,Maths,a@b.org c@d.org\n", SETTINGS)
    assert (row.line, row.uid) == (2, "jdoe")
    assert row.member == {"terms": ["f2026", "w2027"], "cn": "Jane Doe", "uid": "jdoe", "program": "Maths",
                          "forwarding_addresses": ["a@b.org", "c@d.org"]}


def test_without_terms_it_is_the_current_one_and_a_representative_stays_one() -> None:
    plain, rep = imports.read("uid,cn,program,non_member_terms\na,Jane Doe,x,\nb,John Doe,x,f2026\n", SETTINGS)
    assert plain.member["terms"] == [str(current(SETTINGS.time_zone))] and "non_member_terms" not in plain.member
    assert rep.member["non_member_terms"] == ["f2026"] and "terms" not in rep.member


def test_lines_are_the_files_own_although_a_cell_goes_over_several() -> None:
    rows = imports.read('uid,cn,program\na,"Jane\nDoe",x\nb,John Doe,x\n', SETTINGS)
    assert [row.line for row in rows] == [3, 4]


@given(st.text(max_size=200))
def test_any_text_is_rows_or_a_refusal(text: str) -> None:
    try:
        rows = imports.read(f"uid,cn,program\n{text}", SETTINGS)
    except CeoError as error:
        assert isinstance(error, Invalid) and error.message
    else:
        assert rows and all(isinstance(row.member, dict) for row in rows)


def test_one_run_at_a_time_and_what_it_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert imports.Import.of("text") is None
    begun = imports.Import.new("text", [f"u{i}" for i in range(imports.BATCH + 1)])
    again = imports.Import.of("text")
    assert again and again.batches == begun.batches and again.left == [0, 1] and imports.Import.of("other") is None
    with begun.alone(), pytest.raises(Busy), again.alone():
        pass
    with again.alone():
        again.forget()
    assert list((tmp_path / "ceo").iterdir()) == []
