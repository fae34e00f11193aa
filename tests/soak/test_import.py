"""Imports that are killed on their way, of five hundred people too: each is made once, and each slip works."""

from __future__ import annotations

import json
import os
import random
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from ceo_common.model.isbn import check_digit
from tests.club import imports
from tests.club.club import ADMIN, Club
from tests.club.report import LINES

GOOD = 500


@pytest.fixture
def sheet(club: Club) -> Iterator[Path]:
    """Fifty-two good rows; of one name there is another row."""
    path = imports.write_sheet(club, 52, ["TAKEN,Twice Person,Maths,f2026", "BAD!,x,Maths,f2026"])
    yield path
    for made in path.parent.glob(f"{path.stem}.*"):
        made.unlink()


def test_an_import_that_is_killed_goes_on_where_it_was(club: Club, sheet: Path) -> None:
    """Twice: each account is made once, each has its slip with a password that works, and the slips are their owner's alone."""
    slips, uids = sheet.with_suffix(".slips"), imports.uids(sheet)
    words = ["ceo", "members", "import", str(sheet), "--skip-bad", "--yes", "--slips", str(slips)]
    imports.killed(club, words, 2)
    done = club.run_as("ctdalek", *words)
    assert done.returncode == 0 and "52 accounts are ready" in done.stderr, done
    people = {entry["uid"][0].decode(): entry["cn"][0] for entry in club.entries("(objectClass=member)").values()}
    assert uids <= set(people) and [uid for uid in uids if people[uid] != b"Import Person"] == [sheet.stem]  # the first of its two rows
    added = "SELECT COUNT(*) FROM transactions WHERE operation = 'add_members' AND arguments LIKE ?"
    assert {club.journal(added, f'%"{uid}"%')[0][0] for uid in uids} == {1}
    found = imports.passwords(slips)
    assert stat.S_IMODE(slips.stat().st_mode) == 0o600 and set(found) == uids
    for uid in sorted(uids)[::13]:
        done = club.run_as("root", "kinit", "-c", "FILE:/tmp/cc-import", uid, text=f"{found[uid]}\n")
        assert "expired" in done.stdout + done.stderr, done  # the password is right, and has to be changed
        assert len(club.entries(f"(|(uid={uid})(cn={uid}))")) == 2 and club.home(uid) and club.on_list(uid)
    again = club.run_as("ctdalek", *words)
    assert again.returncode == 73 and "is there already" in again.stderr  # the slips of the first run


def test_who_is_added_meanwhile_is_left_out_and_the_others_are_added(club: Club, sheet: Path) -> None:
    """Between the check and the batch somebody at another desk is quicker; and a server that is away leaves the rest for another run."""
    slips = sheet.with_suffix(".slips")
    words = ["ceo", "members", "import", str(sheet), "--skip-bad", "--yes", "--json", "--slips", str(slips)]
    uids = sorted(imports.uids(sheet))
    imports.killed(club, words, 1)
    taken = [uid for uid in uids if not club.transaction_of(uid)[0] and not club.entries(f"(uid={uid})")][-1]
    club.add(uid=taken)
    club.service(ADMIN, "stop", "ceod")
    try:
        away = club.run_as("ctdalek", *words)
    finally:
        club.service(ADMIN, "start", "ceod")
        club.settled()
    assert away.returncode == 69 and "run the same command again" in away.stderr
    done = club.run_as("ctdalek", *words)
    told = json.loads(done.stdout)
    assert done.returncode == 73 and list(told["failed"]) == [taken] and sorted([*told["added"], taken]) == uids
    assert all(club.principal(uid) for uid in uids) and set(imports.passwords(slips)) == set(told["added"])


def _imported(club: Club) -> set[str]:
    """Whoever was imported in this sandbox, by other tests too."""
    return {entry["uid"][0].decode() for entry in club.entries("(&(objectClass=member)(cn=Import Person))").values()}


def test_five_hundred_rows_killed_twice(club: Club) -> None:
    sheet = imports.write_sheet(club, GOOD, [f"Bad{i},Some Body,Maths,f2026" for i in range(20)])
    slips, uids = sheet.with_suffix(".slips"), imports.uids(sheet)
    words = ["ceo", "members", "import", str(sheet), "--skip-bad", "--yes", "--slips", str(slips)]
    checked = club.run_as("ctdalek", *words[:4], "--yes")
    assert checked.returncode == 65 and checked.stderr.count("line ") == 20
    assert not _imported(club) & uids
    imports.killed(club, words, 2)
    done = club.run_as("ctdalek", *words)
    assert done.returncode == 0 and f"{GOOD} accounts are ready" in done.stderr, done
    found = _imported(club) & uids
    assert found == uids == set(imports.passwords(slips))
    assert all(club.principal(uid) and club.home(uid) for uid in uids)
    assert {f"{uid}@csclub.internal" for uid in uids} <= club.rosters()["csc-general"]
    LINES.append(f"{GOOD} rows imported, killed twice: {len(found)} accounts, {len(uids)} slips")


def _books_sheet(club: Club, count: int) -> Path:
    """A file of ctdalek's with so many books: every other one has an ISBN."""
    title = f"Shelf of {club.name()}"
    lines, first = ["title,authors,isbn,publisher"], random.randrange(9 * 10**7)
    for i in range(count):
        body = f"9791{first + i:08d}"
        isbn = body + check_digit(body) if i % 2 else ""
        lines.append(f"{title} {i},A. Writer; B. Writer {i},{isbn},{'Éditions ' * 12}")
    path = imports.HOME / f"{title.rsplit(maxsplit=1)[-1]}.csv"
    path.write_text("\n".join(lines) + "\n")
    os.chown(path, imports.HOME.stat().st_uid, imports.HOME.stat().st_gid)
    return path


@pytest.mark.parametrize("count", [2_001, 10_000])
def test_books_killed_twice_are_added_once(club: Club, count: int) -> None:
    """More than a request takes; and a run that is repeated once all is done adds nothing."""
    sheet = _books_sheet(club, count)
    office, words = club.client("office1"), ["ceo", "library", "import", str(sheet), "--yes"]

    def added() -> int:
        return int(office.books(size=1)["found"])

    before = added()
    try:
        imports.killed(club, words, 2, added)
        assert added() < before + count
        done = club.run_as("ctdalek", *words)
        assert (done.returncode, done.stdout) == (0, f"{count} books are added.\n"), done
        assert "Going on where it was cut off" in done.stderr
        assert added() == before + count
        again = club.run_as("ctdalek", *words)
        assert again.returncode == 65
        assert f"{count:,} doubles: lines 2-{count + 1}; --json names each" in again.stderr
        skipped = club.run_as("ctdalek", *words, "--doubles", "skip")
        assert (skipped.returncode, skipped.stdout) == (0, "0 books are added.\n")
        assert added() == before + count
    finally:
        sheet.unlink()
    LINES.append(f"{count} books imported, killed twice: {added() - before} books")
