"""Bugs of the programs of 2010 and 2021, each by its name; docs/rules.md says which tests elsewhere hold the others."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ceo_common.config import Homes as Settings
from ceo_common.errors import BackendDown
from ceod.services.homes import Homes
from sandbox.club import host_place
from tests.club.club import ADMIN, Club


def test_a_skeleton_that_contains_a_forward_file(club: Club) -> None:
    """It was copied to everybody, or kept the wanted one from being written."""
    skeleton = host_place(ADMIN) / "csc/skel"
    assert (skeleton / ".forward").read_text() == "|/bin/false\n"
    without, with_one = club.add()["result"]["uid"], club.add(forwarding_addresses=["a@example.org"])["result"]["uid"]
    assert not os.path.lexists(f"/users/{without}/.forward")
    assert Path(f"/users/{with_one}/.forward").read_text() == "a@example.org\n"


def test_a_skeleton_is_copied_whole_with_its_links_and_modes(club: Club) -> None:
    home = Path("/users") / club.add()["result"]["uid"]
    assert os.readlink(home / "www") == "/var/www" and (home / "www").lstat().st_uid == home.stat().st_uid
    assert stat.S_IMODE((home / "private").stat().st_mode) == 0o700 and stat.S_IMODE((home / "private/notes").stat().st_mode) == 0o600
    assert (home / "private/notes").read_text() == "yours alone\n"


def test_no_umask_opens_a_home(tmp_path: Path) -> None:
    """A home was made with umask 0, and for a moment everybody's."""
    skeleton = tmp_path / "skel"
    (skeleton / "folder").mkdir(parents=True)
    (skeleton / "folder/file").write_text("x")
    for path, mode in ((skeleton / "folder", 0o755), (skeleton / "folder/file", 0o644)):
        path.chmod(mode)
    (tmp_path / "users").mkdir()
    before = os.umask(0)
    try:
        homes = Homes(Settings(root=str(tmp_path / "users"), archive=str(tmp_path / "users/.archive"), skeleton=str(skeleton)))
        homes.build(".new", 29995)
        homes.rename(".new", "somebody")
        homes.archive("somebody", "somebody.old")
        homes.unarchive("somebody.old", "somebody")
    finally:
        os.umask(before)
    paths = [tmp_path / "users/somebody", *(tmp_path / "users").rglob("*")]
    assert all(not path.stat().st_mode & 0o022 for path in paths), paths
    assert stat.S_IMODE((tmp_path / "users/.archive").stat().st_mode) == 0o700


def test_a_quota_that_cannot_be_set_makes_no_home(tmp_path: Path) -> None:
    (tmp_path / "users").mkdir()
    told = tmp_path / "told"

    def homes(command: list[str]) -> Homes:
        return Homes(Settings(root=str(tmp_path / "users"), skeleton="/nonexistent", quota_command=command))

    homes(["sh", "-c", f"echo $0 > {told}", "{uid_number}"]).build(".one", 29995)
    assert told.read_text() == "29995\n"
    with pytest.raises(BackendDown, match="the quota command failed: no quota here"):
        homes(["sh", "-c", "echo no quota here >&2; exit 1"]).build(".two", 29995)
    with pytest.raises(BackendDown, match="the quota command could not be run"):
        homes(["/no/such/program"]).build(".three", 29995)


def test_a_representatives_terms_and_shell_are_both_shown(club: Club) -> None:
    """The line of the one overwrote the other's."""
    shown = club.run_as("office1", "ceo", "members", "get", "rep1").stdout
    assert "Rep terms" in shown and "Login shell" in shown and "/bin/bash" in shown
