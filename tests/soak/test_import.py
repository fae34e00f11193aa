"""Five hundred people are signed up from a file that has twenty bad rows, and the import is killed twice on its way."""

from __future__ import annotations

from tests.club import imports
from tests.club.club import Club
from tests.club.report import LINES

GOOD = 500


def test_five_hundred_rows_killed_twice(club: Club) -> None:
    sheet = imports.write_sheet(club, GOOD, [f"Bad{i},Some Body,Maths,f2026" for i in range(20)])
    slips, uids = sheet.with_suffix(".slips"), imports.uids(sheet)
    words = ["ceo", "members", "import", str(sheet), "--skip-bad", "--yes", "--slips", str(slips)]
    checked = club.run_as("ctdalek", *words[:4], "--yes")
    assert checked.returncode == 65 and checked.stderr.count("line ") == 20
    assert club.entries("(cn=Import Person)") == {}
    imports.killed(club, words, 2)
    done = club.run_as("ctdalek", *words)
    assert done.returncode == 0 and f"{GOOD} accounts are ready" in done.stderr, done
    found = [entry["uid"][0].decode() for entry in club.entries("(&(objectClass=member)(cn=Import Person))").values()]
    assert len(found) == GOOD and set(found) == uids == set(imports.passwords(slips))
    assert all(club.principal(uid) and club.home(uid) for uid in uids)
    assert {f"{uid}@csclub.internal" for uid in uids} <= club.rosters()["csc-general"]
    LINES.append(f"{GOOD} rows imported, killed twice: {len(found)} accounts, {len(set(found))} different, {len(uids)} slips")
