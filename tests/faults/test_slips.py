"""The disk of the slips fills up in the middle of an import."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.club import imports
from tests.club.club import Club


@pytest.fixture
def tiny(club: Club) -> Iterator[Path]:
    """A disk of ctdalek's with room for 4 KiB."""
    place = imports.HOME / f"tiny-{club.name()}"
    place.mkdir()
    options = f"size=4k,uid={imports.HOME.stat().st_uid},mode=700"
    mounted = club.run_as("root", "mount", "-t", "tmpfs", "-o", options, "none", str(place))
    assert mounted.returncode == 0, mounted
    yield place
    club.run_as("root", "umount", "-l", str(place))
    place.rmdir()


def test_slips_on_a_disk_that_fills_up(club: Club, tiny: Path) -> None:
    """Nobody is lost: who has a slip keeps it, the others are named and get one from the next run."""
    sheet = imports.write_sheet(club, 26, [])
    uids, slips = imports.uids(sheet), tiny / "slips"
    words = ["ceo", "members", "import", str(sheet), "--yes", "--slips"]
    try:
        full = club.run_as("ctdalek", *words, str(slips))
        assert full.returncode == 74, full
        assert "Traceback" not in full.stderr
        first = club.run_as("ctdalek", "cat", str(slips)).stdout
        copy = sheet.with_suffix(".first")
        copy.write_text(first)
        kept = imports.passwords(copy)
        assert first.endswith("- -\n"), "the last slip is whole"
        (named,) = [line for line in full.stderr.splitlines() if "nobody saw their passwords" in line]
        added = {uid for uid in uids if club.entries(f"(uid={uid})")}
        assert len(added) == 25
        assert set(named.partition("passwords: ")[2].split(", ")) == added - set(kept)
        assert "ceo members pwreset " in full.stderr
        other = sheet.with_suffix(".slips")
        done = club.run_as("ctdalek", *words, str(other))
        assert done.returncode == 0, done
        assert f"26 accounts are ready.  The slips are in {slips} and {other}." in done.stderr
        rest = imports.passwords(other)
        assert set(rest) == uids - set(kept)
        for uid, password in (min(kept.items()), min(rest.items())):
            login = club.run_as("root", "kinit", "-c", "FILE:/tmp/cc-slips", uid, text=f"{password}\n")
            assert "expired" in login.stdout + login.stderr, "the password is right and has to be changed"
    finally:
        for made in sheet.parent.glob(f"{sheet.stem}.*"):
            made.unlink()


def test_a_password_that_was_reset_meanwhile_is_named(club: Club) -> None:
    sheet = imports.write_sheet(club, 60, [])
    slips = sheet.with_suffix(".slips")
    words = ["ceo", "members", "import", str(sheet), "--yes", "--slips", str(slips)]
    try:
        imports.killed(club, words, 2)
        club.settled()
        given = sorted(imports.passwords(slips))
        reset = given[0]
        assert club.run_as("ctdalek", "ceo", "members", "pwreset", reset, "--yes").returncode == 0
        done = club.run_as("ctdalek", *words)
        assert done.returncode == 0, done
        assert f"{reset}: ctdalek reset the password later: its slip no longer works" in done.stderr
        assert set(imports.passwords(slips)) == imports.uids(sheet)
    finally:
        for made in sheet.parent.glob(f"{sheet.stem}.*"):
            made.unlink()
